import assert from "node:assert/strict";
import { chunkMarkdown, MAX_CHUNK } from "./chunks.ts";

const texts = (markdown: string) =>
  chunkMarkdown(markdown).map((p) => markdown.slice(p.start, p.end));

Deno.test("chunkMarkdown() makes a passage of each block and keeps its heading", () => {
  const markdown = "# One\n\nFirst\nparagraph.\n\n## [Two](x) *b*\nSecond.\n\n- a\n- b\n";
  const passages = chunkMarkdown(markdown);
  assert.deepEqual(texts(markdown), ["First\nparagraph.", "Second.", "- a\n- b"]);
  assert.deepEqual(passages.map((p) => p.heading), ["One", "Two b", "Two b"]);
});

Deno.test("chunkMarkdown() keeps fenced code whole, blank lines and headings in it included", () => {
  const markdown = "```sh\n# not a heading\n\nls\n```\n\nafter";
  assert.deepEqual(texts(markdown), ["```sh\n# not a heading\n\nls\n```", "after"]);
});

Deno.test("chunkMarkdown() reads a setext heading", () => {
  assert.deepEqual(chunkMarkdown("Title\n=====\n\nText").map((p) => p.heading), ["Title"]);
});

Deno.test("chunkMarkdown() cuts a long paragraph at the end of a sentence", () => {
  const sentence = "A sentence that is neither short nor long, as sentences go. ";
  const markdown = sentence.repeat(100).trim();
  const parts = texts(markdown);
  assert.ok(parts.length > 2);
  assert.ok(parts.every((part) => part.length <= MAX_CHUNK && part.endsWith(".")));
  assert.equal(parts.join(" "), markdown);
});

Deno.test("chunkMarkdown() cuts text without spaces and never inside a surrogate pair", () => {
  const markdown = "x" + "😀".repeat(3_000);
  const parts = texts(markdown);
  assert.equal(parts.join(""), markdown);
  assert.ok(parts.every((part) => part.isWellFormed()));
});

Deno.test("chunkMarkdown() says the page that a passage begins on", () => {
  const markdown = "one\n\ntwo\n\nthree";
  const passages = chunkMarkdown(markdown, [{ page: 1, offset: 0 }, { page: 2, offset: 5 }, {
    page: 3,
    offset: 10,
  }]);
  assert.deepEqual(passages.map((p) => p.page), [1, 2, 3]);
});

Deno.test("chunkMarkdown() finds nothing in an empty text", () => {
  assert.deepEqual(chunkMarkdown(""), []);
  assert.deepEqual(chunkMarkdown(" \n\n \t\n"), []);
});
