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
    /05:06:07\.890  extracting +40% reading[\s\S]*1 line of its plugin:\n  ouch\ufffd\[2J/,
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
