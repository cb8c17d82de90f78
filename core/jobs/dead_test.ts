import assert from "node:assert/strict";
import { CarrelError, type ErrorCode } from "../errors.ts";
import { retryAll } from "./dead.ts";
import type { NewJob } from "./job.ts";
import { noop, openWorkshop, within, type Workshop } from "./testing.ts";

/** An engine whose jobs fail with the code that is their input, while `broken` is true. */
async function failingEngine(shop: Workshop, options: Parameters<Workshop["engine"]>[0] = {}) {
  const state = { broken: true };
  const engine = shop.engine({
    handlers: {
      noop: {
        async run({ job }) {
          if (state.broken) {
            throw new CarrelError(job.input as ErrorCode, `Cannot do it: ${job.id}`);
          }
        },
      },
    },
    ...options,
  });
  await engine.start();
  const add = async (code: ErrorCode, more: Partial<NewJob> = {}) => {
    const { id } = await engine.jobs.add(noop({ input: code, ...more }));
    await within(engine.jobs.finished(id));
    return id;
  };
  return { engine, state, add, parts: { sql: shop.sql, jobs: engine.jobs } };
}

Deno.test("list() finds failed jobs by plugin, code, user and time", async () => {
  await using shop = await openWorkshop();
  const { engine, state, add } = await failingEngine(shop);
  const a = await add("crashed", { plugin: "import.a" });
  const b = await add("denied", { plugin: "import.b", user: "user_2" });
  shop.clock.advance(60_000);
  const since = new Date(shop.clock.now()).toISOString();
  const c = await add("crashed", { plugin: "import.b" });
  state.broken = false;
  const d = await add("crashed", { plugin: "import.b" });
  const ids = async (filter: object) => (await engine.jobs.list(filter)).items.map(({ id }) => id);
  assert.deepEqual(await ids({ code: "crashed" }), [c, a]);
  assert.deepEqual(await ids({ status: "failed", plugin: "import.b" }), [c, b]);
  assert.deepEqual(await ids({ user: "user_2" }), [b]);
  assert.deepEqual(await ids({ since }), [d, c]);
  assert.deepEqual(await ids({ code: "out_of_memory" }), []);
});

Deno.test("retryAll() runs what the filter means again, and tells what was refused and why", async () => {
  await using shop = await openWorkshop();
  const { engine, state, add, parts } = await failingEngine(shop);
  const crashed = [await add("crashed"), await add("crashed"), await add("crashed")];
  const denied = await add("denied");
  const worn = await add("crashed", { maxAttempts: 1 });
  await shop.sql.db.updateTable("job").set({ attempt: 10 }).where("id", "=", worn).execute();
  state.broken = false;
  const done = await retryAll(parts, { code: "crashed" });
  assert.deepEqual([done.retried, done.refused, done.more], [3, 1, false]);
  assert.deepEqual(done.refusals.map(({ job, code }) => [job, code]), [[worn, "conflict"]]);
  assert.match(done.refusals[0]!.message, /tried 10 times/);
  for (const id of crashed) {
    assert.equal((await within(engine.jobs.finished(id))).status, "completed");
  }
  assert.equal((await engine.jobs.get(denied)).status, "failed");
});

Deno.test("retryAll() begins with the oldest, and stops at the most that was asked for", async () => {
  await using shop = await openWorkshop();
  const { engine, state, add, parts } = await failingEngine(shop);
  const ids = [await add("crashed"), await add("crashed"), await add("crashed")];
  state.broken = false;
  const done = await retryAll(parts, {}, { max: 2 });
  assert.deepEqual([done.retried, done.more], [2, true]);
  for (const id of ids.slice(0, 2)) await within(engine.jobs.finished(id));
  const ends = await Promise.all(ids.map(async (id) => (await engine.jobs.get(id)).status));
  assert.deepEqual(ends, ["completed", "completed", "failed"]);
});

Deno.test("retryAll() leaves the steps of a run to their run", async () => {
  await using shop = await openWorkshop();
  const { engine, add, parts } = await failingEngine(shop);
  const run = await add("crashed");
  const step = await add("crashed", { parent: run });
  await shop.sql.db.updateTable("job").set({ kind: "run" }).where("id", "=", run).execute();
  const alone = await add("crashed");
  const done = await retryAll(parts, { kind: "noop" });
  assert.deepEqual([done.retried, done.refused, done.more], [1, 0, false]);
  await within(engine.jobs.finished(alone));
  const tries = async (id: string) => (await engine.jobs.get(id)).attempt;
  assert.deepEqual([await tries(step), await tries(alone)], [1, 2]);
});

Deno.test("retryAll() stops when the queue is full, and says when to ask again", async () => {
  await using shop = await openWorkshop();
  const { engine, add } = await failingEngine(shop);
  for (let job = 0; job < 3; job++) await add("crashed");
  await engine[Symbol.asyncDispose]();
  // Nothing is worked off here.
  const stopped = shop.engine({ queueLimits: { total: 2 } });
  const done = await retryAll({ sql: shop.sql, jobs: stopped.jobs }, {});
  assert.deepEqual([done.retried, done.more, done.retryAfterS], [2, true, 30]);
});
