import assert from "node:assert/strict";
import { DAY_MS } from "./clock.ts";
import type { JobStatus } from "./job.ts";
import { createRetention, type RetentionOptions } from "./retention.ts";
import { noop, openWorkshop, type Workshop } from "./testing.ts";

const open = (shop: Workshop, options: Partial<RetentionOptions> = {}) =>
  createRetention({ sql: shop.sql, clock: shop.clock, ...options });

interface Old {
  readonly days: number;
  readonly status?: JobStatus;
  readonly kind?: string;
  readonly parent?: string;
}

/** A job that ended so many days ago, with a line in each table that may tell of it. */
async function old(shop: Workshop, { days, status = "completed", kind, parent }: Old) {
  const { id } = await shop.engine({}).jobs.add(noop());
  const ended = !["queued", "waiting"].includes(status);
  const time = new Date(shop.clock.now() - days * DAY_MS).toISOString();
  const { db } = shop.sql;
  await db.updateTable("job").set({
    status,
    completed: ended ? time : null,
    parent: parent ?? null,
    ...(kind === undefined ? {} : { kind }),
  }).where("id", "=", id).execute();
  await db.insertInto("job_log")
    .values({ job_id: id, seq: 1, time, level: "info", message: "said" }).execute();
  await db.insertInto("prompt").values({
    id: `prompt_${id}`,
    job_id: id,
    plugin: "import.a",
    keys_json: "[]",
    state: "granted",
    asked: time,
    expires_ms: 0,
    decided: time,
  }).execute();
  await shop.blobs.put(id, new TextEncoder().encode(id));
  return id;
}

async function left(shop: Workshop) {
  const { db } = shop.sql;
  const ids = (rows: { id: string }[]) => new Set(rows.map(({ id }) => id));
  return {
    jobs: ids(await db.selectFrom("job").select("id").execute()),
    events: ids(await db.selectFrom("job_event").select("job_id as id").execute()),
    logs: ids(await db.selectFrom("job_log").select("job_id as id").execute()),
    prompts: ids(await db.selectFrom("prompt").select("job_id as id").execute()),
    leases: ids(await db.selectFrom("blob_lease").select("owner as id").execute()),
  };
}

Deno.test("sweep() deletes old jobs with all that tells of them, each end by its own time", async () => {
  await using shop = await openWorkshop();
  await using retention = open(shop);
  const kept = [
    await old(shop, { days: 29 }),
    await old(shop, { days: 89, status: "failed" }),
    await old(shop, { days: 89, status: "cancelled" }),
    await old(shop, { days: 400, status: "waiting" }),
    await old(shop, { days: 400, status: "queued" }),
  ];
  await old(shop, { days: 31 });
  await old(shop, { days: 91, status: "failed" });
  await old(shop, { days: 91, status: "cancelled" });
  assert.deepEqual(await retention.sweep(), { jobs: 3, runs: 0 });
  for (const [name, ids] of Object.entries(await left(shop))) {
    assert.deepEqual(ids, new Set(kept), name);
  }
  assert.deepEqual(await retention.sweep(), { jobs: 0, runs: 0 });
});

Deno.test("a tree goes as a whole, and only when all of it is old", async () => {
  await using shop = await openWorkshop();
  await using retention = open(shop);
  const top = await old(shop, { days: 40 });
  const middle = await old(shop, { days: 41, parent: top });
  await old(shop, { days: 41, parent: middle, status: "failed" });
  const open1 = await old(shop, { days: 40 });
  const open2 = await old(shop, { days: 0, parent: open1, status: "waiting" });
  const young1 = await old(shop, { days: 40 });
  const young2 = await old(shop, { days: 2, parent: young1 });
  assert.deepEqual(await retention.sweep(), { jobs: 3, runs: 0 });
  assert.deepEqual((await left(shop)).jobs, new Set([open1, open2, young1, young2]));
});

Deno.test("a run keeps its rows, and loses the events and logs of its jobs once", async () => {
  await using shop = await openWorkshop();
  await using retention = open(shop);
  const run = await old(shop, { days: 40, kind: "run" });
  const step = await old(shop, { days: 40, parent: run });
  assert.deepEqual(await retention.sweep(), { jobs: 0, runs: 1 });
  const { jobs, events, logs } = await left(shop);
  assert.deepEqual([jobs, events, logs], [new Set([run, step]), new Set(), new Set()]);
  // It is not even read a second time, until it has been run again.
  await shop.sql.db.insertInto("job_log")
    .values({ job_id: step, seq: 2, time: "", level: "info", message: "later" }).execute();
  assert.deepEqual(await retention.sweep(), { jobs: 0, runs: 0 });
  await shop.sql.db.updateTable("job").set({ status: "failed" }).where("id", "=", run).execute();
  await shop.engine({}).jobs.retry(run);
  await shop.sql.db.updateTable("job")
    .set({ status: "completed", completed: new Date(shop.clock.now() - 40 * DAY_MS).toISOString() })
    .where("id", "=", run).execute();
  assert.deepEqual(await retention.sweep(), { jobs: 0, runs: 1 });
  assert.deepEqual(await retention.sweep(), { jobs: 0, runs: 0 });
});

Deno.test("prune() with dryRun counts and deletes nothing; without it goes by age and status", async () => {
  await using shop = await openWorkshop();
  await using retention = open(shop);
  for (let job = 0; job < 120; job++) await old(shop, { days: 5 + job / 1_000 });
  await old(shop, { days: 5, status: "failed" });
  const wanted = { olderThanMs: 3 * DAY_MS, statuses: ["completed"] as const };
  assert.deepEqual(await retention.prune({ ...wanted, dryRun: true }), { jobs: 120, runs: 0 });
  assert.equal((await left(shop)).jobs.size, 121);
  assert.deepEqual(await retention.prune(wanted), { jobs: 120, runs: 0 });
  assert.equal((await left(shop)).jobs.size, 1);
});

Deno.test("a job that is run again while its tree goes stays, with what is above it", async () => {
  await using shop = await openWorkshop();
  await using retention = open(shop);
  const top = await old(shop, { days: 40 });
  const child = await old(shop, { days: 40, parent: top, status: "failed" });
  const gone = await old(shop, { days: 40, parent: top });
  const { transaction } = shop.sql;
  let calls = 0;
  (shop.sql as { transaction: typeof transaction }).transaction = async (work) => {
    // Between the look at the tree and the first delete.
    if (calls++ === 0) await shop.engine({}).jobs.retry(child);
    return await transaction(work);
  };
  await retention.sweep();
  const { jobs } = await left(shop);
  assert.deepEqual([jobs.has(top), jobs.has(child), jobs.has(gone)], [true, true, false]);
});

Deno.test("a long story goes in small transactions, and dispose breaks off between two", async () => {
  await using shop = await openWorkshop();
  const retention = open(shop);
  const id = await old(shop, { days: 40 });
  await shop.sql.transaction(async (tx) => {
    for (let seq = 10; seq < 5_010; seq++) {
      await tx.insertInto("job_event").values({
        job_id: id,
        seq,
        status: "running",
        stage: null,
        progress: 1,
        message: null,
        time: "",
      }).execute();
    }
  });
  const { transaction } = shop.sql;
  let calls = 0;
  let disposed: PromiseLike<void> | undefined;
  (shop.sql as { transaction: typeof transaction }).transaction = (work) => {
    if (++calls === 2) disposed = retention[Symbol.asyncDispose]();
    return transaction(work);
  };
  await retention.sweep();
  await disposed;
  const count = async () =>
    (await shop.sql.db.selectFrom("job_event").select("seq").execute()).length;
  assert.deepEqual([calls, await count()], [2, 1_001]);
  await using next = open(shop);
  assert.deepEqual(await next.sweep(), { jobs: 1, runs: 0 });
  assert.equal(await count(), 0);
});
