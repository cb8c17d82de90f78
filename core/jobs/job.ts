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

export type JobKind = "import" | "export" | "noop";

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

/**
 * Thrown by a handler whose job must wait for a person: the job gives its slot back, and waiting costs it none of
 * its attempts. The handler runs again when the job is resumed.
 */
export class JobWaits extends Error {
  override readonly name = "JobWaits";
  /**
   * @param alongside Writes what it waits for, in the same transaction.
   * @param error What is in the way; stands in the job while it waits.
   */
  constructor(
    message: string,
    readonly alongside: (tx: import("../stores/sql.ts").Tx) => Promise<void>,
    readonly error?: JobError,
  ) {
    super(message);
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
}
