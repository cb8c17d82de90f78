import assert from "node:assert/strict";
import { Validator } from "@seriousme/openapi-schema-validator";
import { ROLES } from "../auth/actor.ts";
import { testApp } from "./testing/memory_host.ts";
import { problemOf } from "./testing/problem.ts";

const OPEN = ["/", "/healthz", "/readyz", "/api/openapi.json", "/api/docs", "/api/docs/{file}"];
const METHODS = ["get", "post", "put", "patch", "delete"] as const;

interface Operation {
  "x-role": string;
  security: unknown[];
  parameters?: { name: string; in: string }[];
  responses: Record<string, unknown>;
}

type Paths = Record<string, Record<string, Operation>>;

async function readPaths(app: Awaited<ReturnType<typeof testApp>>): Promise<Paths> {
  return (await (await app.request(undefined, "GET", "/api/openapi.json")).json()).paths;
}

Deno.test("createHttpApp() answers 401 without a token and 403 to a smaller role on every route that is not open", async () => {
  await using app = await testApp();
  let walked = 0;
  for (const [path, operations] of Object.entries(await readPaths(app))) {
    for (const method of METHODS) {
      const operation = operations[method];
      if (operation === undefined || OPEN.includes(path)) continue;
      walked++;
      const url = path.replaceAll(/\{.+?\}/g, "x");
      const name = `${method} ${path}`;
      const needed = operation["x-role"];
      assert.ok((ROLES as readonly string[]).includes(needed), name);
      const nobody = await app.request(undefined, method.toUpperCase(), url);
      assert.equal(nobody.status, 401, name);
      assert.match(nobody.headers.get("www-authenticate") ?? "", /^Bearer/);
      assert.equal((await problemOf(nobody)).code, "unauthorized");
      for (const role of ROLES) {
        const enough = ROLES.indexOf(role) >= ROLES.indexOf(needed as typeof role);
        if (enough) continue;
        const refused = await app.request(role, method.toUpperCase(), url);
        assert.equal(refused.status, 403, `${name} as ${role}`);
        assert.equal((await problemOf(refused)).code, "forbidden");
      }
    }
  }
  assert.ok(walked >= 35, `only ${walked} routes`);
});

Deno.test("createHttpApp() describes every route that it answers, each with its role and its problems", async () => {
  await using app = await testApp();
  const paths = await readPaths(app);
  const answered = app.app.routes
    .filter((route) => route.method !== "ALL")
    .map((route) => `${route.method} ${route.path.replaceAll(/:(\w+)/g, "{$1}")}`);
  const described = Object.entries(paths).flatMap(([path, operations]) =>
    METHODS.filter((method) => operations[method] !== undefined)
      .map((method) => `${method.toUpperCase()} ${path}`)
  );
  assert.deepEqual([...new Set(answered)].sort(), described.sort());
  for (const [path, operations] of Object.entries(paths)) {
    for (const operation of Object.values(operations)) {
      assert.ok("default" in operation.responses, path);
      assert.equal(operation["x-role"] === "open", OPEN.includes(path), path);
      assert.equal(operation.security.length === 0, OPEN.includes(path), path);
      for (const [, name] of path.matchAll(/\{(.+?)\}/g)) {
        assert.ok(operation.parameters?.some((p) => p.in === "path" && p.name === name), path);
      }
    }
  }
});

Deno.test("createHttpApp() serves a valid OpenAPI 3.1 document", async () => {
  await using app = await testApp();
  const document = await (await app.request(undefined, "GET", "/api/openapi.json")).json();
  assert.equal(document.openapi, "3.1.0");
  assert.deepEqual(await new Validator().validate(document), { valid: true });
});

Deno.test("createHttpApp() serves the open routes without a token", async () => {
  await using app = await testApp();
  for (const path of OPEN) {
    const url = path.replace("{file}", "swagger-ui.css");
    const response = await app.request(undefined, "GET", url);
    assert.equal(response.status, 200, path);
    await response.body?.cancel();
  }
});

Deno.test("createHttpApp() answers an unknown route with the problem not_found", async () => {
  await using app = await testApp();
  for (const path of ["/nothing", "/api", "/api/nothing", "/api/jobs/x/y/z"]) {
    const problem = await problemOf(await app.request(undefined, "GET", path));
    assert.deepEqual([problem.status, problem.code], [404, "not_found"]);
    assert.match(problem.instance ?? "", /^urn:uuid:/);
  }
});

Deno.test("createHttpApp() answers a wrong method with method_not_allowed and says which are right", async () => {
  await using app = await testApp();
  const response = await app.request("admin", "PUT", "/api/jobs/job_1");
  assert.equal(response.headers.get("allow"), "DELETE, GET, HEAD");
  assert.equal((await problemOf(response)).code, "method_not_allowed");
  const options = await app.request(undefined, "OPTIONS", "/api/content");
  assert.equal(options.status, 405);
  assert.equal(options.headers.get("access-control-allow-origin"), null);
});

Deno.test("createHttpApp() shows nothing of an unexpected error and reports it with the request's id", async () => {
  await using app = await testApp();
  const response = await app.request("editor", "POST", "/api/content/import", {
    json: { url: "https://example.org/explode" },
  });
  const body = await response.clone().text();
  assert.ok(!body.includes("secret"), body);
  const problem = await problemOf(response);
  assert.deepEqual([problem.status, problem.code], [500, "internal"]);
  assert.equal(problem.instance, `urn:uuid:${response.headers.get("x-request-id")}`);
  assert.equal((app.failures[0] as Error).message, "a secret of the host");
});

Deno.test("createHttpApp() reports to stderr when it is told nothing else", async () => {
  const lines: unknown[][] = [];
  const original = console.error;
  console.error = (...parts: unknown[]) => lines.push(parts);
  try {
    await using app = await testApp({ onFailure: undefined });
    const response = await app.request("editor", "POST", "/api/content/import", {
      json: { url: "https://example.org/explode" },
    });
    assert.match(String(lines[0]?.[0]), new RegExp(response.headers.get("x-request-id")!));
    await response.body?.cancel();
  } finally {
    console.error = original;
  }
});

Deno.test("createHttpApp() sends headers that keep browsers from guessing, framing and caching", async () => {
  await using app = await testApp();
  const { headers } = await app.request(undefined, "GET", "/healthz");
  assert.equal(headers.get("x-content-type-options"), "nosniff");
  assert.equal(headers.get("cache-control"), "no-store");
  assert.match(headers.get("content-security-policy") ?? "", /default-src 'none'/);
  assert.match(headers.get("server-timing") ?? "", /^app;dur=\d/);
  assert.match(headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/);
});

Deno.test("createHttpApp() names the field when a query or a body is not valid", async () => {
  await using app = await testApp();
  const cases = [
    ["GET", "/api/jobs?limit=0", undefined, "limit"],
    ["GET", "/api/jobs?limit=1&limit=2", undefined, "limit"],
    ["GET", "/api/jobs?status=lazy", undefined, "status"],
    ["GET", "/api/search", undefined, "q"],
    ["GET", "/api/search?q=%20", undefined, "q"],
    ["GET", "/api/search?q=x&k=101", undefined, "k"],
    ["GET", "/api/plugins?enabled=maybe", undefined, "enabled"],
    ["GET", "/api/provenance/artifact/artifact_1/genealogy?depth=51", undefined, "depth"],
    ["GET", "/api/provenance/a%20b/artifact_1/genealogy", undefined, "type"],
    ["GET", `/api/jobs/${"x".repeat(201)}`, undefined, "id"],
    ["POST", "/api/content/export", {}, "source_ids"],
    ["POST", "/api/content/export", { source_ids: ["x"], speed: 9 }, "speed"],
    ["POST", "/api/tokens", { name: "x", role: "king" }, "role"],
    ["POST", "/api/content/import", { url: "https://example.org/", priority: 11 }, "priority"],
    ["POST", "/api/content/import", { url: "https://example.org/", colour: "red" }, "colour"],
    ["POST", "/api/content/import", {}, "url"],
    ["POST", "/api/plugins/consents/consent_1", { decision: "perhaps" }, "decision"],
  ] as const;
  for (const [method, path, json, field] of cases) {
    const problem = await problemOf(
      await app.request("admin", method, path, json === undefined ? {} : { json }),
    );
    assert.deepEqual([problem.status, problem.code], [400, "bad_request"], path);
    assert.equal(problem.details?.["field"], field, path);
    assert.ok(problem.detail.includes(field), problem.detail);
  }
});

Deno.test("createHttpApp() refuses malformed JSON and other media types where JSON is wanted", async () => {
  await using app = await testApp();
  const json = { "content-type": "application/json" };
  for (const path of ["/api/tokens", "/api/content/import", "/api/content/export"]) {
    for (const body of ["{", "", '{"a":', "\xff"]) {
      const problem = await problemOf(
        await app.request("admin", "POST", path, { headers: json, body }),
      );
      assert.deepEqual([problem.status, problem.code], [400, "bad_request"], `${path} ${body}`);
    }
    const other = await app.request("admin", "POST", path, {
      headers: { "content-type": "text/plain" },
      body: "{}",
    });
    assert.equal((await problemOf(other)).code, "unsupported_media_type");
  }
  const bare = await app.request("admin", "POST", "/api/tokens");
  assert.equal((await problemOf(bare)).code, "bad_request");
});

Deno.test("createHttpApp() refuses a JSON body above its bound, announced or not", async () => {
  await using app = await testApp({ maxJsonBytes: 100 });
  for (const path of ["/api/tokens", "/api/content/import"]) {
    const body = JSON.stringify({ name: "x".repeat(200), role: "reader" });
    const type = { "content-type": "application/json" };
    const announced = await app.request("admin", "POST", path, {
      headers: { ...type, "content-length": String(body.length) },
      body,
    });
    assert.equal((await problemOf(announced)).code, "too_large");
    const streamed = await app.request("admin", "POST", path, {
      headers: type,
      body: new Blob([body]).stream(),
    });
    assert.equal((await problemOf(streamed)).code, "too_large");
  }
});
