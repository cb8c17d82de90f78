/**
 * The export job: the host reads the pinned revisions of the sources, the plugin makes files of them in its
 * runner, the host stores the files with their lineage.
 */
import type { Kysely } from "kysely";
import type {
  Attribution,
  ContentMetadata,
  ContentType,
  ExportInput,
  ExportSource,
  Plain,
} from "../../sdk/types.ts";
import type { Pool } from "../../sandbox/types.ts";
import { guestOfJob, type JobGuestParts } from "../capabilities/guest_services.ts";
import { CarrelError } from "../errors.ts";
import type { ArtifactCreated, EventLog } from "../event_log/event_log.ts";
import { newId } from "../ids.ts";
import type { JobHandler, JobRun } from "../jobs/job.ts";
import type { Plugins } from "../plugins/plugins.ts";
import type { Prompts } from "../prompts/prompts.ts";
import { lineageOf, mergeClaims } from "../provenance/lineage.ts";
import type { BlobKeeper } from "../stores/blobs.ts";
import type { Database, SqlStore } from "../stores/sql.ts";
import type { StoredFile } from "./library.ts";
import { parseOutput } from "./plugin_output.ts";
import { stageDigest } from "./stage_digest.ts";
import { type Composed, parseComposed } from "./stage_output.ts";

/** The job's input. */
export interface ExportJobInput {
  readonly sources: readonly { readonly content: string; readonly revision: string }[];
  readonly format: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly versionOf?: string | undefined;
  readonly reason?: string | undefined;
}

export function exportHandler(
  { sql, blobs, plugins, pool, prompts, eventLog, guests }: {
    sql: SqlStore;
    blobs: BlobKeeper;
    plugins: Plugins;
    pool: Pool;
    prompts: Pick<Prompts, "examine">;
    /** What plugins have of the host while they work. @default nothing */
    guests?: JobGuestParts | undefined;
    /** Is told of new artifacts. */
    eventLog?: Pick<EventLog, "append"> | undefined;
  },
): JobHandler<Composed> {
  async function compose(run: JobRun, input: ExportJobInput): Promise<Composed> {
    const plugin = plugins.get(run.job.plugin ?? "");
    run.progress(5, "reading the sources");
    const sources: ExportSource[] = [];
    for (const source of input.sources) {
      run.signal.throwIfAborted();
      sources.push(await readSource(sql.db, blobs, source));
    }
    const spec = await plugins.runnerSpec(plugin.id, undefined, { job: run.job.id });
    await using desk = await pool.acquire(spec, { signal: run.signal });
    const title = input.parameters["title"];
    const asked: ExportInput = {
      sources,
      // The time of the request, not of the attempt: a retry makes the same bytes.
      now: run.job.created,
      ...(typeof title === "string" && title !== "" ? { title } : {}),
    };
    const guest = guests &&
      await guestOfJob(guests, run, { plugin: plugin.id, method: "generate" });
    const answer = await desk.call("generate", [asked, input.parameters as Record<string, Plain>], {
      ...guest?.options,
      signal: run.signal,
      job: { id: run.job.id, idempotencyKey: run.job.id },
      onProgress: (fraction, message) => run.progress(15 + 75 * fraction, message),
      onLog: ({ level, message }) => run.log(level, message),
    }).catch(async (error) => {
      const { job } = run;
      throw await (guest ?? prompts).examine({ job, plugin: plugin.id, error, uses: desk.uses() });
    });
    const output = parseOutput(answer, plugin.id);
    const chunks = Object.fromEntries(sources.map((s) => [s.id, s.chunks.length]));
    checkClaims(output.attributions, sources, plugin.id);
    const files: StoredFile[] = [];
    for (const { name, mediaType, bytes } of output.files) {
      files.push({ name, mediaType, ...(await blobs.put(run.job.id, bytes, mediaType)) });
    }
    return {
      title: output.title,
      files,
      attributions: output.attributions,
      metadata: output.metadata ?? {},
      chunks,
      plugin: { id: plugin.id, version: plugin.version, digest: spec.digest },
    };
  }

  return {
    async run(run) {
      const input = run.job.input as ExportJobInput;
      const digest = await stageDigest(plugins, run.job.plugin ?? "");
      const composed = await run.stage(
        { name: "composing", executor: "plugin", digest, from: 5, parse: parseComposed },
        () => compose(run, input),
      );
      run.progress(95, "storing");
      return composed;
    },

    async commit(tx, composed, job) {
      const input = job.input as ExportJobInput;
      const id = newId("artifact");
      const now = new Date().toISOString();
      await tx.insertInto("artifact").values({
        id,
        type: input.format,
        title: composed.title,
        sources_json: JSON.stringify(input.sources),
        files_json: JSON.stringify(composed.files.map((f) => ({
          name: f.name,
          media_type: f.mediaType,
          digest: f.digest,
          size: f.size,
        }))),
        size: composed.files.reduce((sum, f) => sum + f.size, 0),
        parameters_json: JSON.stringify(input.parameters),
        metadata_json: JSON.stringify(composed.metadata),
        plugin: composed.plugin.id,
        plugin_digest: composed.plugin.digest,
        job_id: job.id,
        user_id: job.user,
        version_of: input.versionOf ?? null,
        created: now,
      }).execute();
      await lineageOf(tx, now).generated({
        artifact: { id, type: input.format, title: composed.title },
        sources: input.sources.map((s) => ({ ...s, chunks: composed.chunks[s.content] ?? 0 })),
        attributions: composed.attributions,
        plugin: composed.plugin,
        job,
        versionOf: input.versionOf,
        reason: input.reason,
      });
      await eventLog?.append(tx, {
        name: "artifact.created",
        subject: id,
        payload: {
          artifact: id,
          type: input.format,
          title: composed.title,
          state: "ready",
          job: job.id,
        } satisfies ArtifactCreated,
        user: job.user,
      });
      return { artifact: id };
    },
  };
}

/** Passages that the claims of one output name, beside those of sources that are used whole. */
const MAX_NAMED_PASSAGES = 200_000;

/** Throws `invalid_output` for a claim on what is no source or no passage of it, and for too many. */
export function checkClaims(
  attributions: readonly Attribution[],
  sources: readonly Pick<ExportSource, "id" | "chunks">[],
  plugin: string,
): void {
  const refuse = (why: string) =>
    new CarrelError(
      "invalid_output",
      `Cannot use what "${plugin}" returned from generate: ${why}`,
    );
  const passages = new Map(
    sources.map(({ id, chunks }) => [id, new Set(chunks.map((chunk) => chunk.id))]),
  );
  let named = 0;
  for (const { source, chunks } of mergeClaims(attributions)) {
    const known = passages.get(source);
    if (known === undefined) throw refuse(`it names "${source}", which is no source`);
    const stranger = chunks.find((chunk) => !known.has(chunk));
    if (stranger !== undefined) {
      throw refuse(`it names "${stranger}", which is no passage of "${source}"`);
    }
    if (chunks.length < known.size) named += chunks.length;
    if (named > MAX_NAMED_PASSAGES) {
      throw refuse(`it names more than ${MAX_NAMED_PASSAGES} passages`);
    }
  }
}

/** One source at its pinned revision. Throws `source_missing` when it was deleted meanwhile. */
async function readSource(
  db: Kysely<Database>,
  blobs: BlobKeeper,
  source: { content: string; revision: string },
): Promise<ExportSource> {
  const row = await db.selectFrom("content")
    .innerJoin("revision", "revision.content_id", "content.id")
    .select([
      "content.id",
      "content.type",
      "content.url",
      "content.revision as current",
      "content.title as current_title",
      "content.metadata_json as current_metadata_json",
      "revision.original_name",
      "revision.title",
      "revision.metadata_json",
      "revision.text_digest",
      "revision.created",
    ])
    .where("content.id", "=", source.content)
    .where("content.status", "=", "ready")
    .where("revision.id", "=", source.revision)
    .executeTakeFirst();
  const missing = () =>
    new CarrelError(
      "source_missing",
      `Cannot export "${source.content}": the source was deleted`,
      { details: { source: source.content } },
    );
  if (row === undefined) throw missing();
  const text = await blobs.get(row.text_digest).catch((error: unknown) => {
    // Deleted for good between the two reads.
    throw error instanceof CarrelError && error.code === "not_found" ? missing() : error;
  });
  const chunks = await db.selectFrom("chunk").select(["id", "start", "end", "page"])
    .where("revision_id", "=", source.revision).orderBy("position").execute();
  // A request may have given the content another title and metadata since its bytes came in.
  const current = row.current === source.revision;
  const metadata: ContentMetadata = JSON.parse(
    current ? row.current_metadata_json : row.metadata_json,
  );
  return {
    id: row.id,
    revision: source.revision,
    type: row.type as ContentType,
    title: current ? row.current_title : row.title,
    ...(row.url.startsWith("upload:") ? { filename: row.original_name } : { url: row.url }),
    authors: metadata.authors ?? [],
    published: metadata.published,
    language: metadata.language,
    licence: metadata.licence,
    imported: row.created,
    markdown: new TextDecoder().decode(text),
    chunks: chunks.map((c) => ({
      id: c.id,
      start: c.start,
      end: c.end,
      page: c.page ?? undefined,
    })),
  };
}
