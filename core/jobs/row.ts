/** Between the job's row and the job. */
import type { Insertable, Selectable } from "kysely";
import { CarrelError } from "../errors.ts";
import { newId } from "../ids.ts";
import type { JobTable } from "../stores/sql.ts";
import type {
  Job,
  JobError,
  JobEvent,
  JobKind,
  JobStatus,
  NewJob,
  RetryPolicy,
  StageName,
  WaitsFor,
} from "./job.ts";

export type JobRow = Selectable<JobTable>;
export type NewJobRow = Omit<
  Insertable<JobTable>,
  "row" | "waits_for" | "wake_ms" | "losses" | "child_ends" | "place_json" | "pruned"
>;

/** A point of priority is worth this much waiting. */
export const AGEING_MS = 60_000;
export const DEFAULT_PRIORITY = 5;
export const TOP_PRIORITY = 10;
/** From this priority on, a job may take the slot that is kept free. */
export const URGENT_PRIORITY = 8;
/** The first try and three automatic ones. */
export const DEFAULT_ATTEMPTS = 4;
/** More tries than this no job gets, and more losses in a row no job survives. */
export const MOST_ATTEMPTS = 10;
/** Seconds: longer than this no retry is put off. */
const MOST_DELAY_S = 24 * 60 * 60;

/** Ready order, ascending. A job gains one point of priority a minute without its row being touched. */
export function rankOf(priority: number, runAtMs: number): number {
  return runAtMs - priority * AGEING_MS;
}

/** Throws `invalid_parameters`. */
export function newRow(job: NewJob, nowMs: number): NewJobRow {
  const priority = job.priority ?? DEFAULT_PRIORITY;
  const maxAttempts = job.maxAttempts ?? DEFAULT_ATTEMPTS;
  checkWhole("priority", priority, TOP_PRIORITY);
  checkWhole("maxAttempts", maxAttempts, MOST_ATTEMPTS);
  for (const name of ["base_s", "most_s"] as const) checkSeconds(name, job.retry?.[name]);
  const runAtMs = job.runAtMs ?? nowMs;
  return {
    id: newId(job.kind === "noop" ? "job" : job.kind),
    kind: job.kind,
    plugin: job.plugin ?? null,
    site: job.site ?? null,
    input_json: JSON.stringify(job.input ?? null),
    status: runAtMs > nowMs ? "pending" : "queued",
    stage: null,
    stages_json: "[]",
    progress: 0,
    message: null,
    priority,
    rank: rankOf(priority, runAtMs),
    attempt: 0,
    max_attempts: maxAttempts,
    run_at_ms: runAtMs,
    lease_owner: null,
    lease_until_ms: null,
    parent: job.parent ?? null,
    user_id: job.user,
    idempotency_key: job.idempotencyKey ?? null,
    flight_key: job.flightKey ?? null,
    error_json: null,
    result_json: null,
    seq: 1,
    created: isoTime(nowMs),
    started: null,
    completed: null,
    waits: 0,
    costs_json: "[]",
    retry_json: job.retry === undefined ? null : JSON.stringify(job.retry),
  };
}

function checkWhole(name: string, value: number, most: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= most) return;
  throw new CarrelError(
    "invalid_parameters",
    `Cannot add the job: "${name}" must be a whole number from 1 to ${most}`,
    { details: { field: name } },
  );
}

function checkSeconds(name: string, value: number | undefined): void {
  if (value === undefined || (value >= 0 && value <= MOST_DELAY_S)) return;
  throw new CarrelError(
    "invalid_parameters",
    `Cannot add the job: "retry.${name}" must be from 0 to ${MOST_DELAY_S} seconds`,
    { details: { field: `retry.${name}` } },
  );
}

export function toJob(row: Omit<JobRow, "row">): Job {
  return {
    id: row.id,
    kind: row.kind as JobKind,
    plugin: row.plugin ?? undefined,
    site: row.site ?? undefined,
    input: JSON.parse(row.input_json),
    status: row.status as JobStatus,
    stage: (row.stage ?? undefined) as StageName | undefined,
    stages: row.stages_json === "[]" ? [] : JSON.parse(row.stages_json),
    progress: row.progress,
    message: row.message ?? undefined,
    priority: row.priority,
    attempt: row.attempt,
    maxAttempts: row.max_attempts,
    runAt: isoTime(row.run_at_ms),
    parent: row.parent ?? undefined,
    user: row.user_id,
    waitsFor: row.status === "waiting" ? (row.waits_for ?? "person") as WaitsFor : undefined,
    wakeAt: row.status === "waiting" && row.wake_ms !== null ? isoTime(row.wake_ms) : undefined,
    tries: row.attempt - row.waits,
    ...(row.retry_json === null ? {} : { retry: JSON.parse(row.retry_json) as RetryPolicy }),
    costs: row.costs_json === "[]" ? [] : JSON.parse(row.costs_json),
    error: row.error_json === null ? undefined : JSON.parse(row.error_json) as JobError,
    result: row.result_json === null ? undefined : JSON.parse(row.result_json),
    created: row.created,
    started: row.started ?? undefined,
    completed: row.completed ?? undefined,
  };
}

/** What an update of a job's row must return for its event to be written. */
export const EVENT_COLUMNS = [
  "id",
  "seq",
  "status",
  "stage",
  "progress",
  "message",
  "plugin",
] as const satisfies readonly (keyof JobTable)[];
export type EventColumns = Pick<JobRow, typeof EVENT_COLUMNS[number]>;

export function toEvent(row: EventColumns, nowMs: number): JobEvent {
  return {
    job_id: row.id,
    seq: row.seq,
    status: row.status as JobStatus,
    stage: row.stage as StageName | null,
    progress: row.progress,
    message: row.message,
    plugin: row.plugin,
    timestamp: isoTime(nowMs),
  };
}

// Thousands of rows are stamped within one millisecond.
let stamped = { ms: NaN, text: "" };

export function isoTime(ms: number): string {
  if (stamped.ms !== ms) stamped = { ms, text: new Date(ms).toISOString() };
  return stamped.text;
}

/** Where a ready job stands. */
export function rankedOf(job: Job): { rank: number; priority: number } {
  return { priority: job.priority, rank: rankOf(job.priority, Date.parse(job.runAt)) };
}
