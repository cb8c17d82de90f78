/** What reaches jobs that are at work, or wait: grants taken back, plugins switched off, gone or replaced. */
import assert from "node:assert/strict";
import { createPool } from "../../sandbox/pool.ts";
import type { Pool } from "../../sandbox/types.ts";
import { denoPath, SANDBOX_DIR } from "../assets.ts";
import { EventBus } from "../events.ts";
import { createJobs, type JobEngine } from "../jobs/dispatcher.ts";
import type { Job, JobStatus, NewJob } from "../jobs/job.ts";
import { openQueueKv } from "../jobs/queue_kv.ts";
import { createFakeClock, noop, within } from "../jobs/testing.ts";
import { createNetwork } from "../network/private.ts";
import { createPrompts } from "../prompts/create_prompts.ts";
import type { Prompts } from "../prompts/prompts.ts";
import { createBlobKeeper } from "../stores/blobs.ts";
import { openObjectsFs } from "../stores/objects_fs.ts";
import { createHolds } from "./holds.ts";
import type { Plugins } from "./plugins.ts";
import { offered, withWorld, type World, yaml } from "./testing.ts";

const ID = "import.spy";

/** Says what it can read; goes on for ever where it can, unless it is told to end. */
const CODE = `import { definePlugin } from "@carrel/sdk";
export default definePlugin.import({
  async extract({ file, ends }, ctx) {
    let text;
    try { text = await Deno.readTextFile(file); }
    catch (error) { if (ends) throw error; text = "denied"; }
    ctx.progress(0.5, text);
    if (text === "denied" || ends) return text;
    await new Promise(() => {});
  },
});
`;

interface Desk {
  readonly world: World;
  readonly plugins: Plugins;
  readonly engine: JobEngine;
  readonly prompts: Prompts;
  readonly pool: Pool;
  readonly file: string;
  /** Each call of the plugin's code, by its digest. */
  readonly calls: { readonly job: string; readonly digest: string }[];
  add(more?: Partial<NewJob>): Promise<string>;
  is(job: string, status: JobStatus): Promise<Job>;
  /** Resolves once the job's plugin has said this. */
  says(job: string, text: string): Promise<void>;
  /** Installs another plugin under the same id. */
  replace(): Promise<void>;
}

function withDesk(body: (desk: Desk) => Promise<void>, asks = false): Promise<void> {
  return withWorld(async (world) => {
    const file = `${world.root}/letter.txt`;
    await Deno.writeTextFile(file, "secret");
    const manifest = yaml(ID, `permissions: {read: ["${file}"]}\n`);
    const folder = await world.plugin("spy", manifest, CODE);
    const events = new EventBus((error) => assert.fail(String(error)));
    const clock = createFakeClock();
    await using pool = createPool({
      deno: denoPath(),
      assets: SANDBOX_DIR,
      denoDirs: `${world.root}/runners`,
      graceMs: 50,
      onUses: () => {},
    });
    await using plugins = await world.restart({ events, pool });
    const first = await offered(plugins, folder);
    await plugins.decide(first.id, asks ? [] : [`read:${file}`]);
    await using queue = await openQueueKv(":memory:");
    const blobs = createBlobKeeper(world.sql, await openObjectsFs(`${world.root}/objects`));
    const calls: Desk["calls"] = [];
    await using prompts = createPrompts({
      sql: world.sql,
      plugins,
      network: await createNetwork(),
      events,
      dataDir: world.dataDir,
      clock,
    }, () => engine);
    await using holds = createHolds({ sql: world.sql, plugins, events }, () => engine);
    await using engine = createJobs({
      sql: world.sql,
      blobs,
      queue,
      events,
      clock,
      concurrency: 3,
      handlers: {
        noop: holds.holding({
          async run(run) {
            const { job, signal } = run;
            const spec = await plugins.runnerSpec(ID, undefined, { job: job.id });
            await using desk = await pool.acquire(spec, { signal });
            calls.push({ job: job.id, digest: spec.digest });
            return await desk.call("extract", [{ file, ...job.input as object }], {
              signal,
              job: { id: job.id, idempotencyKey: job.id },
              onProgress: (fraction, message) => run.progress(100 * fraction, message),
            }).catch(async (error) => {
              throw await prompts.examine({ job, plugin: ID, error, uses: desk.uses() });
            });
          },
        }),
      },
    });
    await engine.start();
    const until = (
      job: string,
      found: (event: { status: JobStatus; message: string | null }) => boolean,
    ) =>
      within((async () => {
        for await (const event of engine.jobs.watch(job, {})) if (found(event)) return;
        assert.fail(JSON.stringify(await engine.jobs.get(job)));
      })());
    await body({
      world,
      plugins,
      engine,
      prompts,
      pool,
      file,
      calls,
      add: async (more) => (await engine.jobs.add(noop({ plugin: ID, input: {}, ...more }))).id,
      async is(job, status) {
        await until(job, (event) => event.status === status);
        return await engine.jobs.get(job);
      },
      says: (job, text) => until(job, ({ message }) => message === text),
      async replace() {
        const other = await world.plugin("stranger", manifest, CODE.replace("0.5", "0.6"));
        const consent = await offered(plugins, other);
        assert.equal(consent.kind, "replace");
        await plugins.decide(consent.id, [`read:${file}`]);
      },
    });
  });
}

Deno.test("revoke() ends a runner at work: the stage begins again without the grant, and costs no try", () =>
  withDesk(async ({ plugins, engine, pool, file, add, says }) => {
    const job = await add();
    await says(job, "secret");
    await plugins.revoke(ID, [`read:${file}`]);
    const done = await within(engine.jobs.finished(job));
    assert.deepEqual([done.status, done.result, done.tries], ["completed", "denied", 1]);
    assert.equal(pool.stats().ends.crashed, 0);
  }));

Deno.test("revoke() makes a job ask that needs what was taken back", () =>
  withDesk(async ({ plugins, prompts, file, add, is, says }) => {
    const job = await add();
    await says(job, "secret");
    const next = await add({ input: { ends: true } });
    await is(next, "completed");
    await plugins.revoke(ID, [`read:${file}`]);
    const asking = await add({ input: { ends: true } });
    assert.match((await is(asking, "waiting")).message!, /^needs a permission: Read /);
    assert.deepEqual(prompts.list().map((one) => one.job), [asking]);
  }));

Deno.test("setEnabled() ends what runs at once; its job is held, and goes on when it is on again", () =>
  withDesk(async ({ plugins, engine, calls, pool, add, is, says }) => {
    const job = await add();
    await says(job, "secret");
    await plugins.setEnabled(ID, false);
    assert.equal(pool.stats().busy, 0);
    const held = await is(job, "waiting");
    assert.match(held.message!, /"import\.spy" is disabled\. It goes on after/);
    await plugins.setEnabled(ID, true);
    await within((async () => {
      while (calls.length < 2) await new Promise((go) => setTimeout(go));
    })());
    await engine.jobs.cancel(job);
  }));

Deno.test("a runner's spec of before a revoke starts nothing any more", () =>
  withDesk(async ({ plugins, pool, file }) => {
    const spec = await plugins.runnerSpec(ID);
    await plugins.revoke(ID, [`read:${file}`]);
    await assert.rejects(pool.acquire(spec), /Cannot start "import\.spy": it was changed/);
    await using _ = await pool.acquire(await plugins.runnerSpec(ID));
  }));

Deno.test("a plugin that takes another one's id gets none of its jobs: they fail by name", () =>
  withDesk(async ({ plugins, engine, calls, add, is, says, replace }) => {
    const { digest } = plugins.get(ID);
    const running = [await add(), await add()];
    for (const job of running) await says(job, "secret");
    const rest = [
      await add(),
      await add({ runAtMs: Date.now() + 3_600_000 }),
      // Nobody's own, but it asks for this plugin by its id.
      (await engine.jobs.add({
        kind: "call",
        user: "ada",
        input: { capability: "x.y", input: {}, provider: ID },
      })).id,
    ];
    await replace();
    assert.notEqual(plugins.get(ID).digest, digest);
    for (const job of [...running, ...rest]) {
      const { status, error } = await within(engine.jobs.finished(job));
      assert.deepEqual([status, error?.code, error?.retryable], ["failed", "conflict", false]);
      assert.match(
        error!.message,
        /another plugin has taken the id "import\.spy" \(from .*stranger/,
      );
    }
    // What is given to the new one reaches it.
    await is(await add({ input: { ends: true } }), "completed");
    assert.deepEqual(calls.map((call) => call.digest === digest), [true, true, false]);
  }));

Deno.test("a plugin that takes another one's id gets no job that was held for it", () =>
  withDesk(async ({ plugins, engine, calls, add, is, replace }) => {
    await plugins.setEnabled(ID, false);
    const job = await add();
    await is(job, "waiting");
    await replace();
    const { error } = await within(engine.jobs.finished(job));
    assert.equal(error?.code, "conflict");
    assert.deepEqual([calls.length, plugins.get(ID).enabled], [0, true]);
  }));

Deno.test("a plugin that takes another one's id gets no job that asked for a permission, nor its question", () =>
  withDesk(async ({ world, plugins, prompts, engine, calls, add, is, replace }) => {
    const job = await add({ input: { ends: true } });
    await is(job, "waiting");
    assert.equal(prompts.list().length, 1);
    await replace();
    const { error } = await within(engine.jobs.finished(job));
    assert.deepEqual([error?.code, calls.length], ["conflict", 1]);
    assert.deepEqual([prompts.list(), plugins.consents()], [[], []]);
    assert.deepEqual(await world.sql.db.selectFrom("prompt").select("id").execute(), []);
  }, true));

Deno.test("uninstall() fails all jobs of the plugin that have not ended", () =>
  withDesk(async ({ plugins, engine, add, says }) => {
    const jobs = [await add(), await add({ runAtMs: Date.now() + 3_600_000 })];
    await says(jobs[0]!, "secret");
    await plugins.uninstall(ID);
    for (const job of jobs) {
      const { error } = await within(engine.jobs.finished(job));
      assert.equal(error?.code, "not_found");
      assert.match(error!.message, /the plugin "import\.spy" was uninstalled/);
    }
  }));
