// deno-lint-ignore-file no-regex-spaces -- columns are what is tested
import assert from "node:assert/strict";
import { join } from "node:path";
import { EXIT } from "../errors.ts";
import { carrel, ownHost, setup } from "../testing/carrel.ts";
import { problem, TOKEN } from "../testing/host.ts";
import { testIo } from "../testing/io.ts";
import { contentJson, TIME } from "../testing/samples.ts";

Deno.test("carrel import follows each import and prints what came in", async () => {
  await using t = await setup();
  const { exit, out, err } = await t.carrel(
    ["import", "a.md", "https://example.org/", "--collection", "desks", "--wait"],
    { terminal: true, columns: 120 },
  );
  assert.equal(exit, EXIT.ok);
  assert.deepEqual(out.trim().split("\n").map((line) => line.split("  ")[1]), [
    "a.md",
    "example.org",
  ]);
  assert.match(err, /✓.* a\.md.*done.*Title of content_/);
  assert.match(err, /2 documents imported\./);
  const bodies = t.host.seen.filter((seen) => seen.method === "POST").map((seen) => seen.body);
  assert.ok(bodies.some((body) => (body as { file?: { text: string } }).file?.text === "# A"));
});

Deno.test("carrel import says of each failure its code and what to do, and exits 1", async () => {
  await using t = await setup();
  t.host.stories.push({ end: "failed", error: { code: "encrypted", message: "It is locked." } }, {
    end: "cancelled",
  }, {});
  t.host.intercept = (seen) =>
    JSON.stringify(seen.body)?.includes("10.0.0.1")
      ? problem(403, "private_address", 'Cannot import "http://10.0.0.1/": it is private.')
      : undefined;
  const words = ["a.md", "b.md", "https://ok.org/", "http://10.0.0.1/"];
  const { exit, out, err } = await t.carrel(["import", ...words, "--wait", "--parallel", "1"]);
  assert.equal(exit, EXIT.failed);
  assert.equal(out, "content_3  ok.org\n");
  assert.match(err, /✗ a\.md: It is locked\. \(encrypted, import_1\)\n  → Remove the password/);
  assert.match(err, /– b\.md: cancelled \(import_2\)/);
  assert.match(err, /it is private\. \(private_address\)\n  → .*--allow-private/);
  assert.match(err, /1 document imported, 3 failed\./);
});

Deno.test("carrel import --json answers with one document", async () => {
  await using t = await setup();
  t.host.stories.push({}, { end: "failed", error: { code: "empty", message: "nothing" } });
  const { exit, out, err } = await t.carrel(
    ["import", "a.md", "b.md", "--json", "--wait", "--parallel", "1", "--metadata", "n=1"],
  );
  assert.equal(exit, EXIT.failed);
  assert.equal(err, "");
  const { items } = JSON.parse(out);
  assert.deepEqual(
    items.map((item: Record<string, unknown>) => [item.source, item.content, item.skipped]),
    [["a.md", "content_1", false], ["b.md", null, false]],
  );
  assert.equal(items[1].error.code, "empty");
  assert.deepEqual(
    (t.host.last("POST", /import/)!.body as { metadata: string }).metadata,
    '{"n":1}',
  );
});

Deno.test("carrel import passes over files of a folder that no plugin takes", async () => {
  await using t = await setup();
  t.host.intercept = (seen) =>
    JSON.stringify(seen.body)?.includes('"b.md"')
      ? problem(422, "no_plugin", "nobody takes it")
      : undefined;
  const found = await t.carrel(["import", ".", "--wait"]);
  assert.equal(found.exit, EXIT.ok);
  assert.match(found.err, /1 document imported, 1 left out\./);
  assert.match(found.err, /– b\.md: left out — no plugin takes it/);
  assert.doesNotMatch(found.err, /cancelled/);
  assert.equal((await t.carrel(["import", "b.md", "--wait"])).exit, EXIT.failed);
});

Deno.test("carrel import takes standard input, and does not wait when it is told not to", async () => {
  await using t = await setup();
  const { exit, out } = await t.carrel(["import", "-", "--name", "n.md", "--no-wait", "--quiet"], {
    stdin: "# In",
  });
  assert.equal(exit, EXIT.ok);
  assert.equal(out, "import_1  n.md\n");
  assert.deepEqual((t.host.last("POST", /import/)!.body as { file: unknown }).file, {
    name: "n.md",
    type: "text/markdown",
    text: "# In",
  });
  const said = await t.carrel(["import", "a.md", "--no-wait"]);
  assert.match(said.err, /· a\.md: queued — import_2/);
  assert.doesNotMatch(said.err, /done/);
});

Deno.test("carrel import leaves the jobs to the server when it is interrupted", async () => {
  await using t = await setup();
  t.host.stories.push({ end: "never" });
  const io = testIo({ cwd: t.folder, env: { CARREL_TOKEN: TOKEN } });
  t.host.intercept = (seen) => {
    if (seen.path.endsWith("/events")) io.interrupt();
    return undefined;
  };
  const args = ["import", "a.md", "b.md", "--wait", "--parallel", "1", "--url", t.host.url];
  const { exit, err } = await carrel(args, {}, io);
  assert.equal(exit, EXIT.interrupted);
  assert.match(err, /· a\.md: goes on — in the server/);
  assert.match(err, /the job goes on in the server; 1 source was not sent\.\n/);
  assert.match(
    err,
    /→ To watch: carrel job watch import_1\n {2}→ To cancel: carrel job cancel import_1/,
  );
  assert.doesNotMatch(err, /cancelled/);
  assert.equal(t.host.last("DELETE", /jobs/), undefined);
});

Deno.test("carrel import cancels its jobs when it is interrupted and is the host itself", async () => {
  await using t = await setup();
  const own = ownHost(t.host);
  t.host.stories.push({ end: "never" });
  const io = testIo({ cwd: t.folder, startHost: own.startHost });
  t.host.intercept = (seen) => {
    if (seen.method === "GET" && seen.path.endsWith("/events")) io.interrupt();
    return undefined;
  };
  const { exit, err } = await carrel(["import", "a.md", "--data", t.folder], {}, io);
  assert.equal(exit, EXIT.interrupted);
  assert.match(err, /Interrupted: the job is cancelled\./);
  assert.equal(t.host.jobs.get("import_1")!.job.status, "cancelled");
  assert.equal(own.stopped(), 1);
});

Deno.test("carrel import names all jobs that go on in the server when it is interrupted", async () => {
  await using t = await setup();
  t.host.stories.push({ end: "never" }, { end: "never" });
  const io = testIo({ cwd: t.folder, env: { CARREL_TOKEN: TOKEN } });
  let watched = 0;
  t.host.intercept = (seen) => {
    if (seen.path.endsWith("/events") && ++watched === 2) io.interrupt();
    return undefined;
  };
  const { err } = await carrel(["import", "a.md", "b.md", "--wait", "--url", t.host.url], {}, io);
  assert.match(err, /2 jobs go on in the server\.\n/);
  assert.match(err, /job watch import_(1 import_2|2 import_1)\n.*job cancel import_\d import_\d\n/);
});

Deno.test("carrel import says what was there already, and which revision came of what was not", async () => {
  await using t = await setup();
  t.host.contents.push(contentJson("content_2", {
    title: "B",
    revision: { id: "revision_2", number: 2, created: TIME },
  }));
  const story = { job: { result: { content: "content_1", unchanged: true } } };
  t.host.stories.push(story, {}, {});
  const args = ["import", "a.md", "b.md", "https://ok.org/", "--wait", "--parallel", "1"];
  const { out, err } = await t.carrel(args);
  assert.equal(
    out,
    "content_1  a.md  unchanged\ncontent_2  b.md  revision 2\ncontent_3  ok.org\n",
  );
  assert.match(err, /✓ a\.md: unchanged after .* — Title of content_1/);
  assert.match(err, /✓ b\.md: done after .* — revision 2: B/);
  assert.match(err, /2 documents imported, 1 unchanged\./);
  t.host.stories.push(story);
  const json = await t.carrel(["import", "a.md", "--wait", "--json"]);
  assert.equal(JSON.parse(json.out).items[0].unchanged, true);
});

Deno.test("carrel import goes on without what is not there, and exits 1", async () => {
  await using t = await setup();
  const { exit, out, err } = await t.carrel(["import", "missing.md", "a.md", "--wait"]);
  assert.equal(exit, EXIT.failed);
  assert.match(out, /^content_1  a\.md\n$/);
  assert.match(err, /✗ missing\.md: .*no such file\. \(file_not_found\)/);
  assert.match(err, /1 document imported, 1 failed\./);
  // Where nothing is there, no host is needed.
  const none = await carrel(["import", "x.md", "y.md", "--data", t.folder], { cwd: t.folder });
  assert.equal(none.exit, EXIT.failed);
  assert.match(none.err, /2 documents failed\./);
});

Deno.test("carrel import names the file where the host knows the digest of its bytes", async () => {
  await using t = await setup();
  const url = `upload:${"0f".repeat(32)}`;
  t.host.stories.push({
    end: "failed",
    error: { code: "damaged", message: `Cannot read "${url}": the document is damaged.` },
    job: { input: { url, upload: { name: "a.md" } } },
  });
  const { err } = await t.carrel(["import", "a.md", "--wait"]);
  assert.match(err, /a\.md: failed .* damaged: Cannot read "a\.md": the document is damaged/);
  assert.doesNotMatch(err, /upload:/);
  const shown = await t.carrel(["job", "show", "import_1"]);
  assert.doesNotMatch(shown.out, /upload:/);
});

Deno.test("carrel import takes its files from the folder that it was called in", async () => {
  await using t = await setup();
  await Deno.writeTextFile(join(t.folder, "token"), TOKEN);
  const { exit } = await t.carrel(["import", "a.md", "--wait", "--token-file", "token"], {
    env: {},
  });
  assert.equal(exit, EXIT.ok);
});
