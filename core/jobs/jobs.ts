/** The use cases of jobs: what HTTP and the command line call. `dispatcher.ts` runs them. */
import type { Job, JobEvent, JobStatus, NewJob } from "./job.ts";
import type { Tx } from "../stores/sql.ts";

export interface JobFilter {
  readonly status?: JobStatus | undefined;
  readonly kind?: string | undefined;
  readonly parent?: string | undefined;
  /** @default 50, at most 200 */
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

/** One page of a list, newest first; `cursor` asks for the next. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly cursor: string | undefined;
}

export interface Jobs {
  /** Adds a job, durably, and wakes a dispatcher. An equal one in flight, or of the same idempotency key, is returned instead. */
  add(job: NewJob): Promise<Job>;
  /** The same within a transaction of the caller; call `wake()` after it. */
  addIn(tx: Tx, job: NewJob): Promise<Job>;
  wake(): void;
  /** Throws `CarrelError` `not_found`. */
  get(id: string): Promise<Job>;
  list(filter: JobFilter): Promise<Page<Job>>;
  /** A job that is not running ends at once; a running one is told, and killed after the grace. Ended ones stay. */
  cancel(id: string): Promise<Job>;
  /** Runs a failed or cancelled job again: priority + 2 (at most 10), at most ten attempts. */
  retry(id: string): Promise<Job>;
  /** All events after `afterSeq`, then live ones, until the job has ended or the signal is aborted. */
  watch(id: string, options: { afterSeq?: number; signal?: AbortSignal }): AsyncIterable<JobEvent>;
  /** Resolves with the job once it has ended. */
  finished(id: string, signal?: AbortSignal): Promise<Job>;
  /** Jobs by status. */
  counts(): Promise<Record<JobStatus, number>>;
}
