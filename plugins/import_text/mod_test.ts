import assert from "node:assert/strict";
import type { ExtractedContent, RawContent } from "@carrel/sdk";
import { fakeContext, type ImportCase, testImportPlugin } from "@carrel/sdk/testing";
import plugin from "./mod.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const latin = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));

function markdownFile(text: string | Uint8Array, options: Partial<RawContent> = {}): RawContent {
  const bytes = typeof text === "string" ? utf8(text) : text;
  return { bytes, mediaType: "text/markdown", url: "upload:my_notes.md", ...options };
}

const textFile = (text: string | Uint8Array, options: Partial<RawContent> = {}): RawContent =>
  markdownFile(text, { mediaType: "text/plain", url: "upload:my_notes.txt", ...options });

async function extract(raw: RawContent): Promise<ExtractedContent> {
  let content: ExtractedContent | undefined;
  await testImportPlugin(plugin, [{
    name: "file",
    raw,
    check: (checked) => void (content = checked),
  }]);
  return content!;
}

Deno.test("import.text takes title and metadata from the front matter", async () => {
  const { title, markdown, metadata, warnings, type } = await extract(markdownFile(
    `---
title: "Drying: a primer"
authors: [Ada Thyme, {name: Ben Sage}]
date: 2023-05-04
lastmod: 2023-06-01 10:30:00 +0200
lang: en_gb
tags: herbs, air
license: CC-BY-4.0
description: How to
  dry herbs.
---

# Another title

Text.
`,
  ));
  assert.equal(type, "document");
  assert.equal(title, "Drying: a primer");
  assert.equal(markdown, "# Another title\n\nText.");
  assert.deepEqual(metadata.authors, ["Ada Thyme", "Ben Sage"]);
  assert.equal(metadata.published, "2023-05-04");
  assert.equal(metadata.modified, "2023-06-01T08:30:00Z");
  assert.equal(metadata.language, "en-GB");
  assert.deepEqual(metadata.keywords, ["herbs", "air"]);
  assert.equal(metadata.licence, "CC-BY-4.0");
  assert.equal(metadata.summary, "How to dry herbs.");
  assert.deepEqual(warnings, []);
});

Deno.test("import.text leaves out front matter that it cannot read, with a warning", async () => {
  for (
    const front of [
      "title: [unclosed",
      "a: &x [1]\nb: &y [*x, *x, *x, *x, *x]\nc: &z [*y, *y, *y, *y, *y]\nd: [*z, *z, *z, *z, *z]",
      "a: 1\na: 2",
    ]
  ) {
    const { title, markdown, warnings } = await extract(
      markdownFile(`---\n${front}\n---\n# Herbs\n\nText.`),
    );
    assert.equal(title, "Herbs");
    assert.equal(markdown, "# Herbs\n\nText.");
    assert.match(warnings![0]!, /^The front matter was left out/);
  }
});

Deno.test("import.text keeps rules that are no front matter", async () => {
  for (
    const text of [
      "---\n\nA rule above.\n\n---\n\nAnd one.",
      "Text.\n\n---\n\ntitle: no\n\n---",
      "---\nno end",
    ]
  ) {
    assert.equal((await extract(markdownFile(text))).markdown, text);
  }
  assert.equal((await extract(markdownFile("---\n---\nText."))).markdown, "Text.");
});

Deno.test("import.text finds the title in the first heading, else in the file's name", async () => {
  for (
    const [text, title] of [
      ["Intro.\n\n# The *real* [title](https://e.org) #\n", "The real title"],
      ["## Second level\n\n# First level", "First level"],
      ["## Only a second level", "Only a second level"],
      ["Underlined\n==========\n\nText.", "Underlined"],
      ["```sh\n# a comment\n```\n\n# After the code", "After the code"],
      ["# snake_case stays", "snake_case stays"],
      ["No heading at all.", "my notes"],
    ] as const
  ) assert.equal((await extract(markdownFile(text))).title, title);
  const { title } = await extract(
    markdownFile("Text.", {
      url: "https://e.org/a/caf%C3%A9_notes.md?raw=1",
      mediaType: "text/plain",
    }),
  );
  assert.equal(title, "café notes");
});

Deno.test("import.text takes plain text for Markdown only when its name says so", async () => {
  const text = "Notes\n\n* one\n* two";
  assert.equal((await extract(textFile(text, { filename: "notes.md" }))).markdown, text);
  assert.equal((await extract(textFile(text))).markdown, "Notes\n\n\\* one\\\n\\* two");
});

Deno.test("import.text makes of plain text Markdown that reads the same", async () => {
  const { title, markdown } = await extract(textFile(
    [
      "On Herbs",
      "========",
      "",
      "This is a paragraph whose lines were broken by hand, as was the custom",
      "  # not a heading <b>nor</b> a tag",
      "",
      "",
      "    a   1",
      "    bb  2",
      "",
      "Roses are red,",
      "violets are blue.",
    ].join("\r\n"),
  ));
  assert.equal(title, "On Herbs");
  assert.equal(
    markdown,
    [
      "# On Herbs",
      "This is a paragraph whose lines were broken by hand, as was the custom\n\\# not a heading \\<b>nor\\</b> a tag",
      "```\na   1\nbb  2\n```",
      "Roses are red,\\\nviolets are blue.",
    ].join("\n\n"),
  );
});

Deno.test("import.text reads texts in the encoding that they are in", async () => {
  const wide = (text: string) => {
    const bytes = new Uint8Array(text.length * 2);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < text.length; i++) view.setUint16(i * 2, text.charCodeAt(i), true);
    return bytes;
  };
  for (
    const [raw, text, warned] of [
      [textFile("Grüße"), "Grüße", false],
      [textFile("\uFEFFGrüße"), "Grüße", false],
      [textFile(wide("\uFEFFŁódź")), "Łódź", false],
      [textFile(latin("Gr\xFC\xDFe")), "Grüße", true],
      [textFile(latin("Gr\xFC\xDFe"), { mediaType: "text/plain; charset=utf-8" }), "Grüße", true],
      [textFile(latin("Gr\xFC\xDFe"), { mediaType: "text/plain; charset=latin1" }), "Grüße", false],
      [textFile("Grüße", { mediaType: "text/plain; charset=iso-8859-1" }), "Grüße", true],
    ] as const
  ) {
    const { markdown, warnings } = await extract(raw);
    assert.equal(markdown, text);
    assert.equal(warnings!.length, warned ? 1 : 0);
  }
});

Deno.test("import.text says in a code why a file cannot be read", async () => {
  const cases: ImportCase[] = [
    { name: "nothing", raw: textFile(""), error: "empty" },
    { name: "spaces", raw: textFile(" \n\t\n"), error: "empty" },
    { name: "front matter only", raw: markdownFile("---\ntitle: x\n---\n"), error: "empty" },
    { name: "zeros", raw: textFile(new Uint8Array(100)), error: "unsupported_media_type" },
    { name: "a PDF", raw: textFile("%PDF-1.7\nstream"), error: "unsupported_media_type" },
    {
      name: "a program",
      raw: textFile(new Uint8Array([0x7F, 0x45, 0x4C, 0x46, 2, 1, 1, 0, 0, 0])),
      error: "unsupported_media_type",
    },
  ];
  await testImportPlugin(plugin, cases);
});

Deno.test("import.text downloads under its settings", async () => {
  const ended = new AbortController();
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    signal: ended.signal,
    onListen: () => {},
  }, () => new Response("# Herbs", { headers: { "content-type": "text/plain" } }));
  const url = `http://127.0.0.1:${server.addr.port}/herbs.md`;
  assert.equal(plugin.kind, "import");
  await testImportPlugin(plugin, [
    { name: "a text", source: { url }, check: ({ title }) => assert.equal(title, "Herbs") },
    { name: "too large", source: { url }, config: { max_mb: 0.000001 }, error: "too_large" },
  ]);
  assert.equal((await plugin.methods.download!({ url }, fakeContext())).mediaType, "text/plain");
  ended.abort();
  await server.finished;
});
