/**
 * Statements of one attempt on its job. Each is fenced: it changes the row only while this very attempt holds
 * it, and says `undefined` when it does not any more.
 */
import { prepared } from "../stores/prepared.ts";
import type { Tx } from "../stores/sql.ts";
import type { Job, JobError, JobEvent, StageName, StageRecord, WaitsFor } from "./job.ts";
import { EVENT_COLUMNS, type EventColumns, isoTime, type JobRow, rankOf, toJob } from "./row.ts";
import { HELD_STATUSES, statusesBefore } from "./states.ts";
import { writeEvent } from "./store.ts";

/** Names the attempt that speaks. */
export interface Fence {
  readonly id: string;
  readonly attempt: number;
}

/** An attempt that ends. */
export interface Ending extends Fence {
  /** All that the job has cost, as `costs_json` has it. */
  readonly costs: string;
}

/** What an update did: the job as it is now, and its new event. */
export interface Changed {
  readonly job: Job;
  readonly event: JobEvent;
}

interface CompleteValues extends Fence {
  result: string | null;
  stages: string;
  costs: string;
  time: string;
}

const completeRow = prepared<CompleteValues, JobRow>((db, slot) =>
  db.updateTable("job").set((update) => ({
    status: "completed",
    progress: 100,
    message: null,
    lease_owner: null,
    lease_until_ms: null,
    error_json: null,
    result_json: slot("result"),
    stages_json: slot("stages"),
    costs_json: slot("costs"),
    completed: slot("time"),
    seq: update("seq", "+", 1),
  })).where("id", "=", slot("id")).where("attempt", "=", slot("attempt"))
    .where("status", "in", statusesBefore("completed")).returningAll()
);

/** Completes the job. Its checkpoints are let go: nothing will resume it. */
export async function complete(
  tx: Tx,
  fence: Ending,
  result: unknown,
  stages: readonly StageRecord[],
  nowMs: number,
): Promise<Changed | undefined> {
  const { rows: [row] } = await completeRow(tx, {
    id: fence.id,
    attempt: fence.attempt,
    costs: fence.costs,
    result: result === undefined ? null : JSON.stringify(result),
    stages: JSON.stringify(
      stages.map(({ name, executor, digest }) => ({ name, executor, digest })),
    ),
    time: isoTime(nowMs),
  });
  return await changed(tx, row, nowMs);
}

/** Ends the job as failed; its checkpoints stay for a retry by hand. */
export async function fail(
  tx: Tx,
  fence: Ending,
  error: JobError,
  nowMs: number,
): Promise<Changed | undefined> {
  const row = await tx.updateTable("job").set((update) => ({
    status: "failed",
    lease_owner: null,
    lease_until_ms: null,
    error_json: JSON.stringify(error),
    costs_json: fence.costs,
    message: error.message,
    completed: isoTime(nowMs),
    seq: update("seq", "+", 1),
  })).where("id", "=", fence.id).where("attempt", "=", fence.attempt)
    .where("status", "in", statusesBefore("failed").filter(isHeld)).returningAll()
    .executeTakeFirst();
  return await changed(tx, row, nowMs);
}

/** Puts the job off until `runAtMs`, after an error that may go away. */
export async function retryLater(
  tx: Tx,
  job: Ending & { readonly priority: number },
  error: JobError,
  runAtMs: number,
  nowMs: number,
): Promise<Changed | undefined> {
  const row = await tx.updateTable("job").set((update) => ({
    status: "retrying",
    lease_owner: null,
    lease_until_ms: null,
    error_json: JSON.stringify(error),
    costs_json: job.costs,
    losses: 0,
    message: error.message,
    run_at_ms: runAtMs,
    rank: rankOf(job.priority, runAtMs),
    seq: update("seq", "+", 1),
  })).where("id", "=", job.id).where("attempt", "=", job.attempt)
    .where("status", "in", statusesBefore("retrying")).returningAll().executeTakeFirst();
  return await changed(tx, row, nowMs);
}

/** What a job waits for. */
export interface Waiting {
  readonly for: WaitsFor;
  readonly wakeAtMs: number | undefined;
  readonly message: string;
  /** What is in the way. */
  readonly error: JobError | undefined;
}

interface WaitValues extends Ending {
  status: string;
  waits_for: string | null;
  wake_ms: number | null;
  message: string | null;
  error: string | null;
}

const waitRow = prepared<WaitValues, JobRow>((db, slot) =>
  db.updateTable("job").set((update) => ({
    status: slot("status"),
    lease_owner: null,
    lease_until_ms: null,
    waits_for: slot("waits_for"),
    wake_ms: slot("wake_ms"),
    message: slot("message"),
    error_json: slot("error"),
    costs_json: slot("costs"),
    waits: update("waits", "+", 1),
    // It got somewhere: it is not what kills its hosts.
    losses: 0,
    seq: update("seq", "+", 1),
  })).where("id", "=", slot("id")).where("attempt", "=", slot("attempt"))
    .where("status", "=", "running").returningAll()
);

/** Lets a job wait, or without `waiting` go back to the queue at once. That was no try. */
export async function wait(
  tx: Tx,
  { id, attempt, costs }: Ending,
  waiting: Waiting | undefined,
  nowMs: number,
): Promise<Changed | undefined> {
  const { rows: [row] } = await waitRow(tx, {
    id,
    attempt,
    costs,
    status: waiting === undefined ? "queued" : "waiting",
    waits_for: waiting?.for ?? null,
    wake_ms: waiting?.wakeAtMs ?? null,
    message: waiting?.message ?? null,
    error: waiting?.error === undefined ? null : JSON.stringify(waiting.error),
  });
  return await changed(tx, row, nowMs);
}

/** Ends a job that was being cancelled. */
export async function endCancelled(
  tx: Tx,
  fence: Ending,
  nowMs: number,
): Promise<Changed | undefined> {
  const row = await tx.updateTable("job").set((update) => ({
    status: "cancelled",
    lease_owner: null,
    lease_until_ms: null,
    costs_json: fence.costs,
    message: null,
    completed: isoTime(nowMs),
    seq: update("seq", "+", 1),
  })).where("id", "=", fence.id).where("attempt", "=", fence.attempt)
    .where("status", "=", "cancelling").returningAll().executeTakeFirst();
  return await changed(tx, row, nowMs);
}

/** Gives a job back at shutdown: that was no try. */
export async function giveBack(
  tx: Tx,
  job: Ending,
  nowMs: number,
): Promise<Changed | undefined> {
  const row = await tx.updateTable("job").set((update) => ({
    status: "queued",
    lease_owner: null,
    lease_until_ms: null,
    message: null,
    costs_json: job.costs,
    waits: update("waits", "+", 1),
    seq: update("seq", "+", 1),
  })).where("id", "=", job.id).where("attempt", "=", job.attempt)
    .where("status", "=", "running").returningAll().executeTakeFirst();
  return await changed(tx, row, nowMs);
}

/** Where a running job is. What is left out stays. */
export interface Whereabouts {
  readonly stage?: StageName | undefined;
  readonly progress?: number | undefined;
  readonly message?: string | null | undefined;
}

export async function report(
  tx: Tx,
  fence: Fence,
  { stage, progress, message }: Whereabouts,
  nowMs: number,
): Promise<JobEvent | undefined> {
  const row: EventColumns | undefined = await tx.updateTable("job").set((update) => ({
    ...(stage === undefined ? {} : { stage }),
    ...(progress === undefined ? {} : { progress }),
    ...(message === undefined ? {} : { message }),
    seq: update("seq", "+", 1),
  })).where("id", "=", fence.id).where("attempt", "=", fence.attempt)
    .where("status", "=", "running").returning([...EVENT_COLUMNS]).executeTakeFirst();
  return row && await writeEvent(tx, row, nowMs);
}

/** Records the stages that are done, with their checkpoints. Says whether the attempt still holds the job. */
export async function recordStages(
  tx: Tx,
  fence: Fence,
  stages: readonly StageRecord[],
): Promise<boolean> {
  const row = await tx.updateTable("job").set({ stages_json: JSON.stringify(stages) })
    .where("id", "=", fence.id).where("attempt", "=", fence.attempt)
    .where("status", "in", HELD_STATUSES).returning("id").executeTakeFirst();
  return row !== undefined;
}

/** Whether the attempt holds the job and may complete it. */
export async function holds(tx: Tx, fence: Fence): Promise<boolean> {
  const row = await tx.selectFrom("job").select("id")
    .where("id", "=", fence.id).where("attempt", "=", fence.attempt)
    .where("status", "=", "running").executeTakeFirst();
  return row !== undefined;
}

/** Prolongs leases of one dispatcher; answers which of the jobs it still holds, by id. */
export async function renew(
  tx: Tx,
  owner: string,
  ids: readonly string[],
  untilMs: number,
): Promise<Map<string, { attempt: number; cancelling: boolean }>> {
  const rows = await tx.updateTable("job").set({ lease_until_ms: untilMs })
    .where("id", "in", ids).where("lease_owner", "=", owner)
    .where("status", "in", HELD_STATUSES).returning(["id", "attempt", "status"]).execute();
  return new Map(
    rows.map(({ id, attempt, status }) => [id, { attempt, cancelling: status === "cancelling" }]),
  );
}

const isHeld = (status: string) => (HELD_STATUSES as readonly string[]).includes(status);

async function changed(
  tx: Tx,
  row: JobRow | undefined,
  nowMs: number,
): Promise<Changed | undefined> {
  return row && { job: toJob(row), event: await writeEvent(tx, row, nowMs) };
}
