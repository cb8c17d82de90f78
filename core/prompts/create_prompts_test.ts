import assert from "node:assert/strict";
import { createPool } from "../../sandbox/pool.ts";
import { denoPath, SANDBOX_DIR } from "../assets.ts";
import { EventBus } from "../events.ts";
import { createJobs, type JobEngine } from "../jobs/dispatcher.ts";
import type { Job, JobRun, JobStatus } from "../jobs/job.ts";
import { openQueueKv } from "../jobs/queue_kv.ts";
import { createFakeClock, type FakeClock, noop, within } from "../jobs/testing.ts";
import { createNetwork } from "../network/private.ts";
import type { Plugins } from "../plugins/plugins.ts";
import { failsWith, offered, withWorld, type World, yaml } from "../plugins/testing.ts";
import { createBlobKeeper } from "../stores/blobs.ts";
import { openObjectsFs } from "../stores/objects_fs.ts";
import { createPrompts } from "./create_prompts.ts";
import { MAX_PROMPTS, type Prompt, type Prompts } from "./prompts.ts";

const ID = "import.asker";

/** Reads the files that it is told to, one after another; or what else a test wants. */
const CODE = `import { definePlugin } from "@carrel/sdk";
export default definePlugin.import({
  async extract({ files = [], url, word, service }, ctx) {
    if (word) throw Object.assign(new Error("NotCapable: Requires read access"), { name: "PluginError", code: "denied" });
    if (service) await ctx.service(service, {});
    if (url) await fetch(url);
    return files.map((file) => Deno.readTextFileSync(file)).join();
  },
});
`;

interface Desk extends AsyncDisposable {
  readonly plugins: Plugins;
  readonly prompts: Prompts;
  readonly engine: JobEngine;
  add(input: object): Promise<string>;
  /** The prompt of a job that asks for this permission, once there is one. */
  asks(job: string, key: string): Promise<Prompt>;
  /** The job once it has this status. */
  is(job: string, status: JobStatus): Promise<Job>;
}

interface Bench {
  readonly world: World;
  readonly clock: FakeClock;
  readonly events: EventBus;
  readonly file: (name: string) => string;
  /** Host parts over the same stores. */
  open(plugins: Plugins, events: EventBus): Promise<Desk>;
}

async function withBench(
  body: (bench: Bench & Desk) => Promise<void>,
  declared = (file: (name: string) => string) => `read: ["${file("a")}", "${file("b")}"]`,
): Promise<void> {
  const events = new EventBus((error) => assert.fail(String(error)));
  await withWorld(async (world) => {
    const file = (name: string) => `${world.root}/${name}.txt`;
    for (const name of [..."abc012345"]) await Deno.writeTextFile(file(name), name);
    await world.plugin("asker", yaml(ID, `permissions: {${declared(file)}}\n`), CODE);
    const consent = await offered(world.plugins, `${world.root}/asker`);
    await world.plugins.decide(consent.id, []);
    const clock = createFakeClock();
    const network = await createNetwork();
    const blobs = createBlobKeeper(world.sql, await openObjectsFs(`${world.root}/objects`));
    await using pool = createPool({
      deno: denoPath(),
      assets: SANDBOX_DIR,
      denoDirs: `${world.root}/runners`,
      onUses: () => {},
    });
    async function open(plugins: Plugins, bus: EventBus): Promise<Desk> {
      const queue = await openQueueKv(":memory:", clock);
      const run = async ({ job, signal }: JobRun) => {
        const spec = await plugins.runnerSpec(ID, undefined, { job: job.id });
        await using desk = await pool.acquire(spec, { signal });
        try {
          const call = { job: { id: job.id, idempotencyKey: job.id } };
          return await desk.call("extract", [job.input], call);
        } catch (error) {
          throw await prompts.examine({ job, plugin: ID, error, uses: desk.uses() });
        }
      };
      const engine = createJobs({
        sql: world.sql,
        blobs,
        queue,
        events: bus,
        clock,
        handlers: { noop: { run } },
      });
      const prompts = createPrompts(
        { sql: world.sql, plugins, network, events: bus, dataDir: world.dataDir, clock },
        () => engine,
      );
      await prompts.start();
      await engine.start();
      return {
        plugins,
        prompts,
        engine,
        add: async (input) => (await engine.jobs.add(noop({ input }))).id,
        asks: (id, key) =>
          within(
            (async () => {
              for (;;) {
                const prompt = prompts.list().find(({ job, permissions }) =>
                  job === id && permissions.some((one) => one.key === key)
                );
                if (prompt !== undefined) return prompt;
                await new Promise((go) => setTimeout(go));
              }
            })(),
            `${id} asking for ${key}`,
          ),
        is: (id, status) =>
          within((async () => {
            for await (const event of engine.jobs.watch(id, {})) {
              if (event.status === status) break;
            }
            const job = await engine.jobs.get(id);
            assert.equal(job.status, status, JSON.stringify(job.error));
            return job;
          })()),
        async [Symbol.asyncDispose]() {
          await prompts[Symbol.asyncDispose]();
          await engine[Symbol.asyncDispose]();
          await queue[Symbol.asyncDispose]();
        },
      };
    }
    await using desk = await open(world.plugins, events);
    await body({ world, clock, events, file, open, ...desk });
  }, (world) => Promise.resolve({ events, pool: world.pool }));
}

Deno.test("a stage that needs a declared permission waits, gives its slot back, and goes on with a yes", () =>
  withBench(async ({ prompts, engine, add, is, file }) => {
    const id = await add({ files: [file("a")] });
    const waiting = await is(id, "waiting");
    assert.equal(engine.running, 0);
    const [prompt] = prompts.list();
    assert.ok(prompt && prompts.list().length === 1);
    assert.equal(prompt.job, id);
    assert.deepEqual(prompt.permissions.map(({ key }) => key), [`read:${file("a")}`]);
    assert.equal(Date.parse(prompt.expires) - Date.parse(prompt.asked), 600_000);
    assert.match(waiting.message!, /needs a permission: .*a\.txt.*carrel plugin consent consent_/);
    assert.deepEqual(prompts.get(prompt.id), prompt);
    await prompts.decide(prompt.id, [`read:${file("a")}`], "admin");
    const done = await within(engine.jobs.finished(id));
    assert.deepEqual([done.status, done.result, done.attempt], ["completed", "a", 2]);
    assert.equal(done.maxAttempts, waiting.maxAttempts);
    assert.deepEqual(prompts.list(), []);
    assert.throws(() => prompts.get(prompt.id), failsWith("not_found", /none of that id waits/));
  }));

Deno.test("a yes for this job alone holds for it, and for no other", () =>
  withBench(async ({ prompts, engine, plugins, add, asks, file }) => {
    const id = await add({ files: [file("a"), file("b")] });
    for (const name of ["a", "b"]) {
      const key = `read:${file(name)}`;
      await prompts.decide((await asks(id, key)).id, [{ key, duration: "job" }], "admin");
    }
    assert.equal((await within(engine.jobs.finished(id))).result, "a,b");
    assert.deepEqual(plugins.get(ID).granted.read, []);
    await asks(await add({ files: [file("a")] }), `read:${file("a")}`);
  }));

Deno.test("a no fails the job by the permission's name", () =>
  withBench(async ({ prompts, engine, add, is, file }) => {
    const id = await add({ files: [file("a")] });
    await is(id, "waiting");
    await prompts.decide(prompts.list()[0]!.id, undefined, "admin");
    const { status, error } = await within(engine.jobs.finished(id));
    assert.deepEqual([status, error?.code], ["failed", "denied"]);
    assert.match(error!.message, /needs read:.*a\.txt, which was not granted/);
  }));

Deno.test("silence counts as no", () =>
  withBench(async ({ prompts, engine, plugins, clock, add, is, file }) => {
    const id = await add({ files: [file("a")] });
    await is(id, "waiting");
    clock.advance(599_999);
    assert.equal(prompts.list().length, 1);
    clock.advance(1);
    const { error } = await within(engine.jobs.finished(id));
    assert.equal(error?.code, "denied");
    assert.match(error.message, /nobody granted within 10 minutes/);
    assert.deepEqual(plugins.consents(), []);
  }));

Deno.test("what is not declared is denied without asking, and named", () =>
  withBench(async ({ prompts, engine, add, file }) => {
    const id = await add({ files: [file("c")] });
    const { status, error } = await within(engine.jobs.finished(id));
    assert.deepEqual([status, error?.code], ["failed", "plugin_error"]);
    assert.deepEqual(error!.details, {
      refused: [{ permission: "read", value: file("c"), why: "undeclared" }],
    });
    assert.deepEqual(prompts.list(), []);
  }));

Deno.test("a guest's word alone asks nobody", () =>
  withBench(async ({ prompts, engine, add }) => {
    const { status } = await within(engine.jobs.finished(await add({ word: true })));
    assert.equal(status, "failed");
    assert.deepEqual(prompts.list(), []);
  }));

Deno.test("a private address is reported, never offered", () =>
  withBench(async ({ prompts, engine, add }) => {
    const id = await add({ url: "http://127.0.0.1:8/" });
    const { error } = await within(engine.jobs.finished(id));
    assert.deepEqual(error?.details, {
      refused: [{ permission: "net", value: "127.0.0.1:8", why: "private_address" }],
    });
    assert.deepEqual(prompts.list(), []);
  }, () => `net: [public]`));

Deno.test("a service that the host refused is asked for too", () =>
  withBench(async ({ prompts, add, is }) => {
    await is(await add({ service: "search" }), "waiting");
    assert.deepEqual(prompts.list()[0]!.permissions.map(({ key }) => key), ["services:search"]);
  }, () => `services: [search]`));

Deno.test(`a job asks at most ${MAX_PROMPTS} times`, () =>
  withBench(
    async ({ prompts, engine, add, asks, file }) => {
      const id = await add({ files: ["0", "1", "2", "3", "4", "5"].map(file) });
      for (let n = 0; n < MAX_PROMPTS; n++) {
        const key = `read:${file(String(n))}`;
        await prompts.decide((await asks(id, key)).id, [key], "admin");
      }
      const { error } = await within(engine.jobs.finished(id));
      assert.equal(error?.code, "denied");
      assert.match(error.message, /needs read:.*5\.txt, and it has asked 5 times already/);
    },
    (file) => `read: [${["0", "1", "2", "3", "4", "5"].map((name) => `"${file(name)}"`)}]`,
  ));

Deno.test("a cancelled job takes its question away", () =>
  withBench(async ({ world, prompts, engine, plugins, add, is, file }) => {
    const id = await add({ files: [file("a")] });
    await is(id, "waiting");
    await engine.jobs.cancel(id);
    await prompts[Symbol.asyncDispose]();
    assert.deepEqual(prompts.list(), []);
    assert.deepEqual(plugins.consents(), []);
    assert.equal((await engine.jobs.get(id)).status, "cancelled");
    const decided = await world.sql.db.selectFrom("grant").selectAll().where("job", "=", id)
      .execute();
    assert.deepEqual(decided, [], "nobody said no");
  }));

Deno.test("a job that is cancelled while it asks leaves no question behind", () =>
  withBench(async ({ prompts, engine, plugins, events, add, file }) => {
    const cancelling: Promise<unknown>[] = [];
    events.on("consent.waits", ({ job }) => void cancelling.push(engine.jobs.cancel(job!)));
    const id = await add({ files: [file("a")] });
    assert.equal((await within(engine.jobs.finished(id))).status, "cancelled");
    await Promise.all(cancelling);
    await prompts[Symbol.asyncDispose]();
    assert.equal(cancelling.length, 1);
    assert.deepEqual(plugins.consents(), []);
    assert.deepEqual(prompts.list(), []);
  }));

Deno.test("a plugin that is uninstalled takes its questions away, and ends the jobs that asked", () =>
  withBench(async ({ prompts, engine, plugins, add, is, file }) => {
    const id = await add({ files: [file("a")] });
    await is(id, "waiting");
    await plugins.uninstall(ID);
    const { status, error } = await within(engine.jobs.finished(id));
    assert.deepEqual([status, error?.code], ["failed", "not_found"]);
    assert.deepEqual(prompts.list(), []);
  }));

Deno.test("a question whose job ended unheard is taken away at the next start", () =>
  withBench(async ({ world, prompts, engine, plugins, open, add, file }) => {
    const id = await add({});
    assert.equal((await within(engine.jobs.finished(id))).status, "completed");
    await prompts[Symbol.asyncDispose]();
    await engine[Symbol.asyncDispose]();
    await plugins.ask(ID, [`read:${file("a")}`], { job: id });
    const byHand = await plugins.ask(ID, [`read:${file("a")}`]);
    const events = new EventBus((error) => assert.fail(String(error)));
    await using again = await world.restart({ events, pool: world.pool });
    await using _ = await open(again, events);
    assert.deepEqual(again.consents().map((one) => one.id), [byHand.id]);
  }));

Deno.test("what waits survives a restart, whether it was answered meanwhile or not", () =>
  withBench(async ({ world, prompts, engine, plugins, open, add, is, file }) => {
    const first = await add({ files: [file("a")] });
    const second = await add({ files: [file("b")] });
    await is(first, "waiting");
    await is(second, "waiting");
    const idOf = (job: string) => prompts.list().find((one) => one.job === job)!.id;
    const [one, two] = [idOf(first), idOf(second)];
    await prompts[Symbol.asyncDispose]();
    await engine[Symbol.asyncDispose]();
    // The host dies between the answer and what must follow it.
    await plugins.decide(one, [`read:${file("a")}`]);
    const events = new EventBus((error) => assert.fail(String(error)));
    await using again = await world.restart({ events, pool: world.pool });
    await using desk = await open(again, events);
    assert.equal((await within(desk.engine.jobs.finished(first))).result, "a");
    assert.deepEqual(desk.prompts.list().map(({ id, job }) => [id, job]), [[two, second]]);
    await desk.prompts.decide(two, [`read:${file("b")}`], "admin");
    assert.equal((await within(desk.engine.jobs.finished(second))).result, "b");
  }));
