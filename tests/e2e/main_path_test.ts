import assert from "node:assert/strict";
import { epubcheck } from "./epubcheck.ts";
import { startSite, startTestHost } from "./host.ts";

const DOCUMENTS = new URL("../../examples/documents/", import.meta.url);
const MARKDOWN = "how-carrel-keeps-a-plugin-at-its-desk.md";
const PAGE = "a-short-history-of-the-carrel.html";
const PDF = "provenance-in-practice.pdf";

Deno.test("documents go in, are found, come out as a book and are known as its sources", async () => {
  await using host = await startTestHost();
  const contents: Record<string, string> = {};
  for (const name of [MARKDOWN, PAGE, PDF]) {
    const job = await host.ended(
      await host.upload(name, await Deno.readFile(new URL(name, DOCUMENTS))),
    );
    assert.equal(job.status, "completed", JSON.stringify(job.error));
    assert.equal(job.progress, 100);
    contents[name] = job.result.content;
  }

  const { items } = await host.get("/api/content");
  assert.equal(items.length, 3);
  const pdf = await host.get(`/api/content/${contents[PDF]}`);
  assert.deepEqual(pdf.files.map((f: { name: string }) => f.name), [
    "document.pdf",
    "extracted.txt",
  ]);
  const original = await host.fetch(`/api/content/${contents[PDF]}/files/document.pdf`);
  assert.deepEqual(
    new Uint8Array(await original.arrayBuffer()),
    await Deno.readFile(new URL(PDF, DOCUMENTS)),
  );

  const { hits } = await host.get(`/api/search?q=${encodeURIComponent("lineage")}`);
  assert.ok(hits.length > 0);
  const text = await (await host.fetch(`/api/content/${hits[0].content.id}/files/extracted.txt`))
    .text();
  assert.equal(text.slice(hits[0].start, hits[0].end), hits[0].text);
  const [from, to] = hits[0].highlights[0];
  assert.match(hits[0].text.slice(from, to), /^lineage/i);

  const { job } = await host.post("/api/content/export", {
    source_ids: [contents[MARKDOWN], contents[PAGE], contents[PDF]],
    format: "ebook",
    parameters: { title: "Three documents" },
  });
  const exported = await host.ended(job);
  assert.equal(exported.status, "completed", JSON.stringify(exported.error));
  const artifact = await host.get(`/api/artifacts/${exported.result.artifact}`);
  const book = await host.fetch(`/api/artifacts/${artifact.id}/files/${artifact.files[0].name}`);
  assert.equal(book.headers.get("content-type"), "application/epub+zip");
  const bytes = new Uint8Array(await book.arrayBuffer());
  assert.equal(bytes.length, artifact.files[0].size);
  const checked = await epubcheck(bytes);
  if (checked.ran) assert.deepEqual(checked.messages, []);
  else console.log(`the book was not checked: ${checked.reason}`);

  const part = await host.fetch(`/api/artifacts/${artifact.id}/files/${artifact.files[0].name}`, {
    headers: { range: "bytes=10-19" },
  });
  assert.equal(part.status, 206);
  assert.deepEqual(new Uint8Array(await part.arrayBuffer()), bytes.slice(10, 20));

  const genealogy = await host.get(`/api/provenance/artifact/${artifact.id}/genealogy`);
  const types = new Set(genealogy.nodes.map((n: { type: string }) => n.type));
  for (const type of ["Artifact", "Document", "WebPage", "Part", "PluginVersion", "Job", "User"]) {
    assert.ok(types.has(type), `${type} is missing from ${[...types]}`);
  }
  const attribution = await host.get(`/api/provenance/artifact/${artifact.id}/attribution`);
  assert.deepEqual(
    attribution.parts.map((p: { sources: { content: string }[] }) => p.sources[0]!.content),
    [contents[MARKDOWN], contents[PAGE], contents[PDF]],
  );
  assert.ok(
    attribution.parts.every((p: { sources: { passages: unknown[] }[] }) =>
      p.sources[0]!.passages.length > 0
    ),
  );
  const made = await host.get(`/api/provenance/document/${contents[PDF]}/generated-content`);
  assert.equal(made.items[0].artifact, artifact.id);
});

Deno.test("a page imported again is left alone when equal, and is a new revision when not", async () => {
  let text = "first";
  const page = () =>
    `<html lang="en"><title>Page</title><body><article><h1>Page</h1>${
      `<p>The ${text} state of a page that changes, said at some length so that it is an article.</p>`
        .repeat(5)
    }</article></body></html>`;
  await using site = startSite(() =>
    new Response(page(), { headers: { "content-type": "text/html" } })
  );
  await using host = await startTestHost({ allowPrivate: [site.host] });
  const bring = async () => (await host.ended(await host.importUrl(`${site.url}/page`))).result;

  const first = await bring();
  assert.equal(first.unchanged, false);
  assert.deepEqual(await bring(), { ...first, unchanged: true });
  text = "second";
  const second = await bring();
  assert.equal(second.content, first.content);
  assert.notEqual(second.revision, first.revision);
  const content = await host.get(`/api/content/${first.content}`);
  assert.equal(content.revision.number, 2);
  assert.equal((await host.get("/api/search?q=first")).hits.length, 0);
  assert.ok((await host.get("/api/search?q=second")).hits.length > 0);
});

Deno.test("a deleted content is gone from lists and search, and keeps a tombstone when it goes for good", async () => {
  await using host = await startTestHost();
  const job = await host.ended(await host.upload("a.md", "# Title\n\nA zebra crosses the text.\n"));
  const id = job.result.content;
  const { job: exportJob } = await host.post("/api/content/export", {
    source_ids: [id],
    format: "ebook",
  });
  const artifact = (await host.ended(exportJob)).result.artifact;

  assert.equal((await host.fetch(`/api/content/${id}`, { method: "DELETE" })).status, 204);
  assert.equal((await host.get("/api/content")).items.length, 0);
  assert.equal((await host.get("/api/search?q=zebra")).hits.length, 0);
  assert.equal((await host.fetch(`/api/content/${id}`)).status, 410);
  const refused = await host.fetch("/api/content/export", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ source_ids: [id], format: "ebook" }),
  });
  assert.equal(refused.status, 422);
  assert.equal((await refused.json()).code, "source_missing");

  assert.equal(
    (await host.fetch(`/api/content/${id}?hard_delete=true`, { method: "DELETE" })).status,
    204,
  );
  assert.equal((await host.fetch(`/api/content/${id}`)).status, 410);
  const { nodes } = await host.get(`/api/provenance/artifact/${artifact}/genealogy`);
  const tombstone = nodes.find((n: { id: string }) => n.id === id);
  assert.equal(tombstone.type, "Tombstone");
  assert.equal(tombstone.label, "(deleted)");
  assert.match(tombstone.properties.digest, /^[0-9a-f]{64}$/);
});

/** Whether a text stands in a stored object, whole. */
async function isStored(dataDir: string, text: string): Promise<boolean> {
  for (const folder of Deno.readDirSync(`${dataDir}/objects`)) {
    if (!folder.isDirectory || folder.name.length !== 2) continue;
    for (const file of Deno.readDirSync(`${dataDir}/objects/${folder.name}`)) {
      const path = `${dataDir}/objects/${folder.name}/${file.name}`;
      if ((await Deno.readTextFile(path)).includes(text)) return true;
    }
  }
  return false;
}

Deno.test("a hard deletion takes the files, and what jobs and lineage say of them", async () => {
  await using host = await startTestHost();
  const text = "# Xylophone\n\nThe body says quixotry.\n";
  const bring = async (collection: string) => {
    const form = new FormData();
    form.append("collection", collection);
    form.append("metadata", JSON.stringify({ note: "Xylophone note" }));
    form.append("file", new File([text], "xylophone.md"));
    const response = await host.fetch("/api/content/import", { method: "POST", body: form });
    return await host.ended((await response.json()).job);
  };
  const [mine, other] = [await bring("mine"), await bring("other")];
  const exported = await host.ended(
    (await host.post("/api/content/export", {
      source_ids: [mine.result.content],
      format: "ebook",
      parameters: { title: "Book" },
    })).job,
  );
  const path = `/api/content/${mine.result.content}`;
  const hardDelete = (id: string) =>
    host.fetch(`/api/content/${id}?hard_delete=true`, { method: "DELETE" });

  assert.equal((await hardDelete(mine.result.content)).status, 204);
  // The other collection holds the same bytes.
  assert.ok(await isStored(host.dataDir, "quixotry"));
  const kept = await host.fetch(`/api/content/${other.result.content}/files/extracted.txt`);
  assert.match(await kept.text(), /quixotry/);
  for (const gone of [path, `${path}/files/extracted.txt`, `${path}/files/document.md`]) {
    const response = await host.fetch(gone);
    assert.equal(response.status, 410, gone);
    await response.body?.cancel();
  }
  const job = await host.get(`/api/jobs/${mine.id}`);
  assert.equal(job.status, "completed");
  assert.doesNotMatch(JSON.stringify(job), /xylophone/i);
  const events = await (await host.fetch(`/api/jobs/${mine.id}/events`)).text();
  const exportEvents = await (await host.fetch(`/api/jobs/${exported.id}/events`)).text();
  assert.doesNotMatch(events + exportEvents, /xylophone/i);
  const lineage = `/api/provenance/artifact/${exported.result.artifact}`;
  assert.doesNotMatch(JSON.stringify(await host.get(`${lineage}/genealogy`)), /xylophone/i);
  assert.doesNotMatch(JSON.stringify(await host.get(`${lineage}/attribution`)), /xylophone/i);

  assert.equal((await hardDelete(other.result.content)).status, 204);
  assert.equal(await isStored(host.dataDir, "quixotry"), false);
  assert.equal((await host.get("/api/search?q=quixotry")).hits.length, 0);
  // What comes in again is new.
  const again = await bring("mine");
  assert.equal(again.result.unchanged, false);
  assert.notEqual(again.result.content, mine.result.content);
});

Deno.test("equal uploads at the same time are one revision, and new metadata of known bytes counts", async () => {
  await using host = await startTestHost();
  const bring = async (metadata?: object) => {
    const form = new FormData();
    if (metadata !== undefined) form.append("metadata", JSON.stringify(metadata));
    form.append("file", new File(["# Doc\n\nAlpha.\n"], "doc.md"));
    return await host.fetch("/api/content/import", { method: "POST", body: form });
  };
  const answers = await Promise.all([bring(), bring({ topic: "one" }), bring({ topic: "two" })]);
  const jobs = await Promise.all(
    answers.map(async (answer) => await host.ended((await answer.json()).job)),
  );
  assert.equal(new Set(jobs.map((job) => job.result.revision)).size, 1);
  assert.equal(jobs.filter((job) => !job.result.unchanged).length, 1);
  const { content } = jobs[0].result;
  assert.equal((await host.get(`/api/content/${content}`)).revision.number, 1);

  const named = await host.ended((await (await bring({ title: "New title" })).json()).job);
  assert.deepEqual(named.result, { ...named.result, content, unchanged: true, updated: true });
  const shown = await host.get(`/api/content/${content}`);
  assert.equal(shown.title, "New title");
  assert.ok(["one", "two"].includes(shown.metadata.topic));
  const { job } = await host.post("/api/content/export", {
    source_ids: [content],
    format: "ebook",
  });
  const artifact = await host.get(`/api/artifacts/${(await host.ended(job)).result.artifact}`);
  assert.equal(artifact.title, "New title");

  const refused = await bring({ junk: "y".repeat(100_000) });
  assert.equal(refused.status, 400);
  assert.match((await refused.json()).detail, /metadata/);
});

Deno.test("a list refuses a cursor that it has not given", async () => {
  await using host = await startTestHost();
  for (const list of ["content", "artifacts"]) {
    const response = await host.fetch(`/api/${list}?cursor=zzz`);
    assert.equal(response.status, 400);
    assert.equal((await response.json()).code, "bad_request");
  }
});
