import assert from "node:assert/strict";
import { EventBus } from "../events.ts";
import { createJobs, type JobEngine } from "../jobs/dispatcher.ts";
import type { Job, JobRun, JobStatus } from "../jobs/job.ts";
import { openQueueKv } from "../jobs/queue_kv.ts";
import { createDoor, createFakeClock, noop, within } from "../jobs/testing.ts";
import { createBlobKeeper } from "../stores/blobs.ts";
import { openObjectsFs } from "../stores/objects_fs.ts";
import { createHolds } from "./holds.ts";
import type { Plugins } from "./plugins.ts";
import { offered, withWorld, type World, yaml } from "./testing.ts";

const ID = "import.held";
const OTHER = "import.other";

interface Desk extends AsyncDisposable {
  readonly plugins: Plugins & AsyncDisposable;
  readonly engine: JobEngine;
  /** How often a job of the plugin got to work. */
  readonly runs: () => number;
  add(plugin?: string): Promise<string>;
  is(job: string, status: JobStatus): Promise<Job>;
  crash(times: number): void;
}

interface OpenOptions {
  readonly safeMode?: boolean;
  /** Begins the work of each job. */
  readonly before?: (run: JobRun) => Promise<void>;
}

/** A host's plugins and jobs; each job starts a runner's spec of `ID`, whatever its own plugin. */
async function open(world: World, { safeMode = false, before }: OpenOptions = {}): Promise<Desk> {
  const events = new EventBus((error) => assert.fail(String(error)));
  const plugins = await world.restart({ events, safeMode });
  const queue = await openQueueKv(":memory:");
  const blobs = createBlobKeeper(world.sql, await openObjectsFs(`${world.root}/objects`));
  let runs = 0;
  const holds = createHolds({ sql: world.sql, plugins, events, safeMode }, () => engine);
  const engine = createJobs({
    sql: world.sql,
    blobs,
    queue,
    events,
    clock: createFakeClock(),
    concurrency: 2,
    handlers: {
      noop: holds.holding({
        async run(run) {
          await before?.(run);
          await plugins.runnerSpec(ID);
          runs++;
          return "done";
        },
      }),
    },
  });
  await holds.start();
  await engine.start();
  const stack = new AsyncDisposableStack();
  for (const part of [plugins, queue, holds, engine]) stack.use(part);
  return {
    plugins,
    engine,
    runs: () => runs,
    add: async (plugin = ID) => (await engine.jobs.add(noop({ plugin }))).id,
    is: (id, status) =>
      within((async () => {
        for await (const event of engine.jobs.watch(id, {})) if (event.status === status) break;
        const job = await engine.jobs.get(id);
        assert.equal(job.status, status, JSON.stringify(job.error));
        return job;
      })()),
    crash(times) {
      const { digest } = plugins.get(ID);
      for (let i = 0; i < times; i++) {
        plugins.runnerEnded({ plugin: ID, digest }, { reason: "crashed", message: "It exited." });
      }
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function withHeld(body: (world: World) => Promise<void>): Promise<void> {
  return withWorld(async (world) => {
    for (const id of [ID, OTHER]) {
      const folder = await world.plugin(id, yaml(id));
      await world.plugins.decide((await offered(world.plugins, folder)).id, []);
    }
    await body(world);
  });
}

async function quarantined({ plugins, crash }: Desk): Promise<void> {
  crash(3);
  await within((async () => {
    while (plugins.get(ID).state !== "quarantined") await new Promise((go) => setTimeout(go));
  })());
}

Deno.test("createHolds() holds the jobs of a plugin that was set aside, and lets them go when it is enabled", () =>
  withHeld(async (world) => {
    await using desk = await open(world);
    const { plugins, engine, add, is } = desk;
    await quarantined(desk);
    const held = [await add(), await add(), await add()];
    for (const id of held) {
      const { message, error, attempt, tries } = await is(id, "waiting");
      assert.match(
        message!,
        /^is held: the plugin "import\.held" was set aside \(.*It exited\.\)\. It goes on after: carrel plugin enable import\.held$/,
      );
      assert.deepEqual([error?.code, error?.details, attempt], ["quarantined", { held: ID }, 1]);
      assert.equal(tries, 0, "waiting costs no try");
    }
    assert.deepEqual([engine.running, desk.runs()], [0, 0], "held jobs take no slot");
    await plugins.setEnabled(ID, true);
    for (const id of held) {
      const done = await within(engine.jobs.finished(id));
      assert.deepEqual([done.status, done.error], ["completed", undefined]);
    }
  }));

Deno.test("createHolds() holds through restarts, in safe mode too", () =>
  withHeld(async (world) => {
    const ids: string[] = [];
    {
      await using desk = await open(world);
      await quarantined(desk);
      ids.push(await desk.add());
      await desk.is(ids[0]!, "waiting");
    }
    {
      await using desk = await open(world);
      await desk.is(ids[0]!, "waiting");
    }
    {
      await using desk = await open(world, { safeMode: true });
      // It is off all the same.
      await desk.plugins.setEnabled(ID, true);
      ids.push(await desk.add());
      const { message, error } = await desk.is(ids[1]!, "waiting");
      assert.match(message!, /runs in safe mode\. It goes on when Carrel is started without/);
      assert.equal(error?.code, "conflict");
      await desk.is(ids[0]!, "waiting");
    }
    await using desk = await open(world);
    for (const id of ids) await desk.is(id, "completed");
  }));

Deno.test("createHolds() lets the jobs of a disabled plugin go, and ends those of one that is uninstalled", () =>
  withHeld(async (world) => {
    await using desk = await open(world);
    const { plugins, engine, add, is } = desk;
    await plugins.setEnabled(ID, false);
    const [first, second] = [await add(), await add(OTHER)];
    assert.match((await is(first, "waiting")).message!, /"import\.held" is disabled\. It goes on/);
    // Not its own plugin, but one that it needs on the way.
    assert.deepEqual((await is(second, "waiting")).error?.details, { held: ID });
    await plugins.setEnabled(ID, true);
    for (const id of [first, second]) await is(id, "completed");

    await plugins.setEnabled(ID, false);
    const third = await add();
    await is(third, "waiting");
    await plugins.uninstall(ID);
    const { status, error } = await within(engine.jobs.finished(third));
    assert.deepEqual([status, error?.code], ["failed", "not_found"]);
    assert.match(error!.message, /the plugin "import\.held" was uninstalled/);
  }));

Deno.test("createHolds() lets go what a new version or a way back makes good", () =>
  withHeld(async (world) => {
    await using desk = await open(world);
    const { plugins, add, is } = desk;
    await quarantined(desk);
    const first = await add();
    await is(first, "waiting");
    const folder = await world.plugin(
      ID,
      yaml(ID, "", "1.1.0"),
      "export default { kind: 'import', methods: {} };",
    );
    await plugins.decide((await offered(plugins, folder)).id, []);
    await is(first, "completed");

    await quarantined(desk);
    const second = await add();
    await is(second, "waiting");
    await plugins.rollback(ID);
    await is(second, "completed");
  }));

Deno.test("createHolds() keeps no job that began to wait while its plugin was enabled", () =>
  withHeld(async (world) => {
    const door = createDoor();
    const desk = await open(world, { before: () => door.pass() });
    await using _ = desk;
    const { plugins, engine, add } = desk;
    const id = await add();
    await within(door.reached);
    await plugins.setEnabled(ID, false);
    // Enabled again in the very moment in which the attempt gives up.
    const find = plugins.find;
    let enabling: Promise<unknown> | undefined;
    plugins.find = (which) => {
      const plugin = find(which);
      enabling ??= plugin?.enabled === false ? plugins.setEnabled(ID, true) : undefined;
      return plugin;
    };
    door.open();
    assert.equal((await within(engine.jobs.finished(id))).status, "completed");
    await enabling;
  }));

Deno.test("createHolds() takes a cancel for an answer", () =>
  withHeld(async (world) => {
    await using desk = await open(world);
    const { plugins, engine, add, is } = desk;
    await plugins.setEnabled(ID, false);
    const id = await add();
    await is(id, "waiting");
    await engine.jobs.cancel(id);
    await plugins.setEnabled(ID, true);
    assert.equal((await within(engine.jobs.finished(id))).status, "cancelled");
    assert.equal(desk.runs(), 0);
  }));
