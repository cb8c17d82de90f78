import assert from "node:assert/strict";
import { newId } from "../ids.ts";
import { listArtifacts } from "./artifact_rows.ts";
import { listContent } from "./content_rows.ts";
import { checkCursor, onePage } from "./cursor.ts";
import { openStore, save } from "./testing.ts";

Deno.test("checkCursor() takes ids of its kind alone", () => {
  const id = newId("content");
  assert.equal(checkCursor("content", id), id);
  for (
    const other of ["", "x", "zzz", `${id}0`, id.toUpperCase(), newId("artifact"), "content_'"]
  ) {
    assert.throws(() => checkCursor("content", other), { code: "bad_request" }, other);
  }
});

Deno.test("listContent() and listArtifacts() refuse a cursor that is none", async () => {
  await using sql = await openStore();
  await save(sql, "https://a.example/", "Text.");
  const cursor = "not a cursor";
  await assert.rejects(listContent(sql.db, { cursor }), { code: "bad_request" });
  await assert.rejects(listArtifacts(sql.db, { cursor }), { code: "bad_request" });
});

Deno.test("onePage() ends a page at its limit, and before it where the things are large", () => {
  const rows = (...sizes: number[]) => sizes.map((size, i) => ({ id: String(i), size }));
  assert.deepEqual(onePage(rows(1, 1, 1), 2), { ids: ["0", "1"], next: "1" });
  assert.deepEqual(onePage(rows(1, 1), 2), { ids: ["0", "1"], next: undefined });
  assert.deepEqual(onePage([], 2), { ids: [], next: undefined });
  const large = 3 * 1024 * 1024;
  assert.deepEqual(onePage(rows(large, large, 1), 5), { ids: ["0"], next: "0" });
  // One that is larger than a page is a page of its own.
  assert.deepEqual(onePage(rows(9 * large, 1), 5), { ids: ["0"], next: "0" });
});

Deno.test("listContent() goes through all of it in pages that stay small", async () => {
  await using sql = await openStore();
  const note = "y".repeat(60_000);
  const count = 90;
  for (let i = 0; i < count; i++) {
    const { content } = await save(sql, `https://a.example/${i}`, "Text.");
    await sql.db.updateTable("content").set({ metadata_json: JSON.stringify({ note }) })
      .where("id", "=", content).execute();
  }
  const seen: string[] = [];
  let pages = 0;
  let cursor: string | undefined;
  do {
    const page = await listContent(sql.db, { limit: 200, cursor });
    assert.ok(JSON.stringify(page.items).length < 5 * 1024 * 1024);
    seen.push(...page.items.map(({ id }) => id));
    pages++;
    cursor = page.cursor;
  } while (cursor !== undefined);
  assert.equal(new Set(seen).size, count);
  assert.ok(pages > 1);
});
