/**
 * A circuit breaker for each provider: one that has failed three times within a minute is passed over for half a
 * minute, so that callers need not wait for its next failure.
 */

export interface Breaker {
  /** It failed by its own fault. */
  failed(plugin: string): void;
  /** It served: what it did before is forgotten. */
  served(plugin: string): void;
  /** Until when it is passed over, milliseconds since 1970; undefined for one that is not. */
  openUntil(plugin: string): number | undefined;
}

const FAILURES = 3;
const WINDOW_MS = 60_000;
const OPEN_MS = 30_000;

/** @param now milliseconds since 1970 */
export function createBreaker(now: () => number): Breaker {
  const failures = new Map<string, number[]>();
  const open = new Map<string, number>();
  return {
    failed(plugin) {
      const time = now();
      const recent = (failures.get(plugin) ?? []).filter((at) => time - at < WINDOW_MS);
      recent.push(time);
      failures.set(plugin, recent.slice(-FAILURES));
      if (recent.length >= FAILURES) open.set(plugin, time + OPEN_MS);
    },
    served(plugin) {
      failures.delete(plugin);
      open.delete(plugin);
    },
    openUntil(plugin) {
      const until = open.get(plugin);
      if (until === undefined || until > now()) return until;
      open.delete(plugin);
      return undefined;
    },
  };
}
