// deno-lint-ignore-file no-regex-spaces -- columns are what is tested
import assert from "node:assert/strict";
import { join } from "node:path";
import { EXIT } from "../errors.ts";
import { setup } from "../testing/carrel.ts";
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
