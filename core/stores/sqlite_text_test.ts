import assert from "node:assert/strict";
import { openSqlite } from "./sqlite.ts";
import { queryWords } from "./sqlite_text.ts";

const MIGRATIONS = new URL("../../migrations/sql", import.meta.url).pathname;

Deno.test("queryWords() keeps letters, digits and their marks, and nothing that FTS5 would take for syntax", () => {
  assert.deepEqual(queryWords('NEAR("a b", 2) OR c* ^d -e:f {g}'), [
    "NEAR",
    "a",
    "b",
    "2",
    "OR",
    "c",
    "d",
    "e",
    "f",
    "g",
  ]);
  assert.deepEqual(queryWords("  🎉 … \u0000 ' \" \u0301 "), []);
  assert.deepEqual(queryWords("cafe\u0301 日本語 हिन्दी"), ["café", "日本語", "हिन्दी"]);
  assert.equal(queryWords("word ".repeat(1000)).length, 32);
});

Deno.test("searchText() finds enough behind a crowd of better matches that the filters hide", async () => {
  await using store = await openSqlite(":memory:", { migrationsDir: MIGRATIONS });
  const content = (id: string, collection: string) => ({
    id,
    url: id,
    type: "document",
    title: "t",
    authors_json: "[]",
    published: null,
    language: null,
    summary: null,
    licence: null,
    status: "ready",
    metadata_json: "{}",
    collection,
    user_id: "u",
    revision: `${id}.1`,
    created: "now",
    updated: "now",
  });
  await store.transaction(async (tx) => {
    await tx.insertInto("content").values([content("crowd", "a"), content("few", "b")]).execute();
    for (const id of ["crowd", "few"]) {
      await tx.insertInto("revision").values({
        id: `${id}.1`,
        content_id: id,
        number: 1,
        original_digest: "",
        original_media_type: "",
        original_name: "",
        original_size: 0,
        text_digest: "",
        text_size: 0,
        title: "t",
        metadata_json: "{}",
        warnings_json: "[]",
        plugin: "p",
        plugin_digest: "",
        job_id: "j",
        created: "now",
      }).execute();
    }
    const chunk = (content: string, index: number, text: string) => ({
      id: `${content}-${index}`,
      content_id: content,
      revision_id: `${content}.1`,
      position: index,
      start: 0,
      end: 1,
      page: null,
      heading: null,
      text,
    });
    for (let index = 0; index < 500; index++) {
      await tx.insertInto("chunk").values(chunk("crowd", index, "owl owl owl")).execute();
    }
    for (let index = 0; index < 3; index++) {
      await tx.insertInto("chunk")
        .values(chunk("few", index, `one owl ${"and many other words ".repeat(20)}`)).execute();
    }
  });
  const hits = await store.searchText("owl", { limit: 2, collection: "b" });
  assert.deepEqual(hits.map(({ chunkId }) => chunkId), ["few-0", "few-1"]);
  assert.equal((await store.searchText("owl", { limit: 1, collection: "none" })).length, 0);
  assert.equal((await store.searchText("owl", { limit: 0 })).length, 0);
});
