/** The use cases of plugins, put together. */
import { join, resolve } from "node:path";
import type { Pool, RunnerSpec } from "../../sandbox/types.ts";
import type { Health } from "../../sdk/types.ts";
import { VERSION } from "../assets.ts";
import type { AuditSink } from "../audit/audit.ts";
import { CarrelError } from "../errors.ts";
import type { EventBus } from "../events.ts";
import { isEnded } from "../jobs/job.ts";
import type { Network } from "../network/private.ts";
import { createSecrets, type Secrets } from "../secrets.ts";
import type { SqlStore } from "../stores/sql.ts";
import type { Bundler } from "./bundle.ts";
import { notSetUp } from "./config.ts";
import { permissionRequests } from "./consent.ts";
import { decide } from "./consents.ts";
import { type Context, isoNow, renewEntry, show } from "./context.ts";
import { createCrashes } from "./crashes.ts";
import { known } from "./go_live.ts";
import { checkHealth } from "./health.ts";
import * as life from "./life.ts";
import type { HostLimits } from "./limits.ts";
import { loadPlugins } from "./load.ts";
import { createLocks } from "./locks.ts";
import { ask, offer, withdraw } from "./offers.ts";
import { readOperatorFile } from "./operator_file.ts";
import type { InstallOptions, Plugins, RunnerUse } from "./plugins.ts";
import { type Fetch, type InstallPolicy, prepare } from "./prepare.ts";
import { createRegistry, readBuiltins } from "./registry.ts";
import { revoke, tighten } from "./revoke.ts";
import { checkStartable } from "./runner_spec.ts";
import { type TrustedKey, trustedKey } from "./signature.ts";
import { createSpecs } from "./specs.ts";
import { createPluginStore } from "./store.ts";
import { createVersionFiles } from "./version_files.ts";
import { findWaiting } from "./waiting.ts";

export interface PluginsOptions {
  readonly sql: SqlStore;
  /** The host's data folder; installed plugins are kept in `plugins` of it. */
  readonly dataDir: string;
  /** One folder for each built-in plugin. */
  readonly builtinDir: string;
  readonly bundler: Bundler;
  readonly network: Network;
  /** Brings plugins that are to be installed. */
  readonly fetch: Fetch;
  /** Runs the health check of a version before it goes live; without one it is taken at its word. */
  readonly pool?: Pool | undefined;
  /** The configuration folder; `plugins.yaml` in it is read if it is there. No plugin may reach it. */
  readonly configDir?: string | undefined;
  /** Other files of the host that no plugin may reach, such as the key of the audit. @default none */
  readonly closed?: readonly string[] | undefined;
  /** What plugins get. @default Carrel's own defaults and ceilings */
  readonly limits?: HostLimits | undefined;
  /** @default "verified" for what is installed by its id in the registry, else "any" */
  readonly policy?: InstallPolicy | undefined;
  /** @default [] */
  readonly trustedKeys?: readonly TrustedKey[] | undefined;
  /** Whether the registry lists a plugin as coming from there. @default it lists none */
  readonly inRegistry?: ((plugin: { id: string; origin: string }) => Promise<boolean>) | undefined;
  /** @default nothing is written down */
  readonly audit?: AuditSink | undefined;
  /** Hears of jobs, and is told of consents. */
  readonly events?: EventBus | undefined;
  /** @default read from the environment and from files outside the data folder */
  readonly secrets?: Secrets | undefined;
  /** Checked against each manifest's `carrel`. @default this program's */
  readonly hostVersion?: string | undefined;
  /** Keeps the installed plugins off. @default false */
  readonly safeMode?: boolean | undefined;
  /**
   * Told of what goes wrong with one plugin and must not stop the host.
   * @default the message, on standard error
   */
  readonly report?: ((error: unknown) => void) | undefined;
  /** Milliseconds since 1970. @default Date.now */
  readonly now?: (() => number) | undefined;
}

/**
 * Reads the built-in and the installed plugins. Nothing is bundled yet: that happens on first use, or by
 * `warm`. Throws `invalid_config` for an operator's file that is wrong.
 */
export async function createPlugins(
  options: PluginsOptions,
): Promise<Plugins & AsyncDisposable> {
  const { bundler, configDir, network, pool, events } = options;
  const hostVersion = options.hostVersion ?? VERSION;
  const report = options.report ?? ((error) => console.error(sentenceOf(error)));
  const now = options.now ?? Date.now;
  const dataDir = await Deno.realPath(options.dataDir);
  const secrets = options.secrets ?? createSecrets({ closed: [dataDir] });
  const files = createVersionFiles({
    dataDir,
    cacheDir: join(dataDir, "bundles"),
    runnersDir: join(dataDir, "runners"),
  });
  const [operator, builtins] = await Promise.all([
    readOperatorFile(
      configDir === undefined ? undefined : join(configDir, "plugins.yaml"),
      options.limits,
    ),
    readBuiltins(options.builtinDir, { hostVersion, report }),
  ]);
  const registry = createRegistry({
    now,
    renew: (entry) => entry.stored === undefined ? entry : renewEntry(context, entry, entry.stored),
  });
  const context: Context = {
    store: createPluginStore(
      options.sql,
      options.audit,
      (key) => trustedKey(key, options.trustedKeys ?? []) !== undefined,
    ),
    cuts: new Map(),
    gone: new Set(),
    registry,
    files,
    operator,
    network,
    pool,
    events,
    waiting: new Map(),
    safeMode: options.safeMode === true,
    builtins: new Map(builtins.map((source) => [source.manifest.id, source])),
    report,
    now,
    check: async (entry, { ownData }) =>
      pool === undefined
        ? { status: "unknown" }
        : await checkHealth(() => specs.checkSpec(entry, ownData), pool),
  };
  const locks = createLocks();
  const crashes = createCrashes({ now });
  /** What is written down in the background. */
  const writing = new Set<Promise<unknown>>();

  function background(work: Promise<unknown>): void {
    const settled = work.catch(report).finally(() => writing.delete(settled));
    writing.add(settled);
  }

  const specs = createSpecs(context, {
    bundler,
    secrets,
    dataDir,
    closed: [...configDir === undefined ? [] : [resolve(configDir)], ...options.closed ?? []],
    locks,
    background,
  });
  await loadPlugins(context);

  /** Grants for a job go with it. */
  const stopListening = events?.on("job.event", ({ job_id, status }) => {
    if (!isEnded(status)) return;
    for (const entry of registry.list()) {
      if (!entry.grants.some(({ job }) => job === job_id)) continue;
      background(locks.run(entry.plugin.id, async () => {
        const current = registry.find(entry.plugin.id);
        if (current === undefined) return;
        await specs.saveGrants(current, current.grants.filter(({ job }) => job !== job_id));
      }));
    }
  });

  async function runnerSpec(
    id: string,
    source?: { url: string },
    use: RunnerUse = {},
  ): Promise<RunnerSpec> {
    const entry = registry.get(id);
    checkStartable(entry);
    return await specs.specOf(entry, { start: true, source: source?.url, job: use.job });
  }

  async function install(reference: string, { by = "operator", signal }: InstallOptions = {}) {
    const { version } = await prepare(reference, {
      fetch: options.fetch,
      bundler,
      hostVersion,
      trustedKeys: options.trustedKeys ?? [],
      policy: options.policy,
      inRegistry: options.inRegistry ?? (() => Promise.resolve(false)),
      isBuiltin: (id) => registry.find(id)?.plugin.builtin === true,
    }, signal);
    return await locks.run(version.plugin, () => offer(context, version, by));
  }

  /** One check of a plugin at a time answers all who ask meanwhile. */
  const checks = new Map<string, Promise<Health>>();

  async function health(id: string, checkPool: Pool): Promise<Health> {
    registry.get(id);
    const running = checks.get(id) ?? askHealth(id, checkPool).finally(() => checks.delete(id));
    checks.set(id, running);
    return await running;
  }

  async function askHealth(id: string, checkPool: Pool): Promise<Health> {
    const entry = registry.get(id);
    const missing = notSetUp(entry.plugin.manifest, entry.plugin.config);
    const answer = entry.plugin.enabled && missing !== undefined
      ? { status: "unknown" as const, message: missing }
      : entry.plugin.enabled
      ? await checkHealth(() => specs.checkSpec(registry.get(id)), checkPool)
      : { status: "unknown" as const, message: `It is ${entry.plugin.state}.` };
    const current = registry.find(id);
    // Written down only where rows are kept: looking at a built-in plugin makes none.
    if (current?.stored !== undefined && entry.plugin.enabled) {
      const said = { ...known(answer), time: isoNow(context) };
      background(locks.run(id, async () => {
        const latest = registry.find(id);
        if (latest?.stored === undefined) return;
        const stored = { ...latest.stored, config: { ...latest.stored.config, health: said } };
        await context.store.transaction((tx) => tx.saveConfig(id, stored.config));
        registry.set(renewEntry(context, latest, stored));
      }));
    }
    return answer;
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
      if (entry.plugin.enabled) await specs.bundleOf(entry).catch(reportUnfit);
    }
  }

  return {
    warm() {
      warming ??= warmAll().finally(() => warming = undefined);
      return warming;
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      stopListening?.();
      await warming;
      while (writing.size > 0) await Promise.all(writing);
    },
    list: (filter = {}) =>
      registry.list().map(({ plugin }) => plugin).filter((plugin) =>
        (filter.kind === undefined || plugin.kind === filter.kind) &&
        (filter.enabled === undefined || plugin.enabled === filter.enabled)
      ),
    get: (id) => registry.get(id).plugin,
    find: (id) => registry.find(id)?.plugin,
    permissions(id) {
      const { plugin, grants, places } = registry.get(id);
      const { manifest, builtin, trust } = plugin;
      const trusted = trust === "trusted";
      return permissionRequests(manifest, grants, { builtin, trusted, places, nowMs: now() });
    },
    versions(id) {
      const { stored, live } = registry.get(id);
      const waits = [...context.waiting.values()].filter(({ row, version }) =>
        row.plugin === id && version.state === "awaiting_consent"
      ).map(({ version }) => version);
      return [...waits, ...stored?.versions ?? []].map((row) => ({
        version: row.version,
        digest: row.digest,
        state: row.state,
        live: row.id === live?.id,
        origin: row.origin,
        reference: row.reference,
        resolved: row.resolved,
        signedBy: row.signedBy,
        verified: row.verified,
        error: row.error,
        created: row.created,
        lastLive: row.lastLive,
      }));
    },
    matchUrl: registry.matchUrl,
    matchMedia: registry.matchMedia,
    matchFormat: registry.matchFormat,
    matchCapability: registry.matchCapability,
    runnerSpec,
    bundleDigest: async (id) => (await specs.bundleOf(registry.get(id))).digest,
    health,
    install,
    consents: () => [...context.waiting.values()].map((waiting) => show(context, waiting)),
    consent: (id) => show(context, findWaiting(context.waiting, id)),
    async decide(id, given, by = "operator") {
      const { plugin } = findWaiting(context.waiting, id).row;
      crashes.forget(plugin);
      return await locks.run(plugin, () => decide(context, id, given, by));
    },
    ask: (id, keys, how) => locks.run(id, () => ask(context, id, keys, how)),
    async withdraw(id) {
      const plugin = context.waiting.get(id)?.row.plugin;
      if (plugin !== undefined) await locks.run(plugin, () => withdraw(context, id));
    },
    async setEnabled(id, enabled, by = "operator") {
      crashes.forget(id);
      return await locks.run(id, () => life.setEnabled(context, id, enabled, by));
    },
    rollback: (id, { version, by = "operator" } = {}) =>
      locks.run(id, () => life.rollback(context, id, version, by)),
    setConfig: (id, change, by = "operator") =>
      locks.run(id, () => life.setConfig(context, id, change, by)),
    tighten: (id, keep, by = "operator") => locks.run(id, () => tighten(context, id, keep, by)),
    revoke: (id, keys, by = "operator") => locks.run(id, () => revoke(context, id, keys, by)),
    uninstall: (id, { deleteData = false, by = "operator" } = {}) =>
      locks.run(id, () => life.uninstall(context, id, { deleteData, by })),
    onGone(listener) {
      context.gone.add(listener);
      return () => context.gone.delete(listener);
    },
    runnerEnded({ plugin, digest }, { reason, message }) {
      const entry = registry.find(plugin);
      if (reason !== "crashed" || entry?.live?.digest !== digest || !entry.plugin.enabled) return;
      if (!crashes.add(plugin)) return;
      background(locks.run(plugin, () => life.quarantine(context, plugin, message)));
    },
  };
}

/** What people are shown of an error: one that is not meant for them is shown whole. */
function sentenceOf(error: unknown): unknown {
  return error instanceof CarrelError ? error.message : error;
}
