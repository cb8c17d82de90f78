/**
 * Who a plugin is. A signed plugin is its id and the key that signed it, any other its id and its origin. What
 * has the id alone is a stranger: it inherits nothing.
 */
import { permissionKeys } from "./decisions.ts";
import { askedLimits, type HostLimits, LIMIT_NAMES } from "./limits.ts";
import type { Manifest } from "./manifest.ts";
import type { Difference } from "./plugins.ts";
import type { GrantRow } from "./store.ts";
import { takesOf } from "./takes.ts";
import { compareVersions, parseVersion } from "./version.ts";

export interface Identity {
  readonly origin: string;
  readonly signedBy: string | undefined;
}

/**
 * Whether `next` is the plugin that `before` is. Of a plugin that was signed, a version that is not signed by the
 * same key is never taken for one of its own, wherever it comes from: else whoever gets hold of the place could
 * go on in its name. A plugin that was not signed may begin to be, at the same place.
 */
export function isSamePlugin(before: Identity, next: Identity): boolean {
  if (before.signedBy !== undefined) return before.signedBy === next.signedBy;
  return before.origin === next.origin;
}

/** What a new version asks for beside the live one, by what the manifests say. */
export function differenceOf(before: Manifest, next: Manifest, host: HostLimits): Difference {
  const [old, now] = [permissionKeys(before), permissionKeys(next)];
  const limits: Record<string, { from: number; to: number }> = {};
  const asks = [before, next].map(({ permissions }) => askedLimits(permissions.limits, host));
  for (const name of LIMIT_NAMES) {
    const asked = asks.map((one) => one[name]) as [number, number];
    const given = asked.map((value) => Math.min(value, host.ceiling[name])) as [number, number];
    // Above the ceiling it is the ask that counts: the ceiling may be another one tomorrow.
    const [from, to] = given[0] === given[1] ? asked : given;
    if (from !== to) limits[name] = { from, to };
  }
  const [took, takes] = [takesOf(before), takesOf(next)];
  return {
    added: now.filter((key) => !old.includes(key)),
    removed: old.filter((key) => !now.includes(key)),
    same: now.filter((key) => old.includes(key)),
    limits,
    takes: {
      added: takes.filter(({ key }) => !took.some((one) => one.key === key)),
      removed: took.filter(({ key }) => !takes.some((one) => one.key === key)),
    },
  };
}

/**
 * Whether nothing in it has to be asked: no new permission, no higher limit, nothing more that it is handed, an answer
 * to all that was asked.
 */
export function asksNothingNew(difference: Difference, rows: readonly GrantRow[]): boolean {
  return difference.added.length === 0 && difference.takes.added.length === 0 &&
    Object.values(difference.limits).every(({ from, to }) => to <= from) &&
    difference.same.every((key) => rows.some((row) => row.key === key));
}

/** What is odd about an update's version, in plain words. */
export function versionWarnings(before: string, next: string): readonly string[] {
  const [old, now] = [parseVersion(before), parseVersion(next)];
  if (old === undefined || now === undefined) return [];
  const order = compareVersions(now, old);
  if (order < 0) return [`It is older than the version that is installed, ${before}.`];
  if (order === 0) {
    return [`It calls itself ${next}, as the installed one does, and is other code.`];
  }
  return [];
}
