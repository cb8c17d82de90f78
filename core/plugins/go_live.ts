/** How a version becomes the live one, or does not: its health check decides. */
import type { Health } from "../../sdk/types.ts";
import { CarrelError } from "../errors.ts";
import { resolveConfig } from "./config.ts";
import { type Context, cutOff, entryOf, isoNow, tellGone } from "./context.ts";
import { mergeDecisions, permissionKeys } from "./decisions.ts";
import type { Entry } from "./entry.ts";
import { isSamePlugin } from "./identity.ts";
import { kindOf, type Manifest } from "./manifest.ts";
import type { Plugin } from "./plugins.ts";
import {
  type ConfigRow,
  type GrantRow,
  NO_CONFIG,
  type PluginTx,
  type StoredPlugin,
  type VersionRow,
} from "./store.ts";

/** Versions on disk beside the live one; the oldest go. */
const KEPT_VERSIONS = 4;

export interface GoLive {
  readonly version: VersionRow;
  /** For a stranger all of them, for an update those that are new. */
  readonly decisions: readonly GrantRow[];
  readonly by: string;
  /** What is written down with it, in the transaction that puts the version live. */
  readonly alongside?: (tx: PluginTx) => Promise<void>;
}

/**
 * Asks the version how it is, in a runner, while the one before goes on serving; puts it live, or reports why
 * not. Returns the plugin as it is then.
 */
export async function goLive(context: Context, options: GoLive): Promise<Plugin> {
  const { files, registry, store } = context;
  const { version, decisions, by } = options;
  const id = version.plugin;
  const before = registry.find(id);
  const inherits = before !== undefined && isSamePlugin(before.plugin, version);
  const keptData = before === undefined ? await files.keptData(id) : undefined;
  const inheritsData = inherits || keptData !== undefined && isSamePlugin(keptData, version);

  await files.keep(version);
  const candidate = candidateOf(context, version, inherits ? before : undefined, decisions);
  await store.transaction((tx) => tx.saveVersion({ ...version, state: "checking" }));
  const ownData = inheritsData ? files.dataOf(id) : files.checkDataOf(id);
  const health = await context.check(candidate, { ownData });
  if (!inheritsData) await files.removeCheckData(id);
  if (health.status === "unhealthy") {
    return before === undefined
      ? await installDisabled(context, options, candidate, health)
      : await stayWith(context, options, before, health);
  }

  const time = isoNow(context);
  const stored = candidate.stored!;
  const live: VersionRow = {
    ...version,
    state: candidate.plugin.enabled ? "enabled" : "disabled",
    error: undefined,
    lastLive: time,
  };
  const config: ConfigRow = {
    ...stored.config,
    error: undefined,
    quarantined: undefined,
    health: { ...known(health), time },
  };
  const old = inherits ? [...versionsBeside(before, live, time)] : [];
  const [kept, dropped] = [old.slice(0, KEPT_VERSIONS), old.slice(KEPT_VERSIONS)];
  await store.transaction(async (tx) => {
    // A stranger takes the id, and nothing else of it.
    if (!inherits && before !== undefined) {
      await tellGone(context, tx, { plugin: id, replacedBy: version.origin });
      await tx.removePlugin(id);
    }
    await tx.savePlugin(stored.row);
    for (const row of [live, ...kept]) await tx.saveVersion(row);
    for (const row of dropped) await tx.removeVersion(row.id);
    await tx.saveConfig(id, config);
    await tx.saveGrants(id, stored.grants);
    await options.alongside?.(tx);
    await tx.audit({
      event: inherits ? "plugin.updated" : "plugin.installed",
      plugin: id,
      digest: version.digest,
      actor: by,
      details: {
        version: version.version,
        origin: version.origin,
        ...(version.signedBy === undefined ? {} : { signed_by: version.signedBy }),
        ...(before === undefined ? {} : { before: before.plugin.version }),
      },
    });
  });
  const entry = entryOf(context, { ...stored, config, versions: [live, ...kept] }, live);
  registry.set(entry);
  await tidy(context, { entry, before, inherits, inheritsData, dropped });
  context.events?.emit("plugin.changed", { plugin: id });
  return registry.get(id).plugin;
}

/** The plugin as it would be with this version live. */
function candidateOf(
  context: Context,
  version: VersionRow,
  before: Entry | undefined,
  decisions: readonly GrantRow[],
): Entry {
  const asked = permissionKeys(version.manifest);
  const inherited = (before?.grants ?? []).filter(({ key }) => asked.includes(key));
  const { manifest } = version;
  const config = before?.stored?.config;
  const stored: StoredPlugin = {
    row: {
      id: version.plugin,
      kind: kindOf(version.plugin),
      origin: version.origin,
      signedBy: version.signedBy,
      live: version.id,
      trust: before?.stored?.row.trust ?? "sandboxed",
      builtin: false,
      installed: isoNow(context),
    },
    config: config === undefined ? NO_CONFIG : {
      ...config,
      config: stillKnown(manifest, config.config),
      quarantined: undefined,
    },
    grants: mergeDecisions(inherited, decisions),
    versions: [version],
  };
  return entryOf(context, stored, version);
}

/** The settings of the version before, as far as the new one knows them: all or none. */
export function stillKnown(manifest: Manifest, config: ConfigRow["config"]): ConfigRow["config"] {
  try {
    resolveConfig(manifest, config);
    return config;
  } catch {
    return {};
  }
}

/** The versions that were there, the one that was live among them, those first that were live last. */
export function versionsBeside(before: Entry, live: VersionRow, time: string): VersionRow[] {
  return (before.stored?.versions ?? [])
    .filter((row) => row.id !== live.id && row.state !== "awaiting_consent")
    .map((row): VersionRow =>
      row.id === before.live?.id && row.lastLive !== undefined
        ? { ...row, state: "disabled", lastLive: time, grants: before.grants }
        : { ...row, state: "disabled" }
    )
    .sort((a, b) => (a.lastLive ?? "") < (b.lastLive ?? "") ? 1 : -1);
}

/** Ends runners of old code and removes files that nobody needs. The version is live: nothing here undoes it. */
async function tidy(
  context: Context,
  { entry, before, inherits, inheritsData, dropped }: {
    readonly entry: Entry;
    readonly before: Entry | undefined;
    readonly inherits: boolean;
    readonly inheritsData: boolean;
    readonly dropped: readonly VersionRow[];
  },
): Promise<void> {
  const { files, pool, report } = context;
  const { id, digest } = entry.plugin;
  const live = entry.live!;
  try {
    if (inherits) await pool?.retire(id, { keep: digest });
    else await cutOff(context, id);
    if (inheritsData) await files.takeData(id);
    else await files.setDataAside(id, before?.plugin);
    if (!inherits) await files.bringDataBack(id, live);
    if (!inherits) await files.removeOthers(live);
    const kept = entry.stored!.versions;
    for (const row of dropped) await files.removeVersion(row, kept);
    const gone = inherits ? dropped : before?.stored?.versions ?? [];
    for (const row of [live, ...gone]) await releaseDigest(context, row.digest, row === live);
  } catch (error) {
    report(error);
  }
}

/** Forgets what is kept by digest, unless somebody needs it. */
export async function releaseDigest(
  { files, registry, waiting }: Context,
  digest: string,
  cacheOnly = false,
): Promise<void> {
  const waits = [...waiting.values()].some(({ version }) => version.digest === digest);
  const builtin = registry.list().some(({ plugin }) => plugin.builtin && plugin.digest === digest);
  if (waits || builtin) return;
  await files.forgetBundle(digest);
  const installed = registry.list().some(({ stored }) =>
    stored?.versions.some((version) => version.digest === digest)
  );
  if (!installed && !cacheOnly) await files.forgetCode(digest);
}

/** Nothing was there before: it is installed, and off until it answers. */
async function installDisabled(
  context: Context,
  { version, by, alongside }: GoLive,
  candidate: Entry,
  health: Health,
): Promise<Plugin> {
  const { store, registry } = context;
  const stored = candidate.stored!;
  const error = `Version ${version.version} is off: ${
    health.message ?? "its health check failed."
  }`;
  const config: ConfigRow = {
    ...stored.config,
    enabled: false,
    error,
    health: { ...known(health), time: isoNow(context) },
  };
  const row: VersionRow = { ...version, state: "disabled", error };
  await store.transaction(async (tx) => {
    await tx.savePlugin(stored.row);
    await tx.saveVersion(row);
    await tx.saveConfig(row.plugin, config);
    await tx.saveGrants(row.plugin, stored.grants);
    await alongside?.(tx);
    await tx.audit({
      event: "plugin.installed",
      plugin: row.plugin,
      digest: row.digest,
      actor: by,
      details: { version: row.version, origin: row.origin, enabled: false },
    });
  });
  const entry = entryOf(context, { ...stored, config, versions: [row] }, row);
  registry.set(entry);
  await tidy(context, {
    entry,
    before: undefined,
    inherits: false,
    inheritsData: false,
    dropped: [],
  });
  return registry.get(row.plugin).plugin;
}

/** The version before goes on, with all that it had. */
async function stayWith(
  context: Context,
  { version, by, alongside }: GoLive,
  before: Entry,
  health: Health,
): Promise<Plugin> {
  const { store, registry, files } = context;
  const id = version.plugin;
  const why = health.message ?? "its health check failed.";
  const error = `Version ${version.version} did not go live: ${why}`;
  const config: ConfigRow = { ...before.stored!.config, error };
  const failed: VersionRow = { ...version, state: "disabled", error };
  const same = isSamePlugin(before.plugin, version);
  // One that failed is remembered, the last one.
  const older = before.stored!.versions.filter((row) =>
    row.id !== before.live?.id && row.lastLive === undefined && row.state !== "awaiting_consent"
  );
  await store.transaction(async (tx) => {
    if (same) await tx.saveVersion(failed);
    else await tx.removeVersion(version.id);
    for (const { id } of older) await tx.removeVersion(id);
    await tx.saveConfig(id, config);
    await alongside?.(tx);
    await tx.audit({
      event: "plugin.updated",
      plugin: id,
      digest: version.digest,
      actor: by,
      details: { version: version.version, failed: why, before: before.plugin.version },
    });
  });
  const now = registry.get(id);
  const versions = now.stored!.versions.filter((row) => !older.includes(row));
  const stored = { ...now.stored!, config, versions: same ? [failed, ...versions] : versions };
  registry.set(entryOf(context, stored, now.live!));
  await context.pool?.retire(id, { keep: now.plugin.digest });
  await files.removeVersion(version, versions);
  await releaseDigest(context, version.digest);
  return registry.get(id).plugin;
}

/** Throws `unhealthy` unless a version that was never live answers now. */
export async function checkFirst(context: Context, entry: Entry): Promise<Health> {
  const { plugin } = entry;
  await context.files.check(entry.live!);
  const ownData = context.files.dataOf(plugin.id);
  const health = await context.check(entry, { ownData });
  if (health.status !== "unhealthy") return health;
  throw new CarrelError(
    "unhealthy",
    `Cannot enable "${plugin.id}": ${health.message ?? "its health check failed."}`,
    { retryable: true },
  );
}

export function known({ status, message }: Health) {
  return { status, ...(message === undefined ? {} : { message }) };
}
