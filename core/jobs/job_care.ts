/** What operators do with many jobs, and with what is left of them. */
import type { RetriedAll, RetryAllFilter, RetryAllOptions } from "./dead.ts";
import type { JobLogs } from "./job_log.ts";
import type { Retention } from "./retention.ts";

export interface JobCare {
  readonly log: Pick<JobLogs, "read" | "said">;
  readonly retention: Pick<Retention, "prune">;
  /** Runs failed jobs again. */
  retryAll(filter: RetryAllFilter, options?: RetryAllOptions): Promise<RetriedAll>;
}
