/**
 * How often jobs of a class may begin: the generic cell rate algorithm (ITU-T I.371), which keeps one number a
 * class: the time at which a token would next arrive if tokens were spent evenly. It is kept in memory: each host
 * counts for itself, and a restart begins anew.
 */

/** Beginnings of attempts, first tries and later ones alike. */
export interface Rate {
  /** Spread evenly: 20 is one every three seconds. */
  readonly per_minute: number;
  /**
   * As many may begin at once after a time of rest; in any minute at most `per_minute + burst − 1` begin.
   * @default 1
   */
  readonly burst?: number | undefined;
}

/** The rate of a class (`plugin:x`, `kind:y`, `site:z`); `undefined` for none. */
export type ClassRates = (name: string) => Rate | undefined;

export interface RateLimits {
  /** How many may begin now. `Infinity` without a rate. */
  tokens(name: string): number;
  /** One begins. */
  take(name: string): void;
  /** Classes that have no token now. */
  empty(): string[];
  /** When the first of these has one again, milliseconds since 1970. */
  nextToken(): number | undefined;
  /** The same at another time; a copy. */
  at(nowMs: number): RateLimits;
}

export function createRateLimits(rates: ClassRates, nowMs = 0): RateLimits {
  return limits(rates, nowMs, new Map());
}

/** Rounding must not cost a token: a ten-thousandth of one, and 20 a minute are 20. */
const SLACK = 1e-4;

function limits(rates: ClassRates, nowMs: number, arrivals: Map<string, number>): RateLimits {
  const intervalOf = (rate: Rate) => 60_000 / rate.per_minute;
  const burstOf = (rate: Rate) => rate.burst ?? 1;

  function tokens(name: string): number {
    const rate = rates(name);
    if (rate === undefined) return Infinity;
    const ahead = Math.max(0, (arrivals.get(name) ?? nowMs) - nowMs);
    return Math.max(0, Math.floor(burstOf(rate) - ahead / intervalOf(rate) + SLACK));
  }

  const empty = () => [...arrivals.keys()].filter((name) => tokens(name) === 0);

  return {
    tokens,
    empty,
    take(name) {
      const rate = rates(name);
      if (rate === undefined) return;
      arrivals.set(name, Math.max(nowMs, arrivals.get(name) ?? nowMs) + intervalOf(rate));
    },
    nextToken() {
      const times = empty().map((name) => {
        const rate = rates(name)!;
        return arrivals.get(name)! - (burstOf(rate) - 1) * intervalOf(rate);
      });
      return times.length === 0 ? undefined : Math.ceil(Math.min(...times));
    },
    at(laterMs) {
      const kept = new Map<string, number>();
      for (const [name, arrival] of arrivals) {
        const rate = rates(name);
        // One that is full again is as good as one that is not known.
        if (rate === undefined || arrival <= laterMs) continue;
        // A clock that was set back must not close a class for hours.
        kept.set(name, Math.min(arrival, laterMs + burstOf(rate) * intervalOf(rate)));
      }
      return limits(rates, laterMs, kept);
    },
  };
}
