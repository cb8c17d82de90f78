import assert from "node:assert/strict";
import { sql } from "kysely";
import { SQL_MIGRATIONS_DIR } from "../assets.ts";
import { openSqlite } from "./sqlite.ts";
import type { SqlStore } from "./sql.ts";

/** Whether the bytes of the index hold the letters. */
async function indexHolds(store: SqlStore, letters: string): Promise<boolean> {
  const { rows } = await sql<{ block: Uint8Array }>`select block from chunk_text_data`
    .execute(store.db);
  return rows.some(({ block }) => new TextDecoder("latin1").decode(block).includes(letters));
}

Deno.test("forgetText() takes the words of deleted chunks out, and leaves those of the others", async () => {
  await using store = await openSqlite(":memory:", { migrationsDir: SQL_MIGRATIONS_DIR });
  const time = new Date(0).toISOString();
  await store.transaction(async (tx) => {
    await tx.insertInto("content").values({
      id: "c",
      url: "u",
      type: "document",
      title: "Title",
      authors_json: "[]",
      metadata_json: "{}",
      status: "ready",
      collection: "d",
      user_id: "u",
      revision: "r",
      created: time,
      updated: time,
    }).execute();
    await tx.insertInto("revision").values({
      id: "r",
      content_id: "c",
      number: 1,
      original_digest: "",
      original_media_type: "",
      original_name: "",
      original_size: 0,
      text_digest: "",
      text_size: 0,
      title: "",
      metadata_json: "{}",
      warnings_json: "[]",
      plugin: "p",
      plugin_digest: "",
      job_id: "j",
      created: time,
    }).execute();
  });
  const add = (position: number, text: string) =>
    store.db.insertInto("chunk").values({
      id: `chunk_${position}`,
      content_id: "c",
      revision_id: "r",
      position,
      start: 0,
      end: text.length,
      page: null,
      heading: null,
      text,
    }).execute();
  for (let i = 0; i < 300; i++) await add(i, `ordinary words and number ${i}`);
  await add(300, "the xylophonist");
  await store.db.deleteFrom("chunk").where("id", "=", "chunk_300").execute();
  assert.ok(await indexHolds(store, "ylophonist"));
  await store.forgetText();
  assert.ok(!await indexHolds(store, "ylophonist"));
  assert.equal((await store.searchText("ordinary 299", { limit: 10 })).length, 1);

  // Also when everything is in one piece already.
  await store.db.deleteFrom("chunk").where("id", "=", "chunk_299").execute();
  await store.forgetText();
  assert.equal((await store.searchText("299", { limit: 10 })).length, 0);
  assert.ok(!await indexHolds(store, "299"));
  await store.forgetText();
});
