/** Statements on job rows that no attempt is bound to: adding, reading, listing, events. */
import { type Kysely, sql } from "kysely";
import { CarrelError } from "../errors.ts";
import { prepared } from "../stores/prepared.ts";
import type { Database, Tx } from "../stores/sql.ts";
import {
  END_STATUSES,
  type Job,
  JOB_STATUSES,
  type JobEvent,
  type JobStatus,
  type NewJob,
  type StageName,
} from "./job.ts";
import type { JobFilter, Page } from "./jobs.ts";
import { HELD_STATUSES } from "./states.ts";
import {
  DEFAULT_PRIORITY,
  type EventColumns,
  type JobRow,
  type NewJobRow,
  newRow,
  rankOf,
  toEvent,
  toJob,
} from "./row.ts";

type Db = Kysely<Database>;

const insertRow = prepared<NewJobRow, unknown>((db, slot) =>
  db.insertInto("job").values({
    id: slot("id"),
    kind: slot("kind"),
    plugin: slot("plugin"),
    site: slot("site"),
    input_json: slot("input_json"),
    status: slot("status"),
    stage: slot("stage"),
    stages_json: slot("stages_json"),
    progress: slot("progress"),
    message: slot("message"),
    priority: slot("priority"),
    rank: slot("rank"),
    attempt: slot("attempt"),
    max_attempts: slot("max_attempts"),
    run_at_ms: slot("run_at_ms"),
    lease_owner: slot("lease_owner"),
    lease_until_ms: slot("lease_until_ms"),
    parent: slot("parent"),
    user_id: slot("user_id"),
    idempotency_key: slot("idempotency_key"),
    flight_key: slot("flight_key"),
    error_json: slot("error_json"),
    result_json: slot("result_json"),
    seq: slot("seq"),
    created: slot("created"),
    started: slot("started"),
    completed: slot("completed"),
  })
);

const insertEvent = prepared<JobEvent, unknown>((db, slot) =>
  db.insertInto("job_event").values({
    job_id: slot("job_id"),
    seq: slot("seq"),
    status: slot("status"),
    stage: slot("stage"),
    progress: slot("progress"),
    message: slot("message"),
    time: slot("timestamp"),
  })
);

const rowById = prepared<{ id: string }, JobRow>((db, slot) =>
  db.selectFrom("job").selectAll().where("id", "=", slot("id"))
);

/** A job as it was added, or the one that stands for it; `event` only when it is new. */
export interface Added {
  readonly job: Job;
  readonly event: JobEvent | undefined;
  /** Whether the one that stands for it is wanted sooner now. */
  readonly raised: boolean;
}

/**
 * Adds a job, unless one of the same idempotency key, or equal work in flight, is there; the latter takes over
 * a higher priority. Throws `invalid_parameters`, and `cancelled` when its parent is.
 */
export async function addJob(tx: Tx, job: NewJob, nowMs: number): Promise<Added> {
  const before = await sameRequest(tx, job);
  if (before !== undefined) return { job: toJob(before), event: undefined, raised: false };
  const row = newRow(job, nowMs);
  const standing = await equalWork(tx, job);
  if (standing !== undefined) {
    const raised = await raise(tx, standing, job.priority ?? DEFAULT_PRIORITY);
    return { job: toJob(raised ?? standing), event: undefined, raised: raised !== undefined };
  }
  if (job.parent !== undefined) await checkParent(tx, job.parent);
  await insertRow(tx, row);
  const event = await writeEvent(tx, row as EventColumns, nowMs);
  return { job: toJob(row as JobRow), event, raised: false };
}

async function sameRequest(tx: Tx, job: NewJob): Promise<JobRow | undefined> {
  if (job.idempotencyKey === undefined) return undefined;
  return await tx.selectFrom("job").selectAll()
    .where("user_id", "=", job.user).where("idempotency_key", "=", job.idempotencyKey)
    .executeTakeFirst();
}

async function equalWork(tx: Tx, job: NewJob): Promise<JobRow | undefined> {
  if (job.flightKey === undefined) return undefined;
  return await tx.selectFrom("job").selectAll()
    .where("flight_key", "=", job.flightKey)
    // Spelled out, else the partial index is not used.
    .where("status", "not in", END_STATUSES.map((status) => sql.lit(status)))
    .executeTakeFirst();
}

/** Gives a job that waits its turn a higher priority; undefined when there is nothing to gain. */
async function raise(tx: Tx, row: JobRow, priority: number): Promise<JobRow | undefined> {
  const waits = !(HELD_STATUSES as readonly string[]).includes(row.status);
  if (!waits || priority <= row.priority) return undefined;
  return await tx.updateTable("job").set({ priority, rank: rankOf(priority, row.run_at_ms) })
    .where("row", "=", row.row).returningAll().executeTakeFirstOrThrow();
}

async function checkParent(tx: Tx, parent: string): Promise<void> {
  const status = (await readRow(tx, parent)).status;
  if (status !== "cancelling" && status !== "cancelled") return;
  throw new CarrelError("cancelled", `Cannot add a job below "${parent}": it was cancelled`);
}

/** Appends the event that an updated row tells of. */
export async function writeEvent(tx: Tx, row: EventColumns, nowMs: number): Promise<JobEvent> {
  const event = toEvent(row, nowMs);
  await insertEvent(tx, event);
  return event;
}

/** Throws `not_found`. */
export async function readRow(db: Db, id: string): Promise<JobRow> {
  const { rows: [row] } = await rowById(db, { id });
  if (row === undefined) {
    throw new CarrelError("not_found", `Cannot find the job "${id}": there is none of that id`);
  }
  return row;
}

/** Events after a sequence number, in order; `plugin` is the job's. */
export async function readEvents(db: Db, id: string, afterSeq: number): Promise<JobEvent[]> {
  const rows = await db.selectFrom("job_event").innerJoin("job", "job.id", "job_event.job_id")
    .selectAll("job_event").select("job.plugin")
    .where("job_id", "=", id).where("job_event.seq", ">", afterSeq)
    .orderBy("job_event.seq").execute();
  return rows.map((row) => ({
    job_id: row.job_id,
    seq: row.seq,
    status: row.status as JobStatus,
    stage: row.stage as StageName | null,
    progress: row.progress,
    message: row.message,
    plugin: row.plugin,
    timestamp: row.time,
  }));
}

/** Newest first. Throws `invalid_parameters` for a cursor that is none of ours. */
export async function listJobs(db: Db, filter: JobFilter): Promise<Page<Job>> {
  const limit = Math.min(Math.max(Math.trunc(filter.limit ?? 50), 1), 200);
  let query = db.selectFrom("job").selectAll();
  if (filter.status !== undefined) query = query.where("status", "=", filter.status);
  if (filter.status !== undefined && filter.status !== "queued") {
    query = query.where("status", "<>", sql.lit("queued"));
  }
  if (filter.kind !== undefined) query = query.where("kind", "=", filter.kind);
  if (filter.parent !== undefined) query = query.where("parent", "=", filter.parent);
  if (filter.cursor !== undefined) {
    if (!/^\d{1,15}$/.test(filter.cursor)) {
      throw new CarrelError(
        "invalid_parameters",
        "Cannot list jobs: the cursor is not one of this list",
      );
    }
    query = query.where("row", "<", Number(filter.cursor));
  }
  const rows = await query.orderBy("row", "desc").limit(limit + 1).execute();
  const items = rows.slice(0, limit);
  return {
    items: items.map(toJob),
    cursor: rows.length > limit ? String(items.at(-1)!.row) : undefined,
  };
}

export async function countJobs(db: Db): Promise<Record<JobStatus, number>> {
  // In two, by the two indexes that cover them.
  const others = await db.selectFrom("job").where("status", "<>", sql.lit("queued"))
    .groupBy("status").select((select) => ["status", select.fn.countAll<number>().as("count")])
    .execute();
  const queued = await db.selectFrom("job").where("status", "=", sql.lit("queued"))
    .select((select) => select.fn.countAll<number>().as("count")).executeTakeFirstOrThrow();
  const counts = Object.fromEntries(JOB_STATUSES.map((status) => [status, 0]));
  for (const { status, count } of others) counts[status] = Number(count);
  counts["queued"] = Number(queued.count);
  return counts as Record<JobStatus, number>;
}
