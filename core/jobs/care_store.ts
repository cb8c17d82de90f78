/** Statements on jobs from outside their attempts: cancel, retry by hand, falling due, losses. */
import { type Kysely, sql } from "kysely";
import { CarrelError } from "../errors.ts";
import type { Database, Tx } from "../stores/sql.ts";
import type { Changed } from "./attempt_store.ts";
import { JOB_STATUSES, type JobError, type JobEvent, type JobStatus } from "./job.ts";
import {
  EVENT_COLUMNS,
  isoTime,
  type JobRow,
  MOST_ATTEMPTS,
  rankOf,
  toJob,
  TOP_PRIORITY,
} from "./row.ts";
import { cancelled, HELD_STATUSES } from "./states.ts";
import { readRow, writeEvent } from "./store.ts";

const IDS_AT_ONCE = 500;

/** A job that was told to stop, or ended, by a cancel. */
export type CancelledJob = Changed;

/**
 * Cancels a job and all below it, at once: what runs becomes `cancelling`, everything else that has not ended
 * ends. Throws `not_found`.
 */
export async function cancelTree(tx: Tx, id: string, nowMs: number): Promise<CancelledJob[]> {
  await readRow(tx, id);
  const { rows: tree } = await sql<{ id: string; status: JobStatus }>`
    with recursive tree (id) as (
      select ${id} union select job.id from tree join job on job.parent = tree.id
    )
    select job.id, job.status from tree join job on job.id = tree.id`.execute(tx);
  const done: CancelledJob[] = [];
  for (const to of ["cancelling", "cancelled"] as const) {
    const ids = tree.filter(({ status }) => cancelled(status) === to).map((row) => row.id);
    for (let start = 0; start < ids.length; start += IDS_AT_ONCE) {
      const rows = await tx.updateTable("job").set((update) => ({
        status: to,
        seq: update("seq", "+", 1),
        ...(to === "cancelled" ? { completed: isoTime(nowMs), message: null } : {}),
      })).where("id", "in", ids.slice(start, start + IDS_AT_ONCE)).returningAll().execute();
      for (const row of rows) done.push(await told(tx, row, nowMs));
    }
  }
  return done;
}

/**
 * Runs an ended job again: two points of priority more, one attempt more if none is left. Throws `not_found`,
 * and `conflict` when the job completed, has not ended, was tried ten times, or equal work is in flight.
 */
export async function retryByHand(tx: Tx, id: string, nowMs: number): Promise<Changed> {
  const row = await readRow(tx, id);
  const refuse = (why: string) => new CarrelError("conflict", `Cannot retry "${id}": ${why}`);
  if (row.status === "completed") throw refuse("it has completed");
  if (row.status !== "failed" && row.status !== "cancelled") throw refuse("it has not ended");
  if (row.attempt >= MOST_ATTEMPTS) throw refuse(`it has been tried ${row.attempt} times`);
  if (row.flight_key !== null && await isInFlight(tx, row.flight_key)) {
    throw refuse("a newer job does the same work");
  }
  const priority = Math.min(row.priority + 2, TOP_PRIORITY);
  const after = await tx.updateTable("job").set({
    status: "queued",
    priority,
    rank: rankOf(priority, nowMs),
    run_at_ms: nowMs,
    max_attempts: Math.max(row.max_attempts, row.attempt + 1),
    progress: 0,
    message: null,
    error_json: null,
    completed: null,
    seq: row.seq + 1,
  }).where("id", "=", id).returningAll().executeTakeFirstOrThrow();
  return await told(tx, after, nowMs);
}

async function isInFlight(tx: Tx, flightKey: string): Promise<boolean> {
  const row = await tx.selectFrom("job").select("id").where("flight_key", "=", flightKey)
    .where("status", "not in", ["completed", "failed", "cancelled"]).executeTakeFirst();
  return row !== undefined;
}

/** Lets a job that waits for a person go on; undefined for one that does not wait. */
export async function resumeWaiting(
  tx: Tx,
  id: string,
  nowMs: number,
): Promise<Changed | undefined> {
  const row = await tx.updateTable("job").set((update) => ({
    status: "queued",
    message: null,
    error_json: null,
    seq: update("seq", "+", 1),
  })).where("id", "=", id).where("status", "=", "waiting").returningAll().executeTakeFirst();
  return row && await told(tx, row, nowMs);
}

/** Ends a job that waits for a person, who said no; undefined for one that does not wait. */
export async function failWaiting(
  tx: Tx,
  id: string,
  error: JobError,
  nowMs: number,
): Promise<Changed | undefined> {
  const row = await tx.updateTable("job").set((update) => ({
    status: "failed",
    error_json: JSON.stringify(error),
    message: error.message,
    completed: isoTime(nowMs),
    seq: update("seq", "+", 1),
  })).where("id", "=", id).where("status", "=", "waiting").returningAll().executeTakeFirst();
  return row && await told(tx, row, nowMs);
}

/** A job that has become ready, by its rank. */
export interface Ready {
  readonly event: JobEvent;
  readonly rank: number;
  readonly priority: number;
}

/** Makes ready what has fallen due, at most `limit` jobs, the longest overdue first. */
export async function promoteDue(tx: Tx, nowMs: number, limit: number): Promise<Ready[]> {
  const rows = await tx.updateTable("job")
    .set((update) => ({ status: "queued", seq: update("seq", "+", 1) }))
    .where("row", "in", (db) =>
      db.selectFrom("job").select("row").where("status", "in", notDue())
        .where("run_at_ms", "<=", nowMs).orderBy("run_at_ms").limit(limit))
    .returning([...EVENT_COLUMNS, "rank", "priority"]).execute();
  const ready: Ready[] = [];
  for (const row of rows) {
    const { rank, priority } = row;
    ready.push({ event: await writeEvent(tx, row, nowMs), rank, priority });
  }
  return ready;
}

/** When the next job falls due, milliseconds since 1970. */
export async function nextDue(db: Kysely<Database>): Promise<number | undefined> {
  const row = await db.selectFrom("job").select("run_at_ms").where("status", "in", notDue())
    .orderBy("run_at_ms").limit(1).executeTakeFirst();
  return row?.run_at_ms;
}

/** Spelled out, else the partial index is not used. */
function notDue() {
  return JOB_STATUSES.filter((status) => status === "pending" || status === "retrying")
    .map((status) => sql.lit(status));
}

/** Whose jobs are lost: all but those of one living owner, or those whose lease is over. */
export type Lost = { readonly notOwnedBy: string } | { readonly leaseOver: true };

/**
 * Takes jobs back from dispatchers that are gone. What was being cancelled ends; the rest is ready again,
 * until it has been tried ten times: a host that is killed often must not use up the attempts that are meant
 * for errors, and a job that kills its host must not do so for ever. A job of one attempt fails at once.
 */
export async function reap(tx: Tx, lost: Lost, nowMs: number): Promise<Changed[]> {
  let query = tx.selectFrom("job").selectAll().where("status", "in", HELD_STATUSES)
    // Implied, but the index is used only where it is said.
    .where("status", "<>", sql.lit("queued"));
  query = "notOwnedBy" in lost
    ? query.where((where) =>
      where.or([where("lease_owner", "is", null), where("lease_owner", "!=", lost.notOwnedBy)])
    )
    : query.where((where) =>
      where.or([where("lease_until_ms", "is", null), where("lease_until_ms", "<=", nowMs)])
    );
  const done: Changed[] = [];
  for (const row of await query.execute()) {
    const after = await tx.updateTable("job").set({
      ...fate(row, nowMs),
      lease_owner: null,
      lease_until_ms: null,
      seq: row.seq + 1,
    }).where("id", "=", row.id).returningAll().executeTakeFirstOrThrow();
    done.push(await told(tx, after, nowMs));
  }
  return done;
}

function fate(row: JobRow, nowMs: number) {
  if (row.status === "cancelling") {
    return { status: "cancelled", completed: isoTime(nowMs), message: null };
  }
  if (row.max_attempts > 1 && row.attempt < MOST_ATTEMPTS) {
    return {
      status: "queued",
      message: null,
      max_attempts: Math.max(row.max_attempts, row.attempt + 1),
    };
  }
  const error: JobError = {
    code: "lost",
    message: `Cannot finish "${row.id}": the host that ran it ended, ${row.attempt} times`,
    retryable: false,
  };
  return {
    status: "failed",
    completed: isoTime(nowMs),
    message: error.message,
    error_json: JSON.stringify(error),
  };
}

async function told(tx: Tx, row: JobRow, nowMs: number): Promise<Changed> {
  return { job: toJob(row), event: await writeEvent(tx, row, nowMs) };
}
