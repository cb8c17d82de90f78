import assert from "node:assert/strict";
import { actor, job, openStore, paragraph, plugin, save } from "../library/testing.ts";
import { createProvenance } from "./create_provenance.ts";
import { lineageOf, mergeClaims } from "./lineage.ts";

const claim = (id: string, source: string, chunks: string[]) => ({
  part: { id, kind: "section" as const },
  source,
  chunks,
});

Deno.test("attribution() reads a source once however many parts were made of it, and bounds the answer", async () => {
  await using sql = await openStore();
  const texts = Array.from({ length: 100 }, (_, i) => paragraph(`Passage ${i}`));
  const { content, revision } = await save(sql, "https://a.example/", texts.join("\n\n"));
  let reads = 0;
  const db = sql.db.withPlugin({
    transformQuery: ({ node }) => {
      if (JSON.stringify(node).includes('"chunk"')) reads++;
      return node;
    },
    transformResult: ({ result }) => Promise.resolve(result),
  });
  await sql.transaction((tx) =>
    lineageOf(tx, "now").generated({
      artifact: { id: "artifact_1", type: "ebook", title: "Book" },
      sources: [{ content, revision, chunks: texts.length }],
      attributions: Array.from({ length: 1500 }, (_, i) => claim(`p${i}`, content, [])),
      plugin,
      job,
      versionOf: undefined,
      reason: undefined,
    })
  );
  const report = await createProvenance({ ...sql, db }).attribution("artifact_1", actor);
  assert.equal(reads, 1);
  assert.equal(report.parts.length, 1500);
  assert.equal(report.truncated, true);
  const counts = report.parts.map((part) => part.sources[0]!.passages.length);
  assert.deepEqual([counts[0], counts[999], counts[1000]], [100, 100, 0]);
});

Deno.test("attribution() tells named passages in the order in which they stand", async () => {
  await using sql = await openStore();
  const texts = ["One", "Two", "Three"].map(paragraph);
  const { content, revision } = await save(sql, "https://a.example/", texts.join("\n\n"));
  const chunk = (i: number) => `${revision.replace("revision", "chunk")}_${i}`;
  await sql.transaction((tx) =>
    lineageOf(tx, "now").generated({
      artifact: { id: "artifact_1", type: "ebook", title: "Book" },
      sources: [{ content, revision, chunks: 3 }],
      attributions: [claim("p", content, [chunk(2), chunk(0), chunk(2)])],
      plugin,
      job,
      versionOf: undefined,
      reason: undefined,
    })
  );
  const report = await createProvenance(sql).attribution("artifact_1", actor);
  assert.equal(report.truncated, false);
  assert.deepEqual(report.parts[0]!.sources[0]!.passages.map((p) => p.chunk), [chunk(0), chunk(2)]);
});

Deno.test("mergeClaims() makes one claim of those on the same part and source", () => {
  const merged = mergeClaims([
    claim("a", "s", ["1", "2"]),
    claim("b", "s", ["1"]),
    claim("a", "s", ["2", "3"]),
    claim("b", "s", []),
  ]);
  assert.deepEqual(merged.map(({ part, chunks }) => [part.id, chunks]), [
    ["a", ["1", "2", "3"]],
    ["b", []],
  ]);
});
