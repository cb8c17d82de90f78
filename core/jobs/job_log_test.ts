import assert from "node:assert/strict";
import { createJobLogs, type JobLogOptions } from "./job_log.ts";
import { createDoor, noop, openWorkshop, within, type Workshop } from "./testing.ts";

const open = (shop: Workshop, options: Partial<JobLogOptions> = {}) =>
  createJobLogs({ sql: shop.sql, clock: shop.clock, ...options });

const messages = (page: { lines: readonly { message: string }[] }) =>
  page.lines.map(({ message }) => message);

/** Transactions that the store is asked for while `work` runs. */
async function transactionsOf(shop: Workshop, work: () => Promise<unknown>): Promise<number> {
  const { transaction } = shop.sql;
  let count = 0;
  const sql = shop.sql as { transaction: typeof transaction };
  sql.transaction = (inside) => {
    count++;
    return transaction(inside);
  };
  try {
    await work();
  } finally {
    sql.transaction = transaction;
  }
  return count;
}

Deno.test("read() shows what was said until now, in order, by level and place", async () => {
  await using shop = await openWorkshop();
  await using log = open(shop);
  log.write("job_1", "info", "one");
  log.write("job_2", "info", "of another");
  shop.clock.advance(10);
  log.write("job_1", "debug", "two");
  log.write("job_1", "error", "three");
  const { lines, dropped, more } = await log.read("job_1");
  assert.deepEqual(lines.map(({ seq, level, message }) => [seq, level, message]), [
    [1, "info", "one"],
    [2, "debug", "two"],
    [3, "error", "three"],
  ]);
  assert.deepEqual([lines[1]!.time, dropped, more], ["2026-01-01T00:00:00.010Z", 0, false]);
  assert.deepEqual(messages(await log.read("job_1", { level: "info" })), ["one", "three"]);
  assert.deepEqual(messages(await log.read("job_1", { after: 2 })), ["three"]);
  const first = await log.read("job_1", { limit: 2 });
  assert.deepEqual([messages(first), first.more], [["one", "two"], true]);
  assert.deepEqual(messages(await log.read("job_3")), []);
});

Deno.test("the oldest lines are dropped above the bounds, and their number is told", async () => {
  await using shop = await openWorkshop();
  {
    await using log = open(shop, { maxLines: 10, maxBytes: 1_000 });
    for (let line = 1; line <= 25; line++) {
      log.write("job_1", "info", `line ${line}`);
      if (line % 4 === 0) await log.read("job_1");
    }
    const page = await log.read("job_1");
    assert.deepEqual(page.lines.map(({ seq }) => seq), [16, 17, 18, 19, 20, 21, 22, 23, 24, 25]);
    assert.deepEqual([page.lines[0]!.message, page.dropped], ["line 16", 15]);
    // Two bytes a character: 250 characters are half of what may be kept.
    for (const letter of ["ä", "ö", "ü"]) log.write("job_1", "info", letter.repeat(250));
    assert.deepEqual((await log.read("job_1")).lines.map(({ seq }) => seq), [27, 28]);
  }
  // Another process goes on counting where this one stopped.
  await using log = open(shop, { maxLines: 10, maxBytes: 1_000 });
  log.write("job_1", "info", "later");
  const page = await log.read("job_1");
  assert.deepEqual([page.lines.map(({ seq }) => seq), page.dropped], [[28, 29], 27]);
});

Deno.test("a flood is written in one transaction a tick, and no more than can be kept", async () => {
  await using shop = await openWorkshop();
  await using log = open(shop, { tickLines: 300 });
  const statements: number[] = [];
  for (let tick = 0; tick < 5; tick++) {
    statements.push(
      await transactionsOf(shop, async () => {
        for (let line = 0; line < 20_000; line++) log.write("job_1", "info", `${tick} ${line}`);
        log.write("job_2", "info", `quiet ${tick}`);
        shop.clock.advance(100);
        // The quiet one's lines are among the 300.
        while ((await count(shop, "job_1")) < 290) await turn();
      }),
    );
  }
  assert.ok(statements.every((made) => made <= 1), String(statements));
  const page = await log.read("job_1");
  assert.deepEqual([page.lines.length, page.lines.at(-1)!.seq, page.dropped], [
    1_000,
    100_000,
    99_000,
  ]);
  assert.equal(page.lines.at(-1)!.message, "4 19999");
  assert.equal((await log.read("job_2")).lines.length, 5);
});

const turn = () => new Promise((resolve) => setTimeout(resolve));

async function count(shop: Workshop, job: string): Promise<number> {
  const { count } = await shop.sql.db.selectFrom("job_log").where("job_id", "=", job)
    .select((select) => select.fn.countAll<number>().as("count")).executeTakeFirstOrThrow();
  return Number(count);
}

Deno.test("write() takes anything: what is too long is cut, what cannot be stored is replaced", async () => {
  await using shop = await openWorkshop();
  await using log = open(shop);
  log.write("job_1", "warn", "x".repeat(10_000));
  log.write("job_1", "warn", "a\0b\ud800");
  const [long, odd] = (await log.read("job_1")).lines;
  assert.deepEqual([long!.message.length, long!.message.at(-1)], [4_096, "…"]);
  assert.equal(odd!.message, "a\ufffdb\ufffd");
});

Deno.test("a store that fails costs the lines of one tick, and the next ones are counted on", async () => {
  await using shop = await openWorkshop();
  const reports: unknown[] = [];
  await using log = open(shop, { report: (error) => void reports.push(error) });
  log.write("job_1", "info", "one");
  await log.read("job_1");
  await shop.sql.db.schema.alterTable("job_log").renameTo("away").execute();
  log.write("job_1", "info", "lost");
  await assert.rejects(log.read("job_1"), /job_log/);
  await shop.sql.db.schema.alterTable("away").renameTo("job_log").execute();
  log.write("job_1", "info", "three");
  assert.deepEqual(messages(await log.read("job_1")), ["one", "three"]);
});

Deno.test("said() resolves with the next line of the job and level, or with the signal, and leaves nothing", async () => {
  await using shop = await openWorkshop();
  await using log = open(shop);
  const abort = new AbortController();
  let listeners = 0;
  const { addEventListener, removeEventListener } = abort.signal;
  abort.signal.addEventListener = (...given: Parameters<typeof addEventListener>) => {
    listeners++;
    addEventListener.apply(abort.signal, given);
  };
  abort.signal.removeEventListener = (...given: Parameters<typeof removeEventListener>) => {
    listeners--;
    removeEventListener.apply(abort.signal, given);
  };
  const said = log.said("job_1", "info", abort.signal);
  let heard = false;
  const worse = log.said("job_1", "error", abort.signal).then(() => heard = true);
  const other = log.said("job_2", "debug", abort.signal);
  log.write("job_1", "info", "one");
  await within(said);
  assert.deepEqual([heard, listeners], [false, 2]);
  log.write("job_1", "error", "two");
  await within(worse);
  abort.abort();
  await within(other);
  await within(log.said("job_2", "debug", abort.signal));
  assert.equal(listeners, 0);
});

Deno.test("a job's handler says into the log, over its attempts, and dispose writes what is left", async () => {
  await using shop = await openWorkshop();
  const door = createDoor();
  {
    await using log = open(shop);
    const engine = shop.engine({
      log: log.write,
      handlers: {
        noop: {
          async run(run) {
            run.log("info", `attempt ${run.job.attempt}`);
            await door.pass();
          },
        },
      },
    });
    await engine.start();
    const { id } = await engine.jobs.add(noop());
    await within(door.reached);
    assert.deepEqual(messages(await log.read(id)), ["attempt 1"]);
    door.open();
    await within(engine.jobs.finished(id));
    log.write(id, "info", "after the end");
  }
  const rows = await shop.sql.db.selectFrom("job_log").select(["seq", "message"]).execute();
  assert.deepEqual(rows.map(({ seq, message }) => [seq, message]), [
    [1, "attempt 1"],
    [2, "after the end"],
  ]);
});
