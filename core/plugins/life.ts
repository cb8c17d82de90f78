/** What is done with a plugin that is installed: on, off, back, other settings, fewer grants, gone. */
import { CarrelError } from "../errors.ts";
import { checkConfig, resolveConfig } from "./config.ts";
import {
  builtinVersion,
  type Context,
  cutOff,
  isoNow,
  renewEntry,
  storedOf,
  tellGone,
} from "./context.ts";
import { decisionFor, effective, permissionKeys } from "./decisions.ts";
import type { Entry } from "./entry.ts";
import { checkFirst, known, releaseDigest, stillKnown, versionsBeside } from "./go_live.ts";
import { limitsChangeSchema } from "./limits.ts";
import { findPlaces } from "./places.ts";
import type { ConfigChange, Consent, Plugin } from "./plugins.ts";
import type { ConfigRow, PluginTx, StoredPlugin, VersionRow } from "./store.ts";
import { addConsent, dropConsents } from "./consents.ts";

/** Writes other settings down, and what `more` adds. */
export async function saveConfigRow(
  context: Context,
  entry: Entry,
  change: Partial<ConfigRow>,
  more: (tx: PluginTx, stored: StoredPlugin) => Promise<StoredPlugin | void> = async () => {},
): Promise<Plugin> {
  const { id } = entry.plugin;
  const before = storedOf(context, entry);
  let stored: StoredPlugin = { ...before, config: { ...before.config, ...change } };
  await context.store.transaction(async (tx) => {
    await tx.savePlugin(stored.row);
    await tx.saveConfig(id, stored.config);
    stored = await more(tx, stored) ?? stored;
  });
  context.registry.set(renewEntry(context, entry, stored));
  context.events?.emit("plugin.changed", { plugin: id });
  return context.registry.get(id).plugin;
}

export async function setEnabled(
  context: Context,
  id: string,
  enabled: boolean,
  by: string,
): Promise<Plugin> {
  const entry = context.registry.get(id);
  const { live } = entry;
  const time = isoNow(context);
  const isFirst = enabled && live !== undefined && live.lastLive === undefined;
  const health = isFirst ? await checkFirst(context, entry) : undefined;
  const change: Partial<ConfigRow> = {
    enabled,
    ...(enabled ? { quarantined: undefined, error: undefined } : {}),
    ...(health === undefined ? {} : { health: { ...known(health), time } }),
  };
  const plugin = await saveConfigRow(context, entry, change, async (tx, stored) => {
    await tx.audit({
      event: enabled ? "plugin.enabled" : "plugin.disabled",
      plugin: id,
      digest: entry.plugin.digest,
      actor: by,
    });
    if (live === undefined) return;
    return await saveLive(tx, stored, {
      ...live,
      state: enabled ? "enabled" : "disabled",
      ...(enabled ? { error: undefined, lastLive: live.lastLive ?? time } : {}),
    });
  });
  // What is at work ends too: its jobs are held.
  if (!enabled) await cutOff(context, id);
  return plugin;
}

async function saveLive(tx: PluginTx, stored: StoredPlugin, live: VersionRow) {
  await tx.saveVersion(live);
  const versions = stored.versions.map((row) => row.id === live.id ? live : row);
  return { ...stored, versions };
}

/** Sets a plugin aside that goes on crashing. */
export async function quarantine(context: Context, id: string, last: string): Promise<void> {
  const entry = context.registry.find(id);
  if (entry?.live === undefined || entry.plugin.state === "quarantined") return;
  const error = `It crashed again and again; the last time: ${last}`;
  await saveConfigRow(
    context,
    entry,
    { quarantined: isoNow(context), error },
    async (tx, stored) => {
      await tx.audit({
        event: "plugin.quarantined",
        plugin: id,
        digest: entry.plugin.digest,
        details: { last },
      });
      return await saveLive(tx, stored, { ...entry.live!, state: "quarantined", error });
    },
  );
}

export async function rollback(
  context: Context,
  id: string,
  wanted: string | undefined,
  by: string,
): Promise<Plugin> {
  const { registry, store, files, pool } = context;
  const entry = registry.get(id);
  const { live: current, stored } = entry;
  const time = isoNow(context);
  const refuse = (why: string) => new CarrelError("conflict", `Cannot roll "${id}" back: ${why}.`);
  if (current === undefined || stored === undefined) throw refuse("it is built in");
  const others = versionsBeside(entry, current, time);
  const isMeant = ({ version, digest }: VersionRow) =>
    wanted === undefined || wanted === version || wanted === digest;
  const target = others.find((row) => row.lastLive !== undefined && isMeant(row));
  if (target === undefined) {
    if (wanted === undefined) throw refuse("no version was live before");
    if (isMeant(current)) throw refuse(`${wanted} is the version that is live`);
    throw refuse(
      others.some(isMeant)
        ? `${wanted} was never live; install it again`
        : `there is no version "${wanted}" on disk`,
    );
  }
  await files.check(target);
  const asked = permissionKeys(target.manifest);
  const decided = stored.grants.filter(({ key }) => asked.includes(key));
  // What the newer version no longer asked for stands as it stood; what was decided since counts.
  const restored = target.grants.filter(({ key, job }) =>
    job === "" && asked.includes(key) && !decided.some((row) => row.key === key)
  );
  const live: VersionRow = {
    ...target,
    state: entry.plugin.state === "disabled" ? "disabled" : "enabled",
    lastLive: time,
  };
  const left: VersionRow = {
    ...current,
    state: "disabled",
    grants: stored.grants,
    ...(current.lastLive === undefined ? {} : { lastLive: time }),
  };
  const next: StoredPlugin = {
    row: { ...stored.row, live: live.id, origin: live.origin, signedBy: live.signedBy },
    config: {
      ...stored.config,
      config: stillKnown(live.manifest, stored.config.config),
      error: undefined,
      quarantined: undefined,
      health: undefined,
    },
    grants: [...decided, ...restored],
    versions: [live, left, ...others.filter((row) => row.id !== live.id)],
  };
  await store.transaction(async (tx) => {
    await tx.savePlugin(next.row);
    await tx.saveVersion(live);
    await tx.saveVersion(left);
    await tx.saveConfig(id, next.config);
    await tx.saveGrants(id, next.grants);
    await dropConsents(
      context,
      tx,
      (row) => row.plugin === id && (row.kind === "setting" || row.kind === "request"),
    );
    await tx.audit({
      event: "plugin.rolled_back",
      plugin: id,
      digest: live.digest,
      actor: by,
      details: { from: current.version, to: live.version },
    });
  });
  registry.set(renewEntry(context, { ...entry, live }, next));
  await pool?.retire(id, { keep: live.digest });
  context.events?.emit("plugin.changed", { plugin: id });
  return registry.get(id).plugin;
}

export async function setConfig(
  context: Context,
  id: string,
  change: ConfigChange,
  by: string,
): Promise<{ plugin: Plugin; consent: Consent | undefined }> {
  const entry = context.registry.get(id);
  const { manifest, builtin } = entry.plugin;
  const operators = context.operator.plugins.get(id)?.config;
  const fields: string[] = [];
  const row: { -readonly [K in keyof ConfigRow]?: ConfigRow[K] } = {};
  let places = {};
  if (change.config !== undefined) {
    // Set to nothing is not set.
    const given = Object.fromEntries(
      Object.entries(change.config).filter(([, value]) => value !== undefined && value !== null),
    );
    const all = resolveConfig(manifest, { ...operators, ...given });
    checkConfig(manifest, all);
    places = await findPlaces(manifest, all, context.network);
    refuseClosed(id, places);
    // As it was read: secrets as references.
    row.config = Object.fromEntries(Object.keys(given).map((name) => [name, all[name]]));
    fields.push(...changedFields(entry.stored?.config.config ?? {}, row.config));
  }
  if (change.limits !== undefined) {
    const limits = limitsChangeSchema.safeParse(withoutNull(change.limits));
    if (!limits.success) {
      const issue = limits.error.issues[0];
      const unknown = issue?.code === "unrecognized_keys" ? issue.keys[0] : undefined;
      const field = unknown ?? (issue?.path.join(".") || "limits");
      throw new CarrelError(
        "invalid_config",
        `Cannot set "${field}" of the limits of "${id}": ${issue?.message}.`,
        { details: { plugin: id, field } },
      );
    }
    row.limits = Object.fromEntries(
      Object.entries({ ...entry.stored?.config.limits, ...limits.data })
        .filter((pair): pair is [string, number] => typeof pair[1] === "number"),
    );
    fields.push(...changedFields(entry.stored?.config.limits ?? {}, row.limits!));
  }
  if (change.autoUpdate !== undefined) {
    row.autoUpdate = change.autoUpdate;
    fields.push("auto_update");
  }
  let plugin = await saveConfigRow(context, entry, row, async (tx) => {
    await tx.audit({ event: "config.changed", plugin: id, actor: by, details: { fields } });
  });
  await context.pool?.retire(id);
  if (change.config === undefined) return { plugin, consent: undefined };
  const now = context.registry.get(id);
  const use = { nowMs: context.now(), places, builtin };
  const { moved } = effective(manifest, now.grants, use);
  const undecided = builtin
    ? []
    : Object.keys(places).filter((key) => decisionFor(now.grants, key, use) === undefined);
  const keys = [...new Set([...moved, ...undecided])];
  const consent = await askAboutPlaces(context, now, keys, places, by);
  plugin = context.registry.get(id).plugin;
  return { plugin, consent };
}

/** Nothing in the place of a limit takes it back to the manifest's. */
function withoutNull(change: Readonly<Record<string, number | null | undefined>>) {
  return Object.fromEntries(
    Object.entries(change).map(([name, value]) => [name, value ?? undefined]),
  );
}

/** Asks again, because a setting or the address behind it has changed. The same question is asked once. */
export async function askAboutPlaces(
  context: Context,
  entry: Entry,
  keys: readonly string[],
  places: Awaited<ReturnType<typeof findPlaces>>,
  by: string,
): Promise<Consent | undefined> {
  const { id } = entry.plugin;
  const stale = [...context.waiting.values()].filter(({ row }) =>
    row.plugin === id && row.kind === "setting"
  );
  if (keys.length === 0 && stale.length === 0) return undefined;
  return await addConsent(context, {
    version: entry.live ?? builtinVersion(entry),
    kind: "setting",
    keys,
    places,
    by,
  });
}

function refuseClosed(id: string, places: Awaited<ReturnType<typeof findPlaces>>): void {
  for (const [key, { host, port, closed }] of Object.entries(places)) {
    if (closed === undefined) continue;
    const field = /\{config\.(.+)\}$/.exec(key)?.[1];
    throw new CarrelError(
      "private_address",
      `Cannot set "${field}" of the plugin "${id}": ${host}:${port} can never be granted, because ${closed}.`,
      { details: { plugin: id, field, host, port } },
    );
  }
}

function changedFields(
  before: Readonly<Record<string, unknown>>,
  now: Readonly<Record<string, unknown>>,
): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(now)]);
  return [...names].filter((name) => JSON.stringify(before[name]) !== JSON.stringify(now[name]))
    .sort();
}

export async function uninstall(
  context: Context,
  id: string,
  options: { readonly deleteData: boolean; readonly by: string },
): Promise<void> {
  const { registry, store, files } = context;
  const entry = registry.find(id);
  if (entry === undefined && options.deleteData && await files.hasData(id)) {
    return await deleteLeftData(context, id, options.by);
  }
  const { plugin, stored, live } = entry ?? registry.get(id);
  if (plugin.builtin) {
    throw new CarrelError(
      "conflict",
      `Cannot uninstall "${id}": it is built in; disable it instead.`,
    );
  }
  await store.transaction(async (tx) => {
    await dropConsents(context, tx, (row) => row.plugin === id);
    await tellGone(context, tx, { plugin: id, replacedBy: undefined });
    await tx.removePlugin(id);
    await tx.audit({
      event: "plugin.uninstalled",
      plugin: id,
      digest: plugin.digest,
      actor: options.by,
      details: { version: plugin.version, data: options.deleteData ? "deleted" : "kept" },
    });
  });
  registry.delete(id);
  await cutOff(context, id);
  await files.removePlugin(id, options.deleteData ? undefined : live);
  for (const { digest } of stored?.versions ?? []) await releaseDigest(context, digest);
  context.events?.emit("plugin.changed", { plugin: id });
}

/** The data of a plugin that is gone, and of those that it replaced. */
async function deleteLeftData({ store, files }: Context, id: string, by: string): Promise<void> {
  await store.transaction((tx) =>
    tx.audit({ event: "plugin.uninstalled", plugin: id, actor: by, details: { data: "deleted" } })
  );
  await files.removePlugin(id, undefined);
}
