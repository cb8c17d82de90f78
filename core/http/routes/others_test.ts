import assert from "node:assert/strict";
import {
  attributionSchema,
  createdTokenSchema,
  genealogySchema,
  searchAnswerSchema,
} from "../schemas.ts";
import { testApp } from "../testing/memory_host.ts";
import { problemOf } from "../testing/problem.ts";

Deno.test("GET search answers with hits, or with none", async () => {
  await using app = await testApp();
  const get = async (query: string) =>
    searchAnswerSchema.parse(
      await (await app.request("reader", "GET", `/api/search?${query}`)).json(),
    );
  const { query, hits } = await get("q=%20quick%20&k=5");
  assert.deepEqual([query, hits[0]?.highlights], ["quick", [[4, 9]]]);
  assert.deepEqual((await get("q=slow")).hits, []);
});

Deno.test("GET provenance answers genealogy, attribution and what was generated", async () => {
  await using app = await testApp();
  const get = async (path: string) =>
    (await app.request("reader", "GET", `/api/provenance/${path}`)).json();
  const tree = genealogySchema.parse(await get("artifact/artifact_1/genealogy?depth=3"));
  assert.equal(tree.edges[0]?.claimed_by, "host");
  assert.equal(tree.nodes[0]?.properties["depth"], 3);
  const report = attributionSchema.parse(await get("artifact/artifact_1/attribution"));
  assert.equal(report.parts[0]?.sources[0]?.passages[0]?.page, null);
  assert.equal((await get("document/content_1/generated-content")).items[0].artifact, "artifact_1");
  const missing = await app.request("reader", "GET", "/api/provenance/artifact/x/genealogy");
  assert.equal((await problemOf(missing)).code, "not_found");
});

Deno.test("POST tokens makes a token that works until it is revoked, and lists show no secret", async () => {
  await using app = await testApp();
  const made = await app.request("admin", "POST", "/api/tokens", {
    json: { name: "laptop", role: "reader", expires: "2999-01-01" },
  });
  assert.equal(made.status, 201);
  const { id, token, expires } = createdTokenSchema.parse(await made.json());
  assert.equal(expires, "2999-01-01T00:00:00.000Z");
  const authorization = { authorization: `Bearer ${token}` };
  const use = async () =>
    (await app.request(undefined, "GET", "/api/jobs", { headers: authorization })).status;
  assert.equal(await use(), 200);
  const list = await (await app.request("admin", "GET", "/api/tokens")).text();
  assert.ok(list.includes(id) && !list.includes(token));
  assert.equal((await app.request("admin", "DELETE", `/api/tokens/${id}`)).status, 204);
  assert.equal(await use(), 401);
  const again = await app.request("admin", "DELETE", `/api/tokens/${id}`);
  assert.equal((await problemOf(again)).code, "not_found");
});

Deno.test("GET readyz answers 503 and names the store that is away", async () => {
  await using app = await testApp();
  const ready = await app.request(undefined, "GET", "/readyz");
  assert.deepEqual(await ready.json(), { status: "ready", stores: { sql: true, objects: true } });
  app.stores["objects"] = false;
  const away = await app.request(undefined, "GET", "/readyz");
  assert.equal(away.status, 503);
  assert.deepEqual(await away.json(), {
    status: "unavailable",
    stores: { sql: true, objects: false },
  });
});

Deno.test("GET docs loads nothing from elsewhere, and every file that the page names is there", async () => {
  await using app = await testApp();
  for (const path of ["/", "/api/docs"]) {
    const response = await app.request(undefined, "GET", path);
    assert.match(response.headers.get("content-security-policy") ?? "", /script-src 'self';/);
    const html = await response.text();
    assert.doesNotMatch(html, /(src|href)="(https?:)?\/\//);
    for (const [, file] of html.matchAll(/(?:src|href)="(\/[^"]+)"/g)) {
      const found = await app.request(undefined, "GET", file!);
      assert.equal(found.status, 200, file);
      assert.ok((await found.arrayBuffer()).byteLength > 0, file);
    }
  }
  const script = await app.request(undefined, "GET", "/api/docs/start.js");
  assert.match(script.headers.get("content-type") ?? "", /^text\/javascript/);
  assert.match(await script.text(), /validatorUrl: null/);
  const other = await app.request(undefined, "GET", "/api/docs/package.json");
  assert.equal((await problemOf(other)).code, "bad_request");
});
