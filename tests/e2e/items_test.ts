/** A source that is a list, read by a stranger's plugin: its items come in one by one, each as an import of its own. */
import assert from "node:assert/strict";
import { type Json, startSite, startTestHost, until } from "./host.ts";

const MANIFEST = `id: import.list
version: 1.0.0
name: Lists
description: Imports what a list names.
entry: mod.ts
media_types: [text/x-list]
content_types: [document]
`;
const CODE = `import { definePlugin } from "@carrel/sdk";
export default definePlugin.import({
  extract(raw) {
    const urls = new TextDecoder().decode(raw.bytes).split("\\n");
    return { items: urls.map((url, index) => ({ url, title: "Item " + index })) };
  },
});
`;
const page = (words: string) =>
  new Response(
    `<!doctype html><title>A page</title><article><p>${words.repeat(40)}</p></article>`,
    {
      headers: { "content-type": "text/html" },
    },
  );

Deno.test("a list brings its items in, says how many, and one that failed is retried alone", async () => {
  let broken = true;
  await using site = startSite((_, path) => {
    if (path === "/list/carrel.yaml") return new Response(MANIFEST);
    if (path === "/list/mod.ts") return new Response(CODE);
    if (path === "/broken" && broken) return new Response("", { status: 404 });
    return page(`Words of ${path.slice(1)}. `);
  });
  await using host = await startTestHost({ allowPrivate: [site.host] });
  const { consent } = await host.post("/api/plugins/install", {
    url: `${site.url}/list/carrel.yaml`,
  });
  if (consent) await host.post(`/api/plugins/consents/${consent.id}`, { decision: "grant" });

  const urls = ["one", "two", "two", "broken"].map((name) => `${site.url}/${name}`);
  const job = await host.ended(await host.upload("urls.list", urls.join("\n"), "text/x-list"));
  assert.deepEqual([job.status, job.result], [
    "completed",
    { items: { total: 3, completed: 2, failed: 1, cancelled: 0 } },
  ], JSON.stringify(job.error));
  const { items } = await host.get("/api/content");
  assert.deepEqual(items.map(({ title }: Json) => title).sort(), ["Item 0", "Item 1"]);

  broken = false;
  const { items: [failed] } = await host.get("/api/jobs?status=failed");
  await host.post(`/api/jobs/${failed.id}/retry`, {});
  await until(async () => (await host.get(`/api/jobs/${failed.id}`)).status === "completed");
  assert.equal((await host.get("/api/content")).items.length, 3);
});
