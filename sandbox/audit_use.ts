/**
 * What a runner's process asked of Deno's permissions, from the lines that `DENO_AUDIT_PERMISSIONS` makes it
 * write, put together by permission and value.
 *
 * A line says that something was asked for, not whether it was allowed: that is worked out from the grants, by
 * name. A granted name that led to a closed address counts as granted here. The lines are the process's word,
 * and a guest may ask for anything any number of times: counts are what it said, values what it chose, so both
 * are bounded. Of a URL only host and port are kept, since the rest may hold a key.
 */
import { posix } from "node:path";
import { isPrivateAddress, METADATA } from "./closed_addresses.ts";
import { covers } from "./covers.ts";
import { parseIpv4 } from "./ip.ts";
import type { Grants } from "./types.ts";

export const ASKED_PERMISSIONS = [
  "read",
  "write",
  "net",
  "env",
  "sys",
  "run",
  "ffi",
  "import",
] as const;

export type AskedPermission = typeof ASKED_PERMISSIONS[number];

/** Beside Deno's own: what the host itself saw asked for. */
export type UsedPermission = AskedPermission | "services" | "calls";

/** One line. */
export interface Asked {
  readonly permission: AskedPermission;
  /** Null: all of it at once. */
  readonly value: string | null;
  /** ISO 8601, to the second. */
  readonly time: string;
}

export interface PermissionUse {
  readonly permission: UsedPermission;
  /**
   * What was asked for: the grant that covers it (`*.arxiv.org:443`, a folder) or, where none does, the thing
   * itself; `*` for all at once; `OTHER_VALUES` for what was too much to keep apart.
   */
  readonly value: string;
  /** Whether the runner's grants cover it. */
  readonly granted: boolean;
  /** Times asked for: an attempt may count twice. */
  readonly count: number;
  /** ISO 8601 */
  readonly first: string;
  readonly last: string;
}

export const OTHER_VALUES = "(others)";

const LINE =
  /^\{"v":1,"datetime":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)","permission":"([a-z]+)","value":/;

/** Longest value that is kept, characters. */
const MAX_VALUE = 256;

/**
 * Reads one line. A line that was cut off gives what is there of its value. Undefined for what no Deno that
 * we know writes.
 */
export function parseAuditLine(line: string): Asked | undefined {
  const head = LINE.exec(line);
  const permission = ASKED_PERMISSIONS.find((name) => name === head?.[2]);
  if (head === null || permission === undefined) return undefined;
  const time = head[1]!;
  const rest = line.slice(head[0].length);
  if (rest === "null}") return { permission, value: null, time };
  try {
    const value: unknown = JSON.parse(rest.replace(/\}$/, ""));
    return typeof value === "string" ? { permission, value, time } : undefined;
  } catch {
    const isOpen = /^"(?:[^"\\]|\\.)*\\?$/.test(rest);
    const cut = /^"([^"\\]{1,1024})/.exec(rest)?.[1];
    return isOpen && cut !== undefined ? { permission, value: cut, time } : undefined;
  }
}

/** What a value stands for. */
export interface Judged {
  readonly value: string;
  readonly granted: boolean;
  /** Whether the value is one of the grants, of which there are few: such a one is always kept apart. */
  readonly listed: boolean;
}

/** Undefined for what the runner needs itself. */
export type Judge = (permission: AskedPermission, value: string | null) => Judged | undefined;

/** What the runner's own start asks for. */
export interface OwnFiles {
  /** Modules of the child, absolute. */
  readonly files: readonly string[];
  readonly bundle: string;
  readonly socket: string;
}

/** Judges by the grants that the runner was started with. */
export function judgeByGrants(grants: Grants, own: OwnFiles): Judge {
  const ownReads = new Set([...own.files, own.bundle, own.socket]);
  const netRules = [
    ...grants.net,
    ...grants.private.map(({ host, port }) =>
      host.includes(":") && !host.startsWith("[") ? `[${host}]:${port}` : `${host}:${port}`
    ),
  ];
  // Making the worker asks for each whole list that the process has, once.
  let startsEnv = grants.env.length > 0;
  let startsRun = grants.run.length > 0;

  const listed = (value: string): Judged => ({ value, granted: true, listed: true });
  const refused = (value: string): Judged => ({
    value: short(value),
    granted: false,
    listed: false,
  });

  function all(permission: AskedPermission): Judged | undefined {
    if (permission === "read" || permission === "write" || permission === "net") return undefined;
    if (permission === "env" && startsEnv) {
      startsEnv = false;
      return undefined;
    }
    if (permission === "run" && startsRun) {
      startsRun = false;
      return undefined;
    }
    return refused("*");
  }

  function judgePath(value: string, granted: readonly string[]): Judged {
    // A runner works in the root folder.
    const path = posix.resolve("/", value);
    const folder = granted.find((root) => covers(root, path));
    return folder === undefined ? refused(path) : listed(folder);
  }

  function judgeNet(value: string): Judged {
    const place = placeOf(value);
    const rule = netRules.find((rule) => coversPlace(rule, place));
    if (rule !== undefined) return listed(rule);
    if (!grants.netPublic || !isPublic(place)) return refused(place);
    return { value: short(place), granted: true, listed: false };
  }

  return (permission, value) => {
    if (value === null) return all(permission);
    switch (permission) {
      case "read":
        return ownReads.has(value) ? undefined : judgePath(value, grants.read);
      case "write":
        return value === own.socket ? undefined : judgePath(value, grants.write);
      case "net":
        return value === `unix:${own.socket}` ? undefined : judgeNet(value);
      case "env":
        return grants.env.includes(value) ? listed(value) : refused(value);
      default:
        return refused(value);
    }
  };
}

const DEFAULT_PORTS: Readonly<Record<string, string>> = {
  "http:": "80",
  "ws:": "80",
  "https:": "443",
  "wss:": "443",
};

const URL_LIKE = /^[a-z][a-z0-9+.-]*:\/\//i;

/** `host:port` of what was asked for; of a URL nothing else. */
function placeOf(value: string): string {
  if (value.startsWith("unix:")) return value;
  if (!URL_LIKE.test(value)) return value.toLowerCase();
  if (!URL.canParse(value)) return "(an address that cannot be read)";
  const url = new URL(value);
  return `${url.hostname.replace(/\.$/, "")}:${url.port || (DEFAULT_PORTS[url.protocol] ?? "")}`;
}

function coversPlace(rule: string, place: string): boolean {
  if (!rule.startsWith("*.")) return rule === place;
  // Deno lets a wildcard stand for the domain itself too.
  return place === rule.slice(2) || place.endsWith(rule.slice(1));
}

/** As far as a name tells. */
function isPublic(place: string): boolean {
  const host = place.replace(/:\d*$/, "");
  if (parseIpv4(host) !== undefined) return !isPrivateAddress(host);
  // An odd spelling of an IPv4 address; and no IPv6 literal can be granted, since any may be private.
  if (/(^|\.)(\d+|0x[0-9a-f]*)$/.test(host)) return false;
  return /^[a-z0-9._-]+$/.test(host) && host !== "localhost" && !host.endsWith(".localhost") &&
    !METADATA.names.some((name) => name === host);
}

function short(value: string): string {
  // deno-lint-ignore no-control-regex
  const plain = value.slice(0, MAX_VALUE + 1).toWellFormed().replace(/[\x00-\x1f\x7f]/g, " ");
  return plain.length <= MAX_VALUE ? plain : `${plain.slice(0, MAX_VALUE - 1).toWellFormed()}…`;
}

export interface Uses {
  add(asked: Asked): void;
  /** What the host itself saw asked for, and whether it let it. */
  note(permission: UsedPermission, value: string, granted: boolean): void;
  /** By permission and value; granted ones first. */
  list(): readonly PermissionUse[];
  /** Begins anew. */
  clear(): void;
}

interface Tally {
  readonly permission: UsedPermission;
  readonly judged: Judged;
  /** A request writes two lines, its URL and its host: both are counted, the larger number is taken. */
  urls: number;
  plain: number;
  first: string;
  last: string;
}

/** Counts. Beside the grants themselves at most `maxValues` values are kept apart. */
export function createUses(judge: Judge, maxValues = 100): Uses {
  const tallies = new Map<string, Tally>();
  let unlisted = 0;

  function tallyOf(permission: UsedPermission, judged: Judged, time: string): Tally {
    const keyOf = (value: string) => `${permission} ${judged.granted} ${value}`;
    const known = tallies.get(keyOf(judged.value));
    if (known !== undefined) return known;
    // So that a flood of odd values hides no use of a grant.
    const kept = judged.listed || unlisted < maxValues
      ? judged
      : { ...judged, value: OTHER_VALUES };
    const other = tallies.get(keyOf(kept.value));
    if (other !== undefined) return other;
    if (!judged.listed) unlisted++;
    const tally = { permission, judged: kept, urls: 0, plain: 0, first: time, last: time };
    tallies.set(keyOf(kept.value), tally);
    return tally;
  }

  return {
    add({ permission, value, time }) {
      const judged = judge(permission, value);
      if (judged === undefined) return;
      const tally = tallyOf(permission, judged, time);
      if (permission === "net" && value !== null && URL_LIKE.test(value)) tally.urls++;
      else tally.plain++;
      if (time < tally.first) tally.first = time;
      if (time > tally.last) tally.last = time;
    },
    note(permission, value, granted) {
      const time = new Date().toISOString();
      const judged = { value: short(value), granted, listed: granted };
      const tally = tallyOf(permission, judged, time);
      tally.plain++;
      tally.last = time;
    },
    list: () =>
      [...tallies.values()].map(({ permission, judged, urls, plain, first, last }) => ({
        permission,
        value: judged.value,
        granted: judged.granted,
        count: Math.max(urls, plain),
        first,
        last,
      })).sort((a, b) => Number(b.granted) - Number(a.granted)),
    clear() {
      tallies.clear();
      unlisted = 0;
    },
  };
}
