import assert from "node:assert/strict";
import type {
  DefinedPlugin,
  ExportInput,
  ExportOutput,
  ExportSource,
  Plain,
  PluginContext,
} from "@carrel/sdk";
import { build, stop as stopEsbuild } from "esbuild";
import { strFromU8, unzipSync } from "fflate";
import { parse as parseYaml } from "yaml";
import { epubcheck } from "../../tests/e2e/epubcheck.ts";
import plugin from "./mod.ts";
import { ODD_SOURCES } from "./fixtures/odd_sources.ts";

const now = "2026-01-02T03:04:05.678Z";

function source(number: number, more: Partial<ExportSource> = {}): ExportSource {
  return {
    id: `content_${number}`,
    revision: `revision_${number}`,
    type: "webpage",
    title: `Title ${number}`,
    url: `https://example.org/${number}`,
    authors: ["Ada Lovelace"],
    published: "2024-03-02",
    language: "en",
    licence: "MIT",
    imported: now,
    markdown: `First paragraph of ${number}.\n\n## Part\n\nSecond paragraph.`,
    chunks: [
      { id: `chunk_${number}a`, start: 0, end: 21 },
      { id: `chunk_${number}b`, start: 23, end: 40 },
    ],
    ...more,
  };
}

const context: PluginContext = {
  jobId: "export_1",
  idempotencyKey: "key",
  dataDir: undefined,
  config: {},
  secrets: {},
  signal: new AbortController().signal,
  progress: () => {},
  log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
  service: () => Promise.reject(new Error("an ebook needs no service")),
  call: () => Promise.reject(new Error("no capability is granted")),
  usage: () => {},
};

function exporter(): Extract<DefinedPlugin, { kind: "export" }> {
  if (plugin.kind !== "export") throw new Error("not an export plugin");
  return plugin;
}

async function generate(
  input: Partial<ExportInput>,
  parameters: Record<string, Plain> = {},
): Promise<ExportOutput> {
  return await exporter().methods.generate({ sources: [], now, ...input }, parameters, context);
}

function pagesOf(output: ExportOutput): Record<string, string> {
  const files = unzipSync(output.files[0]!.bytes);
  return Object.fromEntries(Object.entries(files).map(([path, bytes]) => [path, strFromU8(bytes)]));
}

async function assertValid(output: ExportOutput): Promise<void> {
  const result = await epubcheck(output.files[0]!.bytes);
  if (!result.ran) console.log(`not run: ${result.reason}`);
  else assert.deepEqual(result.messages, []);
}

Deno.test("generate() makes a book that epubcheck finds nothing in when the input is odd", async () => {
  await assertValid(
    await generate({ title: 'Odd & "ends" <of> all ]]> kinds', sources: ODD_SOURCES }),
  );
});

Deno.test("generate() makes a book that epubcheck finds nothing in when sources are saved web pages", async () => {
  const folder = new URL("../../../shared/data/webpages/", import.meta.url);
  const sources: ExportSource[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) {
      const markdown = await Deno.readTextFile(new URL(`${name}/expected.html`, folder));
      sources.push(source(sources.length + 1, { title: name, language: undefined, markdown }));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.log("not run: no saved web pages beside the repository");
    return;
  }
  const output = await generate({ title: "Saved pages", sources }, { cover: false, toc_depth: 3 });
  assert.equal(output.attributions.length, sources.length);
  await assertValid(output);
});

Deno.test("generate() packs mimetype first and stored, with times that do not depend on the clock", async () => {
  const { files: [file] } = await generate({ sources: [source(1)] });
  const { bytes, name, mediaType } = file!;
  assert.equal(name, "title-1.epub");
  assert.equal(mediaType, "application/epub+zip");
  assert.equal(strFromU8(bytes.subarray(30, 58)), "mimetypeapplication/epub+zip");
  const header = new DataView(bytes.buffer, bytes.byteOffset);
  assert.equal(header.getUint16(8, true), 0, "stored");
  assert.equal(header.getUint16(28, true), 0, "no extra field");
  assert.equal(header.getUint32(10, true), 0x00210000, "1 January 1980, midnight");
});

Deno.test("generate() makes the same bytes from the same input, others from another time", async () => {
  const bytes = async (time: string) =>
    (await generate({ sources: [source(1), source(2)], now: time })).files[0]!.bytes;
  assert.deepEqual(await bytes(now), await bytes(now));
  assert.notDeepEqual(await bytes(now), await bytes("2026-01-03T00:00:00Z"));
});

Deno.test("generate() attributes each chapter to all passages of its source", async () => {
  const output = await generate({ title: "Two", sources: [source(1), source(2, { chunks: [] })] });
  assert.equal(output.title, "Two");
  assert.deepEqual(output.attributions, [
    {
      part: {
        id: "chapter-1",
        kind: "chapter",
        title: "Title 1",
        location: "two.epub#OEBPS/chapter-1.xhtml",
      },
      source: "content_1",
      chunks: ["chunk_1a", "chunk_1b"],
    },
    {
      part: {
        id: "chapter-2",
        kind: "chapter",
        title: "Title 2",
        location: "two.epub#OEBPS/chapter-2.xhtml",
      },
      source: "content_2",
      chunks: [],
    },
  ]);
  const pages = pagesOf(output);
  for (const { part } of output.attributions) {
    assert.ok(pages[part.location!.split("#")[1]!], part.location);
  }
});

Deno.test("generate() says of each chapter where it is from and links it to the sources page and back", async () => {
  const pages = pagesOf(await generate({ sources: [source(1), source(2)] }));
  const chapter = pages["OEBPS/chapter-2.xhtml"]!;
  assert.match(chapter, /<h1 id="title">Title 2<\/h1>/);
  assert.match(
    chapter,
    /Ada Lovelace.*href="https:\/\/example\.org\/2".*2 March 2024.*href="sources\.xhtml#source-2"/,
  );
  const entry = pages["OEBPS/sources.xhtml"]!.split('id="source-2"')[1]!.replaceAll("<wbr/>", "");
  for (
    const said of [
      "chapter-2.xhtml",
      "https://example.org/2",
      "MIT",
      "content_2",
      "revision_2",
      "03:04 UTC",
    ]
  ) assert.ok(entry.includes(said), said);
  const packaged = pages["OEBPS/package.opf"]!;
  assert.match(packaged, /<meta property="dcterms:modified">2026-01-02T03:04:05Z<\/meta>/);
  assert.match(packaged, /<dc:source>https:\/\/example\.org\/2<\/dc:source>/);
  assert.match(packaged, /<dc:rights>MIT<\/dc:rights>/);
});

Deno.test("generate() lists chapters and their sections to the depth asked for", async () => {
  const markdown = "## A\n\n### B\n\n#### C\n\n## D";
  const nav = async (depth: number) =>
    [...pagesOf(
      await generate({ sources: [source(1, { markdown })] }, { toc_depth: depth }),
    )["OEBPS/nav.xhtml"]!
      .split("</nav>")[0]!.matchAll(/<a href[^>]*>([^<]*)</g)].map((match) => match[1]);
  assert.deepEqual(await nav(1), ["Title 1", "Sources"]);
  assert.deepEqual(await nav(2), ["Title 1", "A", "D", "Sources"]);
  assert.deepEqual(await nav(3), ["Title 1", "A", "B", "D", "Sources"]);
});

Deno.test("generate() brings nothing that a reader would fetch or run", async () => {
  const markdown = "![a cat](https://example.org/cat.png) <script>alert(1)</script> " +
    "<img src='https://example.org/x.png' onerror='alert(1)'> <iframe src='https://example.org'></iframe>" +
    "<a href='javascript:alert(1)'>x</a> <style>@import 'https://example.org/x.css'</style>";
  const pages = pagesOf(await generate({ sources: [source(1, { markdown })] }));
  const chapter = pages["OEBPS/chapter-1.xhtml"]!;
  assert.doesNotMatch(chapter, /<img|<script|<iframe|<style|javascript:|onerror|alert/);
  assert.match(chapter, /<a class="image" href="https:\/\/example\.org\/cat\.png">a cat<\/a>/);
});

Deno.test("generate() sets text that runs from right to left as such", async () => {
  const hebrew = source(1, { language: "he", title: "שלום", markdown: "טקסט\n\n```\ncode\n```" });
  const pages = pagesOf(await generate({ title: "שלום", sources: [hebrew] }));
  assert.match(pages["OEBPS/package.opf"]!, /page-progression-direction="rtl"/);
  assert.match(pages["OEBPS/chapter-1.xhtml"]!, /<html[^>]* xml:lang="he" dir="rtl">/);
  assert.match(pages["OEBPS/chapter-1.xhtml"]!, /<pre[^>]* dir="ltr"/);
});

Deno.test("generate() leaves the cover out when told to", async () => {
  const pages = pagesOf(await generate({ sources: [source(1)] }, { cover: false }));
  assert.ok(!Object.keys(pages).some((path) => path.includes("cover")));
  assert.doesNotMatch(pages["OEBPS/package.opf"]! + pages["OEBPS/nav.xhtml"]!, /cover/);
});

Deno.test("generate() stops when the job is cancelled", async () => {
  const { methods } = exporter();
  const aborted = { ...context, signal: AbortSignal.abort(new Error("cancelled")) };
  await assert.rejects(
    async () => await methods.generate({ sources: [source(1)], now }, {}, aborted),
    { message: "cancelled" },
  );
});

Deno.test("the manifest asks for no permission and names the parameters that the plugin takes", async () => {
  const manifest = parseYaml(await Deno.readTextFile(new URL("carrel.yaml", import.meta.url)));
  assert.deepEqual(Object.keys(manifest.permissions), ["limits"]);
  const named = Object.keys(manifest.parameters.properties).sort();
  assert.deepEqual(named, ["author", "cover", "description", "language", "title", "toc_depth"]);
});

Deno.test("the bundled plugin runs in a worker without permissions", async () => {
  const folder = new URL(".", import.meta.url).pathname;
  const bundle = await build({
    stdin: {
      resolveDir: folder,
      contents: `import plugin from "./mod.ts";
        const log = { debug() {}, info() {}, warn() {}, error() {} };
        self.onmessage = async ({ data }) => {
          const ctx = { signal: new AbortController().signal, progress() {}, log, config: {} };
          try { self.postMessage({ output: await plugin.methods.generate(data, {}, ctx) }); }
          catch (error) { self.postMessage({ error: String(error) }); }
        };`,
    },
    alias: { "@carrel/sdk": new URL("../../sdk/mod.ts", import.meta.url).pathname },
    bundle: true,
    format: "esm",
    platform: "browser",
    write: false,
    logLevel: "silent",
  });
  await stopEsbuild();
  const url = URL.createObjectURL(
    new Blob([bundle.outputFiles[0]!.text], { type: "text/javascript" }),
  );
  const worker = new Worker(url, { type: "module", deno: { permissions: "none" } });
  try {
    const input = { sources: [source(1)], now };
    const answer = await new Promise<{ output?: ExportOutput; error?: string }>(
      (resolve, reject) => {
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = (event) => {
          event.preventDefault();
          reject(new Error(event.message));
        };
        worker.postMessage(input);
      },
    );
    assert.equal(answer.error, undefined);
    assert.deepEqual(answer.output!.files[0]!.bytes, (await generate(input)).files[0]!.bytes);
  } finally {
    worker.terminate();
    URL.revokeObjectURL(url);
  }
});
