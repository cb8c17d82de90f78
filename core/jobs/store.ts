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
    waits: slot("waits"),
    costs_json: slot("costs_json"),
    retry_json: slot("retry_json"),
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
 * a higher priority. A child is never stood for by a job that is not its parent's, whose end its parent would not
 * hear of; and it is at least as urgent as its parent. Throws `invalid_parameters`, `cancelled` when its parent is,
 * and `conflict` for an idempotency key that stands for another request.
 */
export async function addJob(tx: Tx, job: NewJob, nowMs: number): Promise<Added> {
  const before = await sameRequest(tx, job);
  if (before !== undefined) {
    // A parent that runs again may find another input for the child that it has begun.
    if (job.parent === undefined) checkSame(before, job);
    return { job: toJob(before), event: undefined, raised: false };
  }
  const parent = job.parent === undefined ? undefined : await openParent(tx, job.parent);
  const priority = Math.max(job.priority ?? DEFAULT_PRIORITY, parent?.priority ?? 0);
  let row = newRow({ ...job, priority }, nowMs);
  const standing = await equalWork(tx, job);
  if (standing !== undefined && parent !== undefined && standing.parent !== parent.id) {
    row = { ...row, flight_key: null };
  } else if (standing !== undefined) {
    const raised = await raise(tx, standing, priority);
    return { job: toJob(raised ?? standing), event: undefined, raised: raised !== undefined };
  }
  await insertRow(tx, row);
  const event = await writeEvent(tx, row as EventColumns, nowMs);
  return { job: toJob(row as JobRow), event, raised: false };
}

/** What tells whether a request is a known one, or asks for what is under way. */
export type Request = Pick<NewJob, "user" | "idempotencyKey" | "flightKey">;

/** Whether `addJob` would answer with a job that is there. */
export async function isKnown(db: Db, request: Request): Promise<boolean> {
  return await sameRequest(db, request) !== undefined ||
    await equalWork(db, request) !== undefined;
}

async function sameRequest(db: Db, job: Request): Promise<JobRow | undefined> {
  if (job.idempotencyKey === undefined) return undefined;
  return await db.selectFrom("job").selectAll()
    .where("user_id", "=", job.user).where("idempotency_key", "=", job.idempotencyKey)
    .executeTakeFirst();
}

/** A key stands for one request: another one that is sent with it would be taken for done. */
function checkSame(row: JobRow, job: NewJob): void {
  const before = toJob(row);
  // Of what was deleted for good, the input is not kept.
  if ((before.input as { readonly deleted?: true } | null)?.deleted) return;
  const isSame = before.kind === job.kind &&
    row.input_json === JSON.stringify(job.input ?? null);
  if (isSame) return;
  throw new CarrelError(
    "conflict",
    `Cannot begin that: "${before.id}" was begun with the same idempotency key, and by another request`,
    { details: { job: before.id } },
  );
}

async function equalWork(db: Db, job: Request): Promise<JobRow | undefined> {
  if (job.flightKey === undefined) return undefined;
  return await db.selectFrom("job").selectAll()
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

async function openParent(tx: Tx, id: string): Promise<JobRow> {
  const parent = await readRow(tx, id);
  if (parent.status !== "cancelling" && parent.status !== "cancelled") return parent;
  throw new CarrelError("cancelled", `Cannot add a job below "${id}": it was cancelled`);
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
export async function readEvents(
  db: Db,
  id: string,
  afterSeq: number,
  limit?: number,
): Promise<JobEvent[]> {
  let query = db.selectFrom("job_event").innerJoin("job", "job.id", "job_event.job_id")
    .selectAll("job_event").select("job.plugin")
    .where("job_id", "=", id).where("job_event.seq", ">", afterSeq)
    .orderBy("job_event.seq");
  if (limit !== undefined) query = query.limit(limit);
  const rows = await query.execute();
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

/** The jobs that a filter means, unordered and unbounded. */
export function matching(db: Db, filter: Omit<JobFilter, "limit" | "cursor">) {
  const { kind, plugin, code, parent, user, since } = filter;
  const status = filter.status ?? (code === undefined ? undefined : "failed");
  let query = db.selectFrom("job");
  if (status !== undefined) query = query.where("status", "=", status);
  // Said, else the index of all but the queued ones is not used.
  if (status !== undefined && status !== "queued") {
    query = query.where("status", "<>", sql.lit("queued"));
  }
  if (kind !== undefined) query = query.where("kind", "=", kind);
  if (plugin !== undefined) query = query.where("plugin", "=", plugin);
  if (code !== undefined) query = query.where(sql`error_json ->> 'code'`, "=", code);
  if (parent !== undefined) query = query.where("parent", "=", parent);
  if (user !== undefined) query = query.where("user_id", "=", user);
  if (since !== undefined) query = query.where(sql`coalesce(completed, created)`, ">=", since);
  return query;
}

/** Newest first. Throws `bad_request` for a cursor that is none of ours. */
export async function listJobs(db: Db, filter: JobFilter): Promise<Page<Job>> {
  const limit = Math.min(Math.max(Math.trunc(filter.limit ?? 50), 1), 200);
  let query = matching(db, filter).selectAll();
  if (filter.cursor !== undefined) {
    if (!/^\d{1,15}$/.test(filter.cursor)) {
      throw new CarrelError(
        "bad_request",
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
