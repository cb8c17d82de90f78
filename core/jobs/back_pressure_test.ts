import assert from "node:assert/strict";
import { CarrelError } from "../errors.ts";
import { createBackPressure } from "./back_pressure.ts";
import type { NewJob } from "./job.ts";
import {
  createDoor,
  createFakeClock,
  noop,
  openWorkshop,
  until,
  within,
  type Workshop,
} from "./testing.ts";

const retryAfter = (error: CarrelError | undefined) => error?.details?.["retry_after_s"];

const refused = (error: unknown) =>
  error instanceof CarrelError && error.code === "too_many_requests" && error.retryable;

Deno.test("createBackPressure() refuses above the total and above a user's part", () => {
  const pressure = createBackPressure(createFakeClock(), { total: 5, perUser: 3 });
  for (const user of ["a", "a", "a"]) pressure.enter(user);
  assert.match(pressure.refusal("a")!.message, /^Cannot take more work now: 3 of your jobs wait/);
  assert.equal(pressure.refusal("b"), undefined);
  for (const user of ["b", "c"]) pressure.enter(user);
  assert.match(pressure.refusal("b")!.message, /5 jobs wait for their turn/);
  pressure.leave("a");
  assert.equal(pressure.refusal("a"), undefined);
});

Deno.test("createBackPressure() says when to ask again from the pace of the last minute", () => {
  const clock = createFakeClock();
  const pressure = createBackPressure(clock, { total: 100 });
  for (let job = 0; job < 100; job++) pressure.enter("a");
  assert.equal(retryAfter(pressure.refusal("a")), 30);
  // Two jobs a second, in and out, for minutes.
  for (let turn = 0; turn < 600; turn++) {
    clock.advance(500);
    pressure.enter("a");
    pressure.leave("a");
  }
  assert.equal(retryAfter(pressure.refusal("a")), 1);
  for (let job = 0; job < 99; job++) pressure.enter("a");
  const after = Number(retryAfter(pressure.refusal("a")));
  assert.ok(after >= 50 && after <= 52, String(after));
  // A queue that stands still has no pace.
  clock.advance(240_000);
  assert.equal(retryAfter(pressure.refusal("a")), 300);
  clock.advance(3_600_000);
  assert.equal(retryAfter(pressure.refusal("a")), 30);
});

/** An engine whose two slots are held, so that what is added waits. */
async function heldEngine(shop: Workshop, options: Parameters<Workshop["engine"]>[0] = {}) {
  const door = createDoor();
  const engine = shop.engine({
    concurrency: 2,
    queueLimits: { total: 4, perUser: 3 },
    handlers: {
      noop: {
        run({ signal }) {
          // Else a test that fails would wait for it at its end.
          signal.addEventListener("abort", () => door.open());
          return door.pass();
        },
      },
    },
    ...options,
  });
  await engine.start();
  await engine.jobs.add(noop({ user: "holder", priority: 9 }));
  await engine.jobs.add(noop({ user: "holder", priority: 9 }));
  await within(door.reached);
  await until(() => engine.running === 2, "both slots held");
  const add = (user: string, more: Partial<NewJob> = {}) =>
    engine.jobs.add(noop({ user, ...more }));
  return { engine, door, add };
}

Deno.test("add() refuses a user's work above the limit, and takes it again when the queue has drained", async () => {
  await using shop = await openWorkshop();
  const { engine, door, add } = await heldEngine(shop);
  const jobs = [await add("a"), await add("a"), await add("a")];
  await assert.rejects(add("a"), refused);
  jobs.push(await add("b"));
  await assert.rejects(add("b"), refused);
  door.open();
  for (const { id } of jobs) await within(engine.jobs.finished(id));
  const again = await add("a");
  assert.equal((await within(engine.jobs.finished(again.id))).status, "completed");
});

Deno.test("add() answers a known request and equal work however full the queue is", async () => {
  await using shop = await openWorkshop();
  const { engine, door, add } = await heldEngine(shop);
  const first = await add("a", { idempotencyKey: "k", flightKey: "f" });
  await add("a");
  await add("a");
  assert.equal((await add("a", { idempotencyKey: "k" })).id, first.id);
  const raised = await add("a", { flightKey: "f", priority: 9 });
  assert.deepEqual([raised.id, raised.priority], [first.id, 9]);
  await engine.jobs.admit({ user: "a", idempotencyKey: "k" });
  await assert.rejects(engine.jobs.admit({ user: "a", idempotencyKey: "other" }), refused);
  door.open();
});

Deno.test("addIn() refuses nothing: children, steps and hooks go on", async () => {
  await using shop = await openWorkshop();
  const { engine, door, add } = await heldEngine(shop);
  for (let job = 0; job < 3; job++) await add("a");
  await shop.sql.transaction(async (tx) => {
    for (let job = 0; job < 5; job++) await engine.jobs.addIn(tx, noop({ user: "a" }));
  });
  assert.equal((await engine.jobs.counts()).queued, 8);
  door.open();
});

Deno.test("jobs that waited until a time are counted again when that has come", async () => {
  await using shop = await openWorkshop();
  const adder = shop.engine({});
  for (let job = 0; job < 3; job++) await adder.jobs.add(noop({ user: "a" }));
  await shop.sql.db.updateTable("job").set({
    status: "waiting",
    waits_for: "signal",
    wake_ms: shop.clock.now() + 1_000,
    attempt: 1,
    waits: 1,
  }).execute();
  const { engine, door, add } = await heldEngine(shop);
  shop.clock.advance(1_000);
  await until(async () => (await engine.jobs.counts()).queued === 3, "woken");
  await assert.rejects(add("a"), refused);
  door.open();
});

Deno.test("a sweep puts the count right after cancels, and a start after a stop", async () => {
  await using shop = await openWorkshop();
  const { engine, door, add } = await heldEngine(shop);
  for (let job = 0; job < 3; job++) {
    const { id } = await add("a");
    await engine.jobs.cancel(id);
  }
  // Nobody told the count of the cancels.
  await assert.rejects(add("a"), refused);
  shop.clock.advance(5_000);
  for (let turn = 0; turn < 40; turn++) {
    await shop.sql.db.selectFrom("job").select("row").limit(1).execute();
    await new Promise((resolve) => setTimeout(resolve));
  }
  for (let job = 0; job < 3; job++) await add("a");
  door.open();
  await engine.drain();
  await engine[Symbol.asyncDispose]();

  const adder = shop.engine({});
  for (let job = 0; job < 4; job++) await adder.jobs.add(noop({ runAtMs: shop.clock.now() + 1e6 }));
  const next = shop.engine({ queueLimits: { total: 4 } });
  await next.start();
  await assert.rejects(next.jobs.add(noop()), refused);
});
