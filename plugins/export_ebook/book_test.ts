import assert from "node:assert/strict";
import type { ExportSource } from "@carrel/sdk";
import { parseParameters, planBook, readableDate, slug } from "./book.ts";

function source(id: string, more: Partial<ExportSource> = {}): ExportSource {
  return {
    id,
    revision: "revision_1",
    type: "document",
    title: "A title",
    authors: [],
    imported: "2026-01-02T03:04:05.678Z",
    markdown: "text",
    chunks: [],
    ...more,
  };
}

const now = "2026-01-02T03:04:05.678Z";

Deno.test("slug() makes ASCII file names, and says book when nothing is left", () => {
  assert.equal(slug("Œuvres d’été: n° 1 / Straße"), "oeuvres-dete-n-1-strasse");
  assert.equal(slug("日本語"), "book");
  assert.equal(slug("../../etc/passwd"), "etc-passwd");
  assert.ok(slug("x".repeat(500)).length <= 60);
});

Deno.test("readableDate() reads ISO dates of any precision and leaves the rest as it is", () => {
  assert.equal(readableDate("2024-03-02T10:00:00+02:00"), "2 March 2024");
  assert.equal(readableDate("2024-03"), "March 2024");
  assert.equal(readableDate("2024"), "2024");
  assert.equal(readableDate("2024-77-01"), "2024");
  assert.equal(readableDate("about 1900"), "about 1900");
});

Deno.test("parseParameters() fills in the defaults and refuses what the manifest does not allow", () => {
  assert.deepEqual(parseParameters({}), {
    title: undefined,
    author: undefined,
    language: undefined,
    description: undefined,
    cover: true,
    tocDepth: 2,
  });
  for (
    const wrong of [{ cover: "no" }, { toc_depth: 9 }, { title: 1 }, { language: "not a tag!" }]
  ) {
    assert.throws(() => parseParameters(wrong), { code: "invalid_parameters" });
  }
});

Deno.test("planBook() takes the title from the parameters, the request or the only source", async () => {
  const title = async (sources: ExportSource[], input?: string, parameter?: string) =>
    (await planBook({ title: input, sources, now }, parseParameters({ title: parameter ?? null })))
      .title;
  assert.equal(await title([source("a")], "Asked", "Set"), "Set");
  assert.equal(await title([source("a")], "Asked"), "Asked");
  assert.equal(await title([source("a")]), "A title");
  assert.equal(await title([source("a", { title: " \u0007" })]), "Untitled");
  assert.equal(await title([source("a"), source("b")]), "Collected readings");
});

Deno.test("planBook() takes the language of most of the text, right to left where it runs so", async () => {
  const plan = async (...sources: ExportSource[]) =>
    await planBook({ sources, now }, parseParameters({}));
  const mixed = await plan(
    source("a", { language: "de", markdown: "kurz" }),
    source("b", { language: "fa_IR", markdown: "a much longer text" }),
    source("c", { language: "no such tag!", markdown: "x".repeat(1000) }),
  );
  assert.deepEqual(mixed.languages, ["fa-IR", "de"]);
  assert.equal(mixed.rtl, true);
  assert.deepEqual(mixed.chapters.map((chapter) => chapter.rtl), [false, true, false]);
  const unknown = await plan(source("a", { markdown: "שלום עולם" }));
  assert.deepEqual(unknown.languages, ["und"]);
  assert.equal(unknown.rtl, true);
});

Deno.test("planBook() names the same book the same, another revision otherwise", async () => {
  const identifier = async (revision: string) =>
    (await planBook({ sources: [source("a", { revision })], now }, parseParameters({}))).identifier;
  assert.match(
    await identifier("revision_1"),
    /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab]/,
  );
  assert.equal(await identifier("revision_1"), await identifier("revision_1"));
  assert.notEqual(await identifier("revision_1"), await identifier("revision_2"));
});

Deno.test("planBook() fails by name when there are no sources", async () => {
  await assert.rejects(planBook({ title: "Empty", sources: [], now }, parseParameters({})), {
    code: "empty",
    message: 'Cannot make the ebook "Empty": it has no sources.',
  });
});
