import assert from "node:assert/strict";
import { CarrelError } from "../errors.ts";
import { type Job, type JobHandler, type JobRun, JobWaits, type WaitsFor } from "./job.ts";
import type { JobEngine } from "./dispatcher.ts";
import { createDoor, noop, openWorkshop, until, within, type Workshop } from "./testing.ts";

/** A parent of kind `run` that adds children of kind `noop` once, and waits until none is open. */
function parentHandler(
  engine: () => JobEngine,
  waitsFor: WaitsFor,
  children: readonly unknown[],
): JobHandler {
  return {
    async run({ job }) {
      const { total, completed, failed, cancelled } = await engine().jobs.children(job.id);
      if (total > 0 && completed + failed + cancelled === total) {
        return { attempts: job.attempt, completed, failed, cancelled };
      }
      throw new JobWaits("its children", async (tx) => {
        for (const [index, input] of children.entries()) {
          await engine().jobs.addIn(
            tx,
            noop({ input, parent: job.id, idempotencyKey: `${job.id}:${index}`, maxAttempts: 1 }),
          );
        }
      }, { for: waitsFor });
    },
  };
}

function familyEngine(
  shop: Workshop,
  run: (run: JobRun) => Promise<unknown>,
  waitsFor: WaitsFor,
  children: readonly unknown[],
  options: Parameters<Workshop["engine"]>[0] = {},
): JobEngine {
  const engine: JobEngine = shop.engine({
    ...options,
    handlers: { noop: { run }, run: parentHandler(() => engine, waitsFor, children) },
  });
  return engine;
}

const echo = async ({ job }: JobRun) => {
  if (job.input === "fails") throw new CarrelError("damaged", "Cannot do it");
  return job.input;
};

Deno.test("a parent goes on when all its children have ended, without a sweep, in one slot", async () => {
  await using shop = await openWorkshop();
  const events: string[] = [];
  shop.events.on(
    "job.event",
    ({ job_id, seq, status }) => events.push(`${job_id} ${seq} ${status}`),
  );
  const engine = familyEngine(shop, echo, "children", [1, "fails", 3], { concurrency: 1 });
  await engine.start();
  const { id } = await engine.jobs.add(noop({ kind: "run" }));
  const job = await within(engine.jobs.finished(id));
  assert.deepEqual(job.result, { attempts: 2, completed: 2, failed: 1, cancelled: 0 });
  // Of the children too every event was told live, the first one included.
  for (const child of (await engine.jobs.list({ parent: id })).items) {
    for (const line of [`1 queued`, `2 running`, `3 ${child.status}`]) {
      assert.ok(events.includes(`${child.id} ${line}`), line);
    }
  }
  assert.deepEqual(await engine.jobs.children(id), {
    total: 3,
    completed: 2,
    failed: 1,
    cancelled: 0,
  });
});

Deno.test("a parent that waits for any child goes on with each end", async () => {
  await using shop = await openWorkshop();
  const engine = familyEngine(shop, echo, "child", [1, 2, 3], { concurrency: 1 });
  await engine.start();
  const { id } = await engine.jobs.add(noop({ kind: "run" }));
  const { result } = await within(engine.jobs.finished(id));
  assert.deepEqual(result, { attempts: 4, completed: 3, failed: 0, cancelled: 0 });
});

Deno.test("a parent that waits for children and has none goes on at once", async () => {
  await using shop = await openWorkshop();
  for (const waitsFor of ["child", "children"] as const) {
    const engine = shop.engine({
      handlers: {
        run: {
          async run({ job }) {
            if (job.attempt === 1) throw new JobWaits("", async () => {}, { for: waitsFor });
            return job.attempt;
          },
        },
      },
    });
    await engine.start();
    const { id } = await engine.jobs.add(noop({ kind: "run" }));
    assert.equal((await within(engine.jobs.finished(id))).result, 2);
    await engine.drain();
  }
});

Deno.test("a child that ends before its parent has begun to wait is not missed", async () => {
  await using shop = await openWorkshop();
  const parent = createDoor();
  const slow = createDoor();
  const seen: number[] = [];
  const engine: JobEngine = shop.engine({
    handlers: {
      noop: { run: ({ job }) => job.input === "slow" ? slow.pass() : Promise.resolve() },
      run: {
        async run({ job }) {
          const { completed } = await engine.jobs.children(job.id);
          seen.push(completed);
          if (completed === 2) return;
          if (job.attempt === 1) await parent.pass();
          throw new JobWaits("", async () => {}, { for: "child" });
        },
      },
    },
  });
  await engine.start();
  const { id } = await engine.jobs.add(noop({ kind: "run" }));
  await within(parent.reached);
  await engine.jobs.add(noop({ input: "slow", parent: id }));
  const quick = await engine.jobs.add(noop({ input: "quick", parent: id }));
  await within(engine.jobs.finished(quick.id));
  parent.open();
  // It runs again for the quick one, while the slow one is open.
  await until(() => seen.includes(1));
  slow.open();
  assert.equal((await within(engine.jobs.finished(id))).status, "completed");
});

Deno.test("a parent goes on whichever way its last child ends", async () => {
  await using shop = await openWorkshop();
  const held = createDoor();
  const engine = familyEngine(
    shop,
    async ({ job, signal }) => {
      if (job.input === "waits") throw new JobWaits("a person", async () => {});
      if (job.input === "runs") {
        await held.pass();
        await new Promise((_, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason))
        );
      }
    },
    "children",
    ["waits", "runs", "sleeps"],
  );
  await engine.start();
  const { id } = await engine.jobs.add(noop({ kind: "run" }));
  await within(held.reached);
  held.open();
  const children = new Map<unknown, Job>();
  for (const child of (await engine.jobs.list({ parent: id })).items) {
    children.set(child.input, child);
  }
  await within(engine.jobs.finished(children.get("sleeps")!.id));
  const waits = children.get("waits")!.id;
  await until(async () => (await engine.jobs.get(waits)).status === "waiting");
  assert.equal((await engine.jobs.get(id)).status, "waiting");
  const no = { code: "denied", message: "somebody said no", retryable: false } as const;
  assert.equal(await engine.waiting.fail(children.get("waits")!.id, no), true);
  assert.equal((await engine.jobs.get(id)).status, "waiting");
  await engine.jobs.cancel(children.get("runs")!.id);
  assert.deepEqual((await within(engine.jobs.finished(id))).result, {
    attempts: 2,
    completed: 1,
    failed: 1,
    cancelled: 1,
  });
});

Deno.test("a parent goes on when its child is taken from a dead host and ends so", async () => {
  await using shop = await openWorkshop();
  const engine = familyEngine(shop, echo, "children", ["lost"]);
  const { id } = await engine.jobs.add(noop({ kind: "run" }));
  const child = await engine.jobs.add(noop({ parent: id, maxAttempts: 1 }));
  const row = (job: string) => shop.sql.db.updateTable("job").where("id", "=", job);
  await row(id).set({ status: "waiting", attempt: 1, waits: 1, waits_for: "children" }).execute();
  await row(child.id).set({ status: "running", attempt: 1, lease_owner: "dead" }).execute();
  await engine.start();
  const { status, result } = await within(engine.jobs.finished(id));
  assert.deepEqual([status, result], [
    "completed",
    { attempts: 2, completed: 0, failed: 1, cancelled: 0 },
  ]);
});

Deno.test("cancel() of a parent that waits ends it with all its children", async () => {
  await using shop = await openWorkshop();
  const engine = familyEngine(
    shop,
    ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    "children",
    Array.from({ length: 30 }, (_, index) => index),
  );
  await engine.start();
  const { id } = await engine.jobs.add(noop({ kind: "run" }));
  await until(async () => (await engine.jobs.counts()).running >= 7);
  await engine.jobs.cancel(id);
  for (const child of (await engine.jobs.list({ parent: id, limit: 100 })).items) {
    assert.equal((await within(engine.jobs.finished(child.id))).status, "cancelled");
  }
  assert.equal((await within(engine.jobs.finished(id))).status, "cancelled");
  assert.deepEqual((await engine.jobs.children(id)).cancelled, 30);
});

Deno.test("a child is at least as urgent as its parent", async () => {
  await using shop = await openWorkshop();
  const { jobs } = shop.engine({});
  const parent = await jobs.add(noop({ priority: 8 }));
  assert.equal((await jobs.add(noop({ parent: parent.id }))).priority, 8);
  assert.equal((await jobs.add(noop({ parent: parent.id, priority: 3 }))).priority, 8);
  assert.equal((await jobs.add(noop({ parent: parent.id, priority: 10 }))).priority, 10);
});

Deno.test("a child is not stood for by equal work that is not its parent's", async () => {
  await using shop = await openWorkshop();
  const { jobs } = shop.engine({});
  const [one, two] = [await jobs.add(noop()), await jobs.add(noop())];
  const alone = await jobs.add(noop({ flightKey: "f" }));
  const child = await jobs.add(noop({ flightKey: "f", parent: one.id }));
  assert.notEqual(child.id, alone.id);
  assert.notEqual((await jobs.add(noop({ flightKey: "f", parent: two.id }))).id, child.id);
  const first = await jobs.add(noop({ flightKey: "g", parent: one.id }));
  assert.equal((await jobs.add(noop({ flightKey: "g", parent: one.id }))).id, first.id);
  assert.equal((await jobs.add(noop({ flightKey: "g" }))).id, first.id);
});

Deno.test("retry() lets the kind put its rows in order, in the same transaction", async () => {
  await using shop = await openWorkshop();
  let refuses = true;
  const engine: JobEngine = shop.engine({
    handlers: {
      noop: {
        run: async ({ job }) => {
          if (job.attempt === 1) throw new CarrelError("damaged", "Cannot do it");
        },
        async onRetry(tx, job) {
          const children = await tx.selectFrom("job").select("id").where("parent", "=", job.id)
            .execute();
          for (const child of children) await engine.jobs.retryIn(tx, child.id);
          if (refuses) throw new CarrelError("conflict", "Cannot retry it now");
        },
      },
    },
  });
  await engine.start();
  const { id } = await engine.jobs.add(noop());
  const child = await engine.jobs.add(noop({ parent: id }));
  await within(Promise.all([engine.jobs.finished(id), engine.jobs.finished(child.id)]));
  await assert.rejects(engine.jobs.retry(id), { code: "conflict" });
  assert.equal((await engine.jobs.get(id)).status, "failed");
  assert.equal((await engine.jobs.get(child.id)).status, "failed");
  refuses = false;
  await engine.jobs.retry(id);
  assert.equal((await within(engine.jobs.finished(id))).status, "completed");
  assert.equal((await within(engine.jobs.finished(child.id))).status, "completed");
});
