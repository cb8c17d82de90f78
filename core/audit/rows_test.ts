import assert from "node:assert/strict";
import { openAuditDesk, openFilledDesk, sampleEvent } from "./testing.ts";

Deno.test("list() gives the newest first, page by page", async () => {
  await using desk = await openAuditDesk();
  const audit = await desk.open();
  for (let index = 0; index < 7; index++) {
    audit.append(sampleEvent(index));
    if (index % 2 === 0) desk.clock.advance(1000);
  }
  const seen: number[] = [];
  let cursor: string | undefined;
  do {
    const page = await audit.list({ limit: 3, cursor });
    assert.ok(page.items.length <= 3);
    seen.push(...page.items.map(({ seq }) => seq));
    cursor = page.cursor;
  } while (cursor !== undefined);
  assert.deepEqual(seen, [7, 6, 5, 4, 3, 2, 1]);
});

Deno.test("list() takes those of a plugin, of an event and of a time", async () => {
  await using desk = await openAuditDesk();
  const audit = await desk.open();
  for (let index = 0; index < 6; index++) {
    audit.append(sampleEvent(index));
    desk.clock.advance(1000);
  }
  const numbers = async (filter: Parameters<typeof audit.list>[0]) =>
    (await audit.list(filter)).items.map(({ seq }) => seq);
  assert.deepEqual(await numbers({ plugin: "import.sample1" }), [5, 2]);
  assert.deepEqual(await numbers({ event: "runner.started" }), [6, 4, 2]);
  assert.deepEqual(await numbers({ plugin: "import.sample1", event: "runner.started" }), [2]);
  assert.deepEqual(await numbers({ since: "2026-01-01T01:00:04+01:00" }), [6, 5]);
  assert.deepEqual(await numbers({ limit: 0 }), [6]);
});

Deno.test("list() gives a row as it was handed in", async () => {
  await using desk = await openAuditDesk();
  const audit = await desk.open();
  audit.append(sampleEvent(4));
  audit.append({ event: "host.stopped" });
  assert.deepEqual((await audit.list()).items, [
    {
      host: "local",
      seq: 2,
      time: "2026-01-01T00:00:00.000Z",
      event: "host.stopped",
      plugin: undefined,
      digest: undefined,
      actor: "host",
      job: undefined,
      details: {},
    },
    {
      host: "local",
      seq: 1,
      time: "2026-01-01T00:00:00.000Z",
      ...sampleEvent(4),
    },
  ]);
});

Deno.test("list() refuses a cursor and a time that are none", async () => {
  await using desk = await openFilledDesk(1);
  for (const filter of [{ cursor: "1 or 1" }, { cursor: "" }, { since: "yesterday" }]) {
    await assert.rejects(desk.audit.list(filter), { code: "invalid_parameters" });
  }
});

Deno.test("list() goes on over rows that somebody has damaged", async () => {
  await using desk = await openFilledDesk(3);
  desk.tamper("update audit set details_json = 'x' where seq = 1");
  desk.tamper("update audit set details_json = '[1]' where seq = 2");
  desk.tamper("update audit set seq = 9223372036854775807 where seq = 3");
  const { items } = await desk.audit.list();
  assert.deepEqual(items.map(({ details }) => Object.keys(details).length), [2, 0, 0]);
});

Deno.test("the lists of the audit use their indexes", async () => {
  await using desk = await openAuditDesk();
  const { DatabaseSync } = await import("node:sqlite");
  using db = new DatabaseSync(`${desk.dir}/library.db`);
  const order = "order by time desc, host desc, seq desc limit 10";
  for (
    const [where, index] of [
      ["", "audit_time"],
      ["where plugin = 'x' and time >= '2026'", "audit_plugin"],
      ["where event = 'x'", "audit_event"],
    ] as const
  ) {
    const plan = db.prepare(`explain query plan select * from audit ${where} ${order}`).all()
      .map(({ detail }) => String(detail)).join("; ");
    assert.match(plan, new RegExp(index));
    assert.doesNotMatch(plan, /TEMP B-TREE/);
  }
});
