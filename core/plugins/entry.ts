/** A plugin as the host works with it, put together from its manifest, its rows and the operator's file. */
import { isPrivateAddress } from "../../sandbox/closed_addresses.ts";
import { literalAddress } from "../../sandbox/ip.ts";
import type { Network } from "../network/private.ts";
import { type Config, resolveConfig } from "./config.ts";
import { effective } from "./decisions.ts";
import { placeOf } from "./grants.ts";
import { limitRequests, limitsOf } from "./limits.ts";
import { kindOf, type Manifest } from "./manifest.ts";
import { type UrlPattern, urlPattern } from "./match.ts";
import type { OperatorFile } from "./operator_file.ts";
import { type Places, settingsNamed } from "./places.ts";
import type { Plugin } from "./plugins.ts";
import type { BuiltinSource } from "./registry.ts";
import {
  type ConfigRow,
  type GrantRow,
  NO_CONFIG,
  type StoredPlugin,
  type VersionRow,
} from "./store.ts";

/** A plugin and what the host keeps beside it. */
export interface Entry {
  readonly plugin: Plugin;
  /** The folder of a built-in plugin. */
  readonly folder: string | undefined;
  /** What the store holds of it; of a built-in plugin perhaps nothing. */
  readonly stored: StoredPlugin | undefined;
  /** The live version of an installed plugin. */
  readonly live: VersionRow | undefined;
  readonly grants: readonly GrantRow[];
  /** Where its settings lead, as far as that can be said without asking the network. */
  readonly places: Places;
  readonly priority: number | undefined;
  readonly patterns: readonly UrlPattern[];
  /** Those for which it is asked before, or among, the built-in ones. */
  readonly firstPatterns: readonly UrlPattern[];
  /** When the next grant is over, milliseconds since 1970. */
  readonly expires: number | undefined;
}

export interface EntryOptions {
  readonly operator: OperatorFile;
  readonly nowMs: number;
  /** What the operator opened to all. */
  readonly privateGrant: Network["privateGrant"];
}

/** A built-in plugin: trusted, with all that it declares but private addresses. */
export function builtinEntry(
  { manifest, folder }: BuiltinSource,
  stored: StoredPlugin | undefined,
  options: EntryOptions,
  digest = "",
): Entry {
  const row = stored?.config ?? NO_CONFIG;
  const patterns = manifest.match.map(urlPattern);
  const made = common(manifest, row, stored?.grants ?? [], true, options);
  return {
    ...made,
    folder,
    stored,
    live: undefined,
    patterns,
    firstPatterns: patterns,
    plugin: {
      ...made.plugin,
      origin: "builtin",
      trust: "trusted",
      digest,
      signedBy: undefined,
      verified: true,
      autoUpdate: false,
    },
  };
}

/** An installed plugin in its live version. */
export function installedEntry(
  stored: StoredPlugin,
  live: VersionRow,
  options: EntryOptions,
): Entry {
  const { manifest } = live;
  const settings = options.operator.plugins.get(manifest.id);
  const made = common(manifest, stored.config, stored.grants, false, options);
  return {
    ...made,
    folder: undefined,
    stored,
    live,
    patterns: manifest.match.map(urlPattern),
    firstPatterns: made.plugin.granted.match.map(urlPattern),
    plugin: {
      ...made.plugin,
      origin: live.origin,
      trust: settings?.trust ?? stored.row.trust,
      digest: live.digest,
      signedBy: live.signedBy,
      verified: live.verified,
      autoUpdate: stored.config.autoUpdate ?? settings?.autoUpdate ?? false,
    },
  };
}

function common(
  manifest: Manifest,
  row: ConfigRow,
  grants: readonly GrantRow[],
  builtin: boolean,
  { operator, nowMs, privateGrant }: EntryOptions,
) {
  const settings = operator.plugins.get(manifest.id);
  const config = resolveConfig(manifest, { ...settings?.config, ...row.config });
  const places = knownPlaces(manifest, config, grants, privateGrant);
  const trusted = builtin || settings?.trust === "trusted";
  const { granted } = effective(manifest, grants, { nowMs, places, builtin, trusted });
  const asked = manifest.permissions.limits;
  const limits = limitsOf(asked, operator.limits, settings?.limits, row.limits);
  const enabled = row.quarantined === undefined && (row.enabled ?? settings?.enabled ?? true);
  const ends = grants.flatMap(({ until }) => until === undefined ? [] : [Date.parse(until)])
    .filter((time) => time > nowMs);
  return {
    grants,
    places,
    priority: settings?.priority,
    expires: ends.length === 0 ? undefined : Math.min(...ends),
    plugin: {
      id: manifest.id,
      kind: kindOf(manifest.id),
      version: manifest.version,
      manifest,
      builtin,
      enabled,
      state: row.quarantined !== undefined ? "quarantined" : enabled ? "enabled" : "disabled",
      granted,
      config,
      limits,
      limitRequests: limitRequests(asked, operator.limits, limits),
      health: row.health,
      error: row.error,
    } satisfies Partial<Plugin>,
  };
}

/** Without asking the network: a name is taken to lead where it led when it was granted. */
function knownPlaces(
  manifest: Manifest,
  config: Config,
  grants: readonly GrantRow[],
  privateGrant: Network["privateGrant"],
): Places {
  const places: Record<string, Places[string]> = {};
  for (const [key, field] of settingsNamed(manifest)) {
    const value = config[field];
    const place = typeof value === "string" ? placeOf(value) : undefined;
    if (place === undefined) continue;
    const address = literalAddress(place.host);
    const before = grants.find((grant) => grant.key === key)?.place;
    const pinned = privateGrant(place.host, place.port);
    const addresses = pinned !== undefined
      ? pinned.addresses
      : address !== undefined
      ? [address].filter(isPrivateAddress)
      : before?.host === place.host && before.port === place.port
      ? before.addresses
      : [];
    places[key] = { ...place, addresses, opened: pinned !== undefined };
  }
  return places;
}
