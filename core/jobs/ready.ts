/**
 * From which rank on a claim must look. Jobs of saturated classes may stand in front of the others by the
 * thousand; what one claim has passed over, the next one of the same classes need not walk through again.
 */
import type { Saturated } from "./claim.ts";
import { URGENT_PRIORITY } from "./row.ts";

/** More different sets of saturated classes than this are not remembered. */
const MAX_SETS = 32;

export interface Floors {
  /** Nothing below can be claimed with these classes full. */
  get(saturated: Saturated, urgent: boolean): number;
  /** After a claim: everything below was taken or passed over. `Infinity`: there was nothing. */
  raise(saturated: Saturated, urgent: boolean, rank: number): void;
  /** A job has become ready. */
  lower(job: { readonly rank: number; readonly priority: number }): void;
  /** Jobs may have become ready by another process's hand. */
  clear(): void;
}

export function createFloors(): Floors {
  const normal = new Map<string, number>();
  const urgent = new Map<string, number>();
  const of = (isUrgent: boolean) => isUrgent ? urgent : normal;
  return {
    get: (saturated, isUrgent) => of(isUrgent).get(keyOf(saturated)) ?? -Infinity,
    raise(saturated, isUrgent, rank) {
      const floors = of(isUrgent);
      if (floors.size >= MAX_SETS) floors.clear();
      floors.set(keyOf(saturated), rank);
    },
    lower({ rank, priority }) {
      for (const [key, floor] of normal) if (rank < floor) normal.set(key, rank);
      if (priority < URGENT_PRIORITY) return;
      for (const [key, floor] of urgent) if (rank < floor) urgent.set(key, rank);
    },
    clear() {
      normal.clear();
      urgent.clear();
    },
  };
}

function keyOf({ kind, plugin, site }: Saturated): string {
  if (kind.length + plugin.length + site.length === 0) return "";
  return JSON.stringify([[...kind].sort(), [...plugin].sort(), [...site].sort()]);
}
