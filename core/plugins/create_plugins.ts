/** The use cases of plugins, put together. */
import { dirname, join } from "node:path";
import type { RunnerSpec } from "../../sandbox/types.ts";
import { denoPath, PROGRAM_DIR, VERSION } from "../assets.ts";
import { CarrelError } from "../errors.ts";
import type { Network } from "../network/private.ts";
import type { SqlStore } from "../stores/sql.ts";
import type { Bundler } from "./bundle.ts";
import { permissionRequests } from "./consent.ts";
import { resolveGrants } from "./grants.ts";
import { checkHealth } from "./health.ts";
import { checkInstalled, createInstaller, installedBundle } from "./install.ts";
import { readOperatorFile } from "./operator_file.ts";
import type { Plugin, Plugins } from "./plugins.ts";
import {
  builtinEntry,
  createRegistry,
  type Entry,
  installedEntry,
  readBuiltins,
} from "./registry.ts";
import { createPluginStore, type PluginRow } from "./store.ts";

export interface PluginsOptions {
  readonly sql: SqlStore;
  /** The host's data folder; installed plugins are kept in `plugins` of it. */
  readonly dataDir: string;
  /** One folder for each built-in plugin. */
  readonly builtinDir: string;
  readonly bundler: Bundler;
  readonly network: Network;
  /** The configuration folder; `plugins.yaml` in it is read if it is there. */
  readonly configDir?: string | undefined;
  /** Checked against each manifest's `carrel`. @default this program's */
  readonly hostVersion?: string | undefined;
  /** Leaves the installed plugins out. @default false */
  readonly safeMode?: boolean | undefined;
  /**
   * Told of what goes wrong with one plugin and must not stop the host.
   * @default the message, on standard error
   */
  readonly report?: ((error: unknown) => void) | undefined;
}

/**
 * Reads the built-in and the installed plugins. Nothing is bundled yet: that happens on first use, or by
 * `warm`. Throws `invalid_config` for an operator's file that is wrong.
 */
export async function createPlugins(
  options: PluginsOptions,
): Promise<Plugins & AsyncDisposable> {
  const { bundler, configDir, network } = options;
  const hostVersion = options.hostVersion ?? VERSION;
  const report = options.report ?? ((error) => console.error(sentenceOf(error)));
  const pluginsDir = join(options.dataDir, "plugins");
  const store = createPluginStore(options.sql);
  const registry = createRegistry();
  const [operator, builtins, rows] = await Promise.all([
    readOperatorFile(configDir === undefined ? undefined : join(configDir, "plugins.yaml")),
    readBuiltins(options.builtinDir, { hostVersion, report }),
    store.load(report),
  ]);
  const rowOf = new Map(rows.map((row) => [row.id, row]));
  for (const source of builtins) {
    const { id } = source.manifest;
    const row = rowOf.get(id);
    registry.set(builtinEntry(source, operator.get(id), row?.builtin === true ? row : undefined));
  }
  for (const row of rows) {
    if (row.builtin || options.safeMode) continue;
    if (registry.find(row.id) !== undefined) {
      const why = "a built-in plugin has this id now";
      report(new CarrelError("conflict", `Cannot load the plugin "${row.id}": ${why}.`));
      continue;
    }
    registry.set(installedEntry(row, operator.get(row.id)));
  }

  const installer = createInstaller({
    bundler,
    pluginsDir,
    hostVersion,
    isBuiltin: (id) => registry.find(id)?.plugin.builtin === true,
    installed: (id) => registry.find(id)?.row,
  });
  const oneAtATime = createMutex();
  const ready = new Map<string, Promise<{ digest: string; path: string }>>();

  /** The bundle of a plugin, made or checked once in this process. */
  function bundleOf(entry: Entry): Promise<{ digest: string; path: string }> {
    const { plugin, folder, row } = entry;
    const key = `${plugin.id} ${row?.digest ?? ""}`;
    const known = ready.get(key);
    if (known !== undefined) return known;
    const work = folder !== undefined ? builtinBundle(entry, folder) : installedOne(row!);
    ready.set(key, work);
    // A failure may be mended without a restart: try again next time.
    work.catch(() => ready.delete(key));
    return work;
  }

  async function builtinBundle(entry: Entry, folder: string) {
    const how = { entry: entry.plugin.manifest.entry, packages: true };
    const { digest, path } = await bundler.bundle(folder, how);
    const now = registry.get(entry.plugin.id);
    registry.set({ ...now, plugin: { ...now.plugin, digest } });
    return { digest, path };
  }

  async function installedOne(row: PluginRow) {
    await checkInstalled(pluginsDir, row);
    return { digest: row.digest, path: installedBundle(pluginsDir, row) };
  }

  async function runnerSpec(id: string, source?: { url: string }): Promise<RunnerSpec> {
    const entry = registry.get(id);
    const { plugin } = entry;
    if (!plugin.enabled) {
      throw new CarrelError("conflict", `Cannot start the plugin "${id}": it is disabled.`);
    }
    const isWeb = source !== undefined && /^https?:/i.test(source.url);
    const [bundle, checked, paths] = await Promise.all([
      bundleOf(entry),
      isWeb ? network.checkSource(source.url) : undefined,
      Promise.all([
        withRealPaths(plugin.granted.read),
        withRealPaths(plugin.granted.write),
        Deno.realPath(options.dataDir),
      ]),
    ]);
    const [read, write, dataDir] = paths;
    const ownData = join(dataDir, "plugins", id, "data");
    const grants = resolveGrants({ ...plugin.granted, read, write }, {
      dataDir: ownData,
      config: plugin.config,
      source: checked,
      privateGrant: network.privateGrant,
      protectedRead: [dataDir],
      protectedWrite: [dataDir, PROGRAM_DIR, dirname(denoPath())],
    });
    if ([...grants.read, ...grants.write].some((path) => path.startsWith(ownData))) {
      await Deno.mkdir(ownData, { recursive: true, mode: 0o700 });
    }
    return {
      plugin: id,
      version: plugin.version,
      digest: bundle.digest,
      bundle: bundle.path,
      grants,
      config: plugin.config,
      trust: plugin.trust,
      limits: plugin.limits,
    };
  }

  async function setEnabled(id: string, enabled: boolean): Promise<Plugin> {
    const entry = registry.get(id);
    const { plugin } = entry;
    const row: PluginRow = entry.row !== undefined ? { ...entry.row, enabled } : {
      id,
      kind: plugin.kind,
      origin: plugin.origin,
      version: plugin.version,
      digest: plugin.digest,
      enabled,
      builtin: true,
      manifest: plugin.manifest,
      granted: plugin.granted,
      config: rowOf.get(id)?.config ?? {},
      installed: new Date().toISOString(),
    };
    await store.save(row);
    const now = registry.get(id);
    registry.set({
      ...now,
      row: now.row === undefined ? undefined : row,
      plugin: { ...now.plugin, enabled },
    });
    return registry.get(id).plugin;
  }

  async function decide(consent: string, keys: readonly string[] | undefined) {
    if (keys === undefined) return void await installer.refuse(consent);
    const row = await installer.accept(consent, keys);
    const settings = operator.get(row.id);
    const made: PluginRow = { ...row, enabled: settings?.enabled ?? true };
    const entry = installedEntry(made, settings);
    await store.save(made);
    registry.set(entry);
    return entry.plugin;
  }

  async function uninstall(id: string): Promise<void> {
    if (registry.get(id).plugin.builtin) {
      throw new CarrelError(
        "conflict",
        `Cannot uninstall "${id}": it is built in; disable it instead.`,
      );
    }
    await store.remove(id);
    registry.delete(id);
    await installer.removeFiles(id);
  }

  let closed = false;
  let warming: Promise<void> | undefined;

  /** A bundler that was stopped says nothing of the plugin, and Ctrl-C stops it before it stops the host. */
  function reportUnfit(error: unknown): void {
    const stopped = error instanceof CarrelError && error.code === "unavailable";
    if (!closed && !stopped) report(error);
  }

  /** One after another: the host has other things to do while it starts. */
  async function warmAll(): Promise<void> {
    for (const entry of registry.list()) {
      if (closed) return;
      if (entry.plugin.enabled) await bundleOf(entry).catch(reportUnfit);
    }
  }

  return {
    warm() {
      warming ??= warmAll().finally(() => warming = undefined);
      return warming;
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      await warming;
    },
    list: (filter = {}) =>
      registry.list().map(({ plugin }) => plugin).filter((plugin) =>
        (filter.kind === undefined || plugin.kind === filter.kind) &&
        (filter.enabled === undefined || plugin.enabled === filter.enabled)
      ),
    get: (id) => registry.get(id).plugin,
    find: (id) => registry.find(id)?.plugin,
    permissions(id) {
      const { manifest, granted, builtin } = registry.get(id).plugin;
      return permissionRequests(manifest, granted, { builtin });
    },
    matchUrl: registry.matchUrl,
    matchMedia: registry.matchMedia,
    matchFormat: registry.matchFormat,
    runnerSpec,
    bundleDigest: async (id) => (await bundleOf(registry.get(id))).digest,
    health: (id, pool) => checkHealth(() => runnerSpec(id), pool),
    install: (folder) => oneAtATime(() => installer.prepare(folder)),
    consents: installer.consents,
    decide: (consent, keys) => oneAtATime(() => decide(consent, keys)),
    setEnabled: (id, enabled) => oneAtATime(() => setEnabled(id, enabled)),
    uninstall: (id) => oneAtATime(() => uninstall(id)),
  };
}

/**
 * The granted paths and, where one is or lies behind a symbolic link, also where it leads: the grant is
 * about that place, and what is refused there must not be had through a link.
 */
async function withRealPaths(paths: readonly string[]): Promise<readonly string[]> {
  const real = await Promise.all(
    paths.map(async (path) =>
      path.startsWith("/") ? await Deno.realPath(path).catch(() => path) : path
    ),
  );
  return [...new Set([...paths, ...real])];
}

/** What people are shown of an error: one that is not meant for them is shown whole. */
function sentenceOf(error: unknown): unknown {
  return error instanceof CarrelError ? error.message : error;
}

/** Runs what it is given one after another. */
function createMutex(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const next = last.then(work, work);
    last = next.catch(() => {});
    return next;
  };
}
