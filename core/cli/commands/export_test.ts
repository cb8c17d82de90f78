// deno-lint-ignore-file no-regex-spaces -- columns are what is tested
import assert from "node:assert/strict";
import { join } from "node:path";
import { EXIT } from "../errors.ts";
import { carrel, setup } from "../testing/carrel.ts";
import { problem, TOKEN } from "../testing/host.ts";
import { testIo } from "../testing/io.ts";
import { contentJson } from "../testing/samples.ts";

Deno.test("carrel export saves the book that it makes", async () => {
  await using t = await setup();
  const made = await t.carrel([
    "export",
    "content_1",
    "content_1",
    "--title",
    "Desks",
    "--param",
    "toc=false",
  ]);
  assert.equal(made.exit, EXIT.ok);
  assert.equal(await Deno.readTextFile(join(t.folder, "a-book.epub")), "bytes");
  assert.deepEqual(t.host.last("POST", /export/)!.body, {
    source_ids: ["content_1"],
    format: "ebook",
    parameters: { toc: false, title: "Desks" },
  });
  const again = await t.carrel(["export", "content_1", "-o", "a-book.epub"]);
  assert.equal(again.exit, EXIT.failed);
  assert.match(again.err, /file_exists/);
  const stdout = await t.carrel(["export", "--query", "desk", "-o", "-", "--quiet"]);
  assert.equal(stdout.out, "bytes");
  const json = await t.carrel(
    [
      "export",
      "content_1",
      "-o",
      "x.epub",
      "--json",
      "--version-of",
      "artifact_0",
      "--reason",
      "new",
    ],
  );
  assert.equal(JSON.parse(json.out).saved, join(t.folder, "x.epub"));
  assert.deepEqual((t.host.last("POST", /export/)!.body as { provenance: unknown }).provenance, {
    version_of: "artifact_0",
    reason: "new",
  });
});

Deno.test("carrel export finds what to export, or says that nothing matches", async () => {
  await using t = await setup();
  for (const wrong of [["export"], ["export", "x", "--all"]]) {
    assert.equal((await t.carrel(wrong)).exit, EXIT.usage);
  }
  assert.match((await t.carrel(["export", "--query", "nothing"])).err, /nothing in the library/);
  t.host.contents.push(contentJson("content_7"), contentJson("content_8"));
  const started = await t.carrel(["export", "--all", "--no-wait"]);
  assert.equal(started.out, "export_1\n");
  assert.deepEqual((t.host.last("POST", /export/)!.body as { source_ids: unknown }).source_ids, [
    "content_8",
    "content_7",
  ]);
  t.host.stories.push({ end: "failed", error: { code: "timed_out", message: "too slow" } });
  const failed = await t.carrel(["export", "--all"]);
  assert.equal(failed.exit, EXIT.failed);
  assert.match(failed.err, /too slow \(timed_out\)\n  → .*carrel job retry export_2/);
});

Deno.test("carrel export fails before the work when the book has nowhere to go", async () => {
  await using t = await setup();
  await Deno.writeTextFile(join(t.folder, "there.epub"), "mine");
  const none = await t.carrel(["export", "content_1", "-o", "none/x.epub"]);
  assert.equal(none.exit, EXIT.failed);
  assert.match(none.err, /there is no folder ".*none"\. \(write_failed\)\n  → .*mkdir -p \//);
  const there = await t.carrel(["export", "content_1", "-o", "there.epub"]);
  assert.match(there.err, /file_exists/);
  assert.equal(t.host.last("POST", /export/), undefined);
  assert.deepEqual((await Array.fromAsync(Deno.readDir(t.folder))).length, 3);
});

Deno.test("carrel export says how to get the book when it could not be saved", async () => {
  await using t = await setup();
  await Deno.writeTextFile(join(t.folder, "a-book.epub"), "mine");
  const { exit, err } = await t.carrel(["export", "content_1"]);
  assert.equal(exit, EXIT.failed);
  assert.match(err, /It is kept in the library as artifact_1\. \(file_exists\)/);
  assert.match(err, /→ To save it: carrel content files artifact_1 a-book\.epub -o FILE/);
});

Deno.test("carrel export names the export plugins when no plugin makes the format", async () => {
  await using t = await setup();
  t.host.intercept = (seen) =>
    seen.method === "POST"
      ? problem(422, "no_plugin", 'Cannot export to "x": no enabled plugin takes it')
      : undefined;
  const { err } = await t.carrel(["export", "content_1", "--format", "x"]);
  assert.match(err, /→ carrel plugin list --kind export/);
});

Deno.test("carrel export leaves the job to the server when it is interrupted", async () => {
  await using t = await setup();
  t.host.stories.push({ end: "never" });
  const io = testIo({ cwd: t.folder, env: { CARREL_TOKEN: TOKEN } });
  t.host.intercept = (seen) => {
    if (seen.path.endsWith("/events")) io.interrupt();
    return undefined;
  };
  const { exit, err } = await carrel(["export", "content_1", "--url", t.host.url], {}, io);
  assert.equal(exit, EXIT.interrupted);
  assert.match(err, /goes on — in the server[\s\S]*job cancel export_1/);
  assert.doesNotMatch(err, /cancelled/);
});
