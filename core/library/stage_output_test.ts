import assert from "node:assert/strict";
import { decodeCheckpoint, encodeCheckpoint } from "../jobs/checkpoint.ts";
import { type Composed, parseComposed, parseDownload } from "./stage_output.ts";

const stored = (value: unknown) => decodeCheckpoint(encodeCheckpoint(value));
const file = {
  name: "book.epub",
  mediaType: "application/epub+zip",
  digest: "a".repeat(64),
  size: 3,
};

Deno.test("parseDownload() reads what the stage returned and nothing else", () => {
  const download = { ...file, url: "https://example.com/book.epub" };
  assert.deepEqual(parseDownload(stored(download)), download);
  for (const other of [null, file, { ...download, size: "3" }, [download]]) {
    assert.throws(() => parseDownload(stored(other)));
  }
});

Deno.test("parseComposed() reads what the stage returned and nothing else", () => {
  const composed: Composed = {
    title: "A book",
    files: [file],
    attributions: [{ part: { id: "1", kind: "chapter" }, source: "content_1", chunks: ["c1"] }],
    metadata: { words: 3 },
    chunks: { content_1: 2 },
    plugin: { id: "export.ebook", version: "1.0.0", digest: "b".repeat(64) },
  };
  assert.deepEqual(parseComposed(stored(composed)), composed);
  const { chunks: _, ...older } = composed;
  for (const other of [null, older, { ...composed, files: [{ name: "x" }] }]) {
    assert.throws(() => parseComposed(stored(other)));
  }
});
