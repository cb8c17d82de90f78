/** The life of a job as a table: which status may follow which. */
import { JOB_STATUSES, type JobStatus } from "./job.ts";

/**
 * - `pending`: not due yet · `queued`: ready · `running`: an attempt has it · `waiting`: for a person
 * - `retrying`: failed, due again later · `cancelling`: told to stop, its attempt has not ended yet
 *
 * `pending`, `queued` and `retrying` → `failed`: what they were given to is gone. `running → queued` is a loss: the
 * host died or went away, or ended its runner. `failed → queued` and `cancelled → queued` are
 * retries by hand.
 */
const NEXT: Readonly<Record<JobStatus, readonly JobStatus[]>> = {
  pending: ["queued", "failed", "cancelled"],
  queued: ["running", "failed", "cancelled"],
  running: ["completed", "failed", "retrying", "waiting", "cancelling", "queued"],
  waiting: ["queued", "failed", "cancelled"],
  retrying: ["queued", "failed", "cancelled"],
  cancelling: ["cancelled"],
  completed: [],
  failed: ["queued"],
  cancelled: ["queued"],
};

/** The two that a new job may have. */
export const FIRST_STATUSES = ["pending", "queued"] as const satisfies readonly JobStatus[];

/** An attempt holds a job in these two, and only then. */
export const HELD_STATUSES = ["running", "cancelling"] as const satisfies readonly JobStatus[];

export function canFollow(from: JobStatus, to: JobStatus): boolean {
  return NEXT[from].includes(to);
}

/** What a job must be for `to` to follow: the guard of every update. */
export function statusesBefore(to: JobStatus): JobStatus[] {
  return JOB_STATUSES.filter((from) => canFollow(from, to));
}

/** What a cancel makes of a job; `undefined` where there is nothing to cancel. */
export function cancelled(from: JobStatus): "cancelled" | "cancelling" | undefined {
  if (canFollow(from, "cancelling")) return "cancelling";
  return from !== "cancelling" && canFollow(from, "cancelled") ? "cancelled" : undefined;
}
