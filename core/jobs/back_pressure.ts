/**
 * A queue that grows faster than it is worked off helps nobody: beyond a bound, what comes from outside is refused
 * with the time after which to ask again. Work that the host makes itself (children, steps of runs, hooks) is never
 * refused: refusing it would leave half-done work behind.
 *
 * The queue is counted as it changes, and put right from the rows now and then: a request costs no count of rows.
 */
import { type Kysely, sql } from "kysely";
import { CarrelError } from "../errors.ts";
import type { Database } from "../stores/sql.ts";
import type { Clock } from "./clock.ts";

/** Jobs that may wait for their turn: those that are queued, not due yet, or put off after an error. */
export interface QueueLimits {
  /** @default no limit */
  readonly total?: number | undefined;
  /** Of one user. @default no limit */
  readonly perUser?: number | undefined;
}

export interface BackPressure {
  /** Why nothing more of this user is taken now: `too_many_requests`, `details.retry_after_s`. */
  refusal(user: string): CarrelError | undefined;
  /** A job of this user waits for its turn from now on. */
  enter(user: string): void;
  /** Its turn has come. */
  leave(user: string): void;
  /** Counts the rows, if it is time to. Called every few seconds. */
  correct(db: Kysely<Database>): Promise<void>;
}

/** The pace is that of about the last minute. */
const PACE_MS = 60_000;
/** Nothing may happen for so long before the rows are counted all the same. */
const CORRECT_MS = 60_000;
const MOST_COUNTED = 100_000;
const SHORTEST_S = 1;
const LONGEST_S = 300;
/** Said while no pace is known. */
const UNKNOWN_S = 30;

export function createBackPressure(clock: Clock, limits: QueueLimits = {}): BackPressure {
  const most = { total: limits.total ?? Infinity, perUser: limits.perUser ?? Infinity };
  let byUser = new Map<string, number>();
  let total = 0;
  /** Jobs begun a millisecond, as an average that forgets. */
  let pace = { perMs: 0, atMs: clock.now() };
  let correctedMs = -Infinity;

  function count(user: string, by: 1 | -1): void {
    const now = Math.max(0, (byUser.get(user) ?? 0) + by);
    if (now > 0) byUser.set(user, now);
    else byUser.delete(user);
    total = Math.max(0, total + by);
  }

  function paceAt(nowMs: number): number {
    return pace.perMs * Math.exp(-Math.max(0, nowMs - pace.atMs) / PACE_MS);
  }

  function retryAfter(excess: number): number {
    const perMs = paceAt(clock.now());
    // Less than a job in five minutes is no pace.
    if (perMs * LONGEST_S * 1000 < 1) return UNKNOWN_S;
    return Math.min(LONGEST_S, Math.max(SHORTEST_S, Math.ceil(excess / perMs / 1000)));
  }

  function refuse(why: string, excess: number): CarrelError {
    const after = retryAfter(excess);
    return new CarrelError(
      "too_many_requests",
      `Cannot take more work now: ${why}; ask again in ${after} s`,
      { retryable: true, details: { retry_after_s: after } },
    );
  }

  return {
    refusal(user) {
      if (total >= most.total) {
        return refuse(`${total} jobs wait for their turn`, total - most.total + 1);
      }
      const own = byUser.get(user) ?? 0;
      if (own < most.perUser) return undefined;
      // What the others have in the queue is worked off as well meanwhile.
      return refuse(
        `${own} of your jobs wait for their turn`,
        (own - most.perUser + 1) * total / own,
      );
    },
    enter: (user) => count(user, 1),
    leave(user) {
      count(user, -1);
      const nowMs = clock.now();
      pace = { perMs: paceAt(nowMs) + 1 / PACE_MS, atMs: nowMs };
    },
    async correct(db) {
      if (Math.min(most.total, most.perUser) === Infinity) return;
      const nowMs = clock.now();
      const isClose = total * 2 >= most.total ||
        [...byUser.values()].some((own) => own * 2 >= most.perUser);
      if (!isClose && nowMs >= correctedMs && nowMs - correctedMs < CORRECT_MS) return;
      correctedMs = nowMs;
      byUser = await countQueued(db, Math.min(most.total + 1, MOST_COUNTED));
      total = [...byUser.values()].reduce((sum, own) => sum + own, 0);
    },
  };
}

/** Jobs that wait for their turn, by user; looks at `limit` of them at most. */
async function countQueued(db: Kysely<Database>, limit: number): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  // Status by status, each by its own partial index.
  for (const statuses of [["queued"], ["pending", "retrying"]]) {
    const listed = sql.join(statuses.map((status) => sql.lit(status)));
    const { rows } = await sql<{ user_id: string; count: number }>`
      select user_id, count(*) as count
      from (select user_id from job where status in (${listed}) limit ${limit}) as waiting
      group by user_id`.execute(db);
    for (const { user_id, count } of rows) {
      counts.set(user_id, (counts.get(user_id) ?? 0) + Number(count));
    }
  }
  return counts;
}
