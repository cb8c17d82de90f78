import assert from "node:assert/strict";
import type { CallOptions, Desk, Pool } from "../../sandbox/types.ts";
import { SandboxError } from "../../sandbox/types.ts";
import type { HookEvent } from "../../sdk/capabilities.ts";
import { EventBus } from "../events.ts";
import { createEventLog } from "../event_log/create_event_log.ts";
import type { JobEngine } from "../jobs/dispatcher.ts";
import { openWorkshop, until, within, type Workshop } from "../jobs/testing.ts";
import type { Plugin, Plugins } from "../plugins/plugins.ts";
import { exists, offered, withWorld, yaml } from "../plugins/testing.ts";
import { createHooks, type Hooks } from "./create_hooks.ts";
import { hookHandler, methodFor } from "./hook_handler.ts";

type Tell = (plugin: string, method: string, event: HookEvent, options: CallOptions) => unknown;

/** Hooks of made-up plugins; their runners are functions of the test. */
function setup(shop: Workshop, tell: Tell) {
  const installed = new Map<string, Plugin>();
  const lines: string[] = [];
  const bus = new EventBus();
  const put = (id: string, events: readonly string[], enabled = true) => {
    installed.set(id, { id, kind: "hook", enabled, granted: { events } } as unknown as Plugin);
    bus.emit("plugin.changed", { plugin: id });
  };
  const remove = (id: string) => {
    installed.delete(id);
    bus.emit("plugin.changed", { plugin: id });
  };
  const plugins = {
    list: () => [...installed.values()].filter(({ enabled }) => enabled),
    find: (id: string) => installed.get(id),
    runnerSpec: async (plugin: string) => ({ plugin }),
  } as unknown as Plugins;
  const pool = {
    acquire: async ({ plugin }: { plugin: string }) => ({
      methods: installed.get(plugin)!.granted.events,
      call: async (method: string, [event]: [HookEvent], options: CallOptions) =>
        await tell(plugin, method, event, options),
      uses: () => ({ uses: [], truncated: false }),
      [Symbol.asyncDispose]: async () => {},
    } as unknown as Desk),
  } as unknown as Pool;
  const log = createEventLog({
    sql: shop.sql,
    clock: shop.clock,
    engine: () => engine,
    keepDays: 1 / 24,
  });
  const prompts = { examine: async ({ error }: { error: unknown }) => error };
  let hooks: Hooks;
  const engine: JobEngine = shop.engine({
    handlers: {
      hook: hookHandler({ eventLog: log, plugins, pool, prompts, audit: { append() {} } }),
    },
    onEnd: (tx, job) => hooks.onEnd(tx, job),
  });
  const open = () =>
    hooks = createHooks({
      sql: shop.sql,
      eventLog: log,
      plugins,
      events: bus,
      engine: () => engine,
      clock: shop.clock,
      log: (line) => void lines.push(line),
      report: (error) => void shop.reports.push(error),
    });
  const append = async (...names: string[]) => {
    await shop.sql.transaction(async (tx) => {
      for (const name of names) {
        await log.append(tx, { name, subject: name, payload: { n: 1 }, user: "user_1" });
      }
    });
    log.wake();
  };
  return { put, remove, log, engine, open, append, lines, hooks: () => hooks };
}

/** Resolves once something was seen so often. */
function counter() {
  let seen = 0;
  let waiting: { readonly count: number; readonly resolve: () => void } | undefined;
  return {
    count() {
      seen++;
      if (waiting !== undefined && seen >= waiting.count) waiting.resolve();
    },
    reached(count: number): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting = { count, resolve };
      if (seen >= count) resolve();
      return within(promise, `${count} times, not ${seen}`);
    },
  };
}

Deno.test("createHooks() tells each hook of its events in order, one at a time, from when it was there", async () => {
  await using shop = await openWorkshop();
  const seen: [string, string, number][] = [];
  const told = counter();
  let atOnce = 0;
  const t = setup(shop, async (plugin, method, { seq }) => {
    assert.ok(++atOnce <= 2);
    await Promise.resolve();
    seen.push([plugin, method, seq]);
    atOnce--;
    told.count();
  });
  await using _log = t.log;
  await t.append("notify", "content.imported");
  t.put("hook.a", ["content.imported", "artifact.*"]);
  await using hooks = t.open();
  await hooks.start();
  await t.engine.start();
  await t.append("content.imported", "notify", "artifact.created");
  await told.reached(2);
  t.put("hook.b", ["*"]);
  await hooks.idle();
  await t.append(...Array.from({ length: 10 }, () => "content.imported"), "notify");
  await told.reached(2 + 10 + 11);
  const of = (id: string) => seen.filter(([plugin]) => plugin === id).map(([, , seq]) => seq);
  assert.deepEqual(of("hook.a"), [3, 5, ...Array.from({ length: 10 }, (_, at) => at + 6)]);
  assert.deepEqual(of("hook.b"), Array.from({ length: 11 }, (_, at) => at + 6));
  assert.equal(seen[1]![1], "artifact.*");
  await t.engine.drain();
  const jobs = await t.engine.jobs.list({ kind: "hook", limit: 200 });
  assert.equal(jobs.items.length, 23);
  assert.deepEqual(shop.reports, []);
});

Deno.test("createHooks() tries again by itself what the store refused, told of nothing else", async () => {
  await using shop = await openWorkshop();
  const seen: string[] = [];
  const told = counter();
  const t = setup(shop, (plugin, _method, { seq }) => {
    seen.push(`${plugin} ${seq}`);
    told.count();
  });
  await using _log = t.log;
  const rename = (from: string, to: string) =>
    shop.sql.db.schema.alterTable(from).renameTo(to).execute();
  t.put("hook.a", ["content.*"]);
  await using hooks = t.open();
  await hooks.start();
  await t.engine.start();
  await rename("event_cursor", "away");
  await t.append("content.imported");
  await until(() => shop.reports.length === 1, "a report");
  await hooks.idle();
  await rename("away", "event_cursor");
  shop.clock.advance(5_000);
  await told.reached(1);
  const done = async () => (await t.engine.jobs.counts()).completed === 1;
  await until(done, "its job");
  await hooks.idle();
  await rename("event_cursor", "away");
  t.put("hook.b", ["notify"]);
  await until(() => shop.reports.length === 2, "another report");
  await hooks.idle();
  await rename("away", "event_cursor");
  shop.clock.advance(5_000);
  // It was looked at anew, so that it has a place from which it is told.
  await until(async () => {
    const rows = await shop.sql.db.selectFrom("event_cursor").select("reader").execute();
    return rows.length === 2;
  }, "two cursors");
  await hooks.idle();
  await t.append("notify");
  await told.reached(2);
  assert.deepEqual(seen, ["hook.a 1", "hook.b 2"]);
  await t.engine.drain();
});

Deno.test("createHooks() goes on over a hook that fails, and lets nobody else wait for it", async () => {
  await using shop = await openWorkshop();
  const seen: string[] = [];
  const good = counter();
  const bad = counter();
  const t = setup(shop, (plugin, _method, { seq }, { job }) => {
    assert.equal(job.idempotencyKey, `hook:${plugin}:${seq}`);
    seen.push(`${plugin} ${seq}`);
    if (plugin === "hook.good") return good.count();
    bad.count();
    throw new SandboxError("plugin_error", "It fell", seq === 1);
  });
  await using _log = t.log;
  t.put("hook.bad", ["content.*"]);
  t.put("hook.good", ["content.*"]);
  await using hooks = t.open();
  await hooks.start();
  await t.engine.start();
  await t.append("content.imported", "content.imported");
  await good.reached(2);
  // The first one is tried again, four times in all, before the second.
  for (let tries = 1; tries < 4; tries++) {
    await bad.reached(tries);
    for await (const { status } of t.engine.jobs.watch(await jobOf(t.engine, 1), {})) {
      if (status === "retrying") shop.clock.advance(60_000);
    }
  }
  await bad.reached(5);
  assert.deepEqual(seen.filter((one) => one.startsWith("hook.bad")), [
    ...Array.from({ length: 4 }, () => "hook.bad 1"),
    "hook.bad 2",
  ]);
  await t.engine.drain();
});

async function jobOf(engine: JobEngine, event: number): Promise<string> {
  const { items } = await engine.jobs.list({ kind: "hook" });
  return items.find(({ plugin, input }) =>
    plugin === "hook.bad" && (input as { event: number }).event === event
  )!.id;
}

Deno.test("createHooks() keeps the place of a hook that is off, over a restart too, as long as events are kept", async () => {
  await using shop = await openWorkshop();
  const seen: number[] = [];
  const told = counter();
  const t = setup(shop, (_plugin, _method, { seq }) => {
    seen.push(seq);
    told.count();
  });
  await using _log = t.log;
  t.put("hook.a", ["content.*"]);
  {
    await using hooks = t.open();
    await hooks.start();
    // The first job is there, and the hook goes off before it runs.
    await t.append("content.imported");
    await until(async () => (await t.engine.jobs.list({ kind: "hook" })).items.length === 1);
    t.put("hook.a", ["content.*"], false);
    await t.engine.start();
    await until(async () =>
      (await t.engine.jobs.list({ kind: "hook", status: "waiting" })).items.length === 1
    );
    await t.append("content.imported", "notify");
  }
  await using hooks = t.open();
  await hooks.start();
  t.put("hook.a", ["content.*"]);
  await told.reached(2);
  assert.deepEqual(seen, [1, 2]);
  await until(async () =>
    (await t.engine.jobs.list({ kind: "hook", status: "completed" })).items.length === 2
  );

  t.put("hook.a", ["content.*"], false);
  await t.append("content.imported", "notify", "content.imported");
  shop.clock.advance(90 * 60 * 1000);
  await t.append("content.imported");
  assert.equal(await t.log.prune(hooks.beforePrune), 6);
  assert.deepEqual(t.lines, [
    "hook.a will not be told of 2 events: they are older than events are kept",
  ]);
  t.put("hook.a", ["content.*"]);
  await told.reached(3);
  assert.deepEqual(seen, [1, 2, 7]);

  t.remove("hook.a");
  await hooks.idle();
  assert.deepEqual(await shop.sql.db.selectFrom("event_cursor").selectAll().execute(), []);
  await t.engine.drain();
  assert.deepEqual(shop.reports, []);
});

Deno.test("methodFor() takes the function of the event's own name, else of its longest beginning", () => {
  const methods = ["*", "artifact.*", "artifact.created", "healthCheck"];
  assert.equal(methodFor(methods, "artifact.created"), "artifact.created");
  assert.equal(methodFor(methods, "artifact.deleted"), "artifact.*");
  assert.equal(methodFor(methods, "notify"), "*");
  assert.equal(methodFor(["artifact.*"], "notify"), undefined);
});

Deno.test("a hook plugin is asked about, and told in its own runner of what was granted alone", async () => {
  await withWorld(async ({ plugin, plugins, pool, sql, dataDir }) => {
    const folder = await plugin(
      "told",
      yaml(
        "hook.told",
        "events: [content.imported, artifact.*]\npermissions: {write: ['${data}']}\n",
      ),
      `import { definePlugin } from "@carrel/sdk";
export default definePlugin.hook({
  events: {
    "content.imported": (event) => { if (event.payload.title !== "A desk") throw new Error("no"); },
    "artifact.*": () => { throw new Error("nobody granted that"); },
  },
});
`,
    );
    const consent = await offered(plugins, folder);
    assert.deepEqual(
      consent.permissions.filter(({ permission }) => permission === "events")
        .map(({ key, text }) => [key, text]),
      [
        [
          "events:content.imported",
          "Is told of every imported content: id, title, type and address",
        ],
        [
          "events:artifact.*",
          "Is told of everything that is generated: id, title and format; every change of what was generated: id and state; everything generated that is deleted: its id",
        ],
      ],
    );
    await plugins.decide(consent.id, ["events:content.imported"]);
    assert.ok(await exists(dataDir));
    const log = createEventLog({ sql, engine: () => engine });
    await using _log = log;
    await using shop = await openWorkshop();
    const bus = new EventBus();
    let hooks: Hooks;
    const engine: JobEngine = shop.engine({
      sql,
      handlers: {
        hook: hookHandler({
          eventLog: log,
          plugins,
          pool,
          prompts: { examine: async ({ error }) => error },
          audit: { append() {} },
        }),
      },
      onEnd: (tx, job) => hooks.onEnd(tx, job),
    });
    await using made = hooks = createHooks({
      sql,
      eventLog: log,
      plugins,
      events: bus,
      engine: () => engine,
      log: () => {},
    });
    await made.start();
    await engine.start();
    await sql.transaction(async (tx) => {
      for (
        const [name, subject] of [["artifact.created", "artifact_1"], ["content.imported", "c"]]
      ) {
        await log.append(tx, {
          name: name!,
          subject: subject!,
          payload: { title: "A desk" },
          user: "user_1",
        });
      }
    });
    log.wake();
    await until(async () => (await engine.jobs.list({ kind: "hook" })).items.length === 1);
    const { items: [job] } = await engine.jobs.list({ kind: "hook" });
    const ended = await within(engine.jobs.finished(job!.id));
    assert.deepEqual([ended.status, ended.result, ended.input], [
      "completed",
      { told: true },
      { event: 2 },
    ]);
    await engine.drain();
    await engine[Symbol.asyncDispose]();
  });
});
