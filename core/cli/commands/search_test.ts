// deno-lint-ignore-file no-regex-spaces -- columns are what is tested
import assert from "node:assert/strict";
import { setup } from "../testing/carrel.ts";
import { contentJson } from "../testing/samples.ts";

Deno.test("carrel search shows passages, or JSON, or that there is none", async () => {
  await using t = await setup();
  const found = await t.carrel(["search", "a", "desk", "-k", "3", "--type", "webpage"]);
  assert.match(found.out, / 1  A page  webpage · page 3 · Desks\n    a \[desk\] for a reader\./);
  assert.deepEqual(t.host.last("GET", "/api/search")!.query, {
    q: "a desk",
    k: "3",
    type: "webpage",
  });
  assert.match(found.err, /1 passage\./);
  assert.match((await t.carrel(["search", "nothing"])).err, /Nothing found for “nothing”/);
  assert.equal(JSON.parse((await t.carrel(["search", "x", "--json"])).out).hits.length, 1);
});

Deno.test("carrel search names the file of a passage that was uploaded", async () => {
  await using t = await setup();
  const hit = {
    chunk: "chunk_1",
    content: { id: "content_1", title: "A", type: "document", url: `upload:${"0f".repeat(32)}` },
    revision: "revision_1",
    start: 0,
    end: 6,
    page: null,
    heading: null,
    text: "a desk",
    highlights: [],
    score: 1,
  };
  t.host.intercept = (seen) =>
    seen.path === "/api/search" ? Response.json({ query: "x", hits: [hit, hit] }) : undefined;
  t.host.contents.push(contentJson("content_1", { filename: "desks.pdf" }));
  const { out } = await t.carrel(["search", "x"]);
  assert.match(out, /    a desk\n    desks\.pdf\n    content_1 0–6/);
  assert.equal(t.host.seen.filter((seen) => seen.path === "/api/content/content_1").length, 1);
});
