/** Which classes are full: plain counting, apart from how jobs are run. */
import type { Saturated } from "./claim.ts";
import { type ClassRates, createRateLimits, type RateLimits } from "./rate_limits.ts";
import { URGENT_PRIORITY } from "./row.ts";

/** What the classes of a job are made of. */
export interface Classified {
  readonly kind: string;
  readonly plugin?: string | null | undefined;
  readonly site?: string | null | undefined;
  readonly priority: number;
}

/** Jobs at once of a class (`plugin:x`, `kind:y`, `site:z`), 1 or more; `undefined` for no limit. */
export type ClassLimits = (name: string) => number | undefined;

const DIMENSIONS = ["kind", "plugin", "site"] as const;

export function classesOf(job: Omit<Classified, "priority">): string[] {
  return DIMENSIONS.flatMap((dimension) => {
    const value = job[dimension];
    return value === null || value === undefined ? [] : [`${dimension}:${value}`];
  });
}

/** Running jobs, counted; and how often jobs of a class have begun. */
export interface Slots {
  take(job: Classified): void;
  /** Its slot is free; what it took of a rate is spent. */
  free(job: Classified): void;
  /** Slots for any job; one is kept for urgent ones where there are two or more. */
  readonly normal: number;
  /** Slots for a job of priority 8 or more. */
  readonly urgent: number;
  /** Classes that can take no more: full, or begun as often as their rate allows. */
  saturated(): Saturated;
  /** When the rate of a class lets one more begin, milliseconds since 1970; `undefined` when none holds any back. */
  nextToken(): number | undefined;
  /** How many of these may be taken, one after another, before one would exceed a limit. */
  fitting(jobs: readonly Omit<Classified, "priority">[]): number;
  /** To plan a claim at this time without touching the original, whose rates go on from this time. */
  copy(nowMs: number): Slots;
}

const NO_RATES: ClassRates = () => undefined;

export function createSlots(
  concurrency: number,
  limits: ClassLimits,
  rates: ClassRates = NO_RATES,
): Slots {
  return slots(concurrency, limits, 0, 0, new Map(), createRateLimits(rates));
}

function slots(
  concurrency: number,
  limits: ClassLimits,
  running: number,
  runningNormal: number,
  counts: Map<string, number>,
  rates: RateLimits,
): Slots {
  const kept = concurrency >= 2 ? 1 : 0;
  const isFull = (name: string) => (counts.get(name) ?? 0) >= (limits(name) ?? Infinity);
  function count(job: Classified, by: 1 | -1): void {
    running += by;
    if (job.priority < URGENT_PRIORITY) runningNormal += by;
    for (const name of classesOf(job)) {
      const now = (counts.get(name) ?? 0) + by;
      if (now > 0) counts.set(name, now);
      else counts.delete(name);
    }
  }
  return {
    take(job) {
      count(job, 1);
      for (const name of classesOf(job)) rates.take(name);
    },
    free: (job) => count(job, -1),
    get normal() {
      return Math.max(0, Math.min(concurrency - running, concurrency - kept - runningNormal));
    },
    get urgent() {
      return Math.max(0, concurrency - running);
    },
    saturated() {
      const full = { kind: [] as string[], plugin: [] as string[], site: [] as string[] };
      for (const name of new Set([...counts.keys()].filter(isFull).concat(rates.empty()))) {
        const at = name.indexOf(":");
        full[name.slice(0, at) as keyof typeof full].push(name.slice(at + 1));
      }
      return full;
    },
    fitting(jobs) {
      const room = new Map<string, number>();
      for (const [index, job] of jobs.entries()) {
        for (const name of classesOf(job)) {
          const left = room.get(name) ??
            Math.min((limits(name) ?? Infinity) - (counts.get(name) ?? 0), rates.tokens(name));
          if (left < 1) return index;
          room.set(name, left - 1);
        }
      }
      return jobs.length;
    },
    nextToken: () => rates.nextToken(),
    copy(nowMs) {
      rates = rates.at(nowMs);
      return slots(
        concurrency,
        limits,
        running,
        runningNormal,
        new Map(counts),
        rates.at(nowMs),
      );
    },
  };
}
