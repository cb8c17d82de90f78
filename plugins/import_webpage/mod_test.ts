import assert from "node:assert/strict";
import { fakeContext, type ImportCase, testImportPlugin } from "@carrel/sdk/testing";
import type { ExtractedContent, RawContent } from "@carrel/sdk";
import plugin from "./mod.ts";

const ADDRESS = "https://almanac.example/handbook/herbs.html";
const ARTICLE = await Deno.readFile(new URL("./fixtures/article.html", import.meta.url));

const FILLER = "<p>" + "Thyme, sage and mint dry well in the shade of an attic. ".repeat(12) +
  "</p>";

function raw(page: string | Uint8Array, options: Partial<RawContent> = {}): RawContent {
  const bytes = typeof page === "string" ? new TextEncoder().encode(page) : page;
  return { bytes, mediaType: "text/html", url: ADDRESS, ...options };
}

async function extract(given: RawContent): Promise<ExtractedContent> {
  let content: ExtractedContent | undefined;
  await testImportPlugin(plugin, [{
    name: "page",
    raw: given,
    check: (checked) => void (content = checked),
  }]);
  return content!;
}

Deno.test("import.webpage keeps the article and leaves out what stands around it", async () => {
  const { title, markdown, warnings, type } = await extract(raw(ARTICLE));
  assert.equal(type, "webpage");
  assert.equal(title, "Drying herbs at home");
  assert.ok(markdown.startsWith("Herbs keep their scent when they dry slowly"));
  assert.doesNotMatch(markdown, /Shop our sale|newsletter|All rights reserved|color: red/);
  assert.deepEqual(warnings, []);
});

Deno.test("import.webpage says what the page says about itself", async () => {
  const { metadata } = await extract(raw(ARTICLE));
  assert.deepEqual(metadata.authors, ["Ada Thyme", "Ben Sage"]);
  assert.equal(metadata.published, "2023-05-04T08:30:00Z");
  assert.equal(metadata.modified, "2023-06-01");
  assert.equal(metadata.language, "en-GB");
  assert.equal(metadata.siteName, "The Kitchen Almanac");
  assert.equal(metadata.summary, "How to dry herbs so that they keep their scent.");
  assert.equal(metadata.canonicalUrl, "https://almanac.example/handbook/drying-herbs");
  assert.equal(metadata.licence, "https://creativecommons.org/licenses/by/4.0/");
  assert.deepEqual(metadata.keywords, ["herbs", "drying", "kitchen"]);
  assert.equal(metadata.schemaType, "NewsArticle");
  assert.deepEqual(metadata.images, [
    { url: "https://almanac.example/handbook/img/bunch.jpg", alt: "A bunch of thyme" },
  ]);
  assert.deepEqual(metadata.openGraph, {
    "og:title": "Drying herbs at home",
    "og:site_name": "The Kitchen Almanac",
    "og:image": "https://almanac.example/social.png",
  });
});

Deno.test("import.webpage passes over JSON-LD that is broken or hostile", async () => {
  const blocks = [
    '{"@type": "Article", broken',
    "null",
    '"words"',
    '[[{"@type": 7}], {"@type": "Article", "author": [null, 3, {"name": ["x"]}], "keywords": {"a": 1}}]',
    "[".repeat(5000) + "]".repeat(5000),
  ].map((block) => `<script type="application/ld+json">${block}</script>`).join("");
  const { title, metadata } = await extract(
    raw(
      `<html><head><title>Herbs</title>${blocks}</head><body><article>${FILLER}</article></body></html>`,
    ),
  );
  assert.equal(title, "Herbs");
  assert.deepEqual(metadata.authors, []);
});

Deno.test("import.webpage writes links, images, tables and code as Markdown", async () => {
  const { markdown } = await extract(raw(ARTICLE));
  for (
    const part of [
      "## 1. Cutting",
      "with [a sharp knife](https://almanac.example/handbook/tools#knife)",
      "[what comes next](https://almanac.example/handbook/#drying)",
      "Do not click this.",
      "![A bunch of thyme](https://almanac.example/handbook/img/bunch.jpg)",
      "| Herb | Days |\n| --- | --- |\n| Thyme \\| wild | 7 |\n| Sage; green; purple | 10 |",
      "snake_case name \\*water_activity\\* in notes \\&amp; labels",
      "`<b>`",
      "```js\nif (dry) {\n  pack();\n}\n```",
      "```\nline one\nline two\n```",
      "3.  Strip the leaves.\n4.  Fill the jars.",
      "> Label everything, twice.",
    ]
  ) assert.ok(markdown.includes(part), `${part}\n--- is not in ---\n${markdown}`);
  assert.doesNotMatch(markdown, /javascript:|data:image/);
});

Deno.test("import.webpage reads pages in the encoding that they are in", async () => {
  const page = (declared: string) =>
    `<html><head><meta charset="${declared}"><title>Käse</title></head><body><article>${FILLER}<p>Grüße aus dem Café</p></article></body></html>`;
  const latin = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));
  for (
    const [name, given, warned] of [
      ["UTF-8", raw(page("utf-8")), false],
      ["UTF-8 with a mark", raw(`\uFEFF${page("iso-8859-1")}`), false],
      ["UTF-8 that says it is Latin-1", raw(page("iso-8859-1")), true],
      ["Latin-1 by its meta element", raw(latin(page("iso-8859-1"))), false],
      [
        "Latin-1 by its header",
        raw(latin(page("klingon")), { mediaType: "text/html; charset=iso-8859-1" }),
        false,
      ],
      ["Latin-1 that says it is UTF-8", raw(latin(page("utf-8"))), true],
    ] as const
  ) {
    const { title, markdown, warnings } = await extract(given);
    assert.equal(title, "Käse", name);
    assert.ok(markdown.includes("Grüße aus dem Café"), name);
    assert.equal(warnings?.length, warned ? 1 : 0, name);
  }
});

Deno.test("import.webpage takes pages whose html, head or body are left out", async () => {
  for (
    const page of [
      `<!doctype html><title>Herbs</title><meta charset=utf-8><p>First.${FILLER}`,
      `<title>Herbs</title><article><p>First.</p>${FILLER}</article>`,
      `<html><title>Herbs</title><p>First.</p>${FILLER}</html>`,
      `<html><head><title>Herbs</title></head><div><p>First.</p>${FILLER}</div></html>`,
      `<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml"><head><title>Herbs</title></head><body><p>First.</p>${FILLER}</body></html>`,
      `<!-- saved --><!doctype html><html><head><title>Herbs</title></head><body></body><p>First.</p>${FILLER}</html>`,
    ]
  ) {
    const { title, markdown } = await extract(raw(page));
    assert.equal(title, "Herbs", page.slice(0, 60));
    assert.match(markdown, /First\./, page.slice(0, 60));
    assert.match(markdown, /shade of an attic/, page.slice(0, 60));
  }
});

Deno.test("import.webpage takes the whole text, and warns, when there is no article", async () => {
  const page = `<html><head><title>Menu</title></head><body>
    <div style="display:none"><nav>Skip me</nav><p>Soup of the day</p></div></body></html>`;
  const { title, markdown, warnings } = await extract(raw(page));
  assert.equal(title, "Menu");
  assert.equal(markdown, "Soup of the day");
  assert.match(warnings![0]!, /No article was found/);
});

Deno.test("import.webpage takes an upload, whose name is no address to resolve against", async () => {
  const page = `<html><head><title>Saved</title></head><body><article>${FILLER}
    <p><a href="https://example.org/a b">whole</a> and <a href="part.html">part</a></p></article></body></html>`;
  const { markdown, metadata } = await extract(raw(page, { url: "upload:saved.html" }));
  assert.match(markdown, /\[whole\]\(https:\/\/example\.org\/a%20b\) and part/);
  assert.equal(metadata.canonicalUrl, undefined);
});

Deno.test("import.webpage says in a code why a page cannot be read", async () => {
  const deep = `<html><body>${"<div>".repeat(60_000)}deep`;
  const cases: ImportCase[] = [
    { name: "nothing", raw: raw(""), error: "empty" },
    { name: "spaces", raw: raw(" \n\t "), error: "empty" },
    {
      name: "no text",
      raw: raw("<html><body><script>draw()</script></body></html>"),
      error: "empty",
    },
    { name: "a PDF", raw: raw("%PDF-1.7\n…"), error: "unsupported_media_type" },
    {
      name: "a picture",
      raw: raw(new Uint8Array([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0])),
      error: "unsupported_media_type",
    },
    { name: "zeros", raw: raw(new Uint8Array(5000)), error: "unsupported_media_type" },
    {
      name: "a feed",
      raw: raw('<?xml version="1.0"?><rss version="2.0"/>'),
      error: "unsupported_media_type",
    },
    { name: "a drawing", raw: raw("<svg xmlns='x'></svg>"), error: "unsupported_media_type" },
    { name: "JSON", raw: raw('{"html": "<p>text</p>"}'), error: "unreadable" },
    { name: "plain text", raw: raw("just words, 1 < 2"), error: "unreadable" },
    { name: "too deep", raw: raw(deep), error: "unreadable" },
  ];
  await testImportPlugin(plugin, cases);
});

Deno.test("import.webpage downloads under its settings", async () => {
  const ended = new AbortController();
  const server = Deno.serve(
    {
      hostname: "127.0.0.1",
      port: 0,
      signal: ended.signal,
      onListen: () => {},
    },
    (request) =>
      request.url.endsWith("/old")
        ? new Response(null, { status: 302, headers: { location: "/herbs" } })
        : new Response(ARTICLE, { headers: { "content-type": "text/html; charset=utf-8" } }),
  );
  const url = `http://127.0.0.1:${server.addr.port}`;
  assert.equal(plugin.kind, "import");
  await testImportPlugin(plugin, [
    { name: "a page", source: { url: `${url}/old` } },
    { name: "too large", source: { url }, config: { max_mb: 0.001 }, error: "too_large" },
  ]);
  const got = await plugin.methods.download!({ url: `${url}/old` }, fakeContext());
  assert.deepEqual(got, {
    bytes: ARTICLE,
    mediaType: "text/html; charset=utf-8",
    url: `${url}/herbs`,
  });
  ended.abort();
  await server.finished;
});
