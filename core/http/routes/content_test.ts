import assert from "node:assert/strict";
import { acceptedSchema, artifactSchema, contentSchema, pageOf } from "../schemas.ts";
import { testApp } from "../testing/memory_host.ts";
import { problemOf } from "../testing/problem.ts";

const bytes = new TextEncoder().encode("0123456789");
const files = {
  "page.html": { mediaType: "text/html", bytes: new TextEncoder().encode("<script>1</script>") },
  "extracted.txt": { mediaType: "text/plain; charset=utf-8", bytes },
};

Deno.test("GET content lists by page and filter, and reads one", async () => {
  await using app = await testApp();
  const ids = [1, 2, 3].map(() => app.library.addContent(files).id).reverse();
  const page = pageOf(contentSchema);
  const first = page.parse(
    await (await app.request("reader", "GET", "/api/content?limit=2")).json(),
  );
  assert.deepEqual(first.items.map(({ id }) => id), ids.slice(0, 2));
  const next = await app.request("reader", "GET", `/api/content?limit=2&cursor=${first.cursor}`);
  const second = page.parse(await next.json());
  assert.deepEqual([second.items.map(({ id }) => id), second.cursor], [ids.slice(2), null]);
  const none = await app.request("reader", "GET", "/api/content?type=video");
  assert.deepEqual(await none.json(), { items: [], cursor: null });
  const one = await app.request("reader", "GET", `/api/content/${ids[0]}`);
  assert.equal(contentSchema.parse(await one.json()).files.length, 2);
  const missing = await problemOf(await app.request("reader", "GET", "/api/content/content_x"));
  assert.equal(missing.code, "not_found");
});

Deno.test("GET content files serves them so that nothing in them can run", async () => {
  await using app = await testApp();
  const { id } = app.library.addContent({
    ...files,
    "odd name \"✓'.svg": { mediaType: "image/svg+xml", bytes },
    "lying": { mediaType: "text/html\r\nx-evil: 1", bytes },
  });
  const get = async (name: string) => {
    const path = `/api/content/${id}/files/${encodeURIComponent(name)}`;
    const response = await app.request("reader", "GET", path);
    assert.equal(response.status, 200, name);
    assert.match(response.headers.get("content-security-policy") ?? "", /^sandbox;/);
    assert.equal(response.headers.get("x-content-type-options"), "nosniff");
    await response.body?.cancel();
    return response.headers;
  };
  const html = await get("page.html");
  assert.equal(html.get("content-type"), "text/html");
  assert.match(html.get("content-disposition") ?? "", /^attachment; filename="page.html"/);
  const text = await get("extracted.txt");
  assert.match(text.get("content-disposition") ?? "", /^inline;/);
  const svg = await get("odd name \"✓'.svg");
  assert.equal(
    svg.get("content-disposition"),
    `attachment; filename="odd name __'.svg"; filename*=UTF-8''odd%20name%20%22%E2%9C%93%27.svg`,
  );
  assert.equal((await get("lying")).get("content-type"), "application/octet-stream");
});

Deno.test("GET files sends ranges, and 416 for what is not there", async () => {
  await using app = await testApp();
  const { id } = app.library.addArtifact({
    "book.epub": { mediaType: "application/epub+zip", bytes },
  });
  const path = `/api/artifacts/${id}/files/book.epub`;
  const get = (range: string, more: Record<string, string> = {}) =>
    app.request("reader", "GET", path, { headers: { range, ...more } });

  const whole = await app.request("reader", "GET", path);
  assert.equal(await whole.text(), "0123456789");
  assert.equal(whole.headers.get("accept-ranges"), "bytes");
  assert.equal(whole.headers.get("content-length"), "10");
  const etag = whole.headers.get("etag")!;
  assert.match(etag, /^"[0-9a-f]{64}"$/);

  for (
    const [range, text, said] of [
      ["bytes=0-3", "0123", "bytes 0-3/10"],
      ["bytes=4-", "456789", "bytes 4-9/10"],
      ["bytes=-2", "89", "bytes 8-9/10"],
      ["bytes=8-100", "89", "bytes 8-9/10"],
    ] as const
  ) {
    const part = await get(range);
    assert.deepEqual([part.status, await part.text()], [206, text], range);
    assert.equal(part.headers.get("content-range"), said);
    assert.equal(part.headers.get("content-length"), String(text.length));
  }
  const beyond = await get("bytes=10-");
  assert.equal(beyond.headers.get("content-range"), "bytes */10");
  assert.equal((await problemOf(beyond)).code, "range_not_satisfiable");
  for (const range of ["bytes=0-1,4-5", "lines=1-2"]) {
    const ignored = await get(range);
    assert.deepEqual([ignored.status, await ignored.text()], [200, "0123456789"], range);
  }
  assert.equal((await get("bytes=0-3", { "if-range": etag })).status, 206);
  for (const other of ['"other"', `W/${etag}`, "Wed, 21 Oct 2015 07:28:00 GMT"]) {
    assert.equal((await get("bytes=0-3", { "if-range": other })).status, 200, other);
  }
});

Deno.test("GET files answers 304 to the tag it gave, and HEAD without opening the file", async () => {
  await using app = await testApp();
  const { id } = app.library.addArtifact({
    "book.epub": { mediaType: "application/epub+zip", bytes },
  });
  const path = `/api/artifacts/${id}/files/book.epub`;
  const head = await app.request("reader", "HEAD", path);
  assert.deepEqual([head.status, head.headers.get("content-length")], [200, "10"]);
  assert.equal(await head.text(), "");
  const etag = head.headers.get("etag")!;
  for (const header of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
    const same = await app.request("reader", "GET", path, { headers: { "if-none-match": header } });
    assert.deepEqual([same.status, same.body, same.headers.get("etag")], [304, null, etag], header);
  }
  assert.equal(app.library.opened(), 0);
  const other = await app.request("reader", "GET", path, { headers: { "if-none-match": '"x"' } });
  assert.equal(await other.text(), "0123456789");
});

Deno.test("GET files keeps contents and artifacts apart and says not_found for other names", async () => {
  await using app = await testApp();
  const artifact = app.library.addArtifact({ "book.epub": { mediaType: "x/y", bytes } });
  for (
    const path of [
      `/api/content/${artifact.id}/files/book.epub`,
      `/api/artifacts/${artifact.id}/files/other`,
      `/api/artifacts/${artifact.id}/files/..%2Fbook.epub`,
    ]
  ) {
    assert.equal((await problemOf(await app.request("reader", "GET", path))).code, "not_found");
  }
});

Deno.test("GET artifacts lists and reads them", async () => {
  await using app = await testApp();
  const { id } = app.library.addArtifact({ "book.epub": { mediaType: "x/y", bytes } });
  const list = await app.request("reader", "GET", "/api/artifacts");
  assert.equal(pageOf(artifactSchema).parse(await list.json()).items[0]?.id, id);
  const one = await app.request("reader", "GET", `/api/artifacts/${id}`);
  assert.equal(artifactSchema.parse(await one.json()).version_of, null);
});

Deno.test("POST export answers 202 with a job, and source_missing for unknown sources", async () => {
  await using app = await testApp();
  const { id } = app.library.addContent(files);
  const json = {
    source_ids: [id],
    parameters: { title: "Book" },
    provenance: { version_of: "artifact_1", reason: "newer sources" },
  };
  const headers = { "idempotency-key": "k" };
  const post = (body: unknown) =>
    app.request("editor", "POST", "/api/content/export", { json: body, headers });
  const response = await post(json);
  assert.equal(response.status, 202);
  const { job } = acceptedSchema.parse(await response.json());
  assert.equal(response.headers.get("location"), `/api/jobs/${job.id}`);
  assert.deepEqual(job.input, {
    sourceIds: [id],
    format: "ebook",
    parameters: { title: "Book" },
    versionOf: "artifact_1",
    reason: "newer sources",
  });
  assert.equal(acceptedSchema.parse(await (await post(json)).json()).job.id, job.id);
  const missing = await problemOf(await post({ source_ids: ["content_x"] }));
  assert.deepEqual([missing.status, missing.code], [422, "source_missing"]);
});

Deno.test("DELETE content hides it, and with hard_delete=true removes it", async () => {
  await using app = await testApp();
  const { id } = app.library.addContent(files);
  const path = `/api/content/${id}`;
  const soft = await app.request("editor", "DELETE", path);
  assert.deepEqual([soft.status, soft.body], [204, null]);
  assert.equal((await (await app.request("reader", "GET", path)).json()).status, "deleted");
  assert.equal((await app.request("editor", "DELETE", `${path}?hard_delete=true`)).status, 204);
  assert.equal((await app.request("reader", "GET", path)).status, 404);
});
