import assert from "node:assert/strict";
import { within } from "../jobs/testing.ts";
import type { SqlStore, Tx } from "../stores/sql.ts";
import { createAudit } from "./create_audit.ts";
import { codes, openAuditDesk, openFilledDesk, sampleEvent } from "./testing.ts";
import { verifyChain } from "./verify.ts";

Deno.test("append() writes what was done, in order, with its own time", async () => {
  await using desk = await openAuditDesk();
  const audit = await desk.open();
  audit.append({ event: "host.started" });
  desk.clock.advance(50);
  audit.append({
    event: "consent.granted",
    plugin: "import.arxiv",
    digest: "ab",
    actor: "user_1",
    job: "job_1",
    details: { keys: ["net:arxiv.org:443"] },
  });
  await audit.flush();
  const rows = desk.rows();
  assert.deepEqual(
    rows.map(({ seq, time, event, actor }) => ({ seq, time, event, actor })),
    [
      { seq: 1, time: "2026-01-01T00:00:00.000Z", event: "host.started", actor: "host" },
      { seq: 2, time: "2026-01-01T00:00:00.050Z", event: "consent.granted", actor: "user_1" },
    ],
  );
  assert.equal(rows[1]!.previous, rows[0]!.hash);
  assert.equal(rows[0]!.previous, "0".repeat(64));
  assert.deepEqual(desk.reports, []);
});

Deno.test("append() writes many events with one commit, by a timer", async () => {
  await using desk = await openAuditDesk();
  let commits = 0;
  const committed = Promise.withResolvers<void>();
  const store: SqlStore = {
    ...desk.store,
    transaction: async (work) => {
      const result = await desk.store.transaction(work);
      commits++;
      committed.resolve();
      return result;
    },
  };
  const audit = await desk.open({ store });
  for (let index = 0; index < 50; index++) audit.append(sampleEvent(index));
  assert.equal(desk.rows().length, 0);
  desk.clock.advance(100);
  await within(committed.promise);
  assert.deepEqual([commits, desk.rows().length], [1, 50]);
});

Deno.test("append() never throws, whatever it is given", async () => {
  await using desk = await openAuditDesk();
  const audit = await desk.open();
  const cyclic: Record<string, unknown> = {};
  cyclic.self = cyclic;
  const trap = Object.defineProperty({}, "x", {
    enumerable: true,
    get: () => {
      throw new Error("trap");
    },
  });
  for (const details of [cyclic, trap, { big: 1n, f: () => 1, s: Symbol("x"), d: new Date(NaN) }]) {
    audit.append({ event: "plugin.enabled", details: details as Record<string, unknown> });
  }
  audit.append({ event: undefined as never });
  audit.append({ event: "plugin.enabled", plugin: "a\0b\ud800" });
  assert.equal((await audit.verify()).rows, 4);
  assert.deepEqual(desk.rows().map(({ details_json }) => details_json), [
    `{"self":{"self":{"self":{"self":{"self":{"self":"\\u2026"}}}}}}`,
    `{"unreadable":true}`,
    `{"big":"1","d":null,"f":null,"s":null}`,
    "{}",
  ]);
  assert.equal(desk.rows()[3]!.plugin, "a b\ufffd");
  assert.equal(desk.reports.length, 1);
  assert.equal((await audit.verify()).ok, true);
});

Deno.test("append() counts what is too much in one row", async () => {
  await using desk = await openAuditDesk();
  const audit = await desk.open({ maxQueued: 10 });
  for (let index = 0; index < 25; index++) {
    audit.append(sampleEvent(index));
    desk.clock.advance(1);
  }
  await audit.flush();
  audit.append({ event: "host.stopped" });
  await audit.flush();
  const rows = desk.rows();
  assert.deepEqual(rows.slice(10).map(({ event }) => event), ["audit.overflow", "host.stopped"]);
  assert.deepEqual(JSON.parse(String(rows[10]!.details_json)), {
    count: 15,
    first: "2026-01-01T00:00:00.010Z",
    last: "2026-01-01T00:00:00.024Z",
  });
  assert.equal((await audit.verify()).ok, true);
});

Deno.test("append() tries again when the store is away, and loses nothing", async () => {
  await using desk = await openAuditDesk();
  let away = false;
  const store: SqlStore = {
    ...desk.store,
    transaction: (work) => away ? Promise.reject(new Error("away")) : desk.store.transaction(work),
  };
  const audit = await desk.open({ store });
  away = true;
  audit.append(sampleEvent(0));
  await audit.flush();
  audit.append(sampleEvent(1));
  assert.match(String(desk.reports), /away/);
  assert.equal(desk.rows().length, 0);
  away = false;
  desk.clock.advance(1000);
  await audit.flush();
  assert.deepEqual(desk.rows().map(({ job }) => job), ["job_0", "job_1"]);
});

Deno.test("appendIn() is committed with its transaction, or not at all", async () => {
  await using desk = await openAuditDesk();
  const audit = await desk.open();
  const { store } = desk;
  await store.transaction((tx) => audit.appendIn(tx, sampleEvent(0)));
  await assert.rejects(store.transaction(async (tx) => {
    await audit.appendIn(tx, sampleEvent(1));
    throw new Error("rolled back");
  }));
  await store.transaction(async (tx) => {
    await Promise.all([2, 3, 4].map((index) => audit.appendIn(tx, sampleEvent(index))));
  });
  assert.deepEqual(desk.rows().map(({ seq, job }) => [seq, job]), [
    [1, "job_0"],
    [2, "job_2"],
    [3, "job_3"],
    [4, "job_4"],
  ]);
  const { ok, unvouched } = await audit.verify();
  assert.deepEqual([ok, unvouched], [true, 0]);
});

Deno.test("appendIn() has its head written soon, without another event", async () => {
  await using desk = await openAuditDesk();
  const audit = await desk.open();
  await desk.store.transaction((tx) => audit.appendIn(tx, sampleEvent()));
  const { store, files, clock } = desk;
  const check = () => verifyChain({ store, host: "local", files });
  assert.equal((await check()).unvouched, 1);
  assert.equal(clock.timers, 1);
  clock.advance(100);
  await audit.flush();
  assert.equal((await check()).unvouched, 0);
});

Deno.test("appendIn() throws what the store throws", async () => {
  await using desk = await openAuditDesk();
  const audit = await desk.open();
  let kept: Tx | undefined;
  await desk.store.transaction((tx) => Promise.resolve(void (kept = tx)));
  await assert.rejects(audit.appendIn(kept!, sampleEvent()));
});

Deno.test("append() and appendIn() at once give one chain without a gap", async () => {
  await using desk = await openAuditDesk();
  const audit = await desk.open();
  const { store, clock } = desk;
  await Promise.all(Array.from({ length: 60 }, async (_, index) => {
    audit.append(sampleEvent(index));
    clock.advance(30);
    await store.transaction(async (tx) => {
      await audit.appendIn(tx, sampleEvent(1000 + index));
      if (index % 5 === 0) throw new Error("rolled back");
    }).catch(() => {});
    if (index % 7 === 0) await audit.flush();
  }));
  const result = await audit.verify();
  assert.deepEqual([result.problems, result.rows, result.unvouched], [[], 60 + 48, 0]);
  assert.deepEqual(desk.reports, []);
});

Deno.test("createAudit() goes on with the chain of the start before", async () => {
  await using desk = await openFilledDesk(3);
  await desk.audit[Symbol.asyncDispose]();
  desk.audit.append({ event: "host.stopped" }); // too late
  const audit = await desk.open();
  audit.append({ event: "host.started" });
  const { ok, rows } = await audit.verify();
  assert.deepEqual([ok, rows], [true, 4]);
});

Deno.test("createAudit() makes its key and head at the first start, for the owner only", async () => {
  await using desk = await openAuditDesk();
  await desk.open();
  for (const path of [desk.files.keyFile, desk.files.headFile]) {
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
  }
  assert.match(await Deno.readTextFile(desk.files.keyFile), /^[0-9a-f]{64}\n$/);
});

Deno.test("createAudit() takes a first start that was cut off between head and key for a first start", async () => {
  await using desk = await openAuditDesk();
  await desk.open();
  await Deno.remove(desk.files.keyFile);
  const audit = await desk.open();
  audit.append({ event: "host.started" });
  const { ok, rows } = await audit.verify();
  assert.deepEqual([ok, rows], [true, 1]);
});

Deno.test("createAudit() finds nothing wrong when nothing was written yet", async () => {
  await using desk = await openAuditDesk();
  await (await desk.open())[Symbol.asyncDispose]();
  const { ok, rows } = await (await desk.open()).verify();
  assert.deepEqual([ok, rows], [true, 0]);
});

Deno.test("createAudit() takes rows without their head for a crash when they are sealed", async () => {
  await using desk = await openFilledDesk(3);
  const { store, files, audit } = desk;
  const head = await Deno.readFile(files.headFile);
  audit.append(sampleEvent(3));
  await audit[Symbol.asyncDispose]();
  // The power went between the commit and the head.
  await Deno.writeFile(files.headFile, head);
  const between = await verifyChain({ store, host: "local", files });
  assert.deepEqual([between.ok, between.unvouched], [true, 1]);
  const after = await (await desk.open()).verify();
  assert.deepEqual([after.ok, after.rows, after.unvouched], [true, 4, 0]);
});

Deno.test("createAudit() keeps a temporary head that a crash left from being in its way", async () => {
  await using desk = await openFilledDesk(1);
  await Deno.writeTextFile(`${desk.files.headFile}.tmp`, "half");
  desk.audit.append(sampleEvent(1));
  assert.equal((await desk.audit.verify()).ok, true);
  assert.deepEqual(desk.reports, []);
});

Deno.test("createAudit() writes down that rows were cut off, and leaves their numbers empty", async () => {
  await using desk = await openFilledDesk(5);
  await desk.audit[Symbol.asyncDispose]();
  desk.tamper("delete from audit where seq > 3");
  const audit = await desk.open();
  audit.append({ event: "host.started" });
  const expected = [[4, "missing"], [6, "anomaly"]];
  const result = await audit.verify();
  assert.deepEqual(codes(result), expected);
  assert.match(result.problems[1]!.what, /tail_missing/);
  await audit[Symbol.asyncDispose]();
  assert.deepEqual(codes(await (await desk.open()).verify()), expected, "once, and for good");
});

Deno.test("createAudit() writes down what became of the head before it writes a new one", async () => {
  const cases: [string, (desk: Awaited<ReturnType<typeof openFilledDesk>>) => Promise<void>][] = [
    ["head_missing", ({ files }) => Deno.remove(files.headFile)],
    ["head_invalid", ({ files }) => Deno.writeTextFile(files.headFile, "{}")],
  ];
  for (const [what, harm] of cases) {
    await using desk = await openFilledDesk(3);
    await desk.audit[Symbol.asyncDispose]();
    desk.tamper("delete from audit where seq = 3");
    await harm(desk);
    const result = await (await desk.open()).verify();
    assert.deepEqual(codes(result), [[3, "anomaly"]]);
    assert.match(result.problems[0]!.what, new RegExp(what));
  }
});

Deno.test("createAudit() writes down that the head vouched for another row", async () => {
  await using desk = await openFilledDesk(3);
  await desk.audit[Symbol.asyncDispose]();
  desk.tamper(`update audit set hash = '${"a".repeat(64)}' where seq = 3`);
  const audit = await desk.open();
  assert.deepEqual(codes(await audit.verify()), [[3, "changed"], [4, "anomaly"]]);
});

Deno.test("createAudit() does not make a new key for old rows unless it is told to", async () => {
  await using desk = await openFilledDesk(2);
  const { files, store, clock } = desk;
  await desk.audit[Symbol.asyncDispose]();
  await Deno.remove(files.keyFile);
  await assert.rejects(createAudit({ store, files, clock }), {
    code: "invalid_config",
    message: /its key ".*audit\.key" is missing.*CARREL_AUDIT_RENEW=yes/,
  });
  // Nor when the rows are gone and the head is not.
  desk.tamper("create table kept as select * from audit; delete from audit");
  await assert.rejects(createAudit({ store, files, clock }), { code: "invalid_config" });
  desk.tamper("insert into audit select * from kept");

  const audit = await desk.open({ renewKey: true });
  audit.append({ event: "host.started" });
  assert.deepEqual(codes(await audit.verify()), [[1, "changed"], [2, "changed"], [3, "anomaly"]]);
  const behind = await audit.verify({ after: 3 });
  assert.deepEqual([behind.ok, behind.rows], [true, 1]);
});

Deno.test("append() does not take over the seal of a row that somebody put at the end", async () => {
  await using desk = await openFilledDesk(3);
  const { audit } = desk;
  desk.tamper(
    "insert into audit select host, 4, time, event, plugin, digest, actor, job, details_json, " +
      `previous, '${"a".repeat(64)}' from audit where seq = 3`,
  );
  await audit.flush();
  assert.match(
    await Deno.readTextFile(desk.files.headFile),
    /"seq":3,/,
    "it vouches for no such row",
  );
  audit.append(sampleEvent(9));
  assert.deepEqual(codes(await audit.verify()), [[4, "changed"]]);
  assert.equal(desk.rows()[4]!.previous, desk.rows()[2]!.hash);
  desk.tamper(
    `insert into audit select host, 4503599627370496, time, event, plugin, digest, actor, job,
    details_json, previous, hash from audit where seq = 3`,
  );
  audit.append(sampleEvent(10));
  assert.deepEqual(codes(await audit.verify()), [[4, "changed"], [null, "changed"]]);
  assert.equal(desk.rows()[5]!.seq, 6);
  assert.deepEqual(desk.reports, []);
});

Deno.test("append() leaves a gap where rows were cut off while the host runs", async () => {
  await using desk = await openFilledDesk(4);
  desk.tamper("delete from audit where seq > 2");
  desk.audit.append(sampleEvent(9));
  assert.deepEqual(codes(await desk.audit.verify()), [[3, "missing"]]);
  assert.equal(desk.rows().at(-1)!.seq, 5);
});

Deno.test("append() goes on when the head cannot be written, and says so", async () => {
  await using desk = await openFilledDesk(1);
  const { audit, files } = desk;
  const head = await Deno.readFile(files.headFile);
  await Deno.remove(files.headFile);
  await Deno.mkdir(`${files.headFile}/in-the-way`, { recursive: true });
  audit.append(sampleEvent(1));
  await audit.flush();
  assert.equal(desk.rows().length, 2);
  assert.equal(desk.reports.length, 1);
  await Deno.remove(files.headFile, { recursive: true });
  await Deno.writeFile(files.headFile, head);
  desk.clock.advance(1000);
  const { ok, unvouched } = await audit.verify();
  assert.deepEqual([ok, unvouched], [true, 0]);
});

Deno.test("the audit's table refuses changes by mistake", async () => {
  await using desk = await openFilledDesk(1);
  const { db } = desk.store;
  await assert.rejects(db.updateTable("audit").set({ actor: "x" }).execute(), /never changed/);
  await assert.rejects(db.deleteFrom("audit").execute(), /never deleted/);
});

Deno.test("append() writes no secret, wherever it stands", async () => {
  await using desk = await openAuditDesk();
  const audit = await desk.open({ mask: (text) => text.replaceAll("canary", "***") });
  audit.append({
    event: "consent.granted",
    actor: "canary",
    plugin: "x canary",
    secret: ["api_key"],
    details: {
      api_key: "value-1",
      deep: [{ api_key: { a: "value-2" } }],
      text: "has canary in it",
    },
  });
  audit.append({
    event: "config.changed",
    details: { fields: ["api_key", 7, "voice"], values: { api_key: "value-3" } },
  });
  await audit[Symbol.asyncDispose]();
  await desk.store[Symbol.asyncDispose]();
  for await (const entry of Deno.readDir(desk.dir)) {
    const text = await Deno.readTextFile(`${desk.dir}/${entry.name}`);
    assert.doesNotMatch(text, /canary|value-\d/, entry.name);
  }
});
