/** Changes of artifacts that are made piece by piece, each within a transaction of the caller. */
import { CarrelError } from "../errors.ts";
import type { ArtifactCreated, EventLog } from "../event_log/event_log.ts";
import { newId } from "../ids.ts";
import { isEnded, type Job, type JobKind, type JobStatus } from "../jobs/job.ts";
import { type AnnouncedFact, type Maker, type WrittenFact } from "../provenance/facts.ts";
import { lineageOf } from "../provenance/lineage.ts";
import type { Tx } from "../stores/sql.ts";
import type { Artifact, ArtifactState } from "./artifact.ts";
import { filesJson, getArtifact } from "./artifact_rows.ts";
import type { StoredFile } from "./library.ts";
import type { MadeBy } from "./made_by.ts";
import { holdsText } from "./made_by.ts";

/** Where events of artifacts are logged. */
export type ArtifactLog = Pick<EventLog, "append"> | undefined;

/** Who changes something: a call, in a run or outside of any. */
export interface Changer {
  readonly job: Pick<Job, "id" | "user">;
  /** The run and the step that the call is for. */
  readonly step: { readonly run: string; readonly path: string } | undefined;
  readonly log: ArtifactLog;
}

export interface NewArtifact {
  readonly type: string;
  readonly title: string;
  readonly parent: string | undefined;
  readonly variantIndex: number | undefined;
  readonly sourceIds: readonly string[];
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Formats that it will have. */
  readonly formats: readonly string[];
  readonly state: "placeholder" | "generating";
}

/** Files of one artifact. */
const MOST_FILES = 1_000;
/** Artifacts on the way from one up to a run's own, at most: forks of forks. */
const MOST_FORKS = 100;

/**
 * Announces an artifact; answers with its id. A step that is done again by a retry has its artifact again.
 * Throws `source_missing`, `not_found` or `gone` for the parent, `conflict` for a variant of a parent among whose
 * variants somebody has chosen.
 */
export async function createArtifact(
  tx: Tx,
  asked: NewArtifact,
  changer: Changer,
): Promise<string> {
  await refuseEndedRun(tx, changer);
  const { parent, variantIndex } = asked;
  if (parent !== undefined) await getArtifact(tx, parent);
  if (variantIndex !== undefined) {
    if (parent === undefined) {
      throw new CarrelError(
        "invalid_parameters",
        `Cannot make the variant "${asked.title}": it has no parent`,
        { details: { field: "parent" } },
      );
    }
    await refuseDecided(tx, parent, `make another variant of "${parent}"`);
  }
  const sources = await pinned(tx, asked.sourceIds);
  const now = new Date().toISOString();
  const { step, job, log } = changer;
  const values = {
    type: asked.type,
    title: asked.title,
    sources_json: JSON.stringify(sources),
    files_json: "[]",
    size: 0,
    parameters_json: JSON.stringify(asked.parameters),
    metadata_json: JSON.stringify({
      ...(asked.formats.length === 0 ? {} : { formats: asked.formats }),
      ...(step === undefined ? {} : { step: step.path }),
    }),
    plugin: "host",
    plugin_digest: "",
    job_id: job.id,
    user_id: job.user,
    parent: parent ?? null,
    variant_index: variantIndex ?? null,
    chosen: null,
    state: asked.state,
    run_id: step?.run ?? null,
    updated: now,
  };
  const before = step && await artifactOfStep(tx, step, job.user);
  const id = before ?? newId("artifact");
  if (before === undefined) {
    await tx.insertInto("artifact").values({ ...values, id, version_of: null, created: now })
      .execute();
  } else {
    await tx.updateTable("artifact").set(values).where("id", "=", id).execute();
  }
  const fact: AnnouncedFact = {
    artifact: { id, type: asked.type, title: asked.title },
    sources,
    parent,
    job: await makerOf(tx, step?.run ?? job.id),
  };
  await lineageOf(tx, now).announced(fact);
  await log?.append(tx, {
    name: before === undefined ? "artifact.created" : "artifact.changed",
    subject: id,
    payload: {
      artifact: id,
      type: asked.type,
      title: asked.title,
      state: asked.state,
      ...(parent === undefined ? {} : { parent }),
      ...(step === undefined ? { job: job.id } : { run: step.run }),
    } satisfies ArtifactCreated,
    user: job.user,
  });
  return id;
}

/** The artifact that an earlier try of the same step has made. */
async function artifactOfStep(
  tx: Tx,
  { run, path }: { readonly run: string; readonly path: string },
  user: string,
): Promise<string | undefined> {
  const row = await tx.selectFrom("run_step").select("number")
    .where("run_id", "=", run).where("path", "=", path).executeTakeFirst();
  const earlier = Array.from({ length: Number(row?.number ?? 1) - 1 }, (_, i) => i + 1);
  if (earlier.length === 0) return undefined;
  const found = await tx.selectFrom("artifact").innerJoin("job", "job.id", "artifact.job_id")
    .select("artifact.id").where("artifact.run_id", "=", run)
    .where("artifact.state", "<>", "deleted").where("job.user_id", "=", user)
    .where("job.idempotency_key", "in", earlier.map((number) => `${run}:${path}:${number}`))
    .orderBy("artifact.id", "desc").executeTakeFirst();
  return found?.id;
}

/** The contents at the revisions that they are at now. */
async function pinned(tx: Tx, ids: readonly string[]) {
  const wanted = [...new Set(ids)];
  if (wanted.length === 0) return [];
  const rows = await tx.selectFrom("content").select(["id", "revision"])
    .where("id", "in", wanted).where("status", "=", "ready").execute();
  const found = new Map(rows.map(({ id, revision }) => [id, revision]));
  const missing = wanted.filter((id) => !found.has(id));
  if (missing.length === 0) {
    return wanted.map((content) => ({ content, revision: found.get(content)! }));
  }
  throw new CarrelError(
    "source_missing",
    `Cannot make something of "${missing[0]}": there is no such content, or it was deleted`,
    { details: { missing } },
  );
}

async function makerOf(tx: Tx, id: string): Promise<Maker> {
  const row = await tx.selectFrom("job").select(["id", "kind", "attempt", "user_id"])
    .where("id", "=", id).executeTakeFirstOrThrow();
  return { id, kind: row.kind as JobKind, attempt: row.attempt, user: row.user_id };
}

/** A file whose bytes are stored. */
export interface NewFile {
  readonly file: StoredFile;
  readonly text: string;
  readonly made: MadeBy;
  readonly state: "generating" | "ready" | undefined;
}

/** Puts a file into an artifact, in place of one of the same name. Throws as `openArtifact`. */
export async function writeArtifact(
  tx: Tx,
  id: string,
  { file, text, made, state }: NewFile,
  changer: Changer,
): Promise<void> {
  await refuseEndedRun(tx, changer);
  const artifact = await openArtifact(tx, id, changer);
  const files = [...artifact.files];
  const at = files.findIndex(({ name }) => name === file.name);
  const position = at < 0 ? files.length : at;
  files[position] = file;
  if (files.length > MOST_FILES) {
    throw new CarrelError(
      "too_large",
      `Cannot write "${file.name}": ${MOST_FILES} files are there`,
    );
  }
  const now = new Date().toISOString();
  const [first] = made.calls;
  const sources = new Map(artifact.sources.map((source) => [source.content, source]));
  for (const { id: content, revision } of made.calls.flatMap(({ given }) => given)) {
    if (revision !== undefined && !sources.has(content)) {
      sources.set(content, { content, revision });
    }
  }
  const goesOn = artifact.state === "ready" ? "ready" : "generating";
  await tx.updateTable("artifact").set({
    files_json: filesJson(files),
    size: files.reduce((sum, { size }) => sum + size, 0),
    sources_json: JSON.stringify([...sources.values()]),
    state: state ?? goesOn,
    updated: now,
    ...(position > 0 ? {} : {
      plugin: first?.plugin.id ?? "host",
      plugin_digest: first?.plugin.digest ?? "",
    }),
  }).where("id", "=", id).execute();
  const fact: WrittenFact = {
    artifact: id,
    file: { name: file.name, digest: file.digest, language: file.language, position },
    makers: await Promise.all(made.calls.map(async (call) => ({
      ...call,
      verbatim: holdsText(call.value, text),
      from: call.text === undefined ? [] : await filesOf(artifact, call.text, file.name),
    }))),
    givers: made.calls.length + made.givers.length > 0 ? made.givers : [changer.job.user],
  };
  await lineageOf(tx, now).wrote(fact);
  await changed(tx, artifact, changer, { file: file.name, state: state ?? goesOn });
}

/** Names of the files that hold a text, but for one. */
async function filesOf({ files }: Artifact, text: string, but: string): Promise<string[]> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  const digest = new Uint8Array(bytes).toHex();
  return files.filter((file) => file.digest === digest && file.name !== but)
    .map(({ name }) => name);
}

/** Throws `conflict` for `ready` where no file is there; else as `openArtifact`. */
export async function finishArtifact(
  tx: Tx,
  id: string,
  state: "ready" | "failed",
  changer: Changer,
): Promise<void> {
  const artifact = await openArtifact(tx, id, changer);
  if (state === "ready" && artifact.files.length === 0) {
    throw new CarrelError("conflict", `Cannot finish "${id}": it has no file`);
  }
  await setState(tx, id, state);
  await changed(tx, artifact, changer, { state });
}

export async function setState(tx: Tx, id: string, state: ArtifactState): Promise<void> {
  await tx.updateTable("artifact").set({ state, updated: new Date().toISOString() })
    .where("id", "=", id).execute();
}

/** Logs that it has changed. */
export async function changed(
  tx: Tx,
  { id, type, run }: Pick<Artifact, "id" | "type" | "run">,
  { job, log }: Pick<Changer, "log"> & { readonly job: { readonly user: string } },
  what: Readonly<Record<string, unknown>>,
): Promise<void> {
  await log?.append(tx, {
    name: "artifact.changed",
    subject: id,
    payload: { artifact: id, type, ...(run === undefined ? {} : { run }), ...what },
    user: job.user,
  });
}

/**
 * The artifact, if this call may write it: its run may, or a fork of that as long as it is not ready, or, where it
 * was announced outside of a run, a call of the same user outside of any. Throws `not_found`, `gone`, and `conflict`
 * for another one's.
 */
async function openArtifact(tx: Tx, id: string, { step, job }: Changer): Promise<Artifact> {
  const artifact = await getArtifact(tx, id);
  if (step === undefined && artifact.run === undefined) {
    if (await isCallOf(tx, artifact.job, job.user)) return artifact;
  }
  let run = step?.run;
  for (let forks = 0; run !== undefined && forks < MOST_FORKS; forks++) {
    if (run === artifact.run) {
      if (forks === 0 || artifact.state !== "ready") return artifact;
      throw readyElsewhere(artifact, run);
    }
    const row = await tx.selectFrom("workflow_run").select("forked_from")
      .where("id", "=", run).executeTakeFirst();
    run = row?.forked_from ?? undefined;
  }
  throw new CarrelError("conflict", `Cannot change "${id}": another run or an export made it`);
}

/** What a run has finished stays as it is, whatever is forked from it. */
function readyElsewhere({ id, metadata }: Artifact, run: string): CarrelError {
  const from = typeof metadata["step"] === "string" ? metadata["step"] : undefined;
  return new CarrelError(
    "conflict",
    `Cannot change "${id}": it is ready, and "${run}" made it; fork from the step that creates it${
      from === undefined ? "" : `, "${from}"`
    }, to make another`,
    { details: { run, ...(from === undefined ? {} : { from }) } },
  );
}

/** Whether a job, which may be gone, was a call for this user. */
async function isCallOf(tx: Tx, id: string, user: string): Promise<boolean> {
  const row = await tx.selectFrom("job").select(["kind", "user_id"]).where("id", "=", id)
    .executeTakeFirst();
  return row?.kind === "call" && row.user_id === user;
}

/** A call whose run was cancelled meanwhile announces and writes nothing more. */
async function refuseEndedRun(tx: Tx, { step }: Changer): Promise<void> {
  if (step === undefined) return;
  const run = await tx.selectFrom("job").select("status").where("id", "=", step.run)
    .executeTakeFirst();
  const status = run?.status as JobStatus | undefined;
  if (status !== undefined && status !== "cancelling" && !isEnded(status)) return;
  throw new CarrelError("cancelled", `Cannot go on with "${step.path}": its run has ended`);
}

/** Throws `conflict` where somebody has chosen among the variants of a parent. */
export async function refuseDecided(tx: Tx, parent: string, what: string): Promise<void> {
  const row = await tx.selectFrom("artifact").select("id")
    .where("parent", "=", parent).where("variant_index", "is not", null)
    .where("chosen", "=", 1).where("state", "<>", "deleted").executeTakeFirst();
  if (row === undefined) return;
  throw new CarrelError("conflict", `Cannot ${what}: "${row.id}" has been chosen already`, {
    details: { chosen: row.id },
  });
}
