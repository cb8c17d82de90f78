/** Puts the host together and starts it: the only place that chooses adapters. */
import { join } from "node:path";
import { createPool } from "../sandbox/pool.ts";
import * as assets from "./assets.ts";
import { createSqlAuth } from "./auth/sql_auth.ts";
import { openConfigDir } from "./config_dir.ts";
import type { RunningHost, StartOptions } from "./host_contract.ts";
import { EventBus } from "./events.ts";
import { collectGarbage } from "./idle_memory.ts";
import { removeHostFile, writeHostFile } from "./host_file.ts";
import { createHttpApp } from "./http/app.ts";
import type { Host } from "./http/host.ts";
import { serveHttp } from "./http/serve.ts";
import { every, systemClock } from "./jobs/clock.ts";
import { openQueueKv } from "./jobs/queue_kv.ts";
import { createRedirects } from "./library/redirects.ts";
import { lockDataFolder } from "./lock.ts";
import { auditFiles, closedFiles } from "./audit/files.ts";
import { createAudit } from "./audit/create_audit.ts";
import { runnerAudit } from "./audit/runner_audit.ts";
import { createCapabilityRequests } from "./capabilities/requests.ts";
import { createNetwork } from "./network/private.ts";
import { createAvailable, isListed } from "./plugins/available.ts";
import { createBundler } from "./plugins/bundle.ts";
import { fetchListed } from "./plugins/fetch_listed.ts";
import { createPlugins } from "./plugins/create_plugins.ts";
import type { Plugins } from "./plugins/plugins.ts";
import { createFetcher, fetchPlugin } from "./plugins/sources/source.ts";
import { makePrivateFiles, makePrivateFolder } from "./private_files.ts";
import { createProvenance } from "./provenance/create_provenance.ts";
import { createSearch } from "./search/create_search.ts";
import { createSecrets } from "./secrets.ts";
import { loadSettings } from "./settings.ts";
import { createBlobKeeper } from "./stores/blobs.ts";
import { openObjectsFs } from "./stores/objects_fs.ts";
import { openSqlite } from "./stores/sqlite.ts";
import { asStorageError } from "./stores/storage_full.ts";
import { createWork } from "./work.ts";

export type { RunningHost, StartOptions };

const DAY_MS = 24 * 60 * 60 * 1000;

/** Starts a host on a data folder. Throws `locked` when another one runs there. */
export async function startHost(options: StartOptions): Promise<RunningHost> {
  const { dataDir } = options;
  const log = options.log ?? (() => {});
  // Closed in reverse: HTTP first, the lock last.
  const stack = new AsyncDisposableStack();
  try {
    const config = await openConfigDir(options.configDir);
    await makePrivateFolder(dataDir);
    stack.use(await lockDataFolder(dataDir));
    await makePrivateFiles(dataDir);
    const settings = await loadSettings(config.path);
    const network = await createNetwork({
      allowPrivate: [...settings.network.allow_private, ...(options.allowPrivate ?? [])],
    });
    const sql = stack.use(
      await openSqlite(join(dataDir, "library.db"), { migrationsDir: assets.SQL_MIGRATIONS_DIR }),
    );
    const objects = await openObjectsFs(join(dataDir, "objects"));
    const blobs = createBlobKeeper(sql, objects);
    const queue = stack.use(await openQueueKv(join(dataDir, "queue.kv")));
    const events = new EventBus();
    const bundler = createBundler({
      cacheDir: join(dataDir, "bundles"),
      nodeModulesDir: assets.NODE_MODULES_DIR,
      sdkDir: assets.SDK_DIR,
    });
    const files = auditFiles(dataDir, (name) => Deno.env.get(name));
    const secrets = createSecrets({ closed: [dataDir, files.keyFile, files.headFile] });
    const audit = stack.use(
      await createAudit({
        store: sql,
        files,
        renewKey: Deno.env.get("CARREL_AUDIT_RENEW") === "yes",
        mask: secrets.mask,
      }),
    );
    const ownApi: string[] = [];
    // The plugins are told of the runners that the pool starts for them.
    const told: { plugins?: Plugins } = {};
    const watching = runnerAudit({
      audit,
      dataDir: await Deno.realPath(dataDir),
      granted: (plugin) => told.plugins?.find(plugin)?.granted,
    });
    const pool = stack.use(createPool({
      deno: assets.denoPath(),
      assets: assets.SANDBOX_DIR,
      denoDirs: join(dataDir, "runners"),
      idleMs: settings.runners.idle_s * 1000,
      maxIdle: settings.runners.max_idle,
      startMs: settings.runners.start_s * 1000,
      graceMs: settings.runners.grace_s * 1000,
      codeCacheBytes: settings.runners.code_cache_mb * 2 ** 20,
      collect: collectGarbage,
      inFlightBytes: settings.runners.in_flight_mb * 2 ** 20,
      denied: () => ownApi,
      onStart: watching.onStart,
      onUses: watching.onUses,
      onEnd(spec, end) {
        watching.onEnd?.(spec, end);
        told.plugins?.runnerEnded(spec, end);
      },
    }));
    const fetcher = createFetcher({ pool, bundler });
    const tempDir = join(dataDir, "temp");
    // What a host that was killed left there.
    await Deno.remove(tempDir, { recursive: true }).catch(() => {});
    await Deno.mkdir(tempDir, { mode: 0o700 });
    const available = createAvailable({
      registry: config.registry(settings.plugins.registry),
      cacheFile: join(dataDir, "registry.json"),
      hostVersion: assets.VERSION,
      fetcher,
      network,
    });
    const plugins = told.plugins = stack.use(
      await createPlugins({
        sql,
        bundler,
        network,
        pool,
        events,
        audit,
        secrets,
        dataDir,
        fetch: fetchListed(available, (reference, { signal }) =>
          fetchPlugin(reference, {
            fetcher,
            network,
            tempDir,
            signal,
            npmRegistry: settings.plugins.npm_registry,
          })),
        policy: settings.plugins.install_policy,
        trustedKeys: settings.plugins.trusted_keys,
        inRegistry: async (plugin) => await isListed((await available.list()).plugins, plugin),
        builtinDir: assets.BUILTIN_PLUGINS_DIR,
        configDir: config.path,
        closed: closedFiles(files),
        limits: settings.limits,
        safeMode: options.safeMode,
      }),
    );
    const search = createSearch(sql);
    const work = stack.use(createWork({
      sql,
      blobs,
      queue,
      events,
      plugins,
      pool,
      network,
      audit,
      redirects: createRedirects({ fetcher, network }),
      search,
      settings,
      dataDir: await Deno.realPath(dataDir),
      pipelinesDir: config.shipped("pipelines"),
      safeMode: options.safeMode,
      log,
    }));
    const { jobs } = work.engine;
    const auth = createSqlAuth(sql);
    const host: Host = {
      version: assets.VERSION,
      auth,
      jobs,
      library: work.library,
      search,
      capabilities: createCapabilityRequests({ capabilities: work.capabilities, jobs }),
      workflows: work.workflows,
      eventLog: work.eventLog,
      schedules: work.schedules,
      jobCare: work.jobCare,
      provenance: createProvenance(sql),
      plugins,
      prompts: work.prompts,
      pluginHealth: (id) => plugins.health(id, pool),
      available,
      audit,
      ready: async () => ({
        sql: await sql.db.selectFrom("migration").select("number").executeTakeFirst()
          .then((row) => row !== undefined, () => false),
        objects: await Deno.stat(join(dataDir, "objects")).then((s) => s.isDirectory, () => false),
      }),
      poolStats: () => pool.stats(),
    };

    const stopping = new AbortController();
    const hostname = options.hostname ?? settings.http.hostname;
    const app = createHttpApp(host, {
      maxUploadBytes: settings.http.max_upload_mb * 1024 * 1024,
      checkHost: isLoopback(hostname),
      extraHosts: settings.http.allowed_hosts,
      signal: stopping.signal,
    });
    const served = await serveHttp(app, {
      hostname,
      port: options.port ?? settings.http.port,
      signal: stopping.signal,
    });
    network.protect(served.port);
    ownApi.push(`${served.hostname}:${served.port}`);
    stack.defer(async () => {
      stopping.abort();
      await served.finished;
    });

    const adminToken = await auth.bootstrap();
    await work.start();
    const url = `http://${callable(hostname)}:${served.port}`;
    await writeHostFile(dataDir, {
      pid: Deno.pid,
      url,
      port: served.port,
      token: auth.sessionToken(),
      started: new Date().toISOString(),
    });
    stack.defer(() => removeHostFile(dataDir));
    // Blobs that nothing refers to any more; those of a crash are kept for a day first.
    const sweep = () => blobs.sweep().catch((error) => log(`cannot sweep the blobs: ${error}`));
    let tidy = sweep();
    stack.defer(async () => void await tidy);
    stack.defer(every(systemClock, DAY_MS, () => tidy = tidy.then(sweep)));
    plugins.warm().catch((error) => log(`cannot bundle a plugin: ${error}`));

    const finished = Promise.withResolvers<void>();
    const closing = stack.move();
    let stopped: Promise<void> | undefined;
    const shutdown = () => stopped ??= closing.disposeAsync().finally(finished.resolve);
    return {
      url,
      port: served.port,
      token: auth.sessionToken(),
      adminToken,
      finished: finished.promise,
      shutdown,
      [Symbol.asyncDispose]: shutdown,
    };
  } catch (error) {
    await stack.disposeAsync();
    throw asStorageError(error);
  }
}

/** The address by which this machine reaches what listens there, as it stands in a URL. */
function callable(hostname: string): string {
  if (hostname === "0.0.0.0" || hostname === "::") return "127.0.0.1";
  return hostname.includes(":") ? `[${hostname}]` : hostname;
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "::1" || hostname.startsWith("127.");
}
