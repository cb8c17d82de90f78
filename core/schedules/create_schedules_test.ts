import assert from "node:assert/strict";
import type { Actor } from "../auth/actor.ts";
import { CarrelError } from "../errors.ts";
import { noopHandler } from "../jobs/noop.ts";
import { noop, openWorkshop, within, type Workshop } from "../jobs/testing.ts";
import { createSchedules, type CreateSchedulesOptions } from "./create_schedules.ts";
import type { NewSchedule } from "./schedules.ts";

const EDITOR: Actor = { user: "user_1", role: "editor" };
const HOUR_MS = 60 * 60_000;
const FEED: NewSchedule = {
  name: "A feed",
  spec: { every_s: 3600 },
  work: { import: { url: "https://feed.example/" } },
};

async function setup(shop: Workshop) {
  const { sql, clock } = shop;
  for (const [id, role] of [["user_1", "editor"], ["user_2", "reader"]] as const) {
    await sql.db.insertInto("user").values({ id, name: id, role, created: "" }).execute();
  }
  const engine = shop.engine({ handlers: { noop: noopHandler } });
  const faults: { import?: Error | undefined; start?: Error | undefined } = {};
  const started: string[] = [];
  const open = (options: Partial<CreateSchedulesOptions> = {}) =>
    createSchedules({
      sql,
      clock,
      jobs: engine.jobs,
      importJob: async (url, _options, { user }) => {
        if (faults.import) throw faults.import;
        return noop({ input: url, user });
      },
      startRun: async (workflow, { idempotencyKey }, { user }) => {
        started.push(idempotencyKey);
        const job = await engine.jobs.add(noop({ input: workflow, user, idempotencyKey }));
        if (faults.start) throw faults.start;
        return job;
      },
      askPlugin: () => Promise.reject(new CarrelError("conflict", "It is disabled")),
      report: (error) => void shop.reports.push(error),
      ...options,
    });
  const jobs = async () => (await engine.jobs.list({ limit: 200 })).items;
  /** Turns the clock in steps, each followed by what it brings. */
  const pass = async (schedules: ReturnType<typeof open>, ms: number, step = HOUR_MS) => {
    await schedules.idle();
    for (let passed = 0; passed < ms; passed += step) {
      clock.advance(Math.min(step, ms - passed));
      await schedules.idle();
    }
  };
  return { engine, open, faults, started, jobs, pass };
}

const at = (shop: Workshop, ms: number) => new Date(shop.clock.now() + ms).toISOString();

Deno.test("createSchedules() begins an interval at each of its times, and what was missed once", async () => {
  await using shop = await openWorkshop();
  const t = await setup(shop);
  let made: { readonly id: string };
  {
    await using schedules = t.open();
    schedules.start();
    made = await schedules.add({ ...FEED, overlap: "allow" }, EDITOR);
    assert.equal((await schedules.get(made.id, EDITOR)).next, at(shop, HOUR_MS));
    await t.pass(schedules, 3 * HOUR_MS);
    const after = await schedules.get(made.id, EDITOR);
    assert.equal((await t.jobs()).length, 3);
    assert.equal(after.lastJob, (await t.jobs())[0]!.id);
    assert.deepEqual([after.error, after.next], [undefined, at(shop, HOUR_MS)]);
  }
  // An outage of a hundred times.
  shop.clock.advance(100 * HOUR_MS + 60_000);
  await using schedules = t.open();
  schedules.start();
  await schedules.idle();
  assert.equal((await t.jobs()).length, 4);
  assert.equal((await schedules.get(made.id, EDITOR)).next, at(shop, HOUR_MS - 60_000));
  await t.pass(schedules, HOUR_MS - 60_000);
  assert.equal((await t.jobs()).length, 5);
  assert.deepEqual(shop.reports, []);
});

Deno.test("createSchedules() begins once where the host dies before or after the row has moved on", async () => {
  await using shop = await openWorkshop();
  const t = await setup(shop);
  const work = { workflow: { name: "digest" } };
  let id: string;
  {
    // Dies while it begins: with the job of the import the row is rolled back; a run's job is there already.
    let died = false;
    const sql = {
      ...shop.sql,
      transaction: <T>(run: (tx: never) => Promise<T>) =>
        shop.sql.transaction(async (tx) => {
          const value = await run(tx as never);
          if (died) throw new Error("killed");
          return value;
        }),
    };
    await using schedules = t.open({ sql: sql as typeof shop.sql });
    id = (await schedules.add(FEED, EDITOR)).id;
    died = true;
    shop.clock.advance(HOUR_MS);
    schedules.start();
    await schedules.idle();
    assert.equal((await t.jobs()).length, 0);
    await shop.sql.db.updateTable("schedule").set({ next_ms: shop.clock.now() }).execute();
  }
  {
    await using schedules = t.open();
    schedules.start();
    await schedules.idle();
    assert.equal((await t.jobs()).length, 1);
    await schedules.remove(id, EDITOR);
    id = (await schedules.add({ ...FEED, work }, EDITOR)).id;
    t.faults.start = new Error("killed");
    await schedules.idle();
    const due = shop.clock.now() + HOUR_MS;
    shop.clock.advance(HOUR_MS);
    await schedules.idle();
    // As if the row had not moved on.
    await shop.sql.db.updateTable("schedule").set({ next_ms: due, last_ms: null }).execute();
  }
  t.faults.start = undefined;
  await using schedules = t.open();
  schedules.start();
  await schedules.idle();
  assert.equal((await t.jobs()).length, 2);
  assert.equal(new Set(t.started).size, 1);
  assert.equal(t.started.length, 2);
  assert.equal((await schedules.get(id, EDITOR)).lastJob, (await t.jobs())[0]!.id);
});

Deno.test("createSchedules() goes on when its work cannot begin, and says why", async () => {
  await using shop = await openWorkshop();
  const t = await setup(shop);
  await using schedules = t.open();
  schedules.start();
  const { id } = await schedules.add(FEED, EDITOR);
  const single = await schedules.add({ ...FEED, spec: { at: at(shop, HOUR_MS) } }, EDITOR);
  t.faults.import = new CarrelError("unavailable", "Cannot import now: too much to do", {
    retryable: true,
  });
  await t.pass(schedules, HOUR_MS);
  const failed = await schedules.get(id, EDITOR);
  assert.equal(failed.error, "Cannot import now: too much to do");
  assert.deepEqual([failed.next, failed.lastJob], [at(shop, HOUR_MS), undefined]);
  assert.equal((await schedules.get(single.id, EDITOR)).next, at(shop, 60_000));
  t.faults.import = undefined;
  await t.pass(schedules, 60_000);
  const over = await schedules.get(single.id, EDITOR);
  assert.deepEqual([over.next, over.error, over.enabled], [undefined, undefined, true]);
  assert.equal(over.lastJob, (await t.jobs())[0]!.id);
  await t.pass(schedules, HOUR_MS - 60_000);
  assert.equal((await schedules.get(id, EDITOR)).error, undefined);
  await shop.sql.db.deleteFrom("user").where("id", "=", EDITOR.user).execute();
  await t.engine.jobs.cancel((await t.jobs())[0]!.id);
  await t.pass(schedules, HOUR_MS);
  assert.match((await schedules.get(id, EDITOR)).error!, /its owner is no user any more/);
  assert.equal((await t.jobs()).length, 2);
  assert.deepEqual(shop.reports, []);
});

Deno.test("createSchedules() skips a time while the last job has not ended, unless that is allowed", async () => {
  await using shop = await openWorkshop();
  const t = await setup(shop);
  await using schedules = t.open();
  schedules.start();
  const { id } = await schedules.add(FEED, EDITOR);
  await t.pass(schedules, 3 * HOUR_MS);
  const [job, ...others] = await t.jobs();
  assert.deepEqual(others, []);
  const skipped = await schedules.get(id, EDITOR);
  assert.equal(skipped.error, `skipped: ${job!.id} has not ended`);
  assert.equal(skipped.next, at(shop, HOUR_MS));
  await t.engine.start();
  await within(t.engine.jobs.finished(job!.id));
  await t.pass(schedules, HOUR_MS);
  assert.equal((await t.jobs()).length, 2);
  assert.equal((await schedules.get(id, EDITOR)).error, undefined);
  await t.engine.drain();
});

Deno.test("createSchedules() makes no double and no storm of a clock that jumps", async () => {
  await using shop = await openWorkshop();
  const t = await setup(shop);
  let shiftMs = 0;
  await using schedules = t.open({
    clock: { ...shop.clock, now: () => shop.clock.now() + shiftMs, after: shop.clock.after },
  });
  schedules.start();
  const { id } = await schedules.add({
    ...FEED,
    spec: { cron: "0 * * * *" },
    overlap: "allow",
  }, EDITOR);
  await t.pass(schedules, 5 * HOUR_MS);
  assert.equal((await t.jobs()).length, 5);
  // Back: the hours that come a second time begin nothing a second time.
  shiftMs = -3 * HOUR_MS;
  await t.pass(schedules, 3 * HOUR_MS, 60_000);
  assert.equal((await t.jobs()).length, 5);
  await t.pass(schedules, HOUR_MS, 60_000);
  assert.equal((await t.jobs()).length, 6);
  // Forth by a year, once, and back again: it does not sleep for a year.
  shiftMs = 365 * 24 * HOUR_MS;
  await t.pass(schedules, 60_000);
  assert.equal((await t.jobs()).length, 7);
  shiftMs = -3 * HOUR_MS;
  await t.pass(schedules, 2 * HOUR_MS, 60_000);
  const jobs = (await t.jobs()).length;
  assert.ok(jobs === 8 || jobs === 9, `${jobs}`);
  const next = Date.parse((await schedules.get(id, EDITOR)).next!);
  assert.ok(next - (shop.clock.now() + shiftMs) <= HOUR_MS);
});

Deno.test("createSchedules() asks plugins, and again later one that does not answer", async () => {
  await using shop = await openWorkshop();
  const t = await setup(shop);
  const answers: (string | null | Error)[] = [at(shop, HOUR_MS)];
  await using schedules = t.open({
    async askPlugin() {
      const answer = answers.shift()!;
      if (answer instanceof Error) throw answer;
      return answer;
    },
  });
  schedules.start();
  const { id } = await schedules.add(
    { ...FEED, spec: { plugin: "scheduler.moon" }, overlap: "allow" },
    EDITOR,
  );
  answers.push(new CarrelError("crashed", "Cannot go on: it fell"), null);
  await t.pass(schedules, HOUR_MS);
  const failed = await schedules.get(id, EDITOR);
  assert.deepEqual([failed.error, failed.next], ["Cannot go on: it fell", at(shop, 600_000)]);
  await t.pass(schedules, 600_000);
  assert.equal((await schedules.get(id, EDITOR)).next, undefined);
  assert.equal((await t.jobs()).length, 2);
  answers.push(null);
  await assert.rejects(
    schedules.add({ ...FEED, spec: { plugin: "scheduler.moon" } }, EDITOR),
    { code: "invalid_parameters" },
  );
});

Deno.test("createSchedules() adds, lists, changes and removes for the owner and admins alone", async () => {
  await using shop = await openWorkshop();
  const t = await setup(shop);
  await using schedules = t.open();
  schedules.start();
  const made = [];
  for (const name of ["a", "b", "c"]) made.push(await schedules.add({ ...FEED, name }, EDITOR));
  const other: Actor = { user: "user_2", role: "editor" };
  const admin: Actor = { user: "user_9", role: "admin" };
  const first = await schedules.list({ limit: 2 }, EDITOR);
  assert.deepEqual(first.items.map(({ name }) => name), ["c", "b"]);
  const second = await schedules.list({ cursor: first.cursor }, admin);
  assert.deepEqual(second.items.map(({ name }) => name), ["a"]);
  assert.deepEqual((await schedules.list({}, other)).items, []);
  const { id } = made[0]!;
  for (
    const denied of [
      schedules.get(id, other),
      schedules.change(id, { name: "x" }, other),
      schedules.remove(id, other),
      schedules.runNow(id, other),
    ]
  ) await assert.rejects(denied, { code: "not_found" });
  await assert.rejects(schedules.list({ cursor: "x" }, EDITOR), { code: "bad_request" });

  const off = await schedules.change(id, { enabled: false }, EDITOR);
  assert.deepEqual([off.enabled, off.next], [false, undefined]);
  await t.pass(schedules, 2 * HOUR_MS);
  assert.equal((await t.jobs()).length, 2);
  const on = await schedules.change(id, { enabled: true, spec: { every_s: 120 } }, EDITOR);
  assert.equal(on.next, at(shop, 120_000));
  const renamed = await schedules.change(id, { name: "z", overlap: "allow" }, EDITOR);
  assert.deepEqual([renamed.name, renamed.overlap, renamed.next], ["z", "allow", on.next]);
  await assert.rejects(schedules.change(id, { spec: { every_s: 1 } }, EDITOR), {
    code: "invalid_parameters",
  });
  const { job } = await schedules.runNow(id, admin);
  assert.equal((await t.engine.jobs.get(job)).user, "user_1");
  assert.equal((await schedules.get(id, EDITOR)).lastJob, job);
  assert.equal((await schedules.get(id, EDITOR)).next, on.next);
  await schedules.remove(id, EDITOR);
  await assert.rejects(schedules.get(id, EDITOR), { code: "not_found" });

  for (
    const [given, code] of [
      [{ ...FEED, name: " " }, "invalid_parameters"],
      [{ ...FEED, spec: { cron: "x" } }, "invalid_parameters"],
    ] as const
  ) await assert.rejects(schedules.add(given, EDITOR), { code });
  t.faults.import = new CarrelError("private_address", "no");
  await assert.rejects(schedules.add(FEED, EDITOR), { code: "private_address" });
});

Deno.test("createSchedules() leaves a schedule alone for a minute that it can neither begin nor move on", async () => {
  await using shop = await openWorkshop();
  const t = await setup(shop);
  let refuses = false;
  const tries: number[] = [];
  const transaction: typeof shop.sql.transaction = (run) => {
    if (!refuses) return shop.sql.transaction(run);
    tries.push(shop.clock.now());
    return Promise.reject(new Error("the disk is full"));
  };
  const db = shop.sql.db.withPlugin({
    transformQuery({ node }) {
      if (refuses && node.kind === "UpdateQueryNode") throw new Error("the disk is full");
      return node;
    },
    transformResult: ({ result }) => Promise.resolve(result),
  });
  await using schedules = t.open({ sql: { ...shop.sql, db, transaction } });
  schedules.start();
  const { id } = await schedules.add(FEED, EDITOR);
  refuses = true;
  await t.pass(schedules, HOUR_MS);
  assert.equal(tries.length, 1);
  assert.equal(shop.reports.length, 2);
  // As somebody adds others meanwhile.
  const other = await schedules.add({ ...FEED, work: { workflow: { name: "x" } } }, EDITOR);
  await schedules.idle();
  assert.equal(tries.length, 1);
  await t.pass(schedules, 2 * 60_000, 60_000);
  assert.ok([2, 3].includes(tries.length), `${tries}`);
  refuses = false;
  await t.pass(schedules, 60_000);
  assert.equal((await t.jobs()).length, 1);
  assert.equal((await schedules.get(id, EDITOR)).lastJob, (await t.jobs())[0]!.id);
  assert.equal((await schedules.get(other.id, EDITOR)).lastJob, undefined);
});

Deno.test("createSchedules() keeps the others going beside a row that it cannot read", async () => {
  await using shop = await openWorkshop();
  const t = await setup(shop);
  let shiftMs = 0;
  const clock = { ...shop.clock, now: () => shop.clock.now() + shiftMs };
  await using schedules = t.open({ clock });
  schedules.start();
  const made = [];
  for (const name of ["damaged", "newer", "good"]) {
    made.push((await schedules.add({ ...FEED, name, overlap: "allow" }, EDITOR)).id);
  }
  await t.pass(schedules, HOUR_MS);
  assert.equal((await t.jobs()).length, 3);
  const row = (id: string) => shop.sql.db.updateTable("schedule").where("id", "=", id);
  await row(made[0]!).set({ spec_json: '{"cron":7}' }).execute();
  await row(made[1]!).set({ format: 2 }).execute();
  // Both must be looked at: the clock is put back, then their time comes.
  shiftMs = -2 * HOUR_MS;
  await t.pass(schedules, HOUR_MS, 60_000);
  assert.equal((await t.jobs()).length, 4);
  shiftMs = HOUR_MS;
  await t.pass(schedules, HOUR_MS + 60_000, 60_000);
  assert.equal((await t.jobs()).length, 5);
  assert.deepEqual((await schedules.list({}, EDITOR)).items.map(({ name }) => name), ["good"]);
  await assert.rejects(schedules.get(made[1]!, EDITOR), { code: "conflict" });
  await schedules.remove(made[1]!, EDITOR);
});
