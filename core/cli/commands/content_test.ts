// deno-lint-ignore-file no-regex-spaces -- columns are what is tested
import assert from "node:assert/strict";
import { join } from "node:path";
import { EXIT } from "../errors.ts";
import { setup } from "../testing/carrel.ts";
import { contentJson } from "../testing/samples.ts";

Deno.test("carrel content lists, shows, saves and deletes", async () => {
  await using t = await setup();
  assert.match((await t.carrel(["content", "list"])).err, /Nothing here yet/);
  t.host.contents.push(contentJson("content_1"));
  assert.match(
    (await t.carrel(["content", "list"])).out,
    /content_1  webpage  2026-03-04 05:06  Title/,
  );
  assert.match((await t.carrel(["content", "list", "--artifacts"])).out, /artifact_1  ebook/);
  const shown = await t.carrel(["content", "show", "content_1"]);
  assert.match(shown.out, /Title of content_1\n[\s\S]*authors +Ada[\s\S]*! the text map/);
  assert.match((await t.carrel(["content", "show", "artifact_1"])).out, /sources +content_1/);
  assert.match(
    (await t.carrel(["content", "files", "content_1"])).out,
    /extracted\.txt  text\/plain +5 B/,
  );
  assert.match((await t.carrel(["content", "files", "artifact_1"])).out, /a-book\.epub/);
  const saved = await t.carrel(["content", "files", "content_1", "extracted.txt"]);
  assert.equal(saved.out, `${join(t.folder, "extracted.txt")}  5 B\n`);
  assert.equal((await t.carrel(["content", "files", "content_1", "x", "-o", "-"])).out, "bytes");
  assert.equal((await t.carrel(["content", "delete", "content_1", "content_2"])).exit, EXIT.ok);
  const hard = ["content", "delete", "content_1", "--hard"];
  const kept = await t.carrel(hard, { terminal: true, answers: ["n"] });
  assert.equal(kept.exit, EXIT.interrupted);
  assert.equal((await t.carrel(hard, { terminal: true, answers: ["y"] })).exit, EXIT.ok);
  assert.deepEqual(t.host.seen.at(-1)!.query, { hard_delete: "true" });
});

Deno.test("carrel content names an uploaded file by its name", async () => {
  await using t = await setup();
  const url = `upload:${"0f".repeat(32)}`;
  t.host.contents.push(contentJson("content_1", { url, filename: "desks.pdf", title: "Desks" }));
  const shown = await t.carrel(["content", "show", "content_1"]);
  assert.match(shown.out, /file +desks\.pdf/);
  const list = await t.carrel(["content", "list"]);
  assert.match(list.out, /Desks  desks\.pdf/);
  assert.doesNotMatch(shown.out + list.out, /upload:/);
  const narrow = await t.carrel(["content", "list"], { terminal: true, columns: 80 });
  assert.doesNotMatch(narrow.out, /from/);
});

Deno.test("carrel content delete asks again when the answer is neither yes nor no", async () => {
  await using t = await setup();
  const { exit, err } = await t.carrel(["content", "delete", "content_1", "--hard"], {
    terminal: true,
    answers: ["maybe", "Y"],
  });
  assert.equal(exit, EXIT.ok);
  assert.match(err, /Please answer y or n; “maybe” is neither/);
});
