import assert from "node:assert/strict";
import { createCapabilityRequests } from "../../capabilities/requests.ts";
import { type Bench, until, withBench } from "../../capabilities/testing.ts";
import { createHttpApp } from "../app.ts";
import { type TestApp, testApp } from "../testing/memory_host.ts";
import { problemOf } from "../testing/problem.ts";
import { capabilityResultSchema } from "./capabilities.ts";

type Post = (
  name: string,
  body: unknown,
  options?: { headers?: Record<string, string>; role?: "reader" | "editor"; signal?: AbortSignal },
) => Promise<Response>;

/** The HTTP API before real plugins and jobs. */
function withApi(
  work: (bench: Omit<Bench, typeof Symbol.asyncDispose>, post: Post, api: TestApp) => Promise<void>,
): Promise<void> {
  return withBench(async (bench) => {
    const { engine, capabilities } = bench;
    await using api = await testApp();
    const app = createHttpApp({
      ...api.host,
      jobs: engine.jobs,
      capabilities: createCapabilityRequests({ capabilities, jobs: engine.jobs }),
    });
    await bench.install({
      id: "generator.a",
      provides: ["test.a", "test.hang", "test.fail"],
      code: `"test.a": (input) => input,
"test.hang": () => new Promise(() => {}),
"test.fail": () => { throw fail("http_error", "Cannot ask: too many.", true); }`,
    });
    const post: Post = async (name, body, { headers, role = "editor", signal } = {}) =>
      await app.request(`/api/capabilities/${name}`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${api.tokens[role]}`,
          "content-type": "application/json",
          ...headers,
        },
        body: JSON.stringify(body),
        ...(signal && { signal }),
      });
    await work(bench, post, { ...api, app });
  });
}

Deno.test("POST capabilities answers with the result, and with a job where that is preferred", () =>
  withApi(async ({ engine }, post) => {
    const response = await post("test.a", { input: { n: 1 } });
    assert.equal(response.status, 200);
    const { value, provider, job } = capabilityResultSchema.parse(await response.json());
    assert.deepEqual([value, provider.id], [{ n: 1 }, "generator.a"]);
    assert.equal((await engine.jobs.get(job)).user.startsWith("user_"), true);
    const later = await post("test.a", { input: 2 }, {
      headers: { prefer: "respond-async", "idempotency-key": "k" },
    });
    assert.equal(later.status, 202);
    const { id } = (await later.json()).job;
    const done = await engine.jobs.finished(id);
    assert.equal((done.result as { value: unknown }).value, 2);
    const again = await post("test.a", { input: 2 }, { headers: { "idempotency-key": "k" } });
    assert.equal((await again.json()).value, 2);
    const other = await post("test.a", { input: 3 }, { headers: { "idempotency-key": "k" } });
    assert.equal((await problemOf(other)).status, 409);
  }));

Deno.test("POST capabilities says what is wrong, and makes no job of it", () =>
  withApi(async ({ engine }, post) => {
    const codeOf = async (...call: Parameters<Post>) => (await problemOf(await post(...call))).code;
    assert.equal(await codeOf("test.none", { input: 1 }), "no_provider");
    assert.equal(await codeOf("test.a", { input: 1, provider: "generator.b" }), "no_provider");
    assert.equal(await codeOf("Test", { input: 1 }), "bad_request");
    assert.equal(await codeOf("test.a", { input: 1, more: 1 }), "bad_request");
    assert.equal(await codeOf("test.a", { input: 1 }, { role: "reader" }), "forbidden");
    assert.deepEqual((await engine.jobs.list({})).items, []);
    const failed = await problemOf(await post("test.fail", { input: 1 }));
    assert.deepEqual([failed.code, failed.status], ["http_error", 502]);
  }));

Deno.test("POST capabilities answers with the job when it waits for a permission", () =>
  withApi(async ({ install, prompts, engine }, post) => {
    await install({
      id: "generator.b",
      provides: ["test.b"],
      calls: ["test.a"],
      grant: [],
      code: `"test.b": (input, ctx) => ctx.call("test.a", input)`,
    });
    const response = await post("test.b", { input: 1 });
    assert.equal(response.status, 202);
    const { job } = await response.json();
    assert.equal(job.status, "waiting");
    await until("it asks", () => prompts.list().length === 1);
    await prompts.decide(prompts.list()[0]!.id, ["calls:test.a"], "admin");
    assert.equal((await engine.jobs.finished(job.id)).status, "completed");
  }));

Deno.test("POST capabilities cancels the call when its client hangs up", () =>
  withApi(async ({ engine, pool }, post) => {
    const abort = new AbortController();
    const answer = post("test.hang", { input: 1 }, { signal: abort.signal });
    answer.catch(() => {});
    await until("it runs", () => pool.stats().busy === 1);
    abort.abort();
    const [job] = (await engine.jobs.list({})).items;
    assert.equal((await engine.jobs.finished(job!.id)).status, "cancelled");
    await answer.catch(() => {});
  }));

Deno.test("GET capabilities lists them with who provides them", () =>
  withApi(async ({ plugins }, _, { app, tokens }) => {
    await plugins.setEnabled("generator.a", false);
    const response = await app.request("/api/capabilities", {
      headers: { authorization: `Bearer ${tokens.reader}` },
    });
    const { items } = await response.json();
    assert.deepEqual(items[0], {
      name: "test.a",
      description: null,
      providers: [{ plugin: "generator.a", enabled: false, down: "it is disabled" }],
    });
  }));
