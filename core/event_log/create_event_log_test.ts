import assert from "node:assert/strict";
import { DAY_MS } from "../jobs/clock.ts";
import { JobWaits } from "../jobs/job.ts";
import { counting, noop, openWorkshop, within, type Workshop } from "../jobs/testing.ts";
import { createEventLog, type CreateEventLogOptions } from "./create_event_log.ts";
import type { EventLog, LoggedEvent, NewEvent } from "./event_log.ts";
import { logJobEnds } from "./job_ends.ts";

const event = (more: Partial<NewEvent> = {}): NewEvent => ({
  name: "content.imported",
  subject: "content_1",
  payload: { title: "A desk" },
  user: "user_1",
  ...more,
});

function openLog(shop: Workshop, options: Partial<CreateEventLogOptions> = {}) {
  return createEventLog({
    sql: shop.sql,
    clock: shop.clock,
    engine: () => {
      throw new Error("no run waits");
    },
    ...options,
  });
}

async function append(shop: Workshop, log: EventLog, ...events: Partial<NewEvent>[]) {
  await shop.sql.transaction(async (tx) => {
    for (const one of events) await log.append(tx, event(one));
  });
  log.wake();
}

async function take(events: AsyncIterable<LoggedEvent>, count: number): Promise<LoggedEvent[]> {
  const seen: LoggedEvent[] = [];
  for await (const one of events) {
    seen.push(one);
    if (seen.length === count) break;
  }
  return seen;
}

Deno.test("append() goes with its transaction, and refuses what is no event", async () => {
  await using shop = await openWorkshop();
  await using log = openLog(shop);
  await append(shop, log, {});
  await assert.rejects(shop.sql.transaction(async (tx) => {
    await log.append(tx, event({ subject: "content_2" }));
    throw new Error("no");
  }));
  assert.deepEqual(await log.read(0), [{
    seq: 1,
    name: "content.imported",
    subject: "content_1",
    payload: { title: "A desk" },
    user: "user_1",
    time: "2026-01-01T00:00:00.000Z",
  }]);
  for (
    const wrong of [
      { name: "content.eaten" },
      { name: "custom" },
      { name: "custom.X" },
      { subject: "x".repeat(300) },
      { payload: { text: "é".repeat(33_000) } },
    ]
  ) {
    await assert.rejects(append(shop, log, wrong), { code: "invalid_parameters" });
  }
  await append(shop, log, { name: "custom.done", payload: { text: "x".repeat(65_000) } });
  assert.equal(await log.newest(), 2);
});

Deno.test("read() picks by name, beginning of a name, subject and user", async () => {
  await using shop = await openWorkshop();
  await using log = openLog(shop);
  await append(
    shop,
    log,
    {},
    { name: "artifact.created", subject: "artifact_1" },
    { name: "artifact.deleted", subject: "artifact_1", user: "user_2" },
    { name: "notify", subject: undefined, user: "host" },
  );
  const seqs = async (...args: Parameters<EventLog["read"]>) =>
    (await log.read(...args)).map(({ seq }) => seq);
  assert.deepEqual(await seqs(0), [1, 2, 3, 4]);
  assert.deepEqual(await seqs(1, undefined, 2), [2, 3]);
  assert.deepEqual(await seqs(0, { names: ["artifact.*", "notify"] }), [2, 3, 4]);
  assert.deepEqual(await seqs(0, { names: ["*"] }), [1, 2, 3, 4]);
  assert.deepEqual(await seqs(0, { names: [] }), []);
  assert.deepEqual(await seqs(0, { subject: "artifact_1", user: "user_1" }), [2]);
  assert.deepEqual(await seqs(0, { user: "user_2" }), [3, 4]);
  await assert.rejects(log.read(0, { names: ["art*"] }), { code: "invalid_parameters" });
  const live = log.watch({ afterSeq: 0, names: ["artifact.*"], user: "user_2" });
  assert.deepEqual((await take(live, 1)).map(({ seq }) => seq), [3]);
});

Deno.test("watch() costs one read for 500 listeners, and begins again where one left", async () => {
  await using shop = await openWorkshop();
  const counted = counting(shop.sql);
  await using log = openLog(shop, { sql: counted.sql });
  await append(shop, log, {}, {});
  const before = counted.statements();
  const listeners = Array.from(
    { length: 500 },
    (_, at) => take(log.watch({ user: `user_${at % 2}` }), at % 2 === 0 ? 1 : 3),
  );
  const first = log.watch({})[Symbol.asyncIterator]();
  const third = first.next();
  await log.newest();
  await append(shop, log, {}, { user: "host" }, {});
  assert.equal((await within(third)).value.seq, 3);
  for (const [at, seen] of (await within(Promise.all(listeners))).entries()) {
    assert.deepEqual(seen.map(({ seq }) => seq), at % 2 === 0 ? [4] : [3, 4, 5]);
  }
  // The number of the newest twice, here and by the log; and what came then.
  assert.equal(counted.statements() - before, 3);
  assert.deepEqual((await take(log.watch({ afterSeq: 3 }), 2)).map(({ seq }) => seq), [4, 5]);
  await first.return!();
});

/** A run that waits, with its journal as the handler of runs would have written it. */
async function addRun(shop: Workshop, id: string, waitsFor: string, user = "user_1") {
  await shop.sql.db.insertInto("workflow_run").values({
    id,
    workflow: "w",
    digest: "",
    format: 1,
    definition_json: "{}",
    inputs_json: "{}",
    until_ms: null,
    retry_from: null,
    ensure_key: null,
    forked_from: null,
    user_id: user,
    created: "",
  }).execute();
  await shop.sql.db.insertInto("run_step").values({
    run_id: id,
    path: "wait",
    kind: "wait",
    state: "waiting",
    job_id: null,
    input_json: null,
    result_json: null,
    error_json: null,
    wait_event: waitsFor,
    wait_seq: 0,
    wake_ms: null,
    started: "",
    ended: null,
  }).execute();
}

Deno.test("append() lets the runs go on whose steps wait for an event of this name, and no others", async () => {
  await using shop = await openWorkshop();
  const ran: string[] = [];
  const engine = shop.engine({
    handlers: {
      noop: {
        async run({ job }) {
          ran.push(job.id);
          if (ran.filter((id) => id === job.id).length > 1) return;
          throw new JobWaits("for an event", async () => {}, { for: "signal" });
        },
      },
    },
  });
  await using log = openLog(shop, { engine: () => engine });
  await engine.start();
  const waits = async (id: string) => {
    for await (const { status } of engine.jobs.watch(id, {})) if (status === "waiting") return;
  };
  const { id } = await engine.jobs.add(noop());
  const { id: other } = await engine.jobs.add(noop());
  await within(Promise.all([waits(id), waits(other)]));
  await addRun(shop, id, "custom.go");
  await addRun(shop, other, "custom.stay");
  await append(shop, log, { name: "custom.gone" });
  assert.equal((await engine.jobs.get(id)).status, "waiting");
  await append(shop, log, { name: "custom.go" });
  assert.equal((await within(engine.jobs.finished(id))).status, "completed");
  assert.equal((await engine.jobs.get(other)).status, "waiting");
  const runs = await shop.sql.db.selectFrom("workflow_run").select(["id", "version"]).execute();
  assert.deepEqual(
    new Map(runs.map((run) => [run.id, run.version])),
    new Map([[id, 1], [other, 0]]),
  );
});

const versions = async (shop: Workshop) =>
  (await shop.sql.db.selectFrom("workflow_run").select(["id", "version"]).orderBy("id").execute())
    .map(({ id, version }) => `${id} ${version}`);

Deno.test("append() tells no run of what its user may not see", async () => {
  await using shop = await openWorkshop();
  const engine = shop.engine({});
  await using log = openLog(shop, { engine: () => engine });
  for (const [id, role] of [["user_1", "editor"], ["user_2", "editor"], ["user_3", "admin"]]) {
    await shop.sql.db.insertInto("user")
      .values({ id: id!, name: id!, role: role!, created: "" }).execute();
    await addRun(shop, `run_of_${id}`, "notify", id);
  }
  await append(shop, log, { name: "notify", user: "user_1" });
  assert.deepEqual(await versions(shop), ["run_of_user_1 1", "run_of_user_2 0", "run_of_user_3 1"]);
  await append(shop, log, { name: "notify", user: "host" });
  assert.deepEqual(await versions(shop), ["run_of_user_1 2", "run_of_user_2 1", "run_of_user_3 2"]);
});

Deno.test("append() tells a few runs in its transaction, and however many others in short ones after it", async () => {
  await using shop = await openWorkshop();
  const engine = shop.engine({});
  await using log = openLog(shop, { engine: () => engine });
  for (let at = 100; at < 280; at++) await addRun(shop, `run_${at}`, "custom.go");
  const told = async () => (await versions(shop)).filter((run) => !run.endsWith(" 0")).length;
  await shop.sql.transaction(async (tx) => {
    await log.append(tx, event({ name: "custom.go" }));
    const { count } = await tx.selectFrom("workflow_run").where("version", ">", 0)
      .select((select) => select.fn.countAll<number>().as("count")).executeTakeFirstOrThrow();
    assert.equal(count, 50);
  });
  assert.equal(await told(), 50);
  log.wake();
  await within(log.idle());
  assert.equal(await told(), 180);
  assert.ok((await versions(shop)).every((run) => run.endsWith(" 1")));
});

Deno.test("catchUp() lets runs go on whom the last host had not told", async () => {
  await using shop = await openWorkshop();
  const engine = shop.engine({});
  await using log = openLog(shop, { engine: () => engine });
  await append(shop, log, { name: "custom.go" }, { name: "custom.go", user: "user_2" });
  for (let at = 100; at < 220; at++) await addRun(shop, `run_${at}`, "custom.go");
  await addRun(shop, "run_other", "custom.stay");
  await addRun(shop, "run_strange", "custom.go", "user_3");
  await addRun(shop, "run_told", "custom.go");
  await shop.sql.db.updateTable("run_step").set({ wait_seq: 1 }).where("run_id", "=", "run_told")
    .execute();
  await log.catchUp();
  const kept = (await versions(shop)).filter((run) => !run.endsWith(" 1"));
  assert.deepEqual(kept, ["run_other 0", "run_strange 0", "run_told 0"]);
});

Deno.test("logJobEnds() tells of jobs that somebody asked for, in the transaction that ends them", async () => {
  await using shop = await openWorkshop();
  await using log = openLog(shop);
  const engine = shop.engine({
    onEnd: logJobEnds(log),
    handlers: {
      import: {
        async run({ job }) {
          if (job.input === "bad") throw new Error("no");
          return { content: "content_1" };
        },
      },
      noop: { run: () => Promise.resolve(null) },
    },
  });
  const live = take(log.watch({ afterSeq: 0, names: ["job.*"] }), 3);
  const good = await engine.jobs.add({
    kind: "import",
    input: "good",
    user: "user_1",
    plugin: "p",
  });
  const bad = await engine.jobs.add({ kind: "import", input: "bad", user: "user_2" });
  const child = await engine.jobs.add({ kind: "import", input: "x", user: "u", parent: good.id });
  const quiet = await engine.jobs.add(noop());
  const gone = await engine.jobs.add({ kind: "export", input: null, user: "user_1" });
  await engine.jobs.cancel(gone.id);
  await engine.start();
  for (const { id } of [good, bad, child, quiet]) await within(engine.jobs.finished(id));
  const events = (await within(live)).sort((a, b) => a.name < b.name ? -1 : 1);
  assert.deepEqual(events.map(({ name, subject, user }) => [name, subject, user]), [
    ["job.cancelled", gone.id, "user_1"],
    ["job.completed", good.id, "user_1"],
    ["job.failed", bad.id, "user_2"],
  ]);
  assert.deepEqual(events[1]!.payload, {
    kind: "import",
    plugin: "p",
    result: { content: "content_1" },
  });
  assert.equal((events[2]!.payload["error"] as { code: string }).code, "internal");
  assert.equal(await log.newest(), 3);
});

Deno.test("prune() deletes what is older than its days, tells before, and keeps the count", async () => {
  await using shop = await openWorkshop();
  await using log = openLog(shop, { keepDays: 2 });
  await append(shop, log, ...Array.from({ length: 700 }, () => ({})));
  shop.clock.advance(DAY_MS);
  await append(shop, log, {}, {});
  assert.equal(await log.prune(), 0);
  shop.clock.advance(DAY_MS + 1);
  const told: number[] = [];
  assert.equal(await log.prune(async (upTo) => void told.push(upTo)), 700);
  assert.deepEqual(told, [500, 700]);
  assert.deepEqual((await log.read(0)).map(({ seq }) => seq), [701, 702]);
  shop.clock.advance(10 * DAY_MS);
  assert.equal(await log.prune(), 1);
  assert.equal(await log.newest(), 702);
  await append(shop, log, {});
  assert.equal(await log.newest(), 703);
});
