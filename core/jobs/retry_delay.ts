/** When a failed attempt is tried again. */
import type { JobError, RetryPolicy } from "./job.ts";

const MOST_S = 60 * 60;

/**
 * After the nth try 2^n seconds, or what the job's own policy says in their place; a quarter more or less, so that a
 * crowd does not come back at once. Where the error says `retry_after_s` it is that, and up to a quarter more.
 *
 * @param random 0 to 1
 */
export function retryDelayMs(
  tries: number,
  random: number,
  policy: RetryPolicy = {},
  error?: Pick<JobError, "details">,
): number {
  const most = policy.most_s ?? MOST_S;
  const asked = error?.details?.["retry_after_s"];
  const seconds = typeof asked === "number" && asked >= 0
    ? Math.min(asked, MOST_S) * (1 + random / 4)
    : Math.min((policy.base_s ?? 2) * 2 ** (tries - 1), most) * (0.75 + random / 2);
  return Math.round(seconds * 1000);
}
