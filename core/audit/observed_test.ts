import assert from "node:assert/strict";
import type { PermissionUse } from "../../sandbox/audit_use.ts";
import { NOTHING_DECLARED } from "../plugins/grants.ts";
import type { DeclaredGrants } from "../plugins/plugins.ts";
import {
  entriesOf,
  observe,
  type ObservedUse,
  readUses,
  tightened,
  useEvents,
} from "./observed.ts";
import { openAuditDesk } from "./testing.ts";

const declare = (grants: Partial<DeclaredGrants>): DeclaredGrants => ({
  ...NOTHING_DECLARED,
  ...grants,
});

const use = (
  permission: string,
  value: string,
  more: Partial<ObservedUse> = {},
): ObservedUse => ({
  permission,
  value,
  granted: true,
  count: 1,
  first: "2026-01-01T00:00:00Z",
  last: "2026-01-01T00:00:00Z",
  entries: [],
  ...more,
});

const net = (value: string) => ({ permission: "net", value });

Deno.test("entriesOf() finds a host by its name, its wildcard and its port", () => {
  const declared = declare({
    net: ["a.example", "a.example:8080", "*.b.example", "c.example:443"],
  });
  const entries = (value: string) => entriesOf(net(value), declared);
  assert.deepEqual(entries("a.example:443"), ["a.example"]);
  assert.deepEqual(entries("a.example:8080"), ["a.example:8080"]);
  for (
    const value of ["b.example:443", "x.b.example:443", "x.y.b.example:443", "*.b.example:443"]
  ) {
    assert.deepEqual(entries(value), ["*.b.example"], value);
  }
  for (const value of ["xb.example:443", "b.example:80", "d.example:443", "a.example"]) {
    assert.deepEqual(entries(value), [], value);
  }
});

Deno.test("entriesOf() gives the job's site what no other entry covers", () => {
  const declared = declare({ net: ["api.example:443", "${source.site}"] });
  assert.deepEqual(entriesOf(net("api.example:443"), declared), ["api.example:443"]);
  assert.deepEqual(entriesOf(net("*.news.example:443"), declared), ["${source.site}"]);
  const both = declare({ net: ["public", "${source.site}"] });
  assert.deepEqual(entriesOf(net("x.example:443"), both), ["public", "${source.site}"]);
});

Deno.test("entriesOf() looks a setting up, and guesses where it does not know it", () => {
  const declared = declare({ net: ["${config.base_url}", "${source.site}"] });
  const config = { base_url: "http://model.example:11434/v1" };
  assert.deepEqual(entriesOf(net("model.example:11434"), declared, { config }), [
    "${config.base_url}",
  ]);
  assert.deepEqual(entriesOf(net("x.example:443"), declared, { config }), ["${source.site}"]);
  assert.deepEqual(
    entriesOf(net("127.0.0.1:11434"), declared, { config: { base_url: "127.0.0.1:11434" } }),
    ["${config.base_url}"],
  );
  for (const context of [{}, { config: { base_url: 7 } }]) {
    assert.deepEqual(entriesOf(net("x.example:443"), declared, context), declared.net);
  }
});

Deno.test("entriesOf() finds a file by its folder", () => {
  const declared = declare({ read: ["/books", "${data}/cache", "/"], write: ["${data}"] });
  const read = (value: string, dataDir?: string) =>
    entriesOf({ permission: "read", value }, declared, { dataDir });
  assert.deepEqual(read("/books/a.txt", "/d"), ["/books", "/"]);
  assert.deepEqual(read("/d/cache/x", "/d"), ["${data}/cache", "/"]);
  assert.deepEqual(read("/bookshop", "/d"), ["/"]);
  assert.deepEqual(entriesOf({ permission: "write", value: "/d/x" }, declared), ["${data}"]);
});

Deno.test("entriesOf() finds what is named by its name, and nothing for what nobody declares", () => {
  const declared = declare({ env: ["TOKEN"], services: ["search"], calls: ["text.generate"] });
  assert.deepEqual(entriesOf({ permission: "env", value: "TOKEN" }, declared), ["TOKEN"]);
  assert.deepEqual(entriesOf({ permission: "services", value: "search" }, declared), ["search"]);
  assert.deepEqual(entriesOf({ permission: "calls", value: "text.x" }, declared), []);
  assert.deepEqual(entriesOf({ permission: "run", value: "sh" }, declared), []);
});

const DECLARED = declare({
  net: ["a.example", "*.b.example", "${source.site}", "late.example"],
  read: ["/books", "/papers"],
  env: ["TOKEN"],
  services: ["search", "cache"],
  calls: ["text.generate"],
  match: ["https://a.example/*"],
});
const GRANTED = { ...DECLARED, net: DECLARED.net.slice(0, 3) };

Deno.test("observe() sets what was used against what is declared", () => {
  const observation = observe(DECLARED, GRANTED, [
    use("net", "x.b.example:443", { count: 3, last: "2026-02-01T00:00:00Z" }),
    use("net", "*.b.example:443", { count: 2, first: "2025-12-01T00:00:00Z" }),
    use("net", "news.example:443", { entries: ["${source.site}"] }),
    use("read", "/books", { count: 7 }),
    use("services", "search"),
    use("net", "late.example:443", { granted: false, count: 4 }),
    use("read", "/etc/passwd", { granted: false }),
    use("net", "evil.example:443", { granted: false }),
  ]);
  const { entries, unused, refused } = observation;
  assert.deepEqual(
    entries.filter(({ count }) => count > 0).map(({ value, count }) => [value, count]),
    [["*.b.example", 5], ["${source.site}", 1], ["/books", 7], ["search", 1]],
  );
  const wildcard = entries.find(({ value }) => value === "*.b.example")!;
  assert.deepEqual([wildcard.first, wildcard.last, wildcard.granted], [
    "2025-12-01T00:00:00Z",
    "2026-02-01T00:00:00Z",
    true,
  ]);
  assert.deepEqual(entries.find(({ value }) => value === "late.example"), {
    permission: "net",
    value: "late.example",
    granted: false,
    count: 0,
    first: undefined,
    last: undefined,
  });
  assert.deepEqual(unused.map(({ value }) => value), [
    "a.example",
    "/papers",
    "TOKEN",
    "cache",
    "text.generate",
  ]);
  assert.deepEqual(refused.map(({ value, count, entries }) => [value, count, entries]), [
    ["late.example:443", 4, ["late.example"]],
    ["/etc/passwd", 1, []],
    ["evil.example:443", 1, []],
  ]);
});

Deno.test("tightened() leaves the grants that were used, and adds none", () => {
  const uses = [
    use("net", "x.b.example:443"),
    use("read", "/papers"),
    use("calls", "text.generate"),
    use("net", "late.example:443"),
  ];
  assert.deepEqual(tightened(GRANTED, observe(DECLARED, GRANTED, uses)), {
    net: ["*.b.example"],
    read: ["/papers"],
    write: [],
    env: [],
    run: [],
    services: [],
    calls: ["text.generate"],
    events: [],
    match: ["https://a.example/*"],
  });
  assert.deepEqual(tightened(GRANTED, observe(DECLARED, GRANTED, [])), {
    ...NOTHING_DECLARED,
    match: GRANTED.match,
  });
});

const asked = (value: string, granted = true): PermissionUse => ({
  permission: "net",
  value,
  granted,
  count: 2,
  first: "2026-01-01T00:00:01Z",
  last: "2026-01-01T00:00:02Z",
});

Deno.test("useEvents() and readUses() take uses through the audit and back", async () => {
  await using desk = await openAuditDesk();
  const audit = await desk.open();
  const runs = [
    { digest: "d1", uses: [asked("x.b.example:443"), asked("evil.example:443", false)] },
    { digest: "d1", uses: [asked("x.b.example:443"), asked("news.example:443")] },
    { digest: "d2", uses: [asked("a.example:443")] },
  ];
  for (const { digest, uses } of runs) {
    const context = { plugin: "import.x", digest, job: "job_1", granted: GRANTED };
    for (const event of useEvents(uses, { ...context, truncated: digest === "d2" })) {
      audit.append(event);
    }
    desk.clock.advance(60_000);
  }
  audit.append({ event: "permission.used", plugin: "import.x", details: { odd: 1 } });
  audit.append({ event: "permission.used", plugin: "import.y", details: {} });
  audit.append({
    event: "permission.used",
    plugin: "import.x",
    details: { permission: "services", value: "search" },
  });

  const all = await readUses(audit, { plugin: "import.x" });
  assert.deepEqual(
    all.map(({ value, granted, count, entries }) => [value, granted, count, entries]).sort(),
    [
      ["a.example:443", true, 2, ["a.example"]],
      ["evil.example:443", false, 2, []],
      ["news.example:443", true, 2, ["${source.site}"]],
      ["search", true, 1, []],
      ["x.b.example:443", true, 4, ["*.b.example"]],
    ],
  );
  assert.deepEqual(all.find(({ value }) => value === "search")!.last, "2026-01-01T00:03:00.000Z");
  const old = await readUses(audit, { plugin: "import.x", digest: "d1" });
  assert.deepEqual(old.map(({ value }) => value).sort(), [
    "evil.example:443",
    "news.example:443",
    "x.b.example:443",
  ]);
  const late = await readUses(audit, { plugin: "import.x", since: "2026-01-01T00:01:30Z" });
  assert.deepEqual(late.map(({ value }) => value).sort(), ["a.example:443", "search"]);
  assert.deepEqual(tightened(GRANTED, observe(DECLARED, GRANTED, old)).net, [
    "*.b.example",
    "${source.site}",
  ]);
  const rows = desk.rows().filter(({ event }) => String(event).startsWith("permission."));
  assert.deepEqual(rows.map(({ event }) => event).slice(0, 3), [
    "permission.used",
    "permission.denied",
    "permission.used",
  ]);
  assert.equal((await audit.verify()).ok, true);
});

Deno.test("readUses() reads page by page and keeps so many values", async () => {
  await using desk = await openAuditDesk();
  const audit = await desk.open();
  for (let index = 0; index < 2100; index++) {
    audit.append({
      event: "permission.denied",
      plugin: "import.x",
      details: { permission: "read", value: `/${index}` },
    });
  }
  assert.equal((await readUses(audit, { plugin: "import.x" })).length, 2000);
});
