/** Which classes are full: plain counting, apart from how jobs are run. */
import type { Saturated } from "./claim.ts";
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

/** Running jobs, counted. */
export interface Slots {
  take(job: Classified): void;
  free(job: Classified): void;
  /** Slots for any job; one is kept for urgent ones where there are two or more. */
  readonly normal: number;
  /** Slots for a job of priority 8 or more. */
  readonly urgent: number;
  /** Classes that can take no more. */
  saturated(): Saturated;
  /** How many of these may be taken, one after another, before one would exceed a limit. */
  fitting(jobs: readonly Omit<Classified, "priority">[]): number;
  /** To plan a claim without touching the original. */
  copy(): Slots;
}

export function createSlots(concurrency: number, limits: ClassLimits): Slots {
  return slots(concurrency, limits, 0, 0, new Map());
}

function slots(
  concurrency: number,
  limits: ClassLimits,
  running: number,
  runningNormal: number,
  counts: Map<string, number>,
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
    take: (job) => count(job, 1),
    free: (job) => count(job, -1),
    get normal() {
      return Math.max(0, Math.min(concurrency - running, concurrency - kept - runningNormal));
    },
    get urgent() {
      return Math.max(0, concurrency - running);
    },
    saturated() {
      const full = { kind: [] as string[], plugin: [] as string[], site: [] as string[] };
      for (const name of counts.keys()) {
        if (!isFull(name)) continue;
        const at = name.indexOf(":");
        full[name.slice(0, at) as keyof typeof full].push(name.slice(at + 1));
      }
      return full;
    },
    fitting(jobs) {
      const more = new Map<string, number>();
      for (const [index, job] of jobs.entries()) {
        for (const name of classesOf(job)) {
          const limit = limits(name);
          if (limit === undefined) continue;
          const now = more.get(name) ?? counts.get(name) ?? 0;
          if (now >= limit) return index;
          more.set(name, now + 1);
        }
      }
      return jobs.length;
    },
    copy: () => slots(concurrency, limits, running, runningNormal, new Map(counts)),
  };
}
