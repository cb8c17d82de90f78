import assert from "node:assert/strict";
import type { ExtractedContent } from "@carrel/sdk";
import { fakeContext, type ImportCase, testImportPlugin } from "@carrel/sdk/testing";
import { column, makePdf, type PdfParts } from "./make_pdf.ts";
import plugin from "./mod.ts";

const URL_OF_IT = "https://example.org/papers/on_herbs%20and%20air.pdf?download=1";

async function extract(
  parts: PdfParts,
  config: Record<string, number> = {},
): Promise<ExtractedContent> {
  let content: ExtractedContent | undefined;
  await testImportPlugin(plugin, [{
    name: "document",
    raw: { bytes: makePdf(parts), mediaType: "application/pdf", url: URL_OF_IT },
    config,
    check: (checked) => void (content = checked),
  }]);
  return content!;
}

Deno.test("import.pdf joins lines to paragraphs and makes parted words whole", async () => {
  const { markdown } = await extract({
    pages: [
      column([
        "Herbs that dry slowly keep their scent for a year, and herbs that dry fast lose it within a few weeks of sto-",
        "rage. A well-known rule says that leaves must break, not bend, before they are put into jars. The well-",
        "known rule is right. Another paragraph begins below this one.",
        "    ",
      ]).concat(column([
        "This one stands apart, as the space above it is larger than that between lines. It ends with the word _end_.",
      ], { top: 640 })),
    ],
  });
  const [first, second] = markdown.split("\n\n");
  assert.match(first!, /few weeks of storage\. A well-known rule/);
  assert.match(first!, /The well-known rule is right/);
  assert.match(second!, /^This one stands apart/);
  assert.match(second!, /\\_end\\_\.$/);
});

Deno.test("import.pdf reads one column after the other", async () => {
  const left = [
    "The left column comes first and goes",
    "on for some lines until it reaches the",
    "bottom of the page, where its last sen-",
  ];
  const right = ["tence goes on in the right column.", "Nothing is mixed up."];
  const { markdown } = await extract({
    pages: [[...column(left), ...column(right, { x: 320 })]],
  });
  assert.equal(
    markdown,
    "The left column comes first and goes on for some lines until it reaches the bottom of the page, " +
      "where its last sentence goes on in the right column. Nothing is mixed up.",
  );
});

Deno.test("import.pdf finds headings by their size and lists by their marks", async () => {
  const { markdown, title } = await extract({
    pages: [[
      ...column(["On Herbs"], { size: 24, top: 760 }),
      ...column(["1. Drying"], { size: 14, top: 720 }),
      ...column(["Herbs are best dried in small bunches that hang apart from each other."], {
        top: 700,
      }),
      ...column(["\x95 thyme, which is quick", "\x95 sage, which is not"], { top: 670 }),
      ...column(["1) cut them", "2) hang them"], { top: 640 }),
      ...column(["The text goes on below the lists for the length of another whole line."], {
        top: 600,
      }),
    ]],
  });
  assert.equal(title, "On Herbs");
  assert.equal(
    markdown,
    [
      "# On Herbs",
      "## 1. Drying",
      "Herbs are best dried in small bunches that hang apart from each other.",
      "- thyme, which is quick\n- sage, which is not\n1) cut them\n2) hang them",
      "The text goes on below the lists for the length of another whole line.",
    ].join("\n\n"),
  );
});

Deno.test("import.pdf says where each page begins, and drops running titles and page numbers", async () => {
  const texts = ["First of all, cut.", "Then, hang them up.", "Last, fill the jars."];
  const { markdown, pages, warnings } = await extract({
    pages: texts.map((text, i) => [
      { text: "The Herb Journal, volume 7", y: 780 },
      { text, y: 500 },
      { text: `Page ${i + 1}`, y: 20 },
    ]),
  });
  assert.equal(markdown, texts.join("\n\n"));
  assert.deepEqual(pages!.map(({ page }) => page), [1, 2, 3]);
  for (const { page, offset } of pages!) {
    assert.ok(markdown.slice(offset).startsWith(texts[page - 1]!));
  }
  assert.deepEqual(warnings, []);
});

Deno.test("import.pdf takes title, authors and dates from the document", async () => {
  const { title, metadata } = await extract({
    pages: [column(["Some text."])],
    info: {
      Title: "(Herbs \\(and air\\))",
      Author: "(Ada Thyme; Ben Sage)",
      Subject: "(How to dry them)",
      Keywords: "(herbs, air)",
      CreationDate: "(D:20230504103000+02'00')",
      ModDate: "(D:2023)",
    },
  });
  assert.equal(title, "Herbs (and air)");
  assert.deepEqual(metadata.authors, ["Ada Thyme", "Ben Sage"]);
  assert.equal(metadata.summary, "How to dry them");
  assert.deepEqual(metadata.keywords, ["herbs", "air"]);
  assert.equal(metadata.published, "2023-05-04T08:30:00Z");
  assert.equal(metadata.modified, "2023-01-01");
  assert.equal(metadata.pageCount, 1);
});

Deno.test("import.pdf keeps a line that stands on every page when it is all that there is", async () => {
  const { markdown } = await extract({
    pages: [1, 2, 3].map((page) => column([`Document 1: Page ${page}`])),
  });
  assert.equal(markdown.split("\n\n").length, 3);
});

Deno.test("import.pdf distrusts titles and authors that programs make up", async () => {
  for (const made of ["(Microsoft Word - Document1)", "(untitled)", "(paper.dvi)", "( )"]) {
    const { title, metadata } = await extract({
      pages: [column(["Some text."])],
      info: { Title: made, Author: "(ARRAY\\(0x2c7cf020\\))" },
    });
    assert.equal(title, "on herbs and air");
    assert.deepEqual(metadata.authors, []);
  }
});

Deno.test("import.pdf warns when its fonts do not say which letters they draw", async () => {
  const good = "This page can be read by anyone who cares to do so.";
  const { markdown, warnings } = await extract({
    pages: [column([good]), [{ text: "Nobody can read this one.", y: 700, illegible: true }]],
  });
  assert.equal(markdown, good);
  assert.match(warnings!.join(" "), /fonts on page 2 do not say/);
});

Deno.test("import.pdf takes a scan, and warns that there is no text to search", async () => {
  const { markdown, title, warnings } = await extract({ pages: [[], []], picture: true });
  assert.equal(markdown, "");
  assert.equal(title, "on herbs and air");
  assert.match(warnings![0]!, /no text layer/);
});

Deno.test("import.pdf warns of pages without text among others", async () => {
  const { warnings } = await extract({ pages: [column(["Some text."]), [], []] });
  assert.deepEqual(warnings, ["No text was found on pages 2–3."]);
});

Deno.test("import.pdf reads as many pages as the settings allow, and says so", async () => {
  const { warnings, pages } = await extract(
    { pages: ["One.", "Two.", "Three."].map((text) => column([text])) },
    { max_pages: 2 },
  );
  assert.equal(pages!.length, 2);
  assert.deepEqual(warnings, ["Only the first 2 of 3 pages were read."]);
});

Deno.test("import.pdf says in a code why a document cannot be read", async () => {
  const whole = makePdf({ pages: [column(["Some text."])] });
  const raw = (bytes: Uint8Array) => ({ bytes, mediaType: "application/pdf", url: URL_OF_IT });
  const text = (words: string) => raw(new TextEncoder().encode(words));
  const cases: ImportCase[] = [
    { name: "no bytes", raw: raw(new Uint8Array()), error: "empty" },
    { name: "a blank page", raw: raw(makePdf({ pages: [[]] })), error: "empty" },
    { name: "a web page", raw: text("<html>no</html>"), error: "unsupported_media_type" },
    { name: "its first line only", raw: text("%PDF-1.7\n"), error: "damaged" },
    { name: "cut off", raw: raw(whole.subarray(0, 60)), error: "damaged" },
    { name: "garbage", raw: text(`%PDF-1.4\n${"garbage ".repeat(1000)}`), error: "damaged" },
  ];
  await testImportPlugin(plugin, cases);
});

Deno.test("import.pdf stops when the job is cancelled", async () => {
  assert.equal(plugin.kind, "import");
  const { methods } = plugin;
  const ctx = fakeContext({ signal: AbortSignal.abort(new Error("cancelled by a test")) });
  const bytes = makePdf({ pages: [column(["Some text."])] });
  await assert.rejects(
    async () => await methods.extract({ bytes, mediaType: "application/pdf", url: URL_OF_IT }, ctx),
    { message: "cancelled by a test" },
  );
});
