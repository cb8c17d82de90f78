import assert from "node:assert/strict";
import { createProvenance } from "../provenance/create_provenance.ts";
import { createSearch } from "../search/create_search.ts";
import { getContent } from "./content_rows.ts";
import { deleteContent } from "./delete.ts";
import { saveUnchanged } from "./save_content.ts";
import { actor, openStore, save } from "./testing.ts";

Deno.test("saveContent() makes one revision of equal bytes that come in at the same time", async () => {
  await using sql = await openStore();
  // Each of them looked before the other had saved.
  const [first, second] = await Promise.all([
    save(sql, "https://a.example/", "Text."),
    save(sql, "https://a.example/", "Text."),
  ]);
  assert.deepEqual([first.unchanged, second.unchanged], [false, true]);
  assert.equal(second.revision, first.revision);
  assert.equal((await sql.db.selectFrom("revision").selectAll().execute()).length, 1);
  assert.equal((await sql.db.selectFrom("chunk").selectAll().execute()).length, 1);
});

Deno.test("saveUnchanged() gives known bytes the title and metadata of the request", async () => {
  await using sql = await openStore();
  const saved = await save(sql, "https://a.example/", "Text of it.");
  const again = (overrides?: Record<string, unknown>) =>
    sql.transaction((tx) => saveUnchanged(tx, saved, overrides));
  const { updated: before } = await getContent(sql.db, saved.content);

  const result = await again({ title: "Zebras", topic: "stripes", licence: "CC-BY-4.0" });
  assert.deepEqual(result, {
    content: saved.content,
    revision: saved.revision,
    unchanged: true,
    updated: true,
  });
  const shown = await getContent(sql.db, saved.content);
  assert.equal(shown.title, "Zebras");
  assert.equal(shown.licence, "CC-BY-4.0");
  assert.deepEqual(shown.authors, ["Ann"]);
  assert.equal(shown.metadata["topic"], "stripes");
  assert.ok(shown.updated >= before);
  assert.equal((await createSearch(sql).search({ q: "zebras" }, actor)).length, 1);
  const { nodes } = await createProvenance(sql).genealogy(saved.content, {}, actor);
  assert.equal(nodes[0]!.label, "Zebras");
  assert.deepEqual(nodes.filter((n) => n.type === "License").map((n) => n.label), ["CC-BY-4.0"]);

  // The same again is nothing new, and neither is a request that says nothing.
  assert.equal((await again({ topic: "stripes" })).updated, undefined);
  assert.equal((await again()).updated, undefined);
});

Deno.test("saveContent() applies the request's metadata to bytes that came in meanwhile", async () => {
  await using sql = await openStore();
  await save(sql, "https://a.example/", "Text.");
  const second = await save(sql, "https://a.example/", "Text.", { metadata: { title: "New" } });
  assert.deepEqual([second.unchanged, second.updated], [true, true]);
  assert.equal((await getContent(sql.db, second.content)).title, "New");
});

Deno.test("saveUnchanged() asks for another try when the content went meanwhile", async () => {
  await using sql = await openStore();
  const saved = await save(sql, "https://a.example/", "Text.");
  await deleteContent(sql, saved.content, true);
  await assert.rejects(sql.transaction((tx) => saveUnchanged(tx, saved, undefined)), {
    code: "conflict",
    retryable: true,
  });
});
