import assert from "node:assert/strict";
import { CarrelError } from "../errors.ts";
import {
  type Job,
  JobFails,
  type JobHandler,
  type JobStatus,
  JobWaits,
  type WaitOptions,
} from "./job.ts";
import { createDoor, noop, openWorkshop, within, type Workshop } from "./testing.ts";

const nothing = async () => {};

/** A handler that waits the first `times` times, then is done. */
const waiter = (options: WaitOptions, times = 1): JobHandler => {
  const left = new Map<string, number>();
  return {
    async run({ job }) {
      const more = left.get(job.id) ?? times;
      left.set(job.id, more - 1);
      if (more > 0) throw new JobWaits("waits", nothing, options);
      return "done";
    },
  };
};

async function until(shop: Workshop, id: string, status: JobStatus): Promise<Job> {
  const { jobs } = shop.engine({});
  return await within(
    (async () => {
      for (;;) {
        const job = await jobs.get(id);
        if (job.status === status) return job;
        await new Promise((go) => setTimeout(go));
      }
    })(),
    `${id} ${status}`,
  );
}

Deno.test("a job that waits says for what and until when, holds no slot, and is no try", async () => {
  await using shop = await openWorkshop();
  const wakeAtMs = shop.clock.now() + 60_000;
  const engine = shop.engine({
    concurrency: 1,
    handlers: { run: waiter({ for: "signal", wakeAtMs }), noop: { run: nothing } },
  });
  await engine.start();
  const { id } = await engine.jobs.add(noop({ kind: "run" }));
  const waiting = await until(shop, id, "waiting");
  assert.deepEqual([waiting.waitsFor, waiting.message, waiting.tries], ["signal", "waits", 0]);
  assert.equal(waiting.wakeAt, "2026-01-01T00:01:00.000Z");
  const other = await engine.jobs.add(noop());
  assert.equal((await within(engine.jobs.finished(other.id))).status, "completed");
  assert.equal(await engine.waiting.resume(id), true);
  const job = await within(engine.jobs.finished(id));
  assert.deepEqual([job.status, job.attempt, job.tries, job.maxAttempts], ["completed", 2, 1, 4]);
  assert.deepEqual([job.waitsFor, job.wakeAt], [undefined, undefined]);
  assert.equal(await engine.waiting.resume(id), false);
});

Deno.test("a waiting job goes on by itself at its time, after a restart too", async () => {
  await using shop = await openWorkshop();
  const wakeAtMs = shop.clock.now() + 60_000;
  const first = shop.engine({ handlers: { run: waiter({ for: "signal", wakeAtMs }) } });
  await first.start();
  const here = await first.jobs.add(noop({ kind: "run" }));
  await until(shop, here.id, "waiting");
  shop.clock.advance(59_999);
  assert.equal((await first.jobs.get(here.id)).status, "waiting");
  shop.clock.advance(1);
  assert.equal((await within(first.jobs.finished(here.id))).status, "completed");

  const later = { wakeAtMs: shop.clock.now() + 60_000, for: "signal" } as const;
  const second = shop.engine({ handlers: { run: waiter(later) } });
  await second.start();
  const there = await second.jobs.add(noop({ kind: "run" }));
  await until(shop, there.id, "waiting");
  await second[Symbol.asyncDispose]();
  await first[Symbol.asyncDispose]();
  shop.clock.advance(90_000);
  const third = shop.engine({ handlers: { run: { run: nothing } } });
  await third.start();
  assert.equal((await within(third.jobs.finished(there.id))).status, "completed");
});

Deno.test("waiting a hundred times uses up none of the tries", async () => {
  await using shop = await openWorkshop();
  const engine = shop.engine({
    handlers: {
      run: {
        async run({ job }) {
          if (job.attempt <= 100) throw new JobWaits("", nothing, { unless: async () => true });
          if (job.attempt <= 103) {
            throw new CarrelError("fetch_failed", "Cannot reach it", { retryable: true });
          }
        },
      },
    },
  });
  await engine.start();
  const { id } = await engine.jobs.add(noop({ kind: "run" }));
  for (let attempt = 101; attempt <= 103; attempt++) {
    await until(shop, id, "retrying");
    const { runAt } = await engine.jobs.get(id);
    // The delay is that of the first tries: 2, 4 and 8 seconds.
    assert.equal(Date.parse(runAt) - shop.clock.now(), 1000 * 2 ** (attempt - 100));
    shop.clock.advance(10_000);
    while ((await engine.jobs.get(id)).attempt === attempt) {
      await new Promise((go) => setTimeout(go));
    }
  }
  const job = await within(engine.jobs.finished(id));
  assert.deepEqual([job.status, job.attempt, job.tries], ["completed", 104, 4]);
});

Deno.test("unless() is asked after alongside, in its transaction; true sends the job back at once", async () => {
  await using shop = await openWorkshop();
  let answers: boolean[] = [];
  const engine = shop.engine({
    handlers: {
      run: {
        run({ job }) {
          if (job.attempt > 1) return Promise.resolve("done");
          throw new JobWaits(
            "waits",
            async (tx) =>
              void await tx.insertInto("user")
                .values({ id: "u", name: "u", role: "reader", created: "now" }).execute(),
            {
              for: "signal",
              async unless(tx) {
                answers = [(await tx.selectFrom("user").selectAll().execute()).length === 1];
                return answers[0]!;
              },
            },
          );
        },
      },
    },
  });
  await engine.start();
  const { id } = await engine.jobs.add(noop({ kind: "run" }));
  assert.equal((await within(engine.jobs.finished(id))).result, "done");
  assert.deepEqual(answers, [true]);
});

Deno.test("a job fails when what it would write beside its wait cannot be written", async () => {
  await using shop = await openWorkshop();
  const engine = shop.engine({
    handlers: {
      run: {
        run() {
          throw new JobWaits("waits", async (tx) => {
            await tx.insertInto("user")
              .values({ id: "u", name: "u", role: "reader", created: "now" }).execute();
            throw new CarrelError("damaged", "Cannot write it");
          });
        },
      },
    },
  });
  await engine.start();
  const { id } = await engine.jobs.add(noop({ kind: "run" }));
  assert.equal((await within(engine.jobs.finished(id))).error?.code, "damaged");
  assert.equal((await shop.sql.db.selectFrom("user").selectAll().execute()).length, 0);
});

Deno.test("JobFails fails the job at once, retryable or not, with its rows", async () => {
  await using shop = await openWorkshop();
  const engine = shop.engine({
    handlers: {
      run: {
        run() {
          throw new JobFails(
            new CarrelError("step_failed", "Cannot go on", { retryable: true }),
            async (tx) =>
              void await tx.insertInto("user")
                .values({ id: "u", name: "u", role: "reader", created: "now" }).execute(),
          );
        },
      },
    },
  });
  await engine.start();
  const { id } = await engine.jobs.add(noop({ kind: "run" }));
  const job = await within(engine.jobs.finished(id));
  assert.deepEqual([job.status, job.attempt, job.error?.code], ["failed", 1, "step_failed"]);
  assert.equal((await shop.sql.db.selectFrom("user").selectAll().execute()).length, 1);
});

Deno.test("JobFails writes nothing of a job that was cancelled meanwhile", async () => {
  await using shop = await openWorkshop();
  const door = createDoor();
  let written = 0;
  const engine = shop.engine({
    handlers: {
      run: {
        async run() {
          await door.pass();
          throw new JobFails(new CarrelError("step_failed", ""), async () => void written++);
        },
      },
    },
  });
  await engine.start();
  const { id } = await engine.jobs.add(noop({ kind: "run" }));
  await within(door.reached);
  await shop.sql.db.updateTable("job").set({ status: "cancelling" }).execute();
  door.open();
  assert.equal((await within(engine.jobs.finished(id))).status, "cancelled");
  assert.equal(written, 0);
});

Deno.test("resumeIn() lets a job go on with the caller's transaction, or not at all", async () => {
  await using shop = await openWorkshop();
  const engine = shop.engine({ handlers: { run: waiter({ for: "signal" }) } });
  await engine.start();
  const { id } = await engine.jobs.add(noop({ kind: "run" }));
  await until(shop, id, "waiting");
  const seen: string[] = [];
  shop.events.on("job.event", ({ status }) => seen.push(status));
  await assert.rejects(shop.sql.transaction(async (tx) => {
    assert.equal(await engine.waiting.resumeIn(tx, id), true);
    throw new Error("changed my mind");
  }));
  engine.jobs.wake();
  assert.equal((await engine.jobs.get(id)).status, "waiting");
  await shop.sql.transaction((tx) => engine.waiting.resumeIn(tx, id));
  engine.jobs.wake();
  assert.equal((await within(engine.jobs.finished(id))).status, "completed");
  assert.deepEqual(seen.filter((status) => status === "queued").length, 1);
  assert.deepEqual(shop.reports, []);
});

Deno.test("cancelIn() stops what runs once the caller's transaction is told of", async () => {
  await using shop = await openWorkshop();
  const door = createDoor();
  const engine = shop.engine({
    handlers: {
      noop: {
        async run({ signal }) {
          await door.pass();
          await new Promise((_, reject) =>
            signal.addEventListener("abort", () => reject(signal.reason))
          );
        },
      },
    },
  });
  await engine.start();
  const { id } = await engine.jobs.add(noop());
  await within(door.reached);
  door.open();
  await shop.sql.transaction((tx) => engine.jobs.cancelIn(tx, id));
  engine.jobs.wake();
  assert.equal((await within(engine.jobs.finished(id))).status, "cancelled");
});

Deno.test("a job that has waited goes on with the progress and the message that it had", async () => {
  await using shop = await openWorkshop();
  const door = createDoor();
  const engine = shop.engine({
    handlers: {
      noop: {
        async run({ job }) {
          if (job.attempt > 1) return await door.pass();
          throw new JobWaits("reads its parts", async (tx) => {
            await tx.updateTable("job").set({ progress: 40 }).where("id", "=", job.id).execute();
            await engine.jobs.addIn(tx, noop({ kind: "call", parent: job.id }));
          }, { for: "children" });
        },
      },
      call: { run: () => Promise.resolve(null) },
    },
  });
  await engine.start();
  const { id } = await engine.jobs.add(noop());
  await within(door.reached);
  const { status, progress, message } = await engine.jobs.get(id);
  assert.deepEqual([status, progress, message], ["running", 40, "reads its parts"]);
  door.open();
  await within(engine.jobs.finished(id));
});
