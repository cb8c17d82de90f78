/**
 * What a job is.
 *
 * - **attempt**: one try; numbered from 1. An update by an attempt that is no longer the job's own changes
 *   nothing (fencing).
 * - **lease**: the right of one dispatcher to run an attempt until a time; renewed by heartbeat.
 * - **class**: `plugin:x`, `kind:y`, `site:z`: groups of jobs that share a limit.
 */
import type { ErrorCode } from "../errors.ts";

export const JOB_STATUSES = [
  "pending",
  "queued",
  "running",
  "waiting",
  "retrying",
  "cancelling",
  "completed",
  "failed",
  "cancelled",
] as const;
export type JobStatus = typeof JOB_STATUSES[number];

/** The three that nothing follows. */
export const END_STATUSES = [
  "completed",
  "failed",
  "cancelled",
] as const satisfies readonly JobStatus[];

export function isEnded(status: JobStatus): boolean {
  return (END_STATUSES as readonly JobStatus[]).includes(status);
}

/**
 * `run`: a workflow · `call`: a capability · `hook`: an event handed to a plugin · `noop`: nothing, for measuring
 */
export type JobKind = "import" | "export" | "run" | "call" | "search" | "hook" | "noop";

/**
 * What a `waiting` job waits for: a person's answer, its plugin to be enabled, any child to end, all children to
 * end, or a signal (`WaitingJobs.resume`) and nothing else.
 */
export const WAITS_FOR = ["person", "plugin", "child", "children", "signal"] as const;
export type WaitsFor = typeof WAITS_FOR[number];

/** When a failed attempt is tried again. */
export interface RetryPolicy {
  /** Seconds before the second try; doubled for each further one. @default 2 */
  readonly base_s?: number | undefined;
  /** Never longer than this, seconds. @default 3600 */
  readonly most_s?: number | undefined;
}

/** What one stage took in one attempt. */
export interface StageCost {
  readonly stage: StageName;
  readonly attempt: number;
  /** Seconds by the clock. */
  readonly wall_s: number;
  /** Seconds of processor time of the runner; absent for the host's own work. */
  readonly cpu_s?: number | undefined;
  /** Model use, as the plugin says. */
  readonly usage?: readonly Usage[] | undefined;
}

/** Use of a model, as its plugin says. */
export interface Usage {
  readonly plugin: string;
  readonly model: string;
  readonly input_tokens?: number | undefined;
  readonly output_tokens?: number | undefined;
  /** In `currency`; absent when the price is not known. */
  readonly cost?: number | undefined;
  /** ISO 4217. @default "USD" */
  readonly currency?: string | undefined;
}

/** Children by how they stand. */
export interface ChildCounts {
  readonly total: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
}

export const STAGES = [
  "downloading",
  "extracting",
  "transcribing",
  "processing",
  "embedding",
  "storing",
  "querying",
  "scripting",
  "routing",
  "generating",
  "composing",
  "publishing",
] as const;
export type StageName = typeof STAGES[number];

/** What is left of a stage that is done. */
export interface StageRecord {
  readonly name: StageName;
  readonly executor: "host" | "plugin" | "capability";
  /** The code and settings that made the checkpoint: it counts for just these. */
  readonly digest: string;
  /** The stage's output: digest of a blob. */
  readonly checkpoint?: string | undefined;
}

export interface JobError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  /** The last lines of the plugin's log. */
  readonly log?: readonly string[] | undefined;
}

export interface Job {
  readonly id: string;
  readonly kind: JobKind;
  readonly plugin: string | undefined;
  readonly site: string | undefined;
  /** Plain JSON, by kind. */
  readonly input: unknown;
  readonly status: JobStatus;
  readonly stage: StageName | undefined;
  readonly stages: readonly StageRecord[];
  /** 0 to 100. */
  readonly progress: number;
  readonly message: string | undefined;
  /** 1 to 10, 10 first. */
  readonly priority: number;
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly runAt: string;
  readonly parent: string | undefined;
  readonly user: string;
  readonly error: JobError | undefined;
  /** Set while it is `waiting`. */
  readonly waitsFor: WaitsFor | undefined;
  /** Set while it is `waiting` and goes on by itself. */
  readonly wakeAt: string | undefined;
  /** Tries so far: attempts that did not end by waiting, nor with their host. At most `maxAttempts`. */
  readonly tries: number;
  readonly retry?: RetryPolicy | undefined;
  readonly costs: readonly StageCost[];
  /** Plain JSON, by kind: `{content}` of an import, `{artifact}` of an export. */
  readonly result: unknown;
  readonly created: string;
  readonly started: string | undefined;
  readonly completed: string | undefined;
}

/** What it takes to make a job. */
export interface NewJob {
  readonly kind: JobKind;
  readonly input: unknown;
  readonly user: string;
  readonly plugin?: string | undefined;
  readonly site?: string | undefined;
  /** @default 5 */
  readonly priority?: number | undefined;
  /** Tries in all, the first included. @default 4 */
  readonly maxAttempts?: number | undefined;
  /** Not before this time, milliseconds since 1970. @default now */
  readonly runAtMs?: number | undefined;
  readonly parent?: string | undefined;
  readonly retry?: RetryPolicy | undefined;
  readonly idempotencyKey?: string | undefined;
  /** Equal work that is not ended yet is answered with its job instead of a new one. */
  readonly flightKey?: string | undefined;
}

/** One line of a job's story; `seq` ascends by one within the job. */
export interface JobEvent {
  readonly job_id: string;
  readonly seq: number;
  readonly status: JobStatus;
  readonly stage: StageName | null;
  readonly progress: number;
  readonly message: string | null;
  readonly plugin: string | null;
  readonly timestamp: string;
}

/** What a handler has while it runs one attempt. */
export interface JobRun {
  readonly job: Job;
  /** Aborted by cancel, by a lost lease and at shutdown. */
  readonly signal: AbortSignal;
  /** Progress within the job, 0 to 100; merged to one event in 500 ms. */
  progress(percent: number, message?: string): void;
  /**
   * Runs a stage, or takes its checkpoint where one with the same digest is there from an earlier attempt.
   * The output is stored as a blob; it may hold bytes at any depth.
   */
  stage<T>(options: StageOptions<T>, work: () => Promise<T>): Promise<T>;
  /** Adds a line to the job's log, which is bounded. */
  log(level: "debug" | "info" | "warn" | "error", message: string): void;
  /** Adds to what the current stage costs. */
  spend(cost: { readonly cpu_s?: number | undefined; readonly usage?: Usage | undefined }): void;
}

export interface StageOptions<T> {
  readonly name: StageName;
  readonly executor: StageRecord["executor"];
  /** Names code and settings; a checkpoint of another digest is not taken. */
  readonly digest: string;
  /** Progress of the job when the stage begins, 0 to 100. */
  readonly from: number;
  /**
   * Reads the output from the checkpoint of an earlier attempt, perhaps of an older version of the host; when it
   * throws, the stage runs again. Without it the stage leaves no checkpoint.
   */
  readonly parse?: ((stored: unknown) => T) | undefined;
}

/** How a job waits. */
export interface WaitOptions {
  /** @default "person" */
  readonly for?: WaitsFor | undefined;
  /** It goes on by itself at this time, milliseconds since 1970. */
  readonly wakeAtMs?: number | undefined;
  /**
   * Asked in the transaction that lets it wait, after `alongside`: with `true` it goes back to the queue at once,
   * because what it would wait for has happened meanwhile.
   */
  readonly unless?: ((tx: import("../stores/sql.ts").Tx) => Promise<boolean>) | undefined;
  /** What is in the way; stands in the job while it waits. */
  readonly error?: JobError | undefined;
}

/**
 * Thrown by a handler whose job must wait: the job gives its slot back, and waiting costs it none of its tries.
 * The handler runs again when the job is resumed. A job that waits for children goes on when one has ended
 * (`child`), or all have (`children`); where none is open it goes on at once.
 */
export class JobWaits extends Error {
  override readonly name = "JobWaits";
  /** @param alongside Writes what it waits for, in the same transaction; children are added here. */
  constructor(
    message: string,
    readonly alongside: (tx: import("../stores/sql.ts").Tx) => Promise<void>,
    readonly options: WaitOptions = {},
  ) {
    super(message);
  }
}

/** Thrown by a handler whose job has failed and that has rows to write about it, in the same transaction. */
export class JobFails extends Error {
  override readonly name = "JobFails";
  constructor(
    override readonly cause: import("../errors.ts").CarrelError,
    readonly alongside: (tx: import("../stores/sql.ts").Tx) => Promise<void>,
  ) {
    super(cause.message);
  }
}

/**
 * Does the work of one kind of job. What it returns is handed to `commit`, which runs in the transaction
 * that completes the job: rows written there appear exactly once.
 */
export interface JobHandler<T = unknown> {
  run(run: JobRun): Promise<T>;
  /** Returns the job's result, plain JSON. Absent: the value of `run` is the result. */
  commit?(tx: import("../stores/sql.ts").Tx, value: T, job: Job): Promise<unknown>;
  /**
   * Whether `commit` writes nothing for this value and cannot fail: then the end shares its transaction with those
   * of other jobs. @default it does not
   */
  isPlain?(value: T): boolean;
  /** In the transaction that ends the job as failed or cancelled, whatever of. It must not fail. */
  onBadEnd?(tx: import("../stores/sql.ts").Tx, job: Job): Promise<void>;
  /** In the transaction that retries an ended job by hand: puts its rows in order for the new try. */
  onRetry?(tx: import("../stores/sql.ts").Tx, job: Job): Promise<void>;
}
