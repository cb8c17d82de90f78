/** What one attempt costs, by stage: time by the clock, processor time, use of models. */
import type { Clock } from "./clock.ts";
import type { Job, JobRun, StageCost, StageName } from "./job.ts";
import { createUsageSum, type UsageSum } from "./usage_sum.ts";

/** Entries of one job; the oldest are dropped. */
export const MOST_COSTS = 100;
/** Different models in one entry. */
const MOST_MODELS = 20;
/** Where a job that has no stages does its work. */
const NO_STAGE: StageName = "processing";

export interface Meter {
  /** A stage begins; the returned function ends it. */
  begin(stage: StageName): () => void;
  /** Adds to the stage that runs, or else to the last one. */
  readonly spend: JobRun["spend"];
  /** The job's costs with those of this attempt, as `costs_json` has them. */
  json(): string;
}

interface Entry {
  wallMs: number;
  /** Set while the stage runs. */
  beganMs: number | undefined;
  cpuS: number | undefined;
  readonly usage: UsageSum;
}

export function createMeter(job: Pick<Job, "attempt" | "costs">, clock: Clock): Meter {
  const started = clock.now();
  const entries = new Map<StageName, Entry>();
  let current: StageName | undefined;

  function entryOf(stage: StageName, beganMs: number | undefined): Entry {
    const known = entries.get(stage);
    const entry = known ??
      { wallMs: 0, beganMs, cpuS: undefined, usage: createUsageSum(MOST_MODELS) };
    if (known === undefined) entries.set(stage, entry);
    return entry;
  }

  function end(entry: Entry): void {
    if (entry.beganMs === undefined) return;
    // A clock may be set back.
    entry.wallMs += Math.max(0, clock.now() - entry.beganMs);
    entry.beganMs = undefined;
  }

  return {
    begin(stage) {
      const now = clock.now();
      const entry = entryOf(stage, now);
      entry.beganMs ??= now;
      current = stage;
      return () => end(entry);
    },
    spend({ cpu_s, usage }) {
      const entry = entryOf(current ?? NO_STAGE, started);
      if (cpu_s !== undefined && cpu_s >= 0) entry.cpuS = (entry.cpuS ?? 0) + cpu_s;
      if (usage !== undefined) entry.usage.add(usage);
    },
    json() {
      const costs: StageCost[] = [...job.costs];
      for (const [stage, entry] of entries) {
        end(entry);
        const usage = entry.usage.list();
        costs.push({
          stage,
          attempt: job.attempt,
          wall_s: entry.wallMs / 1000,
          ...(entry.cpuS === undefined ? {} : { cpu_s: entry.cpuS }),
          ...(usage.length === 0 ? {} : { usage }),
        });
      }
      return costs.length === 0 ? "[]" : JSON.stringify(costs.slice(-MOST_COSTS));
    },
  };
}
