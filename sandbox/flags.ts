/**
 * From grants to walls: the flags of a runner's process and the permissions of the worker inside.
 * Pure: same input, same flags. The process is what holds; the worker's permissions are a second
 * wall before it. What a flag is good for stands in `tests/hostile`.
 */
import { contains, formatCidr, parseCidr, without } from "./cidr.ts";
import { CLOSED_IPV4, CLOSED_IPV6, METADATA } from "./closed_addresses.ts";
import { normalIpv6, parseIpv4 } from "./ip.ts";
import type { Grants } from "./types.ts";

/** Deno takes no IPv6 ranges: only these literals and the machine's own addresses can be denied. */
const CLOSED_IPV6_LITERALS = CLOSED_IPV6.flatMap(([block]) =>
  block.endsWith("/128") ? [normalIpv6(block.slice(0, -"/128".length))!] : []
);

/** What the flags are made of beside the grants. All paths absolute. */
export interface RunnerPaths {
  /** The script that the process runs. */
  readonly main: string;
  /** It and every module it loads. */
  readonly files: readonly string[];
  /** The plugin's bundle. */
  readonly bundle: string;
  /** The unix socket to the host. */
  readonly socket: string;
  /** The machine's own addresses, IPv4 and IPv6. */
  readonly interfaces: readonly string[];
  /** `host:port` that stays closed whatever is granted, for example the host's own API. */
  readonly denied?: readonly string[] | undefined;
}

/** `deno.permissions` of the worker. A key that is left out would mean denied; none ever is. */
export interface WorkerPermissions {
  readonly read: false | string[];
  readonly write: false | string[];
  readonly net: boolean | string[];
  readonly env: false | string[];
  readonly run: false | string[];
  readonly ffi: false;
  readonly sys: false;
  readonly import: false;
}

/** Refused before anything is started: the grants cannot be put into walls. */
export class GrantError extends Error {
  override readonly name = "GrantError";
}

/** Flags that are there whatever is granted. They overlap on purpose. */
export const BASE_FLAGS = [
  "--quiet",
  "--no-prompt",
  "--no-remote",
  "--no-npm",
  "--cached-only",
  "--no-config",
  "--no-lock",
  "--deny-import",
  "--deny-run",
  "--deny-ffi",
  "--deny-sys",
  "--unstable-worker-options",
] as const;

/** The whole command line behind `deno`: flags, script, socket. Throws `GrantError`. */
export function processArgs(grants: Grants, paths: RunnerPaths): string[] {
  checkSocket(grants, paths.socket);
  const denied = denyList(grants, paths);
  const read = [...paths.files, paths.bundle, paths.socket, ...grants.read.map(checkedPath)];
  const write = [paths.socket, ...grants.write.map(checkedPath)];
  const net = [`unix:${paths.socket}`, ...netRules(grants)];
  for (const rule of netRules(grants)) checkOpen(rule, denied);
  const programs = grants.run.map((program) => checkedProgram(program, grants.write));
  return [
    "run",
    // A denial wins over what is allowed: it cannot stand beside a named program.
    ...BASE_FLAGS.filter((flag) => programs.length === 0 || flag !== "--deny-run"),
    ...(programs.length > 0 ? [`--allow-run=${programs.join(",")}`] : []),
    `--allow-read=${joined(read)}`,
    `--allow-write=${joined(write)}`,
    grants.netPublic ? "--allow-net" : `--allow-net=${joined(net)}`,
    `--deny-net=${denied.join(",")}`,
    ...(grants.env.length > 0 ? [`--allow-env=${grants.env.map(checkedEnv).join(",")}`] : []),
    paths.main,
    paths.socket,
  ];
}

/** The same grants for the worker, with the bundle's file and without the socket. Throws `GrantError`. */
export function workerPermissions(grants: Grants, bundle: string): WorkerPermissions {
  const listOrNone = (list: string[]) => list.length > 0 ? list : false as const;
  return {
    read: [bundle, ...grants.read.map(checkedPath)],
    write: listOrNone(grants.write.map(checkedPath)),
    net: grants.netPublic ? true : listOrNone(netRules(grants)),
    env: listOrNone(grants.env.map(checkedEnv)),
    run: listOrNone(grants.run.map((program) => checkedProgram(program, grants.write))),
    ffi: false,
    sys: false,
    import: false,
  };
}

/** What no runner may connect to, names that resolve there included, but for the addresses granted. */
export function denyList(
  grants: Pick<Grants, "private">,
  paths: Pick<RunnerPaths, "interfaces" | "denied">,
): string[] {
  const opened = grants.private.flatMap((grant) => grant.addresses.map(parseAddress));
  const metadata4 = METADATA.ipv4.map((address) => parseIpv4(address)!);
  const metadata6 = METADATA.ipv6.map((address) => normalIpv6(address)!);
  const open4 = opened.flatMap((address) => "v4" in address ? [address.v4] : [])
    .filter((address) => !metadata4.includes(address));
  const open6 = opened.flatMap((address) => "v6" in address ? [address.v6] : [])
    .filter((address) => !metadata6.includes(address));

  const own = paths.interfaces.map(parseAddress);
  const ranges = [
    ...CLOSED_IPV4.map(([block]) => parseCidr(block)),
    ...[...metadata4, ...own.flatMap((address) => "v4" in address ? [address.v4] : [])]
      .map((base) => ({ base, prefix: 32 })),
  ];
  const denied6 = [
    ...CLOSED_IPV6_LITERALS,
    ...metadata6,
    ...own.flatMap((address) => "v6" in address ? [address.v6] : []),
  ];
  return [
    ...new Set([
      ...ranges.flatMap((range) => without(range, open4)).map(formatCidr),
      ...denied6.filter((address) => !open6.includes(address)).map((address) => `[${address}]`),
      ...METADATA.names,
      ...(paths.denied ?? []).map(checkedDenial),
    ]),
  ];
}

/** One of `grants.net`, as it is; throws `GrantError` unless it is `host:port` or `*.domain:port`. */
export function checkedNetRule(rule: string): string {
  const match = /^(\*\.)?([^:]+):(\d{1,5})$/.exec(rule);
  const port = Number(match?.[3]);
  if (!match || port < 1 || port > 65535 || !isHost(match[2]!)) {
    throw new GrantError(
      `Cannot grant "${rule}": it must be host:port or *.domain:port in lower-case ASCII; IPv6 literals are not taken`,
    );
  }
  if (match[1] !== undefined && parseIpv4(match[2]!) !== undefined) {
    throw new GrantError(`Cannot grant "${rule}": an address has no subdomains`);
  }
  return rule;
}

function netRules(grants: Grants): string[] {
  if (grants.netPublic) {
    if (grants.private.length > 0) {
      // The allow list would not hold its port: every port of the opened address could be reached.
      throw new GrantError(
        `Cannot grant "${
          grants.private[0]!.host
        }" together with any public host: all its ports would be open`,
      );
    }
    return [];
  }
  return [
    ...new Set([
      ...grants.net.map(checkedNetRule),
      ...grants.private.map(privateRule),
    ]),
  ];
}

/** The allow rule of a private address. The address may be IPv6: it was pinned by the operator. */
function privateRule({ host, port }: { host: string; port: number }): string {
  const v6 = host.includes(":") ? normalIpv6(host) : undefined;
  return v6 === undefined ? checkedNetRule(`${host}:${port}`) : `[${v6}]:${checkedPort(port)}`;
}

/** A rule that the deny list swallows whole is a mistake, or an attempt: said before the start. */
function checkOpen(rule: string, denied: readonly string[]): void {
  const host = rule.slice(0, rule.lastIndexOf(":"));
  const address = parseIpv4(host);
  const closed = denied.includes(rule) || denied.includes(host) || address !== undefined &&
      denied.some((entry) => /^[\d.]+\/\d+$/.test(entry) && contains(parseCidr(entry), address));
  if (closed) throw new GrantError(`Cannot grant "${rule}": the address is closed to all plugins`);
}

function checkedPort(port: number): number {
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new GrantError(`Cannot grant "port ${port}": it must be 1 to 65535`);
  }
  return port;
}

function isHost(host: string): boolean {
  if (parseIpv4(host) !== undefined) return true;
  // A name whose last label is a number is read as an IPv4 address by URL parsers: 0x7f.1, 2130706433.
  if (/(^|\.)(\d+|0x[0-9a-f]*)$/.test(host)) return false;
  return host.length <= 253 &&
    host.split(".").every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label));
}

function parseAddress(text: string): { v4: number } | { v6: string } {
  const v4 = parseIpv4(text);
  if (v4 !== undefined) return { v4 };
  const v6 = normalIpv6(text);
  if (v6 === undefined) throw new GrantError(`Cannot read "${text}": not an IP address`);
  const mapped = /^0:0:0:0:0:ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(v6);
  if (mapped) return { v4: parseInt(mapped[1]!, 16) * 65536 + parseInt(mapped[2]!, 16) };
  return { v6 };
}

function checkedDenial(rule: string): string {
  if (!/^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?$/.test(rule)) {
    throw new GrantError(`Cannot deny "${rule}": it must be host or host:port`);
  }
  return rule;
}

function checkedPath(path: string): string {
  const [first, ...parts] = path.split("/");
  // `//proc` is `/proc` to the system, and another name to whoever compares.
  const plain = first === "" && path.length > 1 &&
    // deno-lint-ignore no-control-regex
    !/[\x00-\x1f]/.test(path) &&
    !parts.some((part, i) => part === ".." || part === "." || part === "" && i < parts.length - 1);
  if (!plain) throw new GrantError(`Cannot grant "${path}": it must be an absolute, plain path`);
  return path;
}

/** Deno takes the path as it is spelled, and no comma in it. What the plugin may write it must not run. */
function checkedProgram(path: string, write: readonly string[]): string {
  if (checkedPath(path).includes(",") || path.endsWith("/")) {
    throw new GrantError(`Cannot grant "${path}": it must be the plain path of one program`);
  }
  const own = write.find((folder) => `${path}/`.startsWith(folder.replace(/\/*$/, "/")));
  if (own !== undefined) {
    throw new GrantError(`Cannot grant "${path}": the plugin may write "${own}", and so change it`);
  }
  return path;
}

function checkedEnv(name: string): string {
  // These change how the runner itself works.
  if (!/^[A-Za-z_]\w*$/.test(name) || /^(DENO_|LD_|DYLD_|NODE_|V8_)/.test(name)) {
    throw new GrantError(
      `Cannot grant "${name}": not the name of a variable that a plugin may read`,
    );
  }
  return name;
}

/**
 * With the bare `--allow-net`, a socket file that can be read and written can be connected to: the
 * plugin would sit between the host and its own runner.
 */
function checkSocket(grants: Grants, socket: string): void {
  const covers = (folder: string) => socket.startsWith(folder.replace(/\/*$/, "/"));
  if (grants.netPublic && [...grants.read, ...grants.write].some(covers)) {
    throw new GrantError(
      `Cannot grant "${socket}": the runner's own socket lies in a granted folder`,
    );
  }
}

/** Deno splits lists at commas; a comma inside a path is doubled. */
function joined(list: readonly string[]): string {
  return [...new Set(list)].map((entry) => entry.replaceAll(",", ",,")).join(",");
}
