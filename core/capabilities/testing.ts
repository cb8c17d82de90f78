/** For tests: installed plugins in real runners that offer capabilities and call each other's. */
import { openObjectsFs } from "../stores/objects_fs.ts";
import { createPool } from "../../sandbox/pool.ts";
import type { Pool } from "../../sandbox/types.ts";
import { denoPath, SANDBOX_DIR } from "../assets.ts";
import type { AuditEvent } from "../audit/audit.ts";
import { EventBus } from "../events.ts";
import { createJobs, type CreateJobsOptions, type JobEngine } from "../jobs/dispatcher.ts";
import { openQueueKv } from "../jobs/queue_kv.ts";
import { createNetwork } from "../network/private.ts";
import type { PluginsOptions } from "../plugins/create_plugins.ts";
import type { Plugins } from "../plugins/plugins.ts";
import { offered, withWorld, type World, yaml } from "../plugins/testing.ts";
import { createPrompts } from "../prompts/create_prompts.ts";
import type { Prompts } from "../prompts/prompts.ts";
import { createBlobKeeper } from "../stores/blobs.ts";
import type { Capabilities, CapabilityCall } from "./capabilities.ts";
import { callHandler } from "./call_handler.ts";
import { type CapabilitiesParts, createCapabilities } from "./create_capabilities.ts";

export interface TestPlugin {
  readonly id: string;
  readonly provides?: readonly string[];
  /** Declared; all are granted unless `grant` says which. */
  readonly calls?: readonly string[];
  readonly services?: readonly string[];
  /** Keys of permissions. */
  readonly grant?: readonly string[];
  readonly concurrency?: number;
  readonly wall_s?: number;
  /** The body of `capabilities`: JavaScript. */
  readonly code: string;
}

export interface Bench extends AsyncDisposable {
  readonly world: World;
  readonly plugins: Plugins;
  readonly pool: Pool;
  readonly capabilities: Capabilities;
  readonly engine: JobEngine;
  readonly prompts: Prompts;
  readonly audited: AuditEvent[];
  /** Milliseconds that the router's clock is ahead. */
  readonly clock: { nowMs: number };
  /** Installs it, and grants what it says. */
  install(plugin: TestPlugin): Promise<void>;
}

export const ACTOR = { user: "user_1", role: "editor" } as const;

/** A call that nobody cancels. */
export const byHand = (more: Partial<CapabilityCall> = {}): CapabilityCall => ({
  actor: ACTOR,
  job: { id: "call_1", idempotencyKey: "key" },
  signal: new AbortController().signal,
  ...more,
});

export interface BenchOptions {
  readonly parts?: (world: World) => Promise<Partial<CapabilitiesParts>>;
  readonly jobs?: Partial<CreateJobsOptions>;
  readonly plugins?: Partial<PluginsOptions>;
}

export async function withBench(
  work: (bench: Omit<Bench, typeof Symbol.asyncDispose>) => Promise<void>,
  options: BenchOptions = {},
): Promise<void> {
  const events = new EventBus((error) => {
    throw error;
  });
  await withWorld(async (world) => {
    const { plugins, sql, root } = world;
    await using pool = createPool({
      deno: denoPath(),
      assets: SANDBOX_DIR,
      denoDirs: `${root}/runners`,
      graceMs: 50,
      onUses: () => {},
    });
    const audited: AuditEvent[] = [];
    const clock = { nowMs: Date.now() };
    await using prompts = createPrompts({
      sql,
      plugins,
      network: await createNetwork(),
      events,
      dataDir: root,
    }, () => engine);
    const capabilities = createCapabilities({
      plugins,
      pool,
      prompts,
      audit: { append: (event) => void audited.push(event) },
      now: () => clock.nowMs,
      ...await options.parts?.(world),
    });
    await using queue = await openQueueKv(":memory:");
    await using engine = createJobs({
      sql,
      blobs: createBlobKeeper(sql, await openObjectsFs(`${root}/objects`)),
      queue,
      events,
      handlers: { call: callHandler({ capabilities, sql }) },
      random: () => 0,
      ...options.jobs,
    });
    await engine.start();
    const install = async (plugin: TestPlugin) => {
      const list = (values: readonly string[] = []) => JSON.stringify(values);
      const { id, provides, calls, services, concurrency = 2, wall_s = 60 } = plugin;
      const folder = id.replaceAll(".", "_");
      await world.plugin(
        folder,
        yaml(
          id,
          `provides: ${list(provides)}
permissions:
  calls: ${list(calls)}
  services: ${list(services)}
  limits: {concurrency: ${concurrency}, wall_s: ${wall_s}}
`,
        ),
        `import { definePlugin } from "@carrel/sdk";
const fail = (code, message, retryable = false) =>
  Object.assign(new Error(message), { name: "PluginError", code, retryable });
export default definePlugin.generator({ capabilities: {${plugin.code}} });
`,
      );
      const consent = await offered(plugins, `${root}/${folder}`);
      const all = consent.permissions.map(({ key }) => key);
      await plugins.decide(consent.id, plugin.grant ?? all);
    };
    await work({ world, plugins, pool, capabilities, engine, prompts, audited, clock, install });
  }, () => Promise.resolve({ events, ...options.plugins }));
}

/** Resolves once it is so. Rejects when that takes longer than any healthy machine needs. */
export async function until(what: string, condition: () => boolean | Promise<boolean>) {
  const deadline = performance.now() + 30_000;
  while (!await condition()) {
    if (performance.now() > deadline) throw new Error(`timed out: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
