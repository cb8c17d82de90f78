import assert from "node:assert/strict";
import type { DefinedPlugin, ExportSource, PluginContext } from "@carrel/sdk";
import { epubcheck } from "../../tests/e2e/epubcheck.ts";
import pdf from "../import_pdf/mod.ts";
import text from "../import_text/mod.ts";
import webpage from "../import_webpage/mod.ts";
import plugin from "./mod.ts";

const folder = new URL("../../examples/documents/", import.meta.url);

function context(config: PluginContext["config"]): PluginContext {
  return {
    jobId: "job_1",
    idempotencyKey: "key",
    dataDir: undefined,
    config,
    secrets: {},
    signal: new AbortController().signal,
    progress: () => {},
    log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    service: () => Promise.reject(new Error("no service is granted")),
    call: () => Promise.reject(new Error("no capability is granted")),
    usage: () => {},
  };
}

async function importFile(
  importer: DefinedPlugin,
  filename: string,
  mediaType: string,
): Promise<ExportSource> {
  if (importer.kind !== "import") throw new Error("not an import plugin");
  const bytes = await Deno.readFile(new URL(filename, folder));
  const raw = { bytes, mediaType, url: `upload:${filename}`, filename };
  const content = await importer.methods.extract(
    raw,
    context({ timeout: 30, max_mb: 32, max_pages: 100 }),
  );
  if ("items" in content) throw new Error("not one content");
  const { type, title, markdown, metadata } = content;
  return {
    id: `content_${filename}`,
    revision: "revision_1",
    type,
    title,
    url: metadata.canonicalUrl ?? raw.url,
    authors: metadata.authors ?? [],
    published: metadata.published,
    language: metadata.language,
    licence: metadata.licence,
    imported: "2026-11-21T10:00:00.000Z",
    markdown,
    chunks: [],
  };
}

Deno.test("generate() makes a good book of the example documents as the importers read them", async () => {
  const sources = [
    await importFile(text, "how-carrel-keeps-a-plugin-at-its-desk.md", "text/markdown"),
    await importFile(webpage, "a-short-history-of-the-carrel.html", "text/html"),
    await importFile(pdf, "provenance-in-practice.pdf", "application/pdf"),
  ];
  assert.deepEqual(sources.map(({ title, authors }) => [title, ...authors]), [
    ["How Carrel keeps a plugin at its desk", "The Carrel authors"],
    ["A short history of the carrel", "The Carrel authors"],
    ["Provenance in practice", "The Carrel authors"],
  ]);
  for (const { title, markdown } of sources) {
    assert.match(markdown, /who may read the archive/i, title);
    assert.match(markdown, /lineage/, title);
    assert.doesNotMatch(markdown, /cookies|newsletter|radiator|Advertisement/, title);
  }
  if (plugin.kind !== "export") throw new Error("not an export plugin");
  const output = await plugin.methods.generate(
    { title: "Desks and ledgers", sources, now: "2026-11-21T10:00:00.000Z" },
    {},
    context({}),
  );
  const result = await epubcheck(output.files[0]!.bytes);
  if (!result.ran) console.log(`not run: ${result.reason}`);
  else assert.deepEqual(result.messages, []);
});
