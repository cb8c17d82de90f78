/** Jobs that have failed for good, run again many at a time. */
import { CarrelError, type ErrorCode } from "../errors.ts";
import type { SqlStore } from "../stores/sql.ts";
import type { JobFilter, Jobs } from "./jobs.ts";
import { matching } from "./store.ts";

export interface RetryAllFilter extends Omit<JobFilter, "status" | "limit" | "cursor"> {
  /** @default "failed" */
  readonly status?: "failed" | "cancelled" | undefined;
}

export interface RetryAllOptions {
  /** At most so many, the oldest first. @default 1000 */
  readonly max?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Refused {
  readonly job: string;
  readonly code: ErrorCode;
  readonly message: string;
}

export interface RetriedAll {
  readonly retried: number;
  /** How many could not be. */
  readonly refused: number;
  /** The first of these, and why. */
  readonly refusals: readonly Refused[];
  /** Whether there are more that the filter means: above `max`, or because the queue is full. */
  readonly more: boolean;
  /** Set when it stopped because the queue is full: seconds after which to ask again. */
  readonly retryAfterS: number | undefined;
}

const MOST = 1_000;
const AT_ONCE = 200;
const MOST_TOLD = 100;

/**
 * Never throws for a single job: it is told why that one was refused. The steps of runs are left out: a run begins
 * its steps itself, and one that runs again beside it would do the work twice, for nobody.
 */
export async function retryAll(
  { sql, jobs }: { readonly sql: SqlStore; readonly jobs: Pick<Jobs, "retry" | "admit"> },
  filter: RetryAllFilter,
  { max = MOST, signal }: RetryAllOptions = {},
): Promise<RetriedAll> {
  const refusals: Refused[] = [];
  let refused = 0;
  let retried = 0;
  let afterRow = 0;
  const done = (more: boolean, retryAfterS?: number): RetriedAll => ({
    retried,
    refused,
    refusals,
    more,
    retryAfterS,
  });
  for (;;) {
    const rows = await matching(sql.db, { ...filter, status: filter.status ?? "failed" })
      .select(["row", "id", "user_id"]).where("row", ">", afterRow)
      .where(({ not, exists, selectFrom }) =>
        not(exists(
          selectFrom("job as run").select("run.row")
            .whereRef("run.id", "=", "job.parent").where("run.kind", "=", "run"),
        ))
      )
      .orderBy("row").limit(AT_ONCE).execute();
    for (const { row, id, user_id } of rows) {
      if (signal?.aborted || retried >= max) return done(true);
      afterRow = row;
      try {
        await jobs.admit({ user: user_id });
        await jobs.retry(id);
        retried++;
      } catch (error) {
        if (!(error instanceof CarrelError)) throw error;
        if (error.code === "too_many_requests") {
          return done(true, Number(error.details?.["retry_after_s"] ?? 0));
        }
        refused++;
        const { code, message } = error;
        if (refusals.length < MOST_TOLD) refusals.push({ job: id, code, message });
      }
    }
    if (rows.length < AT_ONCE) return done(false);
  }
}
