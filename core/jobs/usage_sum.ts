/** What the models of one piece of work came to, by plugin, model and currency. */
import type { Usage } from "./job.ts";

/** Different models; more are not kept apart but dropped: no honest plugin has so many. */
const MOST = 32;

export interface UsageSum {
  add(usage: Usage): void;
  list(): readonly Usage[];
}

/** @param most different models that are kept */
export function createUsageSum(most = MOST): UsageSum {
  const sums = new Map<string, Usage>();
  return {
    add(usage) {
      const key = JSON.stringify([usage.plugin, usage.model, usage.currency ?? null]);
      const before = sums.get(key);
      if (before === undefined && sums.size >= most) return;
      sums.set(key, before === undefined ? usage : plus(before, usage));
    },
    list: () => [...sums.values()],
  };
}

function plus(a: Usage, b: Usage): Usage {
  const sum = { ...a };
  for (const name of ["input_tokens", "output_tokens", "cost"] as const) {
    const value = b[name];
    if (value !== undefined) Object.assign(sum, { [name]: (a[name] ?? 0) + value });
  }
  return sum;
}
