/** What a plugin may hand to the library: it is bounded, plain, and can be read back as it was. */
import assert from "node:assert/strict";
import { type Json, startSite, startTestHost, type TestHost } from "./host.ts";

const IMPORTER = `import { definePlugin, PluginError } from "@carrel/sdk";
const content = (more) => ({ type: "document", title: "T", markdown: "x", metadata: {}, ...more });
export default definePlugin.import({
  download: (source) => ({ bytes: new Uint8Array(), mediaType: "text/plain", url: source.url }),
  extract(raw) {
    switch (new TextDecoder().decode(raw.bytes)) {
      case "fat": return content({ metadata: { junk: "y".repeat(20 << 20) } });
      case "bytes": return content({ metadata: { a: { b: new Uint8Array(1 << 20) } } });
      case "error": throw new PluginError("damaged", "no", { data: { a: "y".repeat(20 << 20), page: 7 } });
      case "nul": return content({ title: "a\\0b", markdown: "before\\0 after yankee \\ud800 end" });
      case "paragraphs": return content({ markdown: "a\\n\\n".repeat(300_000) });
      default: return content({ markdown: "# a\\n\\nb\\n\\n".repeat(60_000) });
    }
  },
});`;

const EXPORTER = `import { definePlugin } from "@carrel/sdk";
export default definePlugin.export({
  generate(input, { what, count }) {
    const file = { name: "a.txt", mediaType: "text/plain", bytes: new Uint8Array(1) };
    const claim = (i) => ({
      part: { id: "p" + i, kind: "section" },
      source: input.sources[0].id,
      chunks: what === "strange" ? ["chunk_x"] : [],
    });
    return {
      title: "T",
      files: [{ ...file, name: what === "name" ? "\\ud800.txt" : "Größe 100%.txt" }],
      attributions: Array.from({ length: count ?? 1 }, (_, i) => claim(i)),
      metadata: what === "fat" ? { junk: "y".repeat(20 << 20) } : {},
    };
  },
});`;

async function install(host: TestHost, id: string, fields: string, code: string): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(
      `${folder}/carrel.yaml`,
      `id: ${id}\nversion: 1.0.0\nname: Odd\ndescription: Odd\nentry: mod.ts\n${fields}\n`,
    );
    await Deno.writeTextFile(`${folder}/mod.ts`, `// @ts-nocheck\n${code}`);
    const { consent } = await host.post("/api/plugins/install", { url: folder });
    await host.post(`/api/plugins/consents/${consent.id}`, { decision: "grant", grants: [] });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function extract(host: TestHost, what: string): Promise<Json> {
  const form = new FormData();
  form.append("plugin", "import.odd");
  form.append("file", new File([what], "a.odd", { type: "application/x-odd" }));
  const response = await host.fetch("/api/content/import", { method: "POST", body: form });
  return await host.ended((await response.json()).job);
}

Deno.test("an importer's output is bounded, and its text can be read as it was stored", async (t) => {
  // Nobody asks it: the plugin that is to download from it brings nothing.
  await using site = startSite(() => new Response("?"));
  await using host = await startTestHost({ allowPrivate: [site.host] });
  await install(host, "import.odd", "media_types: [application/x-odd]", IMPORTER);
  const fails = async (what: string, code: string, message: RegExp) => {
    const job = await extract(host, what);
    assert.equal(job.status, "failed", what);
    assert.equal(job.error.code, code);
    assert.match(job.error.message, message);
    assert.ok(JSON.stringify(job).length < 20_000);
    return job;
  };
  await t.step("metadata", async () => {
    await fails("fat", "invalid_output", /metadata\.junk/);
    await fails("bytes", "invalid_output", /metadata\.a\.b/);
  });
  await t.step("the data of an error", async () => {
    const { error } = await fails("error", "damaged", /^no$/);
    assert.deepEqual(error.details, { page: 7, left_out: 1 });
  });
  await t.step("no bytes at all", async () => {
    const job = await host.ended(
      await host.importUrl(`${site.url}/odd`, { plugin: "import.odd" }),
    );
    assert.equal(job.error?.code, "empty");
  });
  await t.step("passages", async () => {
    await fails("sections", "too_large", /passages/);
    const job = await extract(host, "paragraphs");
    assert.equal(job.status, "completed", JSON.stringify(job.error));
  });
  await t.step("characters that a store would stumble over", async () => {
    const job = await extract(host, "nul");
    assert.equal(job.status, "completed", JSON.stringify(job.error));
    const [hit] = (await host.get("/api/search?q=yankee")).hits;
    assert.equal(hit.text, "before\ufffd after yankee \ufffd end");
    const path = `/api/content/${job.result.content}/files/extracted.txt`;
    assert.equal((await (await host.fetch(path)).text()).slice(hit.start, hit.end), hit.text);
    assert.equal(hit.text.slice(...hit.highlights[0]), "yankee");
  });
});

Deno.test("an exporter's output is bounded, and its files can be downloaded by their names", async () => {
  await using host = await startTestHost();
  await install(host, "export.odd", "formats: [odd]", EXPORTER);
  const source = (await host.ended(await host.upload("a.md", "# A\n\nText."))).result.content;
  const make = async (parameters: object) =>
    await host.ended(
      (await host.post("/api/content/export", { source_ids: [source], format: "odd", parameters }))
        .job,
    );
  for (const what of ["fat", "strange", "name"]) {
    const job = await make({ what });
    assert.equal(job.status, "failed", what);
    assert.equal(job.error.code, "invalid_output", what);
  }
  assert.equal((await make({ count: 5_001 })).error?.code, "invalid_output");

  const { result: { artifact } } = await make({ count: 5_000 });
  const [file] = (await host.get(`/api/artifacts/${artifact}`)).files;
  const path = `/api/artifacts/${artifact}/files/${encodeURIComponent(file.name)}`;
  assert.equal((await (await host.fetch(path)).arrayBuffer()).byteLength, 1);
  const { parts } = await host.get(`/api/provenance/artifact/${artifact}/attribution`);
  assert.equal(parts.length, 5_000);
});
