/** What waits for a person: kept in the store, shown with what is granted now. */
import { CarrelError } from "../errors.ts";
import { dangerousCombinations, permissionRequests } from "./consent.ts";
import { permissionKeys } from "./decisions.ts";
import type { Entry } from "./entry.ts";
import { declaredGrants } from "./grants.ts";
import { differenceOf, versionWarnings } from "./identity.ts";
import { limitRequests, limitsOf } from "./limits.ts";
import type { Manifest } from "./manifest.ts";
import type { OperatorFile } from "./operator_file.ts";
import type { Consent, PermissionRequest, Plugin } from "./plugins.ts";
import type { ConsentRow, VersionRow } from "./store.ts";
import { takesOf } from "./takes.ts";

/** Consents that wait at the same time; the oldest is dropped for one more. */
export const MAX_CONSENTS = 32;

export interface Waiting {
  readonly row: ConsentRow;
  /** The version that it is about; the live one for a setting or a job. */
  readonly version: VersionRow;
  /** What is odd about it, in plain words. */
  readonly warnings: readonly string[];
}

/** The permissions that are asked for. Nobody is asked for programs unless the operator trusts the plugin. */
export function askedKeys({ row, version }: Waiting, trusted: boolean): readonly string[] {
  const keys = row.keys ?? permissionKeys(version.manifest);
  return trusted ? keys : keys.filter((key) => !key.startsWith("run:"));
}

/** Whether the operator trusts a plugin, or what is to become one. */
export function isTrusted(id: string, plugin: Plugin | undefined, operator: OperatorFile): boolean {
  return plugin?.builtin === true || operator.plugins.get(id)?.trust === "trusted";
}

/** As it is shown. `before` is the plugin that is installed under the id. */
export function showConsent(
  waiting: Waiting,
  before: Entry | undefined,
  operator: OperatorFile,
): Consent {
  const { row, version } = waiting;
  const { manifest } = version;
  const stranger = row.kind === "replace" || row.kind === "install";
  const asked = manifest.permissions.limits;
  const limits = limitsOf(
    asked,
    operator.limits,
    operator.plugins.get(manifest.id)?.limits,
    stranger ? {} : before?.stored?.config.limits,
  );
  const grants = stranger ? [] : before?.grants ?? [];
  const trusted = isTrusted(row.plugin, before?.plugin, operator);
  const keys = askedKeys(waiting, trusted);
  const permissions = permissionRequests(manifest, grants, {
    builtin: before?.plugin.builtin === true,
    trusted,
    places: row.places,
    job: row.job,
  }).filter(({ key }) => keys.includes(key));
  return {
    id: row.id,
    kind: row.kind,
    plugin: row.plugin,
    name: manifest.name,
    version: version.version,
    description: manifest.description,
    origin: version.origin,
    digest: version.digest,
    signedBy: version.signedBy,
    verified: version.verified,
    permissions,
    takes: row.kind === "setting" || row.kind === "request" ? [] : takesOf(manifest),
    warnings: [
      ...waiting.warnings,
      ...identityWarnings(waiting, before),
      ...dangerousCombinations(declaredGrants(manifest)),
      ...(before?.plugin.builtin === true ? [] : trustWarnings(manifest, trusted)),
      ...privateBesidePublic(permissions),
    ],
    limits,
    limitRequests: limitRequests(asked, operator.limits, limits),
    before: before === undefined
      ? undefined
      : { version: before.plugin.version, origin: before.plugin.origin },
    difference: row.kind === "update" && before !== undefined
      ? differenceOf(before.plugin.manifest, manifest, operator.limits)
      : undefined,
    job: row.job,
    askedBy: row.askedBy,
    created: row.created,
  };
}

function identityWarnings({ row, version }: Waiting, before: Entry | undefined): readonly string[] {
  if (before === undefined) return [];
  if (row.kind === "update") return versionWarnings(before.plugin.version, version.version);
  if (row.kind !== "replace") return [];
  const { origin, signedBy } = before.plugin;
  const who = signedBy === undefined ? `from ${origin}` : `from ${origin}, signed by ${signedBy}`;
  return [
    `Another plugin with this id is installed, ${who}: this one replaces it. The other one's permissions, settings and versions are deleted, and its jobs that have not ended fail; its data is kept for when it comes back.`,
  ];
}

function trustWarnings(manifest: Manifest, trusted: boolean): readonly string[] {
  if (trusted) {
    return ["The operator trusts this id: it runs without the walls of the system."];
  }
  return manifest.permissions.run.map(({ value }) =>
    `It would run ${value}: that can be granted only once config/plugins.yaml says "trust: trusted" for it.`
  );
}

function privateBesidePublic(permissions: readonly PermissionRequest[]): readonly string[] {
  const opened = permissions.find(({ place }) => (place?.addresses.length ?? 0) > 0);
  if (opened === undefined || !permissions.some(({ key }) => key === "net:public")) return [];
  return [
    `It can reach ${
      opened.place!.host
    }, which is private, or any public host, but not both: with both granted, the private one stays shut.`,
  ];
}

/** Throws `not_found`. */
export function findWaiting(waiting: ReadonlyMap<string, Waiting>, id: string): Waiting {
  const found = waiting.get(id);
  if (found === undefined) {
    throw new CarrelError("not_found", `Cannot decide "${id}": no such consent waits.`);
  }
  return found;
}
