// deno-lint-ignore-file no-regex-spaces -- columns are what is tested
import assert from "node:assert/strict";
import { EXIT } from "../errors.ts";
import { carrel, setup } from "../testing/carrel.ts";
import { TOKEN } from "../testing/host.ts";
import { testIo } from "../testing/io.ts";

Deno.test("carrel job lists, shows, watches, cancels, retries and tells", async () => {
  await using t = await setup();
  assert.match((await t.carrel(["job", "list"])).err, /No jobs/);
  t.host.stories.push({}, {
    end: "failed",
    error: { code: "crashed", message: "it fell", log: ["ouch\x1b[2J"] },
  }, {
    end: "never",
  });
  await t.carrel(["import", "a.md", "b.md", "https://slow.org/", "--no-wait", "--parallel", "1"]);
  const list = await t.carrel(["job", "list", "--kind", "import"]);
  assert.match(list.out, /import_2  failed .*\(crashed\)/);
  assert.match(
    (await t.carrel(["job", "show", "import_1"])).out,
    /import_1  completed[\s\S]*content_1/,
  );
  assert.match((await t.carrel(["job", "show", "import_2"])).out, /it fell \(crashed, import_2\)/);
  const watched = await t.carrel(["job", "watch", "import_1", "--json"]);
  assert.deepEqual(watched.out.trim().split("\n").map((line) => JSON.parse(line).seq), [1, 2, 3]);
  assert.equal((await t.carrel(["job", "watch", "import_2"])).exit, EXIT.failed);
  assert.equal((await t.carrel(["job", "watch", "import_9"])).exit, EXIT.failed);
  const log = await t.carrel(["job", "log", "import_2"]);
  assert.match(
    log.out,
    /05:06:07\.890  extracting +40% reading[\s\S]*1 line of its log:\n.*info   ouch\ufffd\[2J/,
  );
  const open = await t.carrel(["job", "log", "import_3"]);
  assert.match(open.err, /has not ended yet/);
  assert.match((await t.carrel(["job", "cancel", "import_3"])).out, /import_3  cancelled/);
  assert.match((await t.carrel(["job", "retry", "import_2"])).out, /import_2  completed/);
  assert.match((await t.carrel(["job", "retry", "import_2", "--no-wait"])).out, /import_2/);
});

Deno.test("carrel job watch can be left, and the job goes on", async () => {
  await using t = await setup();
  t.host.stories.push({ end: "never" });
  await t.carrel(["import", "a.md", "--no-wait"]);
  const io = testIo({ env: { CARREL_TOKEN: TOKEN } });
  t.host.intercept = (seen) => {
    if (seen.path.endsWith("/events")) io.interrupt();
    return undefined;
  };
  const { exit, err } = await carrel(["job", "watch", "import_1", "--url", t.host.url], {}, io);
  assert.equal(exit, EXIT.interrupted);
  assert.match(err, /the jobs go on\./);
});

Deno.test("carrel job list takes what the server filters by, a time also as an age", async () => {
  await using t = await setup();
  await t.carrel(["job", "list", "--failed", "--code", "crashed", "--plugin", "p", "--user", "u"]);
  assert.deepEqual(t.host.last("GET", "/api/jobs")!.query, {
    limit: "20",
    status: "failed",
    code: "crashed",
    plugin: "p",
    user: "u",
  });
  await t.carrel(["job", "list", "--since", "2026-01-31"]);
  assert.equal(t.host.last("GET", "/api/jobs")!.query.since, "2026-01-31T00:00:00.000Z");
  await t.carrel(["job", "list", "--since", "1h"]);
  const since = Date.parse(t.host.last("GET", "/api/jobs")!.query.since!);
  assert.ok(Math.abs(Date.now() - 3_600_000 - since) < 60_000);
  assert.equal((await t.carrel(["job", "list", "--since", "yesterday"])).exit, EXIT.usage);
});

Deno.test("carrel job retry takes a stage, or all failed ones after a yes", async () => {
  await using t = await setup();
  t.host.stories.push({ end: "failed", error: { code: "crashed", message: "it fell" } });
  await t.carrel(["import", "a.md", "--no-wait"]);
  await t.carrel(["job", "retry", "import_1", "--from", "extracting", "--no-wait"]);
  assert.deepEqual(t.host.last("POST", "/api/jobs/import_1/retry")!.body, { from: "extracting" });
  assert.equal((await t.carrel(["job", "retry"])).exit, EXIT.usage);
  assert.equal((await t.carrel(["job", "retry", "import_1", "--all"])).exit, EXIT.usage);

  const nobody = await t.carrel(["job", "retry", "--all", "--code", "crashed"]);
  assert.equal(nobody.exit, EXIT.usage);
  assert.match(nobody.err, /say --yes/);
  assert.equal(t.host.last("POST", "/api/jobs/retry"), undefined);
  const all = await t.carrel(["job", "retry", "--all", "--code", "crashed", "--max", "5", "--yes"]);
  assert.deepEqual(t.host.last("POST", "/api/jobs/retry")!.body, {
    filter: { code: "crashed" },
    max: 5,
  });
  assert.equal(all.exit, EXIT.failed);
  assert.match(all.out, /3 jobs started again, 1 refused:[\s\S]*import_9 +conflict +it has been/);
  assert.match(all.err, /There are more/);
});

Deno.test("carrel job prune counts with --dry-run, and deletes with --yes", async () => {
  await using t = await setup();
  const dry = await t.carrel(["job", "prune", "--older-than", "2w", "--dry-run"]);
  assert.match(dry.out, /7 jobs would go\nevents and logs of 1 run would go/);
  assert.deepEqual(t.host.last("POST", "/api/jobs/prune")!.body, {
    older_than_days: 14,
    dry_run: true,
  });
  assert.equal((await t.carrel(["job", "prune", "--older-than", "12h"])).exit, EXIT.usage);
  const gone = await t.carrel([
    "job",
    "prune",
    "--older-than",
    "12h",
    "--status",
    "failed",
    "--yes",
  ]);
  assert.match(gone.out, /7 jobs gone/);
  assert.deepEqual(t.host.last("POST", "/api/jobs/prune")!.body, {
    older_than_days: 0.5,
    status: "failed",
    dry_run: false,
  });
  assert.equal((await t.carrel(["job", "prune", "--older-than", "soon"])).exit, EXIT.usage);
});

Deno.test("carrel job log --follow prints lines until the job has ended", async () => {
  await using t = await setup();
  t.host.stories.push({ end: "failed", error: { code: "crashed", message: "it fell" } });
  await t.carrel(["import", "a.md", "--no-wait"]);
  const line = (seq: number) => ({
    seq,
    time: "2030-01-01T05:06:07.890Z",
    level: "warn",
    message: `m${seq}`,
  });
  const pages = [[line(1), line(2)], [], [line(3)]];
  t.host.intercept = (seen) => {
    if (!seen.path.endsWith("/log")) return undefined;
    const items = pages.shift() ?? [];
    return Response.json({ items, dropped: 0, more: false, ended: pages.length === 0 });
  };
  const { out, exit, err } = await t.carrel(["job", "log", "import_1", "-f", "--level", "warn"]);
  assert.equal(out, [1, 2, 3].map((seq) => `05:06:07.890  warn   m${seq}\n`).join(""));
  assert.equal(exit, EXIT.failed);
  assert.match(err, /it fell/);
  const asked = t.host.seen.filter(({ path }) => path.endsWith("/log")).map(({ query }) => query);
  assert.deepEqual(asked, [
    { level: "warn", wait: "25" },
    { after: "2", level: "warn", wait: "25" },
    { after: "2", level: "warn", wait: "25" },
  ]);
});
