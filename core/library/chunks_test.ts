import assert from "node:assert/strict";
import { chunkMarkdown, MAX_CHUNK, MAX_GROUP, MAX_PASSAGES, SHORT_BLOCK } from "./chunks.ts";

const texts = async (markdown: string) =>
  (await chunkMarkdown(markdown)).map((p) => markdown.slice(p.start, p.end));

/** A paragraph of ordinary length that begins with a word. */
const paragraph = (word: string) => `${word} ${"and so on ".repeat(SHORT_BLOCK / 10)}`.trim();

Deno.test("chunkMarkdown() makes a passage of each ordinary block and keeps its heading", async () => {
  const [first, second, list] = [
    paragraph("First").replace(" so", "\nso"),
    paragraph("Second"),
    `- ${paragraph("a")}\n- b`,
  ];
  const markdown = `# One\n\n${first}\n\n## [Two](x) *b*\n${second}\n\n${list}\n`;
  assert.deepEqual(await texts(markdown), [first, second, list]);
  const passages = await chunkMarkdown(markdown);
  assert.deepEqual(passages.map((p) => p.heading), ["One", "Two b", "Two b"]);
});

Deno.test("chunkMarkdown() puts short neighbours into one passage, never across a heading", async () => {
  const markdown = "# One\n\nFirst\nparagraph.\n\n\n- a\n- b\n\n## Two\nSecond.\n";
  assert.deepEqual(await texts(markdown), ["First\nparagraph.\n\n\n- a\n- b", "Second."]);
});

Deno.test("chunkMarkdown() keeps an ordinary paragraph alone between short ones", async () => {
  const long = paragraph("Long");
  const markdown = `one\n\ntwo\n\n${long}\n\nthree\n\nfour`;
  assert.deepEqual(await texts(markdown), ["one\n\ntwo", long, "three\n\nfour"]);
});

Deno.test("chunkMarkdown() ends a passage of short blocks before it grows long", async () => {
  const markdown = "a\n\n".repeat(1000);
  const parts = await texts(markdown);
  assert.ok(parts.length <= 4, `${parts.length}`);
  assert.ok(parts.every((part) => part.length <= MAX_GROUP));
  assert.equal(parts.join("\n\n"), markdown.trim());
});

Deno.test("chunkMarkdown() keeps fenced code whole, blank lines and headings in it included", async () => {
  const code = `\`\`\`sh\n# not a heading\n\n${paragraph("ls")}\n\`\`\``;
  assert.deepEqual(await texts(`${code}\n\nafter`), [code, "after"]);
});

Deno.test("chunkMarkdown() reads headings of both kinds, and what belongs to their words", async () => {
  const heading = async (markdown: string) => (await chunkMarkdown(markdown))[0]?.heading;
  assert.equal(await heading("Title\n=====\n\nText"), "Title");
  assert.equal(await heading("Title\r\n--\r\n\r\nText"), "Title");
  assert.equal(await heading("One\nTwo\n---\n\nText"), undefined);
  assert.equal(await heading("## Title ##\nText"), "Title");
  assert.equal(await heading("# On C#\nText"), "On C#");
  assert.equal(await heading("#hash\nText"), undefined);
});

Deno.test("chunkMarkdown() cuts a long paragraph at the end of a sentence", async () => {
  const sentence = "A sentence that is neither short nor long, as sentences go. ";
  const markdown = sentence.repeat(100).trim();
  const parts = await texts(markdown);
  assert.ok(parts.length > 2);
  assert.ok(parts.every((part) => part.length <= MAX_CHUNK && part.endsWith(".")));
  assert.equal(parts.join(" "), markdown);
});

Deno.test("chunkMarkdown() cuts text without spaces and never inside a surrogate pair", async () => {
  const markdown = "x" + "😀".repeat(3_000);
  const parts = await texts(markdown);
  assert.equal(parts.join(""), markdown);
  assert.ok(parts.every((part) => part.isWellFormed()));
});

Deno.test("chunkMarkdown() says the page that a passage begins on, and parts pages", async () => {
  const markdown = "one\n\ntwo\n\nthree\n\nfour";
  const passages = await chunkMarkdown(markdown, [
    { page: 1, offset: 0 },
    { page: 2, offset: 5 },
    { page: 3, offset: 10 },
  ]);
  assert.deepEqual(passages.map((p) => [markdown.slice(p.start, p.end), p.page]), [
    ["one", 1],
    ["two", 2],
    ["three\n\nfour", 3],
  ]);
});

Deno.test("chunkMarkdown() finds nothing in an empty text", async () => {
  assert.deepEqual(await chunkMarkdown(""), []);
  assert.deepEqual(await chunkMarkdown(" \n\n \t\n"), []);
});

Deno.test("chunkMarkdown() refuses more passages than the store should take at once", async () => {
  const sections = (count: number) => "# h\n\na\n\n".repeat(count);
  assert.equal((await chunkMarkdown(sections(MAX_PASSAGES))).length, MAX_PASSAGES);
  await assert.rejects(chunkMarkdown(sections(MAX_PASSAGES + 1)), { code: "too_large" });
});

Deno.test("chunkMarkdown() lets the event loop turn, and stops when it is told to", async () => {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), 0);
  const markdown = "a\n\n".repeat(4_000_000);
  await assert.rejects(chunkMarkdown(markdown, [], abort.signal), { name: "AbortError" });
  clearTimeout(timer);
});

Deno.test("chunkMarkdown() takes its time by the length of a text, whatever is in it", async () => {
  // Each of these made a backtracking pattern go over the line again from every one of its characters.
  const n = 300_000;
  for (
    const markdown of [
      `# ${" ".repeat(n)}x`,
      `# ${"# ".repeat(n)}x`,
      `# ${"[".repeat(n)}`,
      `${" ".repeat(n)}x\n---`,
      `x\n${"-".repeat(n)}x`,
      ".)".repeat(n),
    ]
  ) await chunkMarkdown(markdown);
});
