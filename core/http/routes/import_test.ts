import assert from "node:assert/strict";
import { acceptedSchema } from "../schemas.ts";
import { type TestApp, testApp } from "../testing/memory_host.ts";
import { problemOf } from "../testing/problem.ts";

const PATH = "/api/content/import";

const importUrls = (app: TestApp, json: unknown, headers: Record<string, string> = {}) =>
  app.request("editor", "POST", PATH, { json, headers });

const importForm = (app: TestApp, body: FormData) => app.request("editor", "POST", PATH, { body });

async function acceptedOf(response: Response) {
  assert.equal(response.status, 202, await response.clone().text());
  return acceptedSchema.parse(await response.json());
}

function formOf(fields: Record<string, string | File | File[]>): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    for (const one of [value].flat()) {
      form.append(name, one as string);
    }
  }
  return form;
}

Deno.test("POST import answers 202 with a job when it is given a URL", async () => {
  await using app = await testApp();
  const response = await importUrls(app, {
    url: "https://example.org/",
    priority: 9,
    plugin: "import.text",
  });
  const { job, jobs } = await acceptedOf(response);
  assert.equal(response.headers.get("location"), `/api/jobs/${job.id}`);
  assert.deepEqual(jobs, [job]);
  assert.deepEqual([job.kind, job.status, job.priority, job.plugin], [
    "import",
    "queued",
    9,
    "import.text",
  ]);
});

Deno.test("POST import makes a job of each URL and says which ones were rejected", async () => {
  await using app = await testApp();
  const urls = ["https://a.example/", "nonsense", "https://b.example/"];
  const { jobs, rejected } = await acceptedOf(await importUrls(app, { urls }));
  assert.deepEqual(jobs.map((job) => job.input), [{ url: urls[0] }, { url: urls[2] }]);
  assert.deepEqual(rejected?.map(({ source, code }) => [source, code]), [[
    "nonsense",
    "invalid_url",
  ]]);
});

Deno.test("POST import answers with the problem when no source could be started", async () => {
  await using app = await testApp();
  const problem = await problemOf(await importUrls(app, { urls: ["nonsense", "also"] }));
  assert.deepEqual([problem.status, problem.code], [400, "invalid_url"]);
});

Deno.test("POST import answers the same key with the same jobs, each source with its own", async () => {
  await using app = await testApp();
  const body = { urls: ["https://a.example/", "https://b.example/"] };
  const ids = async (key: string) =>
    (await acceptedOf(await importUrls(app, body, { "idempotency-key": key }))).jobs
      .map((job) => job.id);
  const first = await ids("key-1");
  assert.notEqual(first[0], first[1]);
  assert.deepEqual(await ids("key-1"), first);
  assert.notDeepEqual(await ids("key-2"), first);
  const bad = await importUrls(app, body, { "idempotency-key": "a b" });
  assert.equal((await problemOf(bad)).details?.["field"], "idempotency-key");
});

Deno.test("POST import takes several files of a form, with fields before and behind them", async () => {
  await using app = await testApp();
  const large = crypto.getRandomValues(new Uint8Array(65_536));
  const big = new File([...Array(40)].map(() => large), "../../etc/big.bin");
  const form = formOf({
    priority: "7",
    file: [new File(["# Hi"], "hi.md", { type: "text/markdown" }), big],
    collection: "papers",
    metadata: '{"topic": "tests"}',
  });
  const { jobs } = await acceptedOf(await importForm(app, form));
  assert.equal(jobs.length, 2);
  const [first, second] = app.library.uploads;
  assert.deepEqual([first?.name, first?.mediaType], ["hi.md", "text/markdown"]);
  assert.equal(new TextDecoder().decode(first?.bytes), "# Hi");
  assert.equal(second?.name, "big.bin");
  assert.deepEqual(second?.bytes.slice(-65_536), large);
  assert.equal(second?.bytes.length, 40 * 65_536);
  for (const { options } of [first!, second!]) {
    assert.deepEqual(options.metadata, { topic: "tests" });
    assert.deepEqual([options.priority, options.collection], [7, "papers"]);
  }
});

Deno.test("POST import starts nothing of a form that is not valid, too large or cut off", async () => {
  await using app = await testApp({ maxUploadBytes: 1000 });
  const file = new File(["x"], "x.txt");
  const huge = new File(["x".repeat(2000)], "huge.txt");
  const cases: [FormData, string, string][] = [
    [formOf({ priority: "5" }), "bad_request", "file"],
    [formOf({ file: "no file" }), "bad_request", "file"],
    [formOf({ file, priority: "high" }), "bad_request", "priority"],
    [formOf({ file, metadata: "{" }), "bad_request", "metadata"],
    [formOf({ file, metadata: "[1]" }), "bad_request", "metadata"],
    [formOf({ file, colour: "red" }), "bad_request", "colour"],
    [formOf({ file: [file, huge] }), "too_large", "1000"],
  ];
  for (const [form, code, word] of cases) {
    const problem = await problemOf(await importForm(app, form));
    assert.equal(problem.code, code, word);
    assert.ok(problem.detail.includes(word), problem.detail);
  }
  const type = { "content-type": "multipart/form-data; boundary=b" };
  const cut = await app.request("editor", "POST", PATH, { headers: type, body: "--b\r\nCont" });
  assert.equal((await problemOf(cut)).code, "invalid_upload");
  const none = { "content-type": "multipart/form-data" };
  const bare = await app.request("editor", "POST", PATH, { headers: none, body: "" });
  assert.equal((await problemOf(bare)).code, "invalid_upload");
  assert.deepEqual(app.library.uploads, []);
});

Deno.test("POST import bounds the fields and the number of files of a form", async () => {
  await using app = await testApp();
  const file = new File(["x"], "x.txt");
  const long = await importForm(app, formOf({ file, collection: "x".repeat(300_000) }));
  assert.equal((await problemOf(long)).code, "too_large");
  const many = await importForm(app, formOf({ file: Array(101).fill(file) }));
  assert.equal((await problemOf(many)).code, "invalid_upload");
});

Deno.test("POST import takes the bare bytes of a file as a stream", async () => {
  await using app = await testApp();
  const response = await app.request("editor", "POST", `${PATH}?priority=2&collection=c`, {
    headers: { "content-type": "application/octet-stream", "x-filename": "a%20b%E2%9C%93.pdf" },
    body: new Blob(["%PDF-", "1.7"]).stream(),
  });
  await acceptedOf(response);
  const [upload] = app.library.uploads;
  assert.deepEqual([upload?.name, upload?.mediaType], ["a b✓.pdf", undefined]);
  assert.equal(new TextDecoder().decode(upload?.bytes), "%PDF-1.7");
  assert.deepEqual([upload?.options.priority, upload?.options.collection], [2, "c"]);
});

Deno.test("POST import gives bare bytes a plain name when theirs is missing or strange", async () => {
  await using app = await testApp();
  const type = { "content-type": "application/octet-stream" };
  for (const name of [undefined, "..", "%", "dir/\u0001"]) {
    const headers = name === undefined ? type : { ...type, "x-filename": encodeName(name) };
    await acceptedOf(await app.request("editor", "POST", PATH, { headers, body: "x" }));
  }
  assert.deepEqual(app.library.uploads.map(({ name }) => name), [
    "upload",
    "upload",
    "%",
    "upload",
  ]);
});

Deno.test("POST import refuses bare bytes above the bound while they come in", async () => {
  await using app = await testApp({ maxUploadBytes: 1000 });
  const response = await app.request("editor", "POST", PATH, {
    headers: { "content-type": "application/octet-stream" },
    body: new Blob(["x".repeat(1001)]).stream(),
  });
  assert.equal((await problemOf(response)).code, "too_large");
});

/** A lone `%` stays, so that the header is not percent-encoded at all. */
function encodeName(name: string): string {
  return name === "%" ? name : encodeURIComponent(name);
}

Deno.test("POST import refuses names and metadata without bound, in JSON, in a form and in a query", async () => {
  await using app = await testApp();
  const nested = (levels: number) => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;
  const collections = ["x".repeat(201), "", " x", "a\nb", "a\u202eb", "a\u0000"];
  const metadata = [nested(17), nested(100_000), JSON.stringify({ a: "x".repeat(66_000) })];
  const file = new File(["x"], "x.md");
  const url = "https://example.org/";
  const refused: [Response, string][] = [];
  for (const collection of collections) {
    refused.push([await importUrls(app, { url, collection }), "collection"]);
    refused.push([await importForm(app, formOf({ file, collection })), "collection"]);
    const query = `${PATH}?collection=${encodeURIComponent(collection)}`;
    const headers = { "content-type": "application/octet-stream" };
    refused.push([
      await app.request("editor", "POST", query, { headers, body: "x" }),
      "collection",
    ]);
  }
  for (const text of metadata) {
    const headers = { "content-type": "application/json" };
    const body = `{"url": "${url}", "metadata": ${text}}`;
    refused.push([await app.request("editor", "POST", PATH, { headers, body }), "metadata"]);
  }
  refused.push([await importForm(app, formOf({ file, metadata: nested(20_000) })), "metadata"]);
  for (const [response, field] of refused) {
    const problem = await problemOf(response);
    assert.deepEqual([problem.status, problem.code], [400, "bad_request"]);
    assert.equal(problem.details?.field, field);
  }
  assert.deepEqual(app.failures, []);
  const good = { url, collection: "Bücher 📚 نامه‌ها", metadata: JSON.parse(nested(16)) };
  assert.equal((await importUrls(app, good)).status, 202);
});
