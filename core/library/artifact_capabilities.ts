/**
 * What steps of workflows do to artifacts: functions of the host. Rows are written in the transaction that ends the
 * step's job, so that each artifact and each file of it is there once, whatever dies in between.
 */
import type { Kysely } from "kysely";
import type { HostCall, HostCapability } from "../capabilities/capabilities.ts";
import { CarrelError } from "../errors.ts";
import { effectsOf } from "../jobs/effects.ts";
import type { Job } from "../jobs/job.ts";
import { cleanText } from "../plain_json.ts";
import type { BlobKeeper } from "../stores/blobs.ts";
import type { Database, SqlStore, Tx } from "../stores/sql.ts";
import {
  type ArtifactLog,
  type Changer,
  createArtifact,
  finishArtifact,
  type NewFile,
  writeArtifact,
} from "./artifact_changes.ts";
import { chooseArtifact, cleanArtifacts } from "./artifact_choice.ts";
import { getArtifact } from "./artifact_rows.ts";
import {
  type CreateInput,
  INPUTS,
  type NotifyInput,
  type ReadInput,
  type WriteInput,
} from "./artifact_inputs.ts";
import { type MadeBy, madeBy } from "./made_by.ts";

export interface ArtifactCapabilitiesParts {
  readonly sql: SqlStore;
  readonly blobs: BlobKeeper;
  readonly eventLog: NonNullable<ArtifactLog>;
  /** For blobs that could not be removed; they go with the next sweep. @default console.error */
  readonly report?: ((error: unknown) => void) | undefined;
}

type Db = Kysely<Database>;
type Written = NewFile & { readonly artifact: string };

/** Bytes of one file that is written, and of one that is read. */
const MOST_BYTES = 1024 * 1024;

/** `artifact.create`, `artifact.write`, `artifact.finish`, `artifact.choose`, `artifact.clean`, `artifact.read`, `notify`. */
export function artifactCapabilities(
  { sql, blobs, eventLog, report = console.error }: ArtifactCapabilitiesParts,
): readonly HostCapability[] {
  const changer = async (tx: Tx, { job, actor }: HostCall): Promise<Changer> => ({
    job: { id: job.id, user: actor.user },
    step: await stepOf(tx, job),
    log: eventLog,
  });

  const create: HostCapability = {
    name: "artifact.create",
    description: "Announces an artifact. Result: {artifact}.",
    input: INPUTS["artifact.create"],
    async commit(tx, prepared, call) {
      const input = prepared as CreateInput;
      const artifact = await createArtifact(tx, {
        type: input.type ?? "text",
        title: line(input.title ?? "Untitled"),
        parent: input.parent ?? undefined,
        variantIndex: input.variant_index ?? undefined,
        sourceIds: many(input.source_ids),
        parameters: input.parameters ?? {},
        formats: many(input.formats),
        state: input.state ?? "placeholder",
      }, await changer(tx, call));
      return { artifact };
    },
  };

  const write: HostCapability = {
    name: "artifact.write",
    description:
      "Puts a text into an artifact as a file. Result: {artifact, name, size, digest, made_by}.",
    input: INPUTS["artifact.write"],
    async prepare(given, { job }): Promise<Written> {
      const input = given as WriteInput;
      const made = await makersOf(input, job);
      const text = cleanText(input.text ?? textOf(input.name, made));
      const bytes = new TextEncoder().encode(text);
      if (bytes.length > MOST_BYTES) {
        throw new CarrelError(
          "too_large",
          `Cannot write "${input.name}": it has more than ${MOST_BYTES} bytes`,
        );
      }
      const mediaType = input.media_type ?? mediaTypeOf(input.name);
      const language = input.language ?? undefined;
      return {
        artifact: input.artifact,
        file: {
          name: input.name,
          mediaType,
          ...await blobs.put(job.id, bytes, mediaType),
          language,
          format: input.format ?? language,
        },
        text,
        made,
        state: input.state ?? undefined,
      };
    },
    async commit(tx, prepared, call) {
      const { artifact, ...written } = prepared as Written;
      const { file, made } = written;
      await writeArtifact(tx, artifact, written, await changer(tx, call));
      return {
        artifact,
        name: file.name,
        size: file.size,
        digest: file.digest,
        made_by: made.calls.map(({ plugin, models, path }) => ({
          step: path,
          plugin: plugin.id,
          version: plugin.version,
          models: models.map(({ name }) => name),
        })),
      };
    },
  };

  async function makersOf({ from }: WriteInput, job: HostCall["job"]): Promise<MadeBy> {
    const names = many(from);
    if (names.length === 0) return { calls: [], givers: [] };
    const place = await stepOf(sql.db, job);
    if (place !== undefined) return await madeBy(sql.db, place, names);
    throw new CarrelError(
      "invalid_parameters",
      'Cannot write "from" a step: the call is not part of a run',
      { details: { field: "from" } },
    );
  }

  const finish: HostCapability = {
    name: "artifact.finish",
    description: "Says that an artifact is ready, or has failed. Result: {artifact, state}.",
    input: INPUTS["artifact.finish"],
    async commit(tx, prepared, call) {
      const { artifact, state } = prepared as { artifact: string; state?: "ready" | "failed" };
      await finishArtifact(tx, artifact, state ?? "ready", await changer(tx, call));
      return { artifact, state: state ?? "ready" };
    },
  };

  const choose: HostCapability = {
    name: "artifact.choose",
    description: "Chooses one variant of its parent, once. Result: {artifact, parent, unchosen}.",
    input: INPUTS["artifact.choose"],
    async commit(tx, prepared, call) {
      const { artifact } = prepared as { artifact: string };
      return { artifact, ...await chooseArtifact(tx, artifact, await changer(tx, call)) };
    },
  };

  const clean: HostCapability = {
    name: "artifact.clean",
    description:
      "Clears away the variants of a parent that were not chosen. Result: {deleted, kept}: ids.",
    input: INPUTS["artifact.clean"],
    async commit(tx, prepared, call) {
      const { parent } = prepared as { parent: string };
      const { freed, ...result } = await cleanArtifacts(tx, parent, await changer(tx, call));
      // What dies before it leaves them to the daily sweep.
      effectsOf(tx)?.(() => {
        blobs.sweep({ only: freed, olderThanMs: 0 }).catch(report);
      });
      return result;
    },
  };

  const read: HostCapability = {
    name: "artifact.read",
    description:
      "Reads a text file of an artifact, the first unless one is named or the last is asked for. Result: {artifact, title, name, language, text, parent, state}.",
    input: INPUTS["artifact.read"],
    async prepare(given) {
      const { artifact, name, last } = given as ReadInput;
      const found = await getArtifact(sql.db, artifact);
      const file = name
        ? found.files.find((one) => one.name === name)
        : found.files.at(last === true ? -1 : 0);
      const refuse = (code: "not_found" | "too_large" | "unsupported_media_type", why: string) =>
        new CarrelError(code, `Cannot read "${name ?? artifact}": ${why}`);
      if (file === undefined) throw refuse("not_found", `"${artifact}" has no such file`);
      if (!/^text\/|json/.test(file.mediaType)) {
        throw refuse("unsupported_media_type", `it is ${file.mediaType}, no text`);
      }
      if (file.size > MOST_BYTES) throw refuse("too_large", `it has more than ${MOST_BYTES} bytes`);
      return {
        artifact,
        title: found.title,
        name: file.name,
        language: file.language ?? null,
        text: cleanText(new TextDecoder().decode(await blobs.get(file.digest))),
        parent: found.parent ?? null,
        state: found.state,
      };
    },
    commit: (_tx, prepared) => Promise.resolve(prepared),
  };

  const notify: HostCapability = {
    name: "notify",
    description: "Logs the event `notify`, which feeds and hooks see. Result: {notified: true}.",
    input: INPUTS["notify"],
    async commit(tx, prepared, { job, actor }) {
      const { title, message, data } = prepared as NotifyInput;
      const step = await stepOf(tx, job);
      await eventLog.append(tx, {
        name: "notify",
        subject: step?.run ?? job.id,
        payload: {
          title,
          ...(message === null || message === undefined ? {} : { message }),
          ...(data === null || data === undefined ? {} : { data }),
          ...(step === undefined ? {} : { run: step.run, step: step.path }),
        },
        user: actor.user,
      });
      return { notified: true };
    },
  };

  return [create, write, finish, choose, clean, read, notify];
}

const many = (value: readonly string[] | string | null | undefined): readonly string[] =>
  typeof value === "string" ? [value] : value ?? [];

/** The step of a run that a job is; undefined for a call outside of any. */
async function stepOf(db: Db, { id, parent }: HostCall["job"]): Promise<Changer["step"]> {
  if (parent === undefined) return undefined;
  const { path } = await jobInput(db, id);
  return typeof path === "string" ? { run: parent, path } : undefined;
}

async function jobInput(db: Db, id: Job["id"]) {
  const { input_json } = await db.selectFrom("job").select("input_json").where("id", "=", id)
    .executeTakeFirstOrThrow();
  return JSON.parse(input_json) as { readonly path?: unknown; readonly input?: unknown };
}

/** The text of the one call that a file is from. */
function textOf(name: string, { calls }: MadeBy): string {
  const texts = calls.flatMap(({ value }) => {
    const { text } = (value ?? {}) as { text?: unknown };
    return typeof text === "string" ? [text] : [];
  });
  if (texts.length === 1) return texts[0]!;
  throw new CarrelError(
    "invalid_parameters",
    `Cannot write "${name}": ${
      calls.length === 0 ? "there is no text" : `"from" names ${texts.length} texts, say which`
    }`,
    { details: { field: "text" } },
  );
}

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  md: "text/markdown",
  txt: "text/plain",
  json: "application/json",
  csv: "text/csv",
  vtt: "text/vtt",
  srt: "text/plain",
};

function mediaTypeOf(name: string): string {
  return MEDIA_TYPES[name.split(".").at(-1)!.toLowerCase()] ?? "text/plain";
}

/** A title in one line. */
function line(text: string): string {
  return cleanText(text).replace(/[\p{Cc}\u2028\u2029]+/gu, " ").trim() || "Untitled";
}
