import assert from "node:assert/strict";
import { CarrelError } from "../errors.ts";
import type { JobEvent, JobHandler, JobRun } from "./job.ts";
import { noopHandler } from "./noop.ts";
import { createDoor, noop, openWorkshop, until, within } from "./testing.ts";

const handler = (run: (run: JobRun) => Promise<unknown>): { noop: JobHandler } => ({
  noop: { run },
});

Deno.test("add() makes a job that runs, completes and tells so in order", async () => {
  await using shop = await openWorkshop();
  const seen: JobEvent[] = [];
  shop.events.on("job.event", (event) => seen.push(event));
  const engine = shop.engine({ handlers: handler(async ({ job }) => ({ echo: job.input })) });
  await engine.start();
  const added = await engine.jobs.add(noop({ input: { a: "ü" }, plugin: "import.x" }));
  assert.equal(added.status, "queued");
  assert.match(added.id, /^job_/);
  const job = await within(engine.jobs.finished(added.id));
  assert.equal(job.status, "completed");
  assert.deepEqual(job.result, { echo: { a: "ü" } });
  assert.deepEqual([job.progress, job.attempt, job.error], [100, 1, undefined]);
  assert.deepEqual(seen.map(({ seq, status }) => [seq, status]), [
    [1, "queued"],
    [2, "running"],
    [3, "completed"],
  ]);
  assert.equal(seen[0]!.plugin, "import.x");
});

Deno.test("add() can be called before start(), which then runs what is there", async () => {
  await using shop = await openWorkshop();
  const engine = shop.engine({ handlers: { noop: noopHandler } });
  const { id } = await engine.jobs.add(noop());
  assert.equal((await engine.jobs.get(id)).status, "queued");
  await engine.start();
  assert.equal((await within(engine.jobs.finished(id))).status, "completed");
});

Deno.test("add() answers the same job for the same idempotency key of one user, even when it has ended", async () => {
  await using shop = await openWorkshop();
  const engine = shop.engine({ handlers: { noop: noopHandler } });
  await engine.start();
  const same = () => engine.jobs.add(noop({ idempotencyKey: "k" }));
  const jobs = await Promise.all([same(), same(), same()]);
  assert.equal(new Set(jobs.map(({ id }) => id)).size, 1);
  await within(engine.jobs.finished(jobs[0]!.id));
  assert.equal((await same()).id, jobs[0]!.id);
  const other = await engine.jobs.add(noop({ idempotencyKey: "k", user: "user_2" }));
  assert.notEqual(other.id, jobs[0]!.id);
  await assert.rejects(
    engine.jobs.add(noop({ idempotencyKey: "k", input: "something else" })),
    { code: "conflict" },
  );
});

Deno.test("add() answers equal work in flight with its job, and makes a new one after its end", async () => {
  await using shop = await openWorkshop();
  const door = createDoor();
  const engine = shop.engine({ handlers: handler(() => door.pass()) });
  await engine.start();
  const first = await engine.jobs.add(noop({ flightKey: "f" }));
  const second = await engine.jobs.add(noop({ flightKey: "f" }));
  assert.equal(second.id, first.id);
  door.open();
  await within(engine.jobs.finished(first.id));
  assert.notEqual((await engine.jobs.add(noop({ flightKey: "f" }))).id, first.id);
});

Deno.test("add() refuses a priority or a number of attempts that makes no sense", async () => {
  await using shop = await openWorkshop();
  const { jobs } = shop.engine({});
  for (const wrong of [{ priority: 0 }, { priority: 11 }, { priority: 1.5 }, { maxAttempts: 0 }]) {
    await assert.rejects(jobs.add(noop(wrong)), { code: "invalid_parameters" });
  }
  assert.equal((await jobs.list({})).items.length, 0);
});

Deno.test("add() refuses a job below one that is cancelled or unknown", async () => {
  await using shop = await openWorkshop();
  const { jobs } = shop.engine({});
  const parent = await jobs.add(noop());
  await jobs.add(noop({ parent: parent.id }));
  await jobs.cancel(parent.id);
  await assert.rejects(jobs.add(noop({ parent: parent.id })), { code: "cancelled" });
  await assert.rejects(jobs.add(noop({ parent: "job_none" })), { code: "not_found" });
});

Deno.test("addIn() adds with the caller's transaction, or not at all", async () => {
  await using shop = await openWorkshop();
  const engine = shop.engine({ handlers: { noop: noopHandler } });
  await engine.start();
  await assert.rejects(shop.sql.transaction(async (tx) => {
    await engine.jobs.addIn(tx, noop());
    throw new Error("changed my mind");
  }));
  assert.equal((await engine.jobs.list({})).items.length, 0);
  const job = await shop.sql.transaction((tx) => engine.jobs.addIn(tx, noop()));
  engine.jobs.wake();
  assert.equal((await within(engine.jobs.finished(job.id))).status, "completed");
});

Deno.test("a pending job is queued when it falls due", async () => {
  await using shop = await openWorkshop();
  const engine = shop.engine({ handlers: { noop: noopHandler } });
  await engine.start();
  const { id, status } = await engine.jobs.add(noop({ runAtMs: shop.clock.now() + 60_000 }));
  assert.equal(status, "pending");
  shop.clock.advance(59_000);
  assert.equal((await engine.jobs.get(id)).status, "pending");
  shop.clock.advance(1_000);
  const job = await within(engine.jobs.finished(id));
  assert.equal(job.started, "2026-01-01T00:01:00.000Z");
});

Deno.test("list() pages newest first, by status, kind and parent", async () => {
  await using shop = await openWorkshop();
  const { jobs } = shop.engine({});
  const parent = await jobs.add(noop());
  const ids: string[] = [];
  for (let index = 0; index < 5; index++) {
    ids.unshift(
      (await jobs.add(noop({ parent: parent.id, kind: index % 2 ? "import" : "export" }))).id,
    );
  }
  await jobs.cancel(ids[0]!);
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await jobs.list({ parent: parent.id, limit: 2, cursor });
    seen.push(...page.items.map(({ id }) => id));
    cursor = page.cursor;
  } while (cursor !== undefined);
  assert.deepEqual(seen, ids);
  assert.deepEqual((await jobs.list({ status: "cancelled" })).items.map(({ id }) => id), [ids[0]]);
  assert.equal((await jobs.list({ status: "queued" })).items.length, 5);
  assert.equal((await jobs.list({ kind: "import" })).items.length, 2);
  await assert.rejects(jobs.list({ cursor: "1 or 1" }), { code: "bad_request" });
  const counts = await jobs.counts();
  assert.deepEqual([counts.queued, counts.cancelled, counts.running], [5, 1, 0]);
});

Deno.test("get(), cancel(), retry(), finished() and watch() say not_found of an unknown job", async () => {
  await using shop = await openWorkshop();
  const { jobs } = shop.engine({});
  const missing = { code: "not_found" };
  await assert.rejects(jobs.get("job_x"), missing);
  await assert.rejects(jobs.cancel("job_x"), missing);
  await assert.rejects(jobs.retry("job_x"), missing);
  await assert.rejects(jobs.finished("job_x"), missing);
  await assert.rejects(jobs.watch("job_x", {})[Symbol.asyncIterator]().next(), missing);
});

Deno.test("retry() runs a failed job again with more priority, until ten attempts", async () => {
  await using shop = await openWorkshop();
  const engine = shop.engine({
    handlers: handler(async () => {
      throw new CarrelError("damaged", "Cannot read it");
    }),
  });
  await engine.start();
  const { id } = await engine.jobs.add(noop());
  const priorities: number[] = [];
  for (let attempt = 1; attempt <= 10; attempt++) {
    const job = await within(engine.jobs.finished(id));
    assert.deepEqual([job.status, job.attempt, job.error?.code], ["failed", attempt, "damaged"]);
    priorities.push(job.priority);
    if (attempt < 10) assert.equal((await engine.jobs.retry(id)).status, "queued");
  }
  assert.deepEqual(priorities, [5, 7, 9, 10, 10, 10, 10, 10, 10, 10]);
  await assert.rejects(engine.jobs.retry(id), { code: "conflict" });
});

Deno.test("retry() refuses what completed, what runs, and what a newer job does", async () => {
  await using shop = await openWorkshop();
  const engine = shop.engine({ handlers: { noop: noopHandler } });
  const { jobs } = engine;
  const waiting = await jobs.add(noop({ flightKey: "f" }));
  await assert.rejects(jobs.retry(waiting.id), { code: "conflict" });
  await jobs.cancel(waiting.id);
  const newer = await jobs.add(noop({ flightKey: "f" }));
  await assert.rejects(jobs.retry(waiting.id), { code: "conflict" });
  await engine.start();
  await within(jobs.finished(newer.id));
  await assert.rejects(jobs.retry(newer.id), { code: "conflict" });
  await jobs.retry(waiting.id);
  assert.equal((await within(jobs.finished(waiting.id))).status, "completed");
});

Deno.test("dispose gives running jobs back without costing them an attempt", async () => {
  await using shop = await openWorkshop();
  const door = createDoor();
  const first = shop.engine({
    handlers: handler(({ signal }) => {
      door.pass();
      return new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason))
      );
    }),
  });
  await first.start();
  const { id } = await first.jobs.add(noop({ maxAttempts: 1 }));
  await within(door.reached);
  assert.equal(first.running, 1);
  await within(first[Symbol.asyncDispose]());
  door.open();
  const between = await first.jobs.get(id);
  assert.deepEqual([between.status, between.attempt, between.tries], ["queued", 1, 0]);
  const second = shop.engine({ handlers: { noop: noopHandler } });
  await second.start();
  const job = await within(second.jobs.finished(id));
  assert.deepEqual([job.status, job.attempt], ["completed", 2]);
  assert.deepEqual(shop.reports, []);
});

Deno.test("dispose ends watchers, and fences off a handler that does not stop", async () => {
  await using shop = await openWorkshop();
  const door = createDoor();
  const engine = shop.engine({ handlers: handler(() => door.pass()) });
  await engine.start();
  const { id } = await engine.jobs.add(noop());
  await within(door.reached);
  const waiting = assert.rejects(engine.jobs.finished(id), { code: "shutting_down" });
  const closing = engine[Symbol.asyncDispose]();
  await until(() => shop.clock.timers > 0, "a timer");
  shop.clock.advance(3_000);
  await within(closing);
  await waiting;
  assert.equal((await engine.jobs.get(id)).status, "queued");
  door.open();
});

Deno.test("drain() takes no more jobs and lets those that run end", async () => {
  await using shop = await openWorkshop();
  const door = createDoor();
  const engine = shop.engine({ handlers: handler(() => door.pass()) });
  await engine.start();
  const running = await engine.jobs.add(noop());
  await within(door.reached);
  const draining = engine.drain();
  const later = await engine.jobs.add(noop());
  door.open();
  await within(draining);
  assert.equal((await engine.jobs.get(running.id)).status, "completed");
  assert.equal((await engine.jobs.get(later.id)).status, "queued");
});
