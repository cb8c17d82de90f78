/**
 * Deletes content: softly (hidden, kept), or hard: rows and passages go, and what other rows say of it is
 * redacted; a tombstone stays so that lineage still holds.
 */
import { type Kysely, sql } from "kysely";
import { createBreather } from "../breathe.ts";
import { CarrelError } from "../errors.ts";
import { type EventLog, HOST_USER } from "../event_log/event_log.ts";
import { redactEvents } from "../event_log/event_rows.ts";
import { CHECKPOINT_TYPE } from "../jobs/checkpoint.ts";
import { END_STATUSES, type StageRecord } from "../jobs/job.ts";
import type { Database, SqlStore, Tx } from "../stores/sql.ts";
import type { ImportInput } from "./import_input.ts";

const DELETED = "(deleted)";
/** Rows of one statement: a few milliseconds, then the loop may turn. */
const ROWS_AT_ONCE = 200;

/**
 * Resolves with the digests of the blobs that the content referred to, for the caller to sweep: none after a
 * soft deletion. Throws `not_found`.
 */
export async function deleteContent(
  store: SqlStore,
  id: string,
  hard: boolean,
  { log, user = HOST_USER }: {
    readonly log?: Pick<EventLog, "append"> | undefined;
    readonly user?: string | undefined;
  } = {},
): Promise<readonly string[]> {
  return await store.transaction(async (tx) => {
    const row = await tx.selectFrom("content")
      .innerJoin("revision", "revision.id", "content.revision")
      .select([
        "content.id",
        "content.status",
        "content.url",
        "content.collection",
        "content.licence",
        "content.title",
        "revision.original_digest",
      ])
      .where("content.id", "=", id)
      .executeTakeFirst();
    if (row === undefined || (row.status === "deleted" && !hard)) {
      throw new CarrelError("not_found", `Cannot delete content "${id}": there is none of this id`);
    }
    const now = new Date().toISOString();
    if (!hard) {
      await tx.updateTable("content").set({ status: "deleted", updated: now }).where("id", "=", id)
        .execute();
      await log?.append(tx, { name: "content.deleted", subject: id, payload: { hard }, user });
      return [];
    }
    const revisions = await tx.selectFrom("revision")
      .select(["original_digest", "text_digest", "title", "original_name"])
      .where("content_id", "=", id).execute();
    const titles = [row.title, ...revisions.flatMap((r) => [r.title, r.original_name])];
    await deleteChunks(tx, id);
    await tx.deleteFrom("revision").where("content_id", "=", id).execute();
    await tx.deleteFrom("content").where("id", "=", id).execute();
    // What was made from it still refers to it: id, digest, licence and time stay, the title does not.
    await tx.updateTable("lineage_node").set({
      type: "Tombstone",
      label: DELETED,
      properties_json: JSON.stringify({
        deleted: now,
        digest: row.original_digest,
        licence: row.licence,
      }),
    }).where("id", "=", id).execute();
    await redactParts(tx, id, titles);
    await redactExports(tx, id, titles);
    await redactEvents(tx, [id]);
    const blobs = await redactImports(tx, row);
    await log?.append(tx, { name: "content.deleted", subject: id, payload: { hard }, user });
    return [
      ...new Set([...revisions.flatMap((r) => [r.original_digest, r.text_digest]), ...blobs]),
    ];
  });
}

async function deleteChunks(tx: Tx, content: string): Promise<void> {
  const breathe = createBreather();
  for (;;) {
    const { numDeletedRows } = await tx.deleteFrom("chunk").where(
      "row",
      "in",
      tx.selectFrom("chunk").select("row").where("content_id", "=", content).limit(ROWS_AT_ONCE),
    ).executeTakeFirstOrThrow();
    if (numDeletedRows === 0n) return;
    await breathe();
  }
}

/** Whether a text says one of the titles. */
function saying(titles: readonly string[]): (text: string | null) => boolean {
  const said = titles.map((title) => title.toLowerCase()).filter((title) => title !== "");
  return (text) => text !== null && said.some((title) => text.toLowerCase().includes(title));
}

/** A chapter is often called as its source is. */
async function redactParts(tx: Tx, content: string, titles: readonly string[]): Promise<void> {
  const says = saying(titles);
  const parts = await tx.selectFrom("lineage_node")
    .innerJoin("lineage_edge", "lineage_edge.from_id", "lineage_node.id")
    .select(["lineage_node.id", "lineage_node.label"]).distinct()
    .where("lineage_edge.to_id", "=", content).where("lineage_edge.type", "=", "SOURCED_FROM")
    .where("lineage_node.type", "=", "Part").execute();
  for (const { id } of parts.filter(({ label }) => says(label))) {
    await tx.updateTable("lineage_node").set({ label: DELETED }).where("id", "=", id).execute();
  }
}

/** What an export has reported while it worked on the source. */
async function redactExports(tx: Tx, content: string, titles: readonly string[]): Promise<void> {
  const says = saying(titles);
  const events = await tx.selectFrom("lineage_edge")
    .innerJoin("artifact", "artifact.id", "lineage_edge.from_id")
    .innerJoin("job_event", "job_event.job_id", "artifact.job_id")
    .select(["job_event.job_id", "job_event.seq", "job_event.message"])
    .where("lineage_edge.to_id", "=", content).where("lineage_edge.type", "=", "GENERATED_FROM")
    .where("job_event.message", "is not", null).execute();
  for (const { job_id, seq } of events.filter(({ message }) => says(message))) {
    await tx.updateTable("job_event").set({ message: null })
      .where("job_id", "=", job_id).where("seq", "=", seq).execute();
  }
}

/**
 * Redacts the ended imports from that place, whatever became of them, and lets go of their blobs: what an
 * import was given and reported says names, titles and metadata. One that still runs brings the content anew.
 */
async function redactImports(
  tx: Tx,
  { id, url, collection }: { id: string; url: string; collection: string },
): Promise<string[]> {
  const blobs: string[] = [];
  for (const job of await importsOf(tx, url, collection)) {
    const upload = job.input.upload?.digest;
    if (upload !== undefined) blobs.push(upload);
    for (const { checkpoint } of job.stages) if (checkpoint !== undefined) blobs.push(checkpoint);
    const leases = await tx.deleteFrom("blob_lease").where("owner", "=", job.id)
      .returning("digest").execute();
    blobs.push(...leases.map(({ digest }) => digest), ...await checkpointsOf(tx, job));
    const left: ImportInput = {
      url: `deleted:${id}`,
      collection,
      pinned: job.input.pinned,
      deleted: true,
    };
    await tx.updateTable("job").set({
      input_json: JSON.stringify(left),
      stages_json: JSON.stringify(
        job.stages.map(({ name, executor, digest }) => ({ name, executor, digest })),
      ),
      site: null,
      flight_key: null,
      message: null,
      ...(job.error === null ? {} : {
        error_json: JSON.stringify({
          code: job.error.code,
          message: "Cannot say more: what was imported has been deleted",
          retryable: false,
        }),
      }),
    }).where("id", "=", job.id).execute();
    await tx.updateTable("job_event").set({ message: null }).where("job_id", "=", job.id).execute();
    await redactEvents(tx, [job.id]);
  }
  return blobs;
}

/** Checkpoints that were stored while a job ran: a job that is completed does not name its own any more. */
async function checkpointsOf(
  tx: Tx,
  { started, completed }: { started: string | null; completed: string | null },
): Promise<string[]> {
  if (started === null || completed === null) return [];
  const rows = await tx.selectFrom("blob").select("digest")
    .where("created", ">=", started).where("created", "<=", completed)
    .where("media_type", "=", CHECKPOINT_TYPE).execute();
  return rows.map(({ digest }) => digest);
}

async function importsOf(db: Kysely<Database>, url: string, collection: string) {
  // By the text first: to parse every job's input would take long.
  const rows = await db.selectFrom("job")
    .select(["id", "input_json", "stages_json", "error_json", "started", "completed"])
    .where("kind", "=", "import").where("status", "in", END_STATUSES)
    .where(sql<boolean>`instr(input_json, ${JSON.stringify(url)}) > 0`).execute();
  return rows.map((row) => ({
    ...row,
    input: JSON.parse(row.input_json) as ImportInput,
    stages: JSON.parse(row.stages_json) as StageRecord[],
    error: row.error_json === null ? null : JSON.parse(row.error_json) as { code: string },
  })).filter(({ input }) => input.url === url && input.collection === collection);
}
