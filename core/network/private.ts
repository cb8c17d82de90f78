/**
 * Which private addresses may be reached: none, but for those that the operator opened with
 * `--allow-private host:port` (setting `network.allow_private`).
 */
import { lookup as systemLookup } from "node:dns/promises";
import { addressKind, isPrivateAddress } from "../../sandbox/closed_addresses.ts";
import { literalAddress } from "../../sandbox/ip.ts";
import type { PrivateGrant } from "../../sandbox/types.ts";
import { CarrelError } from "../errors.ts";
import { siteOf } from "./site.ts";

/** The addresses of a host name. Throws when it does not resolve. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** A URL that a job may start from. */
export interface CheckedSource {
  /** As the URL parser writes it, without fragment. */
  readonly url: string;
  /** Host in ASCII, an IPv6 address in brackets. */
  readonly host: string;
  readonly port: number;
  /** The registrable domain, or the host itself where there is none. */
  readonly site: string;
  /** Set when the host is private and the operator opened it. */
  readonly private: PrivateGrant | undefined;
}

export interface Network {
  /**
   * Looks at a URL before a job starts from it. Throws `CarrelError` `invalid_url` for what is not http(s)
   * or carries a password, `private_address` for a host that resolves to an address which the operator did
   * not open. A name that does not resolve passes: fetching it says so.
   */
  checkSource(url: string): Promise<CheckedSource>;
  /** Where a host leads now; `host` as the URL parser writes it. */
  destination(host: string, port: number): Promise<Destination>;
  /** The pinned addresses of a host that the operator opened, or undefined. */
  privateGrant(host: string, port: number): PrivateGrant | undefined;
  /**
   * Says where the host's own API listens: never reachable for a plugin. Throws `invalid_config` when the
   * operator opened just that.
   */
  protect(port: number): void;
}

/** Where a host leads. */
export interface Destination {
  /** The private ones among its addresses. None for a name that does not resolve. */
  readonly addresses: readonly string[];
  /** Why no grant opens it, in words that follow "because"; undefined for what may be granted. */
  readonly closed: string | undefined;
}

export interface NetworkOptions {
  /** `host:port`, `1.2.3.4:port` or `[::1]:port`. */
  readonly allowPrivate?: readonly string[] | undefined;
  /** @default the system's resolver */
  readonly lookup?: Lookup | undefined;
  /** How long a name may take to resolve, milliseconds. @default 5000 */
  readonly timeoutMs?: number | undefined;
}

const MAX_URL_LENGTH = 8192;
const PLAIN_HOST =
  /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/;

/** Resolves the operator's list and pins what it resolves to. Throws `invalid_config` for an entry that cannot be opened. */
export async function createNetwork(options: NetworkOptions = {}): Promise<Network> {
  const lookup = options.lookup ?? lookupAll;
  const timeoutMs = options.timeoutMs ?? 5000;
  const allowed = new Map<string, PrivateGrant>();
  let apiPort: number | undefined;

  /** The addresses behind a host as the URL parser writes it; none when it does not resolve in time. */
  async function addressesOf(host: string): Promise<readonly string[]> {
    const literal = literalAddress(host);
    if (literal !== undefined) return [literal];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const silence = new Promise<readonly string[]>((resolve) => {
      timer = setTimeout(() => resolve([]), timeoutMs);
    });
    try {
      return await Promise.race([lookup(host).catch(() => []), silence]);
    } finally {
      clearTimeout(timer);
    }
  }

  await Promise.all((options.allowPrivate ?? []).map(async (entry) => {
    const { host, port } = parseEntry(entry);
    const addresses = (await addressesOf(host)).filter(isPrivateAddress);
    if (addresses.some((address) => addressKind(address) === "metadata")) {
      throw new CarrelError(
        "invalid_config",
        `Cannot open "${entry}": it is a cloud's metadata address, which hands out credentials.`,
      );
    }
    // A name that resolves to nothing now is pinned to nothing: it stays closed.
    allowed.set(`${host}:${port}`, { host, port, addresses });
  }));

  const isOwnApi = (addresses: readonly string[], port: number) =>
    port === apiPort && addresses.some(isOwnAddress);

  function privateGrant(host: string, port: number): PrivateGrant | undefined {
    const grant = allowed.get(`${host}:${port}`);
    if (grant === undefined || grant.addresses.length === 0) return undefined;
    return isOwnApi(grant.addresses, port) ? undefined : grant;
  }

  async function checkSource(given: string): Promise<CheckedSource> {
    const url = parseSource(given);
    const host = url.hostname;
    const port = portOf(url);
    const addresses = await addressesOf(host);
    if (isOwnApi(addresses, port)) {
      throw refused(url.href, "it is the address of this Carrel itself", host, port);
    }
    const closed = addresses.filter(isPrivateAddress);
    const grant = privateGrant(host, port);
    if (closed.some((address) => !grant?.addresses.includes(address))) {
      const why = closed.some((address) => addressKind(address) === "metadata")
        ? `${host} is a cloud's metadata address, which hands out credentials`
        : allowed.has(`${host}:${port}`)
        ? `${host}:${port} was opened, but led elsewhere when the host started. Start the host again`
        : `${host} ${
          literalAddress(host) === undefined ? "leads to" : "is"
        } a private address. The operator can open it by starting the host with --allow-private ${host}:${port}`;
      throw refused(url.href, why, host, port);
    }
    if (host.startsWith("[") && closed.length === 0) {
      throw invalidUrl(url.href, "a bare IPv6 address cannot be granted; use the name of the host");
    }
    const opened = closed.length > 0 ? grant : undefined;
    return { url: url.href, host, port, site: siteOf(host), private: opened };
  }

  async function destination(host: string, port: number): Promise<Destination> {
    const addresses = await addressesOf(host);
    const closed = isOwnApi(addresses, port)
      ? "it is the address of this Carrel itself"
      : addresses.some((address) => addressKind(address) === "metadata")
      ? "it is a cloud's metadata address, which hands out credentials"
      : undefined;
    return { addresses: addresses.filter(isPrivateAddress).sort(), closed };
  }

  return {
    checkSource,
    destination,
    privateGrant,
    protect(port) {
      apiPort = port;
      for (const grant of allowed.values()) {
        if (isOwnApi(grant.addresses, grant.port)) {
          throw new CarrelError(
            "invalid_config",
            `Cannot open "${grant.host}:${grant.port}": it is the address of this Carrel itself.`,
          );
        }
      }
    },
  };
}

async function lookupAll(host: string): Promise<readonly string[]> {
  const found = await systemLookup(host, { all: true });
  return found.map(({ address }) => address);
}

/** Parses the URL of a source and drops what does not belong to the address. Throws `invalid_url`. */
export function parseSource(given: string): URL {
  if (given.length > MAX_URL_LENGTH) {
    const shown = `${given.slice(0, 100)}…`;
    throw invalidUrl(shown, `it is longer than ${MAX_URL_LENGTH} characters`);
  }
  let url: URL;
  try {
    url = new URL(given);
  } catch (cause) {
    throw invalidUrl(given, "it is not a URL", cause);
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw invalidUrl(given, "only http and https addresses can be imported");
  }
  if (url.username !== "" || url.password !== "") {
    url.username = url.password = "";
    throw invalidUrl(
      url.href,
      "it carried a user name or password, which would be stored with the content",
    );
  }
  url.hash = "";
  if (url.hostname.endsWith(".")) url.hostname = url.hostname.slice(0, -1);
  // The URL parser lets through names with commas and the like, which no server has.
  if (!PLAIN_HOST.test(url.hostname) && !url.hostname.startsWith("[")) {
    throw invalidUrl(url.href, `"${url.hostname}" is not the name of a host`);
  }
  return url;
}

function invalidUrl(url: string, why: string, cause?: unknown): CarrelError {
  return new CarrelError(
    "invalid_url",
    `Cannot import "${url}": ${why}.`,
    cause === undefined ? {} : { cause },
  );
}

function refused(url: string, why: string, host: string, port: number): CarrelError {
  return new CarrelError("private_address", `Cannot import "${url}": ${why}.`, {
    details: { host, port },
  });
}

/** The port of a URL, said or not. */
export function portOf(url: URL): number {
  return url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
}

function parseEntry(entry: string): { readonly host: string; readonly port: number } {
  const port = /:([0-9]{1,5})$/.exec(entry)?.[1];
  try {
    const url = new URL(`http://${entry}/`);
    const bare = url.pathname === "/" && url.username === "" && url.search === "" &&
      url.hash === "";
    const number = Number(port);
    if (bare && port !== undefined && number > 0 && number <= 65535 && !entry.includes("*")) {
      return { host: url.hostname.replace(/\.$/, ""), port: number };
    }
  } catch {
    // Said below.
  }
  throw new CarrelError(
    "invalid_config",
    `Cannot open "${entry}": expected host:port, for example 127.0.0.1:8080 or [::1]:8080.`,
  );
}

/** Whether an address is one of this machine. */
function isOwnAddress(address: string): boolean {
  const kind = addressKind(address);
  if (kind === "loopback" || kind === "unspecified") return true;
  return Deno.networkInterfaces().some((own) => own.address === address);
}
