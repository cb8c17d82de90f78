/** What may stand in a manifest's `net`. */
import { addressKind, isPrivateAddress } from "../../sandbox/closed_addresses.ts";
import { literalAddress } from "../../sandbox/ip.ts";
import { registrableDomain } from "../network/site.ts";

export type NetEntry =
  /** `host[:port]` */
  | { readonly kind: "host"; readonly host: string; readonly port: number }
  /** `*.domain[:port]`: the domain and all below it. */
  | { readonly kind: "wildcard"; readonly domain: string; readonly port: number }
  /** `${source.site}`: the site of this job's URL, for this job. */
  | { readonly kind: "site" }
  /** `${config.<field>}`: host and port of a setting. */
  | { readonly kind: "config"; readonly field: string }
  /** `public`: any public host. */
  | { readonly kind: "public" };

const EXPECTED =
  "expected host[:port], *.domain[:port], ${source.site}, ${config.<setting>} or public";

/** The entry, or, as a string, what is wrong with it. */
export function parseNetEntry(value: string): NetEntry | string {
  if (value === "public") return { kind: "public" };
  if (value === "${source.site}") return { kind: "site" };
  const setting = /^\$\{config\.([A-Za-z_][A-Za-z0-9_]*)\}$/.exec(value);
  if (setting !== null) return { kind: "config", field: setting[1]! };
  if (value.includes("${")) return `${EXPECTED}, not "${value}"`;
  if (value.includes("://") || value.includes("/")) {
    return `${EXPECTED}: a host without scheme and path`;
  }
  if (value.includes("[") || value.split(":").length > 2) {
    return "IPv6 addresses cannot be granted: name the host";
  }
  const parts = splitPort(value);
  if (parts === undefined) return `${EXPECTED}: a port is a number from 1 to 65535`;
  if (parts.host.startsWith("*")) return wildcard(parts.host, parts.port);
  const host = normalHost(parts.host);
  if (host === undefined) return `${EXPECTED}, not "${value}"`;
  const address = literalAddress(host);
  const local = host === "localhost" || host.endsWith(".localhost");
  if (local || (address !== undefined && isPrivateAddress(address))) {
    if (address !== undefined && addressKind(address) === "metadata") {
      return `"${value}" is a cloud's metadata address, which hands out credentials and is never opened`;
    }
    return `"${value}" is a private address, which a manifest cannot ask for: the operator opens it with --allow-private ${host}:${parts.port}`;
  }
  return { kind: "host", host, port: parts.port };
}

function wildcard(pattern: string, port: number): NetEntry | string {
  const domain = pattern.startsWith("*.") ? normalHost(pattern.slice(2)) : undefined;
  if (domain === undefined || literalAddress(domain) !== undefined) {
    return `${EXPECTED}: a wildcard stands before a whole domain, as in *.example.com`;
  }
  if (registrableDomain(domain) === undefined) {
    return `"${pattern}" spans the sites of many owners: name a domain below it, or use public`;
  }
  return { kind: "wildcard", domain, port };
}

/** Host and port of `host[:port]`; 443 unless said. Undefined when the port is none. */
export function splitPort(
  value: string,
  defaultPort = 443,
): { readonly host: string; readonly port: number } | undefined {
  const match = /^(.*?)(?::([0-9]+))?$/s.exec(value);
  const port = match?.[2] === undefined ? defaultPort : Number(match[2]);
  if (match === null || port < 1 || port > 65535 || match[1]!.includes(":")) return undefined;
  return { host: match[1]!, port };
}

/** A host as the URL parser writes it: ASCII, lower case, odd IPv4 notations made plain, no dot at the end. */
export function normalHost(host: string): string | undefined {
  if (host === "" || /[\s/?#@\\:,%]/.test(host)) return undefined;
  try {
    const normal = new URL(`http://${host}/`).hostname.replace(/\.$/, "");
    return /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(normal) ? normal : undefined;
  } catch {
    return undefined;
  }
}
