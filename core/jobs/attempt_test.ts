import assert from "node:assert/strict";
import { z } from "zod";
import { CarrelError } from "../errors.ts";
import { encodeCheckpoint } from "./checkpoint.ts";
import type { JobHandler, JobRun } from "./job.ts";
import { noopHandler } from "./noop.ts";
import { createDoor, noop, openWorkshop, until, within, type Workshop } from "./testing.ts";

const handler = (run: (run: JobRun) => Promise<unknown>): { noop: JobHandler } => ({
  noop: { run },
});
const flaky = () => new CarrelError("fetch_failed", "Cannot reach it", { retryable: true });

async function untilRetrying(shop: Workshop, id: string, attempt: number): Promise<void> {
  const { jobs } = shop.engine({});
  const isThere = async () => {
    const job = await jobs.get(id);
    return job.status === "retrying" && job.attempt === attempt;
  };
  await within(
    (async () => {
      while (!await isThere()) await new Promise((go) => setTimeout(go));
    })(),
    `${id} retrying after attempt ${attempt}`,
  );
}

Deno.test("a retryable error is retried three times, later each time, then the job fails", async () => {
  await using shop = await openWorkshop();
  const starts: number[] = [];
  const engine = shop.engine({
    handlers: handler(async () => {
      starts.push(shop.clock.now());
      throw flaky();
    }),
  });
  await engine.start();
  const { id } = await engine.jobs.add(noop());
  for (const [index, delay] of [2000, 4000, 8000].entries()) {
    await untilRetrying(shop, id, index + 1);
    assert.equal((await engine.jobs.get(id)).error?.code, "fetch_failed");
    shop.clock.advance(delay - 1);
    assert.equal((await engine.jobs.get(id)).status, "retrying");
    shop.clock.advance(1);
  }
  const job = await within(engine.jobs.finished(id));
  assert.deepEqual([job.status, job.attempt, job.error?.code], ["failed", 4, "fetch_failed"]);
  const first = starts[0]!;
  assert.deepEqual(starts.map((time) => time - first), [0, 2000, 6000, 14000]);
});

Deno.test("an error that a retry cannot help fails the job at once", async () => {
  await using shop = await openWorkshop();
  const engine = shop.engine({
    handlers: handler(async () => {
      throw new Error("a bug");
    }),
  });
  await engine.start();
  const { id } = await engine.jobs.add(noop());
  const job = await within(engine.jobs.finished(id));
  assert.deepEqual([job.status, job.attempt, job.error], [
    "failed",
    1,
    { code: "internal", message: "a bug", retryable: false },
  ]);
  assert.equal(shop.reports.length, 1);
});

Deno.test("a job that nothing handles fails with a reason", async () => {
  await using shop = await openWorkshop();
  const engine = shop.engine({});
  await engine.start();
  const { id } = await engine.jobs.add(noop({ kind: "export" }));
  assert.equal((await within(engine.jobs.finished(id))).error?.code, "internal");
});

Deno.test("cancel() ends what does not run at once, with everything below it", async () => {
  await using shop = await openWorkshop();
  const { jobs } = shop.engine({});
  const root = await jobs.add(noop());
  const child = await jobs.add(noop({ parent: root.id }));
  const grandchild = await jobs.add(noop({ parent: child.id, runAtMs: shop.clock.now() + 9e6 }));
  const sibling = await jobs.add(noop());
  const cancelled = await jobs.cancel(root.id);
  assert.equal(cancelled.status, "cancelled");
  assert.notEqual(cancelled.completed, undefined);
  for (const { id } of [child, grandchild]) assert.equal((await jobs.get(id)).status, "cancelled");
  assert.equal((await jobs.get(sibling.id)).status, "queued");
  assert.equal((await jobs.cancel(root.id)).status, "cancelled");
});

Deno.test("cancel() tells a running job, and ends it when its handler stops", async () => {
  await using shop = await openWorkshop();
  const door = createDoor();
  let reason: unknown;
  const engine = shop.engine({
    handlers: handler((run) => {
      door.pass();
      return new Promise((_, reject) =>
        run.signal.addEventListener("abort", () => {
          reason = run.signal.reason;
          reject(new Error("killed"));
        })
      );
    }),
  });
  await engine.start();
  const { id } = await engine.jobs.add(noop());
  await within(door.reached);
  door.open();
  assert.ok(["cancelling", "cancelled"].includes((await engine.jobs.cancel(id)).status));
  const job = await within(engine.jobs.finished(id));
  assert.deepEqual([job.status, job.error], ["cancelled", undefined]);
  assert.ok(reason instanceof CarrelError && reason.code === "cancelled");
});

Deno.test("cancel() wins over a handler that succeeds all the same", async () => {
  await using shop = await openWorkshop();
  const door = createDoor();
  let commits = 0;
  const engine = shop.engine({
    handlers: { noop: { run: () => door.pass(), commit: async () => void commits++ } },
  });
  await engine.start();
  const { id } = await engine.jobs.add(noop());
  await within(door.reached);
  assert.equal((await engine.jobs.cancel(id)).status, "cancelling");
  door.open();
  assert.equal((await within(engine.jobs.finished(id))).status, "cancelled");
  assert.equal(commits, 0);
});

Deno.test("cancel() fences off a handler that does not stop, and frees its slot", async () => {
  await using shop = await openWorkshop();
  const door = createDoor();
  let commits = 0;
  const engine = shop.engine({
    concurrency: 1,
    handlers: {
      noop: {
        run: ({ job }) => job.input === "stuck" ? door.pass() : Promise.resolve(),
        commit: async () => void commits++,
      },
    },
  });
  await engine.start();
  const stuck = await engine.jobs.add(noop({ input: "stuck" }));
  await within(door.reached);
  const next = await engine.jobs.add(noop({ input: "next" }));
  await engine.jobs.cancel(stuck.id);
  shop.clock.advance(2_999);
  assert.equal((await engine.jobs.get(stuck.id)).status, "cancelling");
  shop.clock.advance(1);
  assert.equal((await within(engine.jobs.finished(stuck.id))).status, "cancelled");
  assert.equal((await within(engine.jobs.finished(next.id))).status, "completed");
  door.open();
  await engine.drain();
  assert.equal(commits, 1);
});

Deno.test("commit() writes with the end of the job, or not at all", async () => {
  await using shop = await openWorkshop();
  let failing = true;
  const engine = shop.engine({
    handlers: {
      noop: {
        run: async () => "value",
        async commit(tx, value, job) {
          await tx.insertInto("user")
            .values({ id: job.id, name: job.id, role: "reader", created: "now" }).execute();
          if (failing) throw flaky();
          return { value };
        },
      } satisfies JobHandler,
    },
  });
  await engine.start();
  const { id } = await engine.jobs.add(noop());
  await untilRetrying(shop, id, 1);
  assert.equal((await shop.sql.db.selectFrom("user").selectAll().execute()).length, 0);
  failing = false;
  shop.clock.advance(2_000);
  const job = await within(engine.jobs.finished(id));
  assert.deepEqual([job.status, job.result, job.attempt], ["completed", { value: "value" }, 2]);
  assert.equal((await shop.sql.db.selectFrom("user").selectAll().execute()).length, 1);
});

const parsePage = (stored: unknown) =>
  z.object({ bytes: z.instanceof(Uint8Array), type: z.string() }).parse(stored);
const parseCount = (stored: unknown) => z.number().parse(stored);

Deno.test("stage() takes the checkpoint of an earlier attempt when its digest is the same", async () => {
  await using shop = await openWorkshop();
  const ran: string[] = [];
  const bytes = new Uint8Array([1, 2, 3]);
  const engine = shop.engine({
    handlers: handler(async (run) => {
      const raw = await run.stage(
        { name: "downloading", executor: "plugin", digest: "d1", from: 0, parse: parsePage },
        async () => {
          ran.push("downloading");
          return { bytes, type: "text/html" };
        },
      );
      await run.stage(
        {
          name: "extracting",
          executor: "plugin",
          digest: `${run.job.attempt}`,
          from: 50,
          parse: () => {},
        },
        async () => void ran.push("extracting"),
      );
      await run.stage(
        { name: "storing", executor: "host", digest: "d3", from: 90 },
        async () => void ran.push("storing"),
      );
      if (run.job.attempt === 1) throw flaky();
      return [...raw.bytes];
    }),
  });
  await engine.start();
  const { id } = await engine.jobs.add(noop());
  await untilRetrying(shop, id, 1);
  const between = await engine.jobs.get(id);
  assert.deepEqual(between.stages.map(({ name, digest }) => [name, digest]), [
    ["downloading", "d1"],
    ["extracting", "1"],
    ["storing", "d3"],
  ]);
  assert.match(between.stages[0]!.checkpoint!, /^[0-9a-f]{64}$/);
  assert.equal(between.stages[2]!.checkpoint, undefined);
  shop.clock.advance(2_000);
  const job = await within(engine.jobs.finished(id));
  assert.deepEqual(job.result, [1, 2, 3]);
  assert.deepEqual(ran, ["downloading", "extracting", "storing", "extracting", "storing"]);
  assert.ok(job.stages.every(({ checkpoint }) => checkpoint === undefined));
  assert.equal((await shop.sql.db.selectFrom("blob_lease").selectAll().execute()).length, 0);
});

Deno.test("stage() runs again when its checkpoint is gone or spoilt", async () => {
  await using shop = await openWorkshop();
  let ran = 0;
  const engine = shop.engine({
    handlers: handler(async (run) => {
      const value = await run.stage(
        { name: "downloading", executor: "plugin", digest: "d", from: 0, parse: parseCount },
        async () => ++ran,
      );
      if (run.job.attempt < 4) throw flaky();
      return value;
    }),
  });
  await engine.start();
  const { id } = await engine.jobs.add(noop());
  let attempt = 0;
  for (
    const spoil of [
      crypto.randomUUID(),
      (await shop.blobs.put("x", new Uint8Array(9))).digest,
      (await shop.blobs.put("x", encodeCheckpoint("of another shape"))).digest,
    ]
  ) {
    await untilRetrying(shop, id, ++attempt);
    const [stage] = (await engine.jobs.get(id)).stages;
    await shop.sql.db.updateTable("job").set({
      stages_json: JSON.stringify([{ ...stage, checkpoint: spoil }]),
    }).where("id", "=", id).execute();
    shop.clock.advance(9_000);
  }
  assert.equal((await within(engine.jobs.finished(id))).result, 4);
});

Deno.test("stage() tells an attempt that has lost its job to stop", async () => {
  await using shop = await openWorkshop();
  let thrown: unknown;
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
  const engine = shop.engine({
    handlers: handler(async (run) => {
      try {
        await run.stage(
          { name: "downloading", executor: "plugin", digest: "d", from: 0 },
          async () => void await shop.sql.db.updateTable("job").set({ attempt: 7 }).execute(),
        );
      } catch (error) {
        thrown = error;
        throw error;
      } finally {
        stop();
      }
    }),
  });
  await engine.start();
  const { id } = await engine.jobs.add(noop());
  await within(stopped);
  await engine.drain();
  assert.ok(thrown instanceof CarrelError && thrown.code === "lost");
  assert.equal((await engine.jobs.get(id)).attempt, 7);
});

Deno.test("stage() and progress() tell where the job is, the one at once, the other twice a second", async () => {
  await using shop = await openWorkshop();
  const door = createDoor();
  const engine = shop.engine({
    handlers: handler(async (run) => {
      await run.stage(
        { name: "extracting", executor: "plugin", digest: "d", from: 40 },
        async () => {
          for (let page = 1; page <= 20; page++) run.progress(40 + page, `page ${page}`);
          run.progress(NaN);
          run.progress(700, "too much");
          await door.pass();
        },
      );
    }),
  });
  await engine.start();
  const { id } = await engine.jobs.add(noop());
  await within(door.reached);
  await untilStage(shop, id);
  shop.clock.advance(500);
  const seen: unknown[] = [];
  for await (const { status, stage, progress, message } of engine.jobs.watch(id, {})) {
    seen.push([status, stage, progress, message]);
    if (progress === 100) door.open();
  }
  assert.deepEqual(seen, [
    ["queued", null, 0, null],
    ["running", null, 0, null],
    ["running", "extracting", 40, null],
    ["running", "extracting", 100, "too much"],
    ["completed", "extracting", 100, null],
  ]);
});

async function untilStage(shop: Workshop, id: string): Promise<void> {
  const { jobs } = shop.engine({});
  await until(async () => (await jobs.get(id)).stage !== undefined, "a stage");
}

Deno.test("an attempt whose end cannot be written is reported and taken up again later", async () => {
  await using shop = await openWorkshop();
  let runs = 0;
  const engine = shop.engine({
    handlers: handler(async () => {
      if (runs++ > 0) return;
      await shop.sql.db.schema.alterTable("job_event").renameTo("away").execute();
    }),
  });
  await engine.start();
  const { id } = await engine.jobs.add(noop());
  await until(() => shop.reports.length > 0, "a report");
  await engine.drain();
  await shop.sql.db.schema.alterTable("away").renameTo("job_event").execute();
  assert.equal((await engine.jobs.get(id)).status, "running");
  const next = shop.engine({ handlers: { noop: noopHandler }, soleHost: true });
  await next.start();
  assert.equal((await within(next.jobs.finished(id))).status, "completed");
});

Deno.test("an attempt leaves its costs and its log however it ends", async () => {
  await using shop = await openWorkshop();
  const lines: unknown[] = [];
  const engine = shop.engine({
    log: (...line) => lines.push(line),
    handlers: handler(async (run) => {
      await run.stage(
        { name: "downloading", executor: "plugin", digest: "d", from: 0 },
        async () => {
          shop.clock.advance(250);
          run.spend({ cpu_s: 1 });
          run.log("warn", `try ${run.job.tries}`);
          if (run.job.tries === 1) throw flaky();
        },
      );
    }),
  });
  await engine.start();
  const { id } = await engine.jobs.add(noop());
  await untilRetrying(shop, id, 1);
  shop.clock.advance(2_000);
  const job = await within(engine.jobs.finished(id));
  assert.deepEqual(job.costs, [
    { stage: "downloading", attempt: 1, wall_s: 0.25, cpu_s: 1 },
    { stage: "downloading", attempt: 2, wall_s: 0.25, cpu_s: 1 },
  ]);
  assert.deepEqual(lines, [[id, "warn", "try 1"], [id, "warn", "try 2"]]);
});

Deno.test("a job is retried by its own policy, or when the error says", async () => {
  await using shop = await openWorkshop();
  const engine = shop.engine({
    handlers: handler(async ({ job }) => {
      if (job.attempt < 3) throw flaky();
      const details = { retry_after_s: 40 };
      throw new CarrelError("too_many_requests", "Not now", { retryable: true, details });
    }),
  });
  await engine.start();
  const { id } = await engine.jobs.add(noop({ retry: { base_s: 100, most_s: 150 } }));
  for (const [index, delay] of [100_000, 150_000, 45_000].entries()) {
    await untilRetrying(shop, id, index + 1);
    assert.equal(Date.parse((await engine.jobs.get(id)).runAt) - shop.clock.now(), delay);
    shop.clock.advance(delay);
  }
  assert.equal((await within(engine.jobs.finished(id))).error?.code, "too_many_requests");
  await assert.rejects(engine.jobs.add(noop({ retry: { base_s: -1 } })), {
    code: "invalid_parameters",
  });
});

Deno.test("retry() from a stage runs that one and those behind it anew", async () => {
  await using shop = await openWorkshop();
  const ran: string[] = [];
  const engine = shop.engine({
    handlers: handler(async (run) => {
      for (const name of ["downloading", "extracting", "storing"] as const) {
        await run.stage(
          { name, executor: "host", digest: "d", from: 0, parse: (stored) => stored },
          async () => void ran.push(name),
        );
      }
      if (run.job.attempt < 3) throw new CarrelError("damaged", "Cannot read it");
    }),
  });
  await engine.start();
  const { id } = await engine.jobs.add(noop());
  await within(engine.jobs.finished(id));
  ran.length = 0;
  await engine.jobs.retry(id);
  await within(engine.jobs.finished(id));
  assert.deepEqual(ran, []);
  await engine.jobs.retry(id, { from: "extracting" });
  await within(engine.jobs.finished(id));
  assert.deepEqual(ran, ["extracting", "storing"]);
});

Deno.test("onEnd() is called with each end, in its transaction", async () => {
  await using shop = await openWorkshop();
  const ends: unknown[] = [];
  const engine = shop.engine({
    handlers: handler(async ({ job }) => {
      if (job.input === "bad") throw new CarrelError("damaged", "Cannot read it");
    }),
    onEnd: async (tx, job) => {
      const row = await tx.selectFrom("job").select("status").where("id", "=", job.id)
        .executeTakeFirstOrThrow();
      ends.push([job.input, job.status, row.status]);
    },
  });
  const late = await engine.jobs.add(noop({ input: "late", runAtMs: shop.clock.now() + 1e6 }));
  await engine.start();
  for (const input of ["good", "bad"]) {
    await within(engine.jobs.finished((await engine.jobs.add(noop({ input }))).id));
  }
  await engine.jobs.cancel(late.id);
  assert.deepEqual(ends, [
    ["good", "completed", "completed"],
    ["bad", "failed", "failed"],
    ["late", "cancelled", "cancelled"],
  ]);
});
