/** Where the settings lead that a manifest's permissions name: `${config.base_url}`. */
import type { Network } from "../network/private.ts";
import type { Config } from "./config.ts";
import { placeOf } from "./grants.ts";
import type { Manifest } from "./manifest.ts";
import { parseNetEntry } from "./net_entry.ts";
import type { Place } from "./plugins.ts";

export interface KnownPlace extends Place {
  readonly closed?: string | undefined;
  /** Whether the operator opened all of its private addresses, so that a built-in plugin needs no grant for them. */
  readonly opened?: boolean | undefined;
}

/** By permission key; none for a setting that is not set or names no host. */
export type Places = Readonly<Record<string, KnownPlace>>;

/** The settings that permissions name, by permission key. */
export function settingsNamed(manifest: Manifest): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const { value } of manifest.permissions.net) {
    const entry = parseNetEntry(value);
    if (typeof entry !== "string" && entry.kind === "config") {
      fields.set(`net:${value}`, entry.field);
    }
  }
  return fields;
}

/** Where they lead now, with the private addresses behind each. */
export async function findPlaces(
  manifest: Manifest,
  config: Config,
  network: Pick<Network, "destination" | "privateGrant">,
): Promise<Places> {
  const found = [...settingsNamed(manifest)].map(async ([key, field]) => {
    const value = config[field];
    const place = typeof value === "string" ? placeOf(value) : undefined;
    if (place === undefined) return [];
    const { host, port } = place;
    const { addresses, closed } = await network.destination(host, port);
    const pinned = network.privateGrant(host, port)?.addresses ?? [];
    const opened = addresses.length > 0 &&
      addresses.every((address) => pinned.includes(address));
    return [[key, { host, port, addresses, closed, opened }] as const];
  });
  return Object.fromEntries((await Promise.all(found)).flat());
}

/**
 * Whether what was granted still says where a setting leads: the same host and port, and no private address
 * that was not there when it was granted. Public addresses come and go.
 */
export function stillThere(granted: Place | undefined, now: Place): boolean {
  return granted !== undefined && granted.host === now.host && granted.port === now.port &&
    now.addresses.every((address) => granted.addresses.includes(address));
}
