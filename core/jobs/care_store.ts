/** Statements on jobs from outside their attempts: cancel, retry by hand, falling due, losses. */
import { type Kysely, sql } from "kysely";
import { CarrelError } from "../errors.ts";
import { prepared } from "../stores/prepared.ts";
import type { Database, Tx } from "../stores/sql.ts";
import type { Changed } from "./attempt_store.ts";
import {
  END_STATUSES,
  JOB_STATUSES,
  type JobError,
  type JobEvent,
  type JobStatus,
  type StageName,
  type StageRecord,
  STAGES,
} from "./job.ts";
import type { RetryOptions } from "./jobs.ts";
import {
  EVENT_COLUMNS,
  isoTime,
  type JobRow,
  MOST_ATTEMPTS,
  rankOf,
  toJob,
  TOP_PRIORITY,
} from "./row.ts";
import { cancelled, HELD_STATUSES, statusesBefore } from "./states.ts";
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
 * Runs an ended job again: two points of priority more, one try more if none is left. Throws `not_found`,
 * and `conflict` when the job completed, has not ended, was tried ten times, or equal work is in flight.
 */
export async function retryByHand(
  tx: Tx,
  id: string,
  { from }: RetryOptions,
  nowMs: number,
): Promise<Changed> {
  const row = await readRow(tx, id);
  const refuse = (why: string) => new CarrelError("conflict", `Cannot retry "${id}": ${why}`);
  if (row.status === "completed") throw refuse("it has completed");
  if (row.status !== "failed" && row.status !== "cancelled") throw refuse("it has not ended");
  const tries = row.attempt - row.waits;
  if (tries >= MOST_ATTEMPTS) throw refuse(`it has been tried ${tries} times`);
  if (row.flight_key !== null && await isInFlight(tx, row.flight_key)) {
    throw refuse("a newer job does the same work");
  }
  const priority = Math.min(row.priority + 2, TOP_PRIORITY);
  const after = await tx.updateTable("job").set({
    status: "queued",
    priority,
    rank: rankOf(priority, nowMs),
    run_at_ms: nowMs,
    max_attempts: Math.max(row.max_attempts, tries + 1),
    losses: 0,
    pruned: 0,
    ...(from === undefined ? {} : { stages_json: stagesBefore(row.stages_json, from) }),
    progress: 0,
    message: null,
    error_json: null,
    completed: null,
    seq: row.seq + 1,
  }).where("id", "=", id).returningAll().executeTakeFirstOrThrow();
  return await told(tx, after, nowMs);
}

/** In the order of `STAGES`: that of the records changes when one is made anew. */
function stagesBefore(stagesJson: string, from: StageName): string {
  const stages: StageRecord[] = JSON.parse(stagesJson);
  const isEarlier = ({ name }: StageRecord) => STAGES.indexOf(name) < STAGES.indexOf(from);
  return JSON.stringify(stages.filter(isEarlier));
}

async function isInFlight(tx: Tx, flightKey: string): Promise<boolean> {
  const row = await tx.selectFrom("job").select("id").where("flight_key", "=", flightKey)
    .where("status", "not in", END_STATUSES).executeTakeFirst();
  return row !== undefined;
}

const resumeRow = prepared<{ id: string }, JobRow>((db, slot) =>
  db.updateTable("job").set((update) => ({
    status: "queued",
    // What it waited for is over; which of its children run is told anew by itself.
    message: update.case().when("waits_for", "in", ["child", "children"])
      .then(update.ref("message")).else(null).end(),
    waits_for: null,
    wake_ms: null,
    seq: update("seq", "+", 1),
  })).where("id", "=", slot("id")).where("status", "=", "waiting").returningAll()
);

/** Lets a job that waits go on, whatever for; undefined for one that does not wait. */
export async function resumeWaiting(
  tx: Tx,
  id: string,
  nowMs: number,
): Promise<Changed | undefined> {
  const { rows: [row] } = await resumeRow(tx, { id });
  return row && await told(tx, row, nowMs);
}

/** Ends a job that waits, for example for a person who said no; undefined for one that does not wait. */
export async function failWaiting(
  tx: Tx,
  id: string,
  error: JobError,
  nowMs: number,
): Promise<Changed | undefined> {
  return await failFrom(tx, id, ["waiting"], error, nowMs);
}

/** Ends a job wherever it is; undefined for one that has ended or is being cancelled. */
export async function failOpen(
  tx: Tx,
  id: string,
  error: JobError,
  nowMs: number,
): Promise<Changed | undefined> {
  return await failFrom(tx, id, statusesBefore("failed"), error, nowMs);
}

async function failFrom(
  tx: Tx,
  id: string,
  from: readonly JobStatus[],
  error: JobError,
  nowMs: number,
): Promise<Changed | undefined> {
  const row = await tx.updateTable("job").set((update) => ({
    status: "failed",
    lease_owner: null,
    lease_until_ms: null,
    error_json: JSON.stringify(error),
    message: error.message,
    completed: isoTime(nowMs),
    seq: update("seq", "+", 1),
  })).where("id", "=", id).where("status", "in", from).returningAll().executeTakeFirst();
  return row && await told(tx, row, nowMs);
}

/** A job that has become ready, by its rank. */
export interface Ready {
  readonly event: JobEvent;
  readonly rank: number;
  readonly priority: number;
  /** Set for one that waited: only now it is in the queue. */
  readonly enters: string | undefined;
}

/**
 * Makes ready what has fallen due, at most `limit` jobs put off and as many that waited until now, the longest
 * overdue first.
 */
export async function promoteDue(tx: Tx, nowMs: number, limit: number): Promise<Ready[]> {
  const due = await tx.updateTable("job")
    .set((update) => ({ status: "queued", seq: update("seq", "+", 1) }))
    .where("row", "in", (db) =>
      db.selectFrom("job").select("row").where("status", "in", notDue())
        .where("run_at_ms", "<=", nowMs).orderBy("run_at_ms").limit(limit))
    .returning([...EVENT_COLUMNS, "rank", "priority"]).execute();
  const woken = await tx.updateTable("job")
    .set((update) => ({
      status: "queued",
      message: null,
      waits_for: null,
      wake_ms: null,
      seq: update("seq", "+", 1),
    }))
    .where(
      "row",
      "in",
      wakesAt(tx).select("row").where("wake_ms", "<=", nowMs).orderBy("wake_ms").limit(limit),
    )
    .returning([...EVENT_COLUMNS, "rank", "priority", "user_id"]).execute();
  const ready: Ready[] = [];
  const enterings = [
    ...due.map((row) => ({ ...row, enters: undefined })),
    ...woken.map(({ user_id, ...row }) => ({ ...row, enters: user_id })),
  ];
  for (const { enters, ...row } of enterings) {
    const { rank, priority } = row;
    ready.push({ event: await writeEvent(tx, row, nowMs), rank, priority, enters });
  }
  return ready;
}

/** When the next job falls due or wakes, milliseconds since 1970. */
export async function nextDue(db: Kysely<Database>): Promise<number | undefined> {
  const due = await db.selectFrom("job").select("run_at_ms").where("status", "in", notDue())
    .orderBy("run_at_ms").limit(1).executeTakeFirst();
  const wake = await wakesAt(db).select("wake_ms").orderBy("wake_ms").limit(1).executeTakeFirst();
  if (due === undefined) return wake?.wake_ms ?? undefined;
  return Math.min(due.run_at_ms, wake?.wake_ms ?? Infinity);
}

/** Jobs that wait and go on by themselves; in the words of the partial index. */
function wakesAt(db: Kysely<Database>) {
  return db.selectFrom("job").where("status", "=", sql.lit("waiting"))
    .where("wake_ms", "is not", null);
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
 * until that has happened ten times in a row: a host that is killed often must not use up the tries that are
 * meant for errors, and a job that kills its host must not do so for ever. A job of one try fails at once.
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
  const losses = row.losses + 1;
  const tries = row.attempt - row.waits;
  if (row.max_attempts > 1 && tries < MOST_ATTEMPTS && losses < MOST_ATTEMPTS) {
    return { status: "queued", message: null, waits: row.waits + 1, losses };
  }
  const error: JobError = {
    code: "lost",
    message: `Cannot finish "${row.id}": the host that ran it ended, ${losses} ${
      losses === 1 ? "time" : "times"
    }`,
    retryable: false,
  };
  return {
    status: "failed",
    completed: isoTime(nowMs),
    message: error.message,
    error_json: JSON.stringify(error),
    losses,
  };
}

async function told(tx: Tx, row: JobRow, nowMs: number): Promise<Changed> {
  return { job: toJob(row), event: await writeEvent(tx, row, nowMs) };
}
