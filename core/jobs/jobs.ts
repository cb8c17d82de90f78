/** The use cases of jobs: what HTTP and the command line call. `dispatcher.ts` runs them. */
import type { ChildCounts, Job, JobEvent, JobStatus, NewJob, StageName } from "./job.ts";
import type { Tx } from "../stores/sql.ts";

export interface JobFilter {
  readonly status?: JobStatus | undefined;
  readonly kind?: string | undefined;
  readonly plugin?: string | undefined;
  /** Of the error; without a status of failed jobs only. */
  readonly code?: string | undefined;
  readonly parent?: string | undefined;
  readonly user?: string | undefined;
  /** Ended at or after this time, ISO 8601; what has not ended was made then. */
  readonly since?: string | undefined;
  /** @default 50, at most 200 */
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

export interface RetryOptions {
  /** Runs this stage and those behind it anew, whatever checkpoints they left. */
  readonly from?: StageName | undefined;
}

/** One page of a list, newest first; `cursor` asks for the next. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly cursor: string | undefined;
}

export interface Jobs {
  /**
   * Adds a job, durably, and wakes a dispatcher. An equal one in flight, or of the same idempotency key, is returned
   * instead. Throws as `admit` does.
   */
  add(job: NewJob): Promise<Job>;
  /**
   * Throws `too_many_requests` (`details.retry_after_s`) when too many jobs wait for their turn, unless the request is
   * a known one. For requests from outside that add with `addIn`, which refuses nothing.
   */
  admit(request: Pick<NewJob, "user" | "idempotencyKey" | "flightKey">): Promise<void>;
  /** The same within a transaction of the caller, who calls `wake` after it unless a job's handler was handed it. */
  addIn(tx: Tx, job: NewJob): Promise<Job>;
  /** Tells watchers and dispatchers what was done by the functions that end in `In`. */
  wake(): void;
  /** Throws `CarrelError` `not_found`. */
  get(id: string): Promise<Job>;
  list(filter: JobFilter): Promise<Page<Job>>;
  /** Its children by how they stand; grandchildren are not counted. */
  children(id: string): Promise<ChildCounts>;
  /**
   * Cancels it and all below it. A job that is not running ends at once; a running one is told, and killed after the
   * grace. Ended ones stay.
   */
  cancel(id: string): Promise<Job>;
  /** The same within a transaction of the caller, as `addIn`. */
  cancelIn(tx: Tx, id: string): Promise<void>;
  /**
   * Runs a failed or cancelled job again: priority + 2 (at most 10), at most ten tries. Stages before `from` are
   * taken from their checkpoints; without it all that there are.
   */
  retry(id: string, options?: RetryOptions): Promise<Job>;
  /** The same within a transaction of the caller, as `addIn`. */
  retryIn(tx: Tx, id: string, options?: RetryOptions): Promise<Job>;
  /** All events after `afterSeq`, then live ones, until the job has ended or the signal is aborted. */
  watch(id: string, options: { afterSeq?: number; signal?: AbortSignal }): AsyncIterable<JobEvent>;
  /** Resolves with the job once it has ended. */
  finished(id: string, signal?: AbortSignal): Promise<Job>;
  /** Jobs by status. */
  counts(): Promise<Record<JobStatus, number>>;
}
