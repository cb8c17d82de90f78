import assert from "node:assert/strict";
import { workHost } from "../../http/testing/work_host.ts";
import { EXIT } from "../errors.ts";
import { localTime } from "../local_time.ts";
import { carrel as run } from "../testing/carrel.ts";
import { testIo } from "../testing/io.ts";

async function setup() {
  const host = await workHost();
  const env = { CARREL_TOKEN: host.tokens.editor };
  return {
    host,
    env,
    carrel: (...args: string[]) => run([...args, "--url", host.url], { env }),
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  };
}

Deno.test("localTime() shows a time by the clock on the wall", () => {
  assert.equal(localTime("2026-07-31T22:05:12Z", "Europe/Berlin"), "2026-08-01 00:05:12");
  assert.equal(localTime("2026-01-31T22:05:12Z", "UTC"), "2026-01-31 22:05:12");
  assert.equal(localTime(null), "–");
  assert.equal(localTime("soon"), "soon");
});

Deno.test("carrel schedule adds, lists, shows, switches, runs and removes", async () => {
  await using t = await setup();
  assert.match((await t.carrel("schedule", "list")).err, /No schedules/);
  const added = await t.carrel(
    "schedule",
    "add",
    "--every",
    "1h",
    "--import",
    "https://feed.example/",
    "--json",
  );
  assert.equal(added.exit, EXIT.ok, added.err);
  const { id, name, spec } = JSON.parse(added.out);
  assert.equal(name, "import https://feed.example/, every 1h");
  assert.deepEqual(spec, { every_s: 3600 });
  const next = localTime("2026-01-01T01:00:00Z");
  const list = await t.carrel("schedule", "list");
  assert.ok(list.out.includes(next), list.out);
  const weekly = await t.carrel(
    "schedule",
    "add",
    "--cron",
    "0 7 * * MON",
    "--timezone",
    "Europe/Berlin",
    "--workflow",
    "digest",
    "--input",
    "days=7",
    "--json",
  );
  assert.deepEqual(JSON.parse(weekly.out).work, {
    workflow: { name: "digest", inputs: { days: 7 } },
  });
  const shown = await t.carrel("schedule", "show", JSON.parse(weekly.out).id);
  assert.match(shown.out, /0 7 \* \* MON \(Europe\/Berlin\)/);
  assert.ok(shown.out.includes(localTime("2026-01-05T06:00:00Z")), shown.out);
  assert.match((await t.carrel("schedule", "disable", id)).out, /off/);
  assert.ok((await t.carrel("schedule", "enable", id)).out.includes(next));
  assert.match((await t.carrel("schedule", "run", id)).out, /^job_/);
  assert.match((await t.carrel("schedule", "remove", id)).out, /removed/);
  assert.equal((await t.carrel("schedule", "show", id)).exit, EXIT.failed);
});

Deno.test("carrel schedule add refuses a line that says too little or too much", async () => {
  await using t = await setup();
  for (
    const args of [
      ["--import", "https://feed.example/"],
      ["--every", "1h"],
      ["--every", "1h", "--at", "2030-01-01T00:00", "--import", "https://feed.example/"],
      ["--every", "1h", "--import", "https://feed.example/", "--workflow", "w"],
      ["--every", "soon", "--workflow", "w"],
      ["--every", "59s", "--workflow", "w"],
      ["--every", "1h", "--import", "notes.txt"],
      ["--at", "soon", "--workflow", "w"],
      ["--every", "1h", "--timezone", "UTC", "--workflow", "w"],
    ]
  ) assert.equal((await t.carrel("schedule", "add", ...args)).exit, EXIT.usage, args.join(" "));
});

Deno.test("carrel events shows what happened, and follows what happens until Ctrl-C", async () => {
  await using t = await setup();
  const me = await t.host.user("editor");
  assert.match((await t.carrel("events")).err, /No events/);
  await t.host.append(
    ["content.imported", "content_1", me],
    ["notify", "run_1", me],
    ["notify", "run_2", "somebody"],
  );
  const all = await t.carrel("events");
  assert.match(all.out, /content\.imported +content_1 +About content_1\n/);
  assert.doesNotMatch(all.out, /run_2/);
  const some = await t.carrel("events", "content.*", "--json");
  assert.deepEqual(JSON.parse(some.out).items.map(({ seq }: { seq: number }) => seq), [1]);
  assert.match((await t.carrel("events", "--limit", "1", "--after", "0")).err, /More: --after 1/);

  const io = testIo({ env: t.env });
  const following = run(
    ["events", "--follow", "--after", "1", "--json", "--url", t.host.url],
    {},
    io,
  );
  await t.host.append(["notify", "run_3", me]);
  const deadline = Date.now() + 30_000;
  while (!io.outText().includes("run_3")) {
    assert.ok(Date.now() < deadline);
    await new Promise((resolve) => setTimeout(resolve));
  }
  io.interrupt();
  const { exit, out } = await following;
  assert.equal(exit, EXIT.interrupted);
  assert.deepEqual(
    out.trim().split("\n").map((line) => JSON.parse(line).subject),
    ["run_1", "run_3"],
  );
});
