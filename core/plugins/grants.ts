/**
 * From what a manifest declares and an operator approved to what a runner is started with. Nothing here
 * touches the outside world.
 */
import { normalize } from "node:path";
import { addressKind, isPrivateAddress } from "../../sandbox/closed_addresses.ts";
import { covers } from "../../sandbox/covers.ts";
import { literalAddress } from "../../sandbox/ip.ts";
import type { Grants, NetRule, PrivateGrant } from "../../sandbox/types.ts";
import { CarrelError } from "../errors.ts";
import type { CheckedSource } from "../network/private.ts";
import { portOf } from "../network/private.ts";
import { registrableDomain } from "../network/site.ts";
import type { Config } from "./config.ts";
import type { Manifest } from "./manifest.ts";
import { normalHost, parseNetEntry, splitPort } from "./net_entry.ts";
import { type DeclaredGrants, PERMISSIONS } from "./plugins.ts";

const SITE = "${source.site}";

/** What the system shows of itself there is never granted, whatever leads there. */
export const SYSTEM_FOLDERS = ["/proc", "/sys", "/dev"] as const;

/** Nothing at all. */
export const NOTHING_DECLARED: DeclaredGrants = {
  net: [],
  read: [],
  write: [],
  env: [],
  run: [],
  services: [],
  calls: [],
  match: [],
  events: [],
};

/**
 * All that a manifest asks for. Each URL pattern of a plugin is a permission too, to be asked before the built-in
 * ones; and each event of a hook, to be told of it.
 */
export function declaredGrants(manifest: Manifest): DeclaredGrants {
  const values = (
    list: readonly { readonly value: string }[],
  ) => [...new Set(list.map(({ value }) => value))];
  const { net, read, write, env, run, services, calls } = manifest.permissions;
  return {
    net: values(net),
    read: values(read),
    write: values(write),
    env: values(env),
    run: values(run),
    services: values(services),
    calls: values(calls),
    match: [...new Set(manifest.match)],
    events: [...new Set(manifest.events)],
  };
}

/** What is declared and approved, both: a new version does not inherit what it no longer asks for. */
export function intersect(declared: DeclaredGrants, approved: DeclaredGrants): DeclaredGrants {
  const grants: Partial<Record<keyof DeclaredGrants, readonly string[]>> = {};
  for (const name of PERMISSIONS) {
    grants[name] = declared[name].filter((value) => approved[name].includes(value));
  }
  return grants as DeclaredGrants;
}

export interface GrantContext {
  /** The plugin's own directory: `${data}`. Absolute. */
  readonly dataDir: string;
  readonly config: Config;
  /** Where this job starts; absent when it starts from no URL. */
  readonly source?: CheckedSource | undefined;
  /** What the operator opened. */
  readonly privateGrant: (host: string, port: number) => PrivateGrant | undefined;
  /** The private addresses to which the grant of a setting's host was pinned. */
  readonly pinned?: ((field: string) => PrivateGrant | undefined) | undefined;
  /** Folders that no plugin may read or write, nor anything above them. Absolute, real paths. */
  readonly protectedRead: readonly string[];
  /** The same, for writing only. */
  readonly protectedWrite: readonly string[];
}

/** Resolves grants for one job: no `${…}` is left. Sorted, so that equal grants are equal keys of the pool. */
export function resolveGrants(effective: DeclaredGrants, context: GrantContext): Grants {
  const rules = new Set<NetRule>();
  const opened = new Map<string, PrivateGrant>();
  let netPublic = false;
  const addHost = (host: string, port: number) => {
    const grant = context.privateGrant(host, port);
    if (grant === undefined) rules.add(`${host}:${port}`);
    else opened.set(`${host}:${port}`, grant);
  };
  for (const value of effective.net) {
    const entry = parseNetEntry(value);
    if (typeof entry === "string") continue; // A manifest of an older host; what it says now means nothing.
    switch (entry.kind) {
      case "public":
        netPublic = true;
        break;
      case "host":
        addHost(entry.host, entry.port);
        break;
      case "wildcard":
        rules.add(`${entry.domain}:${entry.port}`).add(`*.${entry.domain}:${entry.port}`);
        break;
      case "config": {
        const pinned = context.pinned?.(entry.field);
        if (pinned !== undefined) {
          opened.set(`${pinned.host}:${pinned.port}`, pinned);
          break;
        }
        const place = settingHost(context.config[entry.field], entry.field, context.privateGrant);
        if (place !== undefined) addHost(place.host, place.port);
        break;
      }
      case "site":
        addSite(context.source);
        break;
    }
  }

  function addSite(source: CheckedSource | undefined): void {
    if (source === undefined) return;
    if (source.private === undefined) {
      for (const rule of siteRules(source.host, source.port)) rules.add(rule);
      return;
    }
    // A private host stands for itself alone, on its port: a carve-out opens every port of the address,
    // so the rule is what keeps the others shut.
    opened.set(`${source.host}:${source.port}`, source.private);
  }

  const siteIsPrivate = context.source?.private !== undefined && effective.net.includes(SITE);
  return {
    net: [...rules].sort(),
    // "Any host" knows no ports, so it cannot stand beside an opened address: where the job itself is about
    // such an address, that is what it gets; else the opened hosts stay shut.
    netPublic: netPublic && !siteIsPrivate,
    private: netPublic && !siteIsPrivate
      ? []
      : [...opened].sort(([a], [b]) => a < b ? -1 : 1).map(([, grant]) => grant),
    read: resolvePaths(effective.read, context.dataDir, context.protectedRead),
    write: resolvePaths(effective.write, context.dataDir, context.protectedWrite),
    env: [...effective.env].sort(),
    run: [...effective.run].sort(),
    services: [...effective.services].sort(),
    calls: [...effective.calls].sort(),
  };
}

/** `${source.site}`: the site of a host, on the web's ports and the URL's own. */
export function siteRules(host: string, port: number): readonly NetRule[] {
  const ports = [...new Set([443, 80, port])];
  const domain = registrableDomain(host);
  const hosts = domain === undefined ? [host] : [domain, `*.${domain}`];
  return hosts.flatMap((name) => ports.map((port) => `${name}:${port}`));
}

/** Host and port of a setting that holds a URL or `host[:port]`. */
function settingHost(
  value: unknown,
  field: string,
  privateGrant: GrantContext["privateGrant"],
): { readonly host: string; readonly port: number } | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  const place = typeof value === "string" ? placeOf(value) : undefined;
  if (place === undefined) {
    throw new CarrelError(
      "invalid_config",
      `Cannot use the setting "${field}" as a host: expected an http(s) URL or host[:port].`,
    );
  }
  const address = literalAddress(place.host);
  if (
    address !== undefined && isPrivateAddress(address) &&
    privateGrant(place.host, place.port) === undefined
  ) {
    const why = addressKind(address) === "metadata"
      ? "a cloud's metadata address, which hands out credentials and is never opened"
      : `a private address. The operator can open it by starting the host with --allow-private ${place.host}:${place.port}`;
    throw new CarrelError(
      "private_address",
      `Cannot use the setting "${field}": ${place.host} is ${why}.`,
      { details: { host: place.host, port: place.port } },
    );
  }
  if (place.host.startsWith("[") && privateGrant(place.host, place.port) === undefined) {
    throw new CarrelError(
      "invalid_config",
      `Cannot use the setting "${field}" as a host: IPv6 addresses cannot be granted, name the host.`,
    );
  }
  return place;
}

/** Host and port of an http(s) URL or of `host[:port]`. */
export function placeOf(
  value: string,
): { readonly host: string; readonly port: number } | undefined {
  if (/^https?:\/\//i.test(value)) {
    try {
      const url = new URL(value);
      const host = url.hostname.startsWith("[") ? url.hostname : normalHost(url.hostname);
      return host === undefined ? undefined : { host, port: portOf(url) };
    } catch {
      return undefined;
    }
  }
  const parts = splitPort(value);
  const host = parts === undefined ? undefined : normalHost(parts.host);
  return parts === undefined || host === undefined ? undefined : { host, port: parts.port };
}

function resolvePaths(
  paths: readonly string[],
  dataDir: string,
  shut: readonly string[],
): readonly string[] {
  const resolved = paths.map((path) => {
    if (path === "${data}" || path.startsWith("${data}/")) {
      const own = plainPath(dataDir + path.slice("${data}".length));
      if (!covers(dataDir, own)) throw refusedPath(path, "it leads out of the plugin's directory");
      return own;
    }
    const plain = plainPath(path);
    if (SYSTEM_FOLDERS.some((folder) => covers(folder, plain))) {
      throw refusedPath(path, "other processes are seen there");
    }
    const hit = shut.find((folder) => covers(plain, folder) || covers(folder, plain));
    if (hit !== undefined) {
      throw refusedPath(path, "Carrel's own files lie there, and no plugin may reach them");
    }
    return plain;
  });
  return [...new Set(resolved)].sort();
}

/** Without `//`, `.`, `..` and the slash at the end, which are other spellings of the same place. */
function plainPath(path: string): string {
  return normalize(path).replace(/\/+$/, "") || "/";
}

function refusedPath(path: string, why: string): CarrelError {
  return new CarrelError("denied", `Cannot grant "${path}": ${why}.`);
}
