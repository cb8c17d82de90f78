import assert from "node:assert/strict";
import { createProvenance } from "../provenance/create_provenance.ts";
import { lineageOf } from "../provenance/lineage.ts";
import { createSearch } from "../search/create_search.ts";
import { findUnchanged, getContent, listContent } from "./content_rows.ts";
import { deleteContent } from "./delete.ts";
import { actor, job, openStore, paragraph, plugin, save } from "./testing.ts";

Deno.test("saveContent() makes a content that is listed, shown and found", async () => {
  await using sql = await openStore();
  const { content, revision } = await save(
    sql,
    "https://a.example/",
    "# Head\n\nThe quick fox.\n\nThe slow snail.",
  );
  const shown = await getContent(sql.db, content);
  assert.equal(shown.title, "Notes");
  assert.deepEqual(shown.authors, ["Ann"]);
  assert.deepEqual(shown.warnings, ["one"]);
  assert.deepEqual(shown.files.map((file) => file.name), ["document.md", "extracted.txt"]);
  assert.equal(shown.revision.id, revision);
  const hits = await createSearch(sql).search({ q: "fox" }, actor);
  assert.equal(hits.length, 1);
  assert.equal(hits[0]!.heading, "Head");
  assert.deepEqual(hits[0]!.highlights, [[10, 13]]);
});

Deno.test("saveContent() makes a new revision of a known URL, and search sees that one alone", async () => {
  await using sql = await openStore();
  const first = await save(sql, "https://a.example/", "An old word.");
  const second = await save(sql, "https://a.example/", "A new word.", { digest: "c".repeat(64) });
  assert.equal(second.content, first.content);
  assert.equal((await getContent(sql.db, first.content)).revision.number, 2);
  const search = createSearch(sql);
  assert.equal((await search.search({ q: "old" }, actor)).length, 0);
  assert.equal((await search.search({ q: "new" }, actor)).length, 1);
  assert.equal((await search.search({ q: "nothing of this" }, actor)).length, 0);
  assert.equal((await sql.db.selectFrom("chunk").selectAll().execute()).length, 2);
});

Deno.test("findUnchanged() knows equal bytes from the same place, by the same plugin if one is named", async () => {
  await using sql = await openStore();
  const saved = await save(sql, "https://a.example/", "Text.");
  const same = { collection: "default", url: "https://a.example/", digest: "a".repeat(64) };
  assert.deepEqual({ ...await findUnchanged(sql.db, same) }, {
    content: saved.content,
    revision: saved.revision,
  });
  assert.ok(await findUnchanged(sql.db, { ...same, plugin: "import.text" }));
  for (
    const other of [{ digest: "e".repeat(64) }, { collection: "other" }, { plugin: "import.x" }]
  ) {
    assert.equal(await findUnchanged(sql.db, { ...same, ...other }), undefined);
  }
});

Deno.test("listContent() pages newest first and filters", async () => {
  await using sql = await openStore();
  for (let i = 0; i < 5; i++) await save(sql, `https://a.example/${i}`, `Text ${i}.`);
  const first = await listContent(sql.db, { limit: 2 });
  const second = await listContent(sql.db, { limit: 2, cursor: first.cursor });
  const third = await listContent(sql.db, { limit: 2, cursor: second.cursor });
  assert.deepEqual(
    [first, second, third].map((page) => page.items.map((item) => item.url.at(-1))),
    [["4", "3"], ["2", "1"], ["0"]],
  );
  assert.equal(third.cursor, undefined);
  assert.equal((await listContent(sql.db, { url: "https://a.example/3" })).items.length, 1);
  assert.equal((await listContent(sql.db, { type: "webpage" })).items.length, 0);
  assert.equal((await listContent(sql.db, { collection: "default", limit: 1 })).items.length, 1);
});

Deno.test("deleteContent() hides softly, and hard leaves a tombstone that says no title", async () => {
  await using sql = await openStore();
  const { content } = await save(sql, "https://a.example/", "A zebra.");
  await deleteContent(sql, content, false);
  await assert.rejects(getContent(sql.db, content), { code: "gone" });
  await assert.rejects(deleteContent(sql, content, false), { code: "not_found" });
  assert.equal((await createSearch(sql).search({ q: "zebra" }, actor)).length, 0);
  await deleteContent(sql, content, true);
  await assert.rejects(getContent(sql.db, content), { code: "gone" });
  const { nodes } = await createProvenance(sql).genealogy(content, {}, actor);
  assert.equal(nodes[0]!.type, "Tombstone");
  assert.doesNotMatch(JSON.stringify(nodes[0]), /Notes/);
  await assert.rejects(deleteContent(sql, "content_none", true), { code: "not_found" });
});

Deno.test("genealogy() walks to every ancestor, ends in a cycle, and says when it was cut", async () => {
  await using sql = await openStore();
  const provenance = createProvenance(sql);
  const now = new Date().toISOString();
  const ids = ["n0", "n1", "n2", "n3"];
  await sql.db.insertInto("lineage_node").values(
    ids.map((id) => ({ id, type: "Document", label: id, properties_json: "{}", created: now })),
  ).execute();
  await sql.db.insertInto("lineage_edge").values(
    ids.map((id, i) => ({
      from_id: id,
      to_id: ids[(i + 1) % 4]!,
      type: "CITES",
      claimed_by: "host",
      properties_json: "{}",
      created: now,
    })),
  ).execute();
  const whole = await provenance.genealogy("n0", {}, actor);
  assert.deepEqual(whole.nodes.map((n) => n.id), ids);
  assert.equal(whole.edges.length, 4);
  assert.equal(whole.truncated, false);
  const cut = await provenance.genealogy("n0", { depth: 2 }, actor);
  assert.deepEqual(cut.nodes.map((n) => n.id), ["n0", "n1", "n2"]);
  assert.equal(cut.truncated, true);
  await assert.rejects(provenance.genealogy("none", {}, actor), { code: "not_found" });
});

Deno.test("attribution() tells the passages of each part, also of a source that is gone", async () => {
  await using sql = await openStore();
  const kept = await save(
    sql,
    "https://a.example/",
    ["One", "Two", "Three"].map(paragraph).join("\n\n"),
  );
  const lost = await save(sql, "upload:x", "Gone.");
  const chunks = await sql.db.selectFrom("chunk").select(["id"]).where(
    "content_id",
    "=",
    kept.content,
  )
    .orderBy("position").execute();
  await sql.transaction((tx) =>
    lineageOf(tx, new Date().toISOString()).generated({
      artifact: { id: "artifact_1", type: "ebook", title: "Book" },
      sources: [
        { content: kept.content, revision: kept.revision, chunks: 3 },
        { content: lost.content, revision: lost.revision, chunks: 1 },
      ],
      attributions: [
        {
          part: { id: "c1", kind: "chapter", title: "First" },
          source: kept.content,
          chunks: [chunks[0]!.id],
        },
        {
          part: { id: "c1", kind: "chapter", title: "First" },
          source: kept.content,
          chunks: [chunks[2]!.id],
        },
        { part: { id: "c2", kind: "chapter", title: "Second" }, source: lost.content, chunks: [] },
      ],
      plugin,
      job,
      versionOf: undefined,
      reason: undefined,
    })
  );
  await deleteContent(sql, lost.content, true);
  const provenance = createProvenance(sql);
  const report = await provenance.attribution("artifact_1", actor);
  assert.deepEqual(report.parts.map((part) => part.title), ["First", "Second"]);
  assert.deepEqual(report.parts[0]!.sources[0]!.passages.map((p) => p.chunk), [
    chunks[0]!.id,
    chunks[2]!.id,
  ]);
  assert.equal(report.parts[0]!.claimedBy, "import.text");
  assert.equal(report.parts[1]!.sources[0]!.title, "(deleted)");
  assert.match(report.text, /“Notes” by Ann, https:\/\/a\.example\/, licensed MIT/);
  assert.match(report.text, /“\(deleted\)”, licensed MIT/);
  await assert.rejects(provenance.attribution(kept.content, actor), { code: "bad_request" });
});

Deno.test("search() finds other forms of a word, and puts passages that have it before titles that do", async () => {
  await using sql = await openStore();
  const passages = ["The notes say little", "A monk wrote about desks"].map(paragraph);
  await save(sql, "https://a.example/", passages.join("\n\n"));
  const search = createSearch(sql);
  assert.match((await search.search({ q: "monks" }, actor))[0]!.text, /monk/);
  // "Notes" is the title of the content, and so of each of its passages.
  assert.match((await search.search({ q: "note" }, actor))[0]!.text, /The notes/);
});

Deno.test("search() finds words inside sentences that are written without spaces", async () => {
  await using sql = await openStore();
  await save(
    sql,
    "https://a.example/",
    "我的图书馆里有很多书。\n\nThe library is large.",
  );
  const search = createSearch(sql);
  const hits = await search.search({ q: "图书馆" }, actor);
  assert.equal(hits.length, 1);
  assert.deepEqual(hits[0]!.highlights, [[2, 5]]);
  assert.equal((await search.search({ q: "书图" }, actor)).length, 0);
  assert.equal((await search.search({ q: "library" }, actor)).length, 1);
});
