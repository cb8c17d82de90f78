/** The host's parts without HTTP, for figures of jobs and workflows in real runners. */
import { join } from "node:path";
import * as assets from "../core/assets.ts";
import { createAudit } from "../core/audit/create_audit.ts";
import { auditFiles } from "../core/audit/files.ts";
import { runnerAudit } from "../core/audit/runner_audit.ts";
import { callHandler } from "../core/capabilities/call_handler.ts";
import { createCapabilities } from "../core/capabilities/create_capabilities.ts";
import { createEventLog } from "../core/event_log/create_event_log.ts";
import { logJobEnds } from "../core/event_log/job_ends.ts";
import { EventBus } from "../core/events.ts";
import { createJobs, type JobEngine } from "../core/jobs/dispatcher.ts";
import { noopHandler } from "../core/jobs/noop.ts";
import { openQueueKv } from "../core/jobs/queue_kv.ts";
import { createNetwork } from "../core/network/private.ts";
import { createBundler } from "../core/plugins/bundle.ts";
import { createPlugins } from "../core/plugins/create_plugins.ts";
import type { Plugins } from "../core/plugins/plugins.ts";
import { createBlobKeeper } from "../core/stores/blobs.ts";
import { openObjectsFs } from "../core/stores/objects_fs.ts";
import { openSqlite } from "../core/stores/sqlite.ts";
import { createWorkflows } from "../core/workflows/create_workflows.ts";
import { createExpressions } from "../core/workflows/evaluate.ts";
import { runHandler } from "../core/workflows/run_handler.ts";
import type { Workflows } from "../core/workflows/workflows.ts";
import { createPool } from "../sandbox/pool.ts";
import type { Pool } from "../sandbox/types.ts";

/** Offers `bench.noop`, and two that run until they are cancelled. */
const MANIFEST = `id: step.bench
version: 1.0.0
name: Bench
description: Does nothing, and says so.
entry: mod.ts
author: The Carrel authors
license: MIT
carrel: ">=0.1 <1"
provides: [bench.noop, bench.heeds, bench.ignores]
permissions: {limits: {concurrency: 8}}
`;
const CODE = `import { definePlugin } from "@carrel/sdk";
export default definePlugin.step({
  capabilities: {
    "bench.noop": () => null,
    "bench.heeds": (_input, ctx) =>
      new Promise((_, reject) => {
        ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason));
        ctx.progress(0.5, "here");
      }),
    "bench.ignores": async (_input, ctx) => {
      ctx.progress(0.5, "here");
      await new Promise((resolve) => setTimeout(resolve, 50));
      for (;;);
    },
  },
  healthCheck: () => ({ status: "healthy" }),
});
`;

export interface BenchEngine extends AsyncDisposable {
  readonly engine: JobEngine;
  readonly events: EventBus;
  readonly workflows: Workflows;
  readonly pool: Pool;
}

/** Opens all of it on an empty folder and starts the dispatcher. */
export async function openBenchEngine(dataDir: string, concurrency: number): Promise<BenchEngine> {
  const stack = new AsyncDisposableStack();
  await Deno.mkdir(dataDir, { recursive: true });
  const builtinDir = `${dataDir}/builtin`;
  await Deno.mkdir(`${builtinDir}/step_bench`, { recursive: true });
  await Deno.writeTextFile(`${builtinDir}/step_bench/carrel.yaml`, MANIFEST);
  await Deno.writeTextFile(`${builtinDir}/step_bench/mod.ts`, CODE);
  const sql = stack.use(
    await openSqlite(join(dataDir, "library.db"), { migrationsDir: assets.SQL_MIGRATIONS_DIR }),
  );
  const blobs = createBlobKeeper(sql, await openObjectsFs(join(dataDir, "objects")));
  const queue = stack.use(await openQueueKv(join(dataDir, "queue.kv")));
  const events = new EventBus();
  const audit = stack.use(await createAudit({ store: sql, files: auditFiles(dataDir) }));
  const network = await createNetwork();
  const told: { plugins?: Plugins } = {};
  const pool: Pool & AsyncDisposable = stack.use(createPool({
    deno: assets.denoPath(),
    assets: assets.SANDBOX_DIR,
    denoDirs: join(dataDir, "runners"),
    ...runnerAudit({ audit, dataDir, granted: (id) => told.plugins?.find(id)?.granted }),
  }));
  const plugins = told.plugins = stack.use(
    await createPlugins({
      sql,
      dataDir,
      builtinDir,
      bundler: createBundler({
        cacheDir: join(dataDir, "bundles"),
        nodeModulesDir: assets.NODE_MODULES_DIR,
        sdkDir: assets.SDK_DIR,
      }),
      network,
      fetch: () => Promise.reject(new Error("there is nothing to install")),
      pool,
      events,
      audit,
    }),
  );
  const eventLog = stack.use(createEventLog({ sql, engine: () => engine }));
  const capabilities = createCapabilities({ plugins, pool, audit });
  const none = () => {
    throw new Error("no imports and exports here");
  };
  const parts = {
    sql,
    engine: () => engine,
    capabilities,
    expressions: createExpressions({ plugins, pool }),
    eventLog,
    plugins,
    library: { importJob: none, exportJob: none },
    loadWorkflows: () => Promise.resolve([]),
  };
  const engine: JobEngine = stack.use(createJobs({
    sql,
    blobs,
    queue,
    events,
    handlers: {
      noop: noopHandler,
      call: callHandler({ capabilities, sql }),
      run: runHandler(parts),
    },
    onEnd: logJobEnds(eventLog),
    concurrency,
    classLimits: (name) => plugins.find(name.slice("plugin:".length))?.limits.concurrency,
  }));
  await engine.start();
  return {
    engine,
    events,
    pool,
    workflows: createWorkflows(parts),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Adds so many jobs one by one and all at once; jobs a second until the last one has completed. */
export async function jobRate(
  { engine, events }: Pick<BenchEngine, "engine" | "events">,
  count: number,
  job: Parameters<JobEngine["jobs"]["add"]>[0],
): Promise<number> {
  const done = Promise.withResolvers<void>();
  let left = count;
  const stop = events.on("job.event", ({ status, message }) => {
    if (status === "failed") done.reject(new Error(message ?? "a job failed"));
    if (status === "completed" && --left === 0) done.resolve();
  });
  const began = performance.now();
  await Promise.all(Array.from({ length: count }, () => engine.jobs.add(job)));
  await done.promise;
  const rate = count / (performance.now() - began) * 1000;
  stop();
  return rate;
}
