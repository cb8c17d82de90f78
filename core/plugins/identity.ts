/**
 * Who a plugin is. A signed plugin is its id and the key that signed it, any other its id and its origin. What
 * has the id alone is a stranger: it inherits nothing.
 */
import type { Limits } from "../../sandbox/types.ts";
import { permissionKeys } from "./decisions.ts";
import type { Manifest } from "./manifest.ts";
import type { Difference } from "./plugins.ts";
import type { GrantRow } from "./store.ts";
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

/** What a new version asks for beside the live one. */
export function differenceOf(
  before: { readonly manifest: Manifest; readonly limits: Limits },
  next: { readonly manifest: Manifest; readonly limits: Limits },
): Difference {
  const [old, now] = [permissionKeys(before.manifest), permissionKeys(next.manifest)];
  const limits: Record<string, { from: number; to: number }> = {};
  for (const name of Object.keys(next.limits) as (keyof Limits)[]) {
    const [from, to] = [before.limits[name], next.limits[name]];
    if (from !== to) limits[name] = { from, to };
  }
  return {
    added: now.filter((key) => !old.includes(key)),
    removed: old.filter((key) => !now.includes(key)),
    same: now.filter((key) => old.includes(key)),
    limits,
  };
}

/** Whether nothing in it has to be asked: no new permission, no higher limit, an answer to all that was asked. */
export function asksNothingNew(difference: Difference, rows: readonly GrantRow[]): boolean {
  return difference.added.length === 0 &&
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
