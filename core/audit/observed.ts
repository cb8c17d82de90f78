/**
 * What a plugin really used, against what it was granted and what it declares. Pure but for `readUses`.
 *
 * Deno's record covers `net read write env`. For `services`, `calls` and the events that a hook is told of the host
 * must write down `permission.used` itself at each use; a URL pattern (`match`) is nothing that is used, and Deno
 * keeps no record of the programs that are run, so tightening leaves these alone.
 */
import type { PermissionUse } from "../../sandbox/audit_use.ts";
import { covers } from "../../sandbox/covers.ts";
import type { Config } from "../plugins/config.ts";
import { NOTHING_DECLARED, resolveGrants } from "../plugins/grants.ts";
import { type DeclaredGrants, type PermissionName, PERMISSIONS } from "../plugins/plugins.ts";
import type { Audit, AuditEvent, AuditRow } from "./audit.ts";

/** `PermissionUse` of any permission, with the entries of the manifest that stand for it. */
export interface ObservedUse extends Omit<PermissionUse, "permission"> {
  readonly permission: string;
  /** As the manifest spells them: `${source.site}`; empty for what none covers. */
  readonly entries: readonly string[];
}

/** What the `${…}` of entries stand for. What is not known is guessed, see `entriesOf`. */
export interface EntryContext {
  /** The plugin's own directory, absolute. */
  readonly dataDir?: string | undefined;
  readonly config?: Config | undefined;
}

const OBSERVED: readonly string[] = PERMISSIONS.filter((name) =>
  name !== "match" && name !== "run"
);

/**
 * The entries that cover a use that was granted. What `${source.site}` stood for is no longer known, so such an
 * entry, or `public`, stands for every host that no other entry covers: rather too much counts as used than
 * too little.
 */
export function entriesOf(
  use: { readonly permission: string; readonly value: string },
  declared: DeclaredGrants,
  context: EntryContext = {},
): readonly string[] {
  if (!isPermission(use.permission)) return [];
  const permission = use.permission;
  const open: string[] = [];
  const sure = declared[permission].filter((entry) => {
    const resolved = resolveEntry(permission, entry, context);
    if (resolved === undefined) open.push(entry);
    return resolved?.some((value) => coversValue(permission, value, use.value));
  });
  return sure.length > 0 ? sure : open;
}

/** What an entry stands for in a runner's grants; undefined where that is not known. */
function resolveEntry(
  permission: PermissionName,
  entry: string,
  { dataDir, config }: EntryContext,
): readonly string[] | undefined {
  if (permission === "net") {
    if (entry === "public" || entry === "${source.site}") return undefined;
    if (entry.includes("${") && config === undefined) return undefined;
  } else if (permission !== "read" && permission !== "write") {
    return [entry];
  } else if (entry.includes("${") && dataDir === undefined) {
    return undefined;
  }
  try {
    const grants = resolveGrants({ ...NOTHING_DECLARED, [permission]: [entry] }, {
      dataDir: dataDir ?? "",
      config: config ?? {},
      // Private or not makes no difference here.
      privateGrant: (host, port) => ({ host, port, addresses: [] }),
      protectedRead: [],
      protectedWrite: [],
    });
    if (permission !== "net") return grants[permission];
    return [...grants.net, ...grants.private.map(({ host, port }) => `${host}:${port}`)];
  } catch {
    return undefined; // A setting that names no host: the runner would not have started with it.
  }
}

function coversValue(permission: PermissionName, entry: string, value: string): boolean {
  if (permission === "net") {
    // The value may itself be a rule with a wildcard.
    const place = value.replace(/^\*\./, "");
    return entry.startsWith("*.")
      ? place === entry.slice(2) || place.endsWith(entry.slice(1))
      : entry === value;
  }
  if (permission === "read" || permission === "write") {
    return covers(entry, value);
  }
  return entry === value;
}

export interface UseEventOptions extends EntryContext {
  readonly plugin: string;
  readonly digest: string;
  readonly job?: string | undefined;
  /** The plugin's grants as approved, `${…}` unresolved. */
  readonly granted: DeclaredGrants;
  /** More was asked for than was counted. @default false */
  readonly truncated?: boolean | undefined;
}

/** What one runner asked for, as events: `permission.used`, and `permission.denied` for what it was refused. */
export function useEvents(
  uses: readonly PermissionUse[],
  { plugin, digest, job, granted, truncated, ...context }: UseEventOptions,
): readonly AuditEvent[] {
  return uses.map((use) => {
    const { permission, value, count, first, last } = use;
    const entries = use.granted ? entriesOf(use, granted, context) : [];
    return {
      event: use.granted ? "permission.used" : "permission.denied",
      plugin,
      digest,
      job,
      actor: plugin,
      details: {
        permission,
        value,
        count,
        first,
        last,
        ...(entries.length > 0 ? { entries } : {}),
        ...(truncated ? { truncated } : {}),
      },
    };
  });
}

export interface UseFilter {
  readonly plugin: string;
  /** Of this version only. @default all */
  readonly digest?: string | undefined;
  /** ISO 8601. @default the beginning */
  readonly since?: string | undefined;
}

/** Kept apart at most; what is beyond is of a plugin that floods its record. */
const MAX_USES = 2000;

/** All that was written down of a plugin's permissions, put together. */
export async function readUses(
  audit: Pick<Audit, "list">,
  { plugin, digest, since }: UseFilter,
): Promise<readonly ObservedUse[]> {
  const uses = new Map<string, ObservedUse>();
  for (const event of ["permission.used", "permission.denied"] as const) {
    let cursor: string | undefined;
    do {
      const page = await audit.list({ plugin, event, since, cursor, limit: 500 });
      for (const row of page.items) {
        if (digest === undefined || row.digest === digest) add(uses, useOf(row));
      }
      cursor = page.cursor;
    } while (cursor !== undefined);
  }
  return [...uses.values()];
}

function add(uses: Map<string, ObservedUse>, use: ObservedUse | undefined): void {
  if (use === undefined) return;
  const key = `${use.permission} ${use.granted} ${use.value}`;
  const known = uses.get(key);
  if (known === undefined) {
    if (uses.size < MAX_USES) uses.set(key, use);
    return;
  }
  uses.set(key, {
    ...known,
    count: known.count + use.count,
    first: known.first < use.first ? known.first : use.first,
    last: known.last > use.last ? known.last : use.last,
    entries: [...new Set([...known.entries, ...use.entries])],
  });
}

/** Undefined for a row that says something else than ours do. */
function useOf({ event, time, details }: AuditRow): ObservedUse | undefined {
  const { permission, value, count, first, last, entries } = details;
  if (typeof permission !== "string" || typeof value !== "string") return undefined;
  return {
    permission,
    value,
    granted: event === "permission.used",
    count: typeof count === "number" ? count : 1,
    first: typeof first === "string" ? first : time,
    last: typeof last === "string" ? last : time,
    entries: Array.isArray(entries) ? entries.filter((entry) => typeof entry === "string") : [],
  };
}

/** One permission of the manifest, and how it was used. */
export interface ObservedEntry {
  readonly permission: PermissionName;
  /** As the manifest spells it. */
  readonly value: string;
  readonly granted: boolean;
  /** Times asked for while it was granted. */
  readonly count: number;
  /** ISO 8601; undefined when never. */
  readonly first: string | undefined;
  readonly last: string | undefined;
}

export interface Observation {
  /** Everything that is declared. */
  readonly entries: readonly ObservedEntry[];
  /** Granted and never used. */
  readonly unused: readonly ObservedEntry[];
  /** Asked for and refused; `entries` says by which declared ones it would have been allowed. */
  readonly refused: readonly ObservedUse[];
}

/** Observed against declared. */
export function observe(
  declared: DeclaredGrants,
  granted: DeclaredGrants,
  uses: readonly ObservedUse[],
  context: EntryContext = {},
): Observation {
  const known = uses.filter((use) => use.granted).map((use) => ({
    ...use,
    entries: use.entries.length > 0 ? use.entries : entriesOf(use, declared, context),
  }));
  const entries = PERMISSIONS.flatMap((permission) =>
    declared[permission].map((value): ObservedEntry => {
      const of = known.filter((use) =>
        use.permission === permission && use.entries.includes(value)
      );
      return {
        permission,
        value,
        granted: granted[permission].includes(value),
        count: of.reduce((sum, { count }) => sum + count, 0),
        first: of.map(({ first }) => first).sort()[0],
        last: of.map(({ last }) => last).sort().at(-1),
      };
    })
  );
  return {
    entries,
    unused: entries.filter((entry) =>
      entry.granted && entry.count === 0 && OBSERVED.includes(entry.permission)
    ),
    refused: uses.filter((use) => !use.granted).map((use) => ({
      ...use,
      entries: entriesOf(use, withheld(declared, granted), context),
    })),
  };
}

/** What is declared and not granted: what is granted did not cover a use that was refused. */
function withheld(declared: DeclaredGrants, granted: DeclaredGrants): DeclaredGrants {
  return filterGrants(declared, (permission, value) => !granted[permission].includes(value));
}

/** The grants that were used: what `tighten` leaves. */
export function tightened(granted: DeclaredGrants, { entries }: Observation): DeclaredGrants {
  const used = new Set(
    entries.filter(({ count }) => count > 0).map(({ permission, value }) =>
      `${permission}:${value}`
    ),
  );
  return filterGrants(
    granted,
    (permission, value) => !OBSERVED.includes(permission) || used.has(`${permission}:${value}`),
  );
}

function filterGrants(
  grants: DeclaredGrants,
  keep: (permission: PermissionName, value: string) => boolean,
): DeclaredGrants {
  const kept: Partial<Record<PermissionName, readonly string[]>> = {};
  for (const permission of PERMISSIONS) {
    kept[permission] = grants[permission].filter((value) => keep(permission, value));
  }
  return kept as DeclaredGrants;
}

function isPermission(name: string): name is PermissionName {
  return (PERMISSIONS as readonly string[]).includes(name);
}
