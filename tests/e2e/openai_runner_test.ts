/** The built-in `generator.openai`, bundled, in real runners, against a server that speaks the protocol. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { createCapabilities } from "../../core/capabilities/create_capabilities.ts";
import type { CapabilityCall } from "../../core/capabilities/capabilities.ts";
import { BUILTIN_PLUGINS_DIR } from "../../core/assets.ts";
import { createNetwork } from "../../core/network/private.ts";
import { withWorld } from "../../core/plugins/testing.ts";
import type { Plugins } from "../../core/plugins/plugins.ts";
import { type CallOptions, type LogLine, type Pool, SandboxError } from "../../sandbox/types.ts";
import { isAlive } from "./host.ts";
import {
  begun,
  chunk,
  fault,
  type OpenAiServer,
  said,
  startOpenAiServer,
} from "./openai_server.ts";

const ID = "generator.openai";
const CANARY = "sk-canary-51b7e0d94c";

interface Given {
  readonly plugins: Plugins;
  readonly pool: Pool;
  readonly server: OpenAiServer;
}

async function withPlugin(
  work: (given: Given) => Promise<void>,
  options: { readonly opened: boolean },
): Promise<void> {
  await using server = startOpenAiServer({ key: CANARY });
  await withWorld(async ({ plugins, pool, root }) => {
    const key = join(root, "key");
    await Deno.writeTextFile(key, `${CANARY}\n`, { mode: 0o600 });
    await plugins.setConfig(ID, {
      config: { base_url: server.url, model: "test-model", max_retries: 0, api_key: { file: key } },
    });
    await work({ plugins, pool, server });
  }, async () => ({
    builtinDir: BUILTIN_PLUGINS_DIR,
    network: await createNetwork({ allowPrivate: options.opened ? [server.host] : [] }),
  }));
}

/** Calls, and writes down all that is said on the way. */
function recorder() {
  const said: unknown[] = [];
  const options: CallOptions = {
    job: { id: "call_1", idempotencyKey: "call_1" },
    onProgress: (fraction, message) => void said.push({ fraction, message }),
    onLog: (line: LogLine) => void said.push(line),
    onUsage: (usage) => void said.push({ usage }),
  };
  return { said, options };
}

async function failure(work: Promise<unknown>): Promise<SandboxError> {
  const error = await work.then(() => undefined, (error: unknown) => error);
  assert.ok(error instanceof SandboxError, Deno.inspect(error));
  return error;
}

Deno.test("generator.openai writes in a runner, at an address that the operator opened, and tells no key", () =>
  withPlugin(async ({ plugins, pool, server }) => {
    const { said: heard, options } = recorder();
    await using desk = await pool.acquire(await plugins.runnerSpec(ID));
    const input = { prompt: "Thyme?", sources: [{ id: "chunk_1", text: "Thyme likes the sun." }] };
    server.next(said("Thyme likes the sun.\n\nSOURCES USED: S1"));
    assert.deepEqual(await desk.call("text.generate", [input], options), {
      text: "Thyme likes the sun.",
      model: "test-model",
      usage: { model: "test-model", input_tokens: 12, output_tokens: 5 },
      used: ["chunk_1"],
    });
    assert.ok(heard.some((one) => JSON.stringify(one).includes('"output_tokens":5')));
    assert.ok(heard.some((one) => JSON.stringify(one).includes("Thyme l")));

    // What the server repeats of the key comes out nowhere.
    server.next(
      fault(400, `no, ${CANARY}`),
      fault(500, `oops ${CANARY}`),
      said(`It is ${CANARY}.`),
    );
    for (let i = 0; i < 2; i++) {
      const { code, message, data, logTail } = await failure(
        desk.call("text.generate", [input], options),
      );
      heard.push(code, message, data, logTail);
    }
    heard.push(await desk.call("text.generate", [{ prompt: "The key?" }], options));
    heard.push(await desk.call("healthCheck", [], options));
    assert.match(JSON.stringify(heard), /It is \[secret\]/);
    assert.ok(!JSON.stringify(heard).includes(CANARY), JSON.stringify(heard));
    assert.equal(server.asked[0]!.headers.get("authorization"), `Bearer ${CANARY}`);
  }, { opened: true }));

Deno.test("generator.openai says in a runner what failed, and stops when the job is cancelled", () =>
  withPlugin(async ({ plugins, pool, server }) => {
    const { options } = recorder();
    await using desk = await pool.acquire(await plugins.runnerSpec(ID));
    const call = (signal?: AbortSignal, onProgress?: CallOptions["onProgress"]) =>
      desk.call("text.generate", [{ prompt: "?" }], { ...options, signal, onProgress });
    server.next(fault(429, "slow", {}, { "retry-after": "40" }), fault(400, "x is flagged"));
    const slow = await failure(call());
    assert.deepEqual([slow.code, slow.retryable, slow.data], [
      "http_error",
      true,
      { status: 429, retry_after_s: 40 },
    ]);
    assert.equal((await failure(call())).code, "refused");

    const controller = new AbortController();
    const piece = JSON.stringify(chunk("test-model", 0, { content: "Once upon" }));
    server.next(begun([piece], "hang"));
    const cancelled = await failure(call(controller.signal, () => controller.abort()));
    assert.equal(cancelled.code, "cancelled");
    // It stopped by itself: the runner was not killed, and serves on.
    assert.ok(isAlive(desk.pid));
    assert.deepEqual((await call() as { text: string }).text, "Thyme likes the sun.");
  }, { opened: true }));

Deno.test("generator.openai reaches a private address only after a yes", () =>
  withPlugin(async ({ plugins, pool, server }) => {
    const { options } = recorder();
    const generate = async () => {
      await using desk = await pool.acquire(await plugins.runnerSpec(ID));
      return await desk.call("text.generate", [{ prompt: "?" }], options) as { text: string };
    };
    const { message } = await failure(generate());
    assert.match(message, /Requires net access to "127\.0\.0\.1:\d+"/);
    assert.match((await plugins.health(ID, pool)).message!, /^Cannot reach "127.*not granted/);
    assert.equal(server.asked.length, 0);
    const [consent] = plugins.consents();
    assert.deepEqual(consent?.permissions.map(({ key }) => key), ["net:${config.base_url}"]);
    await plugins.decide(consent.id, ["net:${config.base_url}"]);
    assert.equal((await generate()).text, "Thyme likes the sun.");
  }, { opened: false }));

Deno.test("the router passes over generator.openai where it is not set up", async () => {
  await withWorld(async ({ plugins, pool }) => {
    assert.deepEqual(await plugins.health(ID, pool), {
      status: "unknown",
      message: 'Cannot set "model" of the plugin "generator.openai": it must be set.',
    });
    const capabilities = createCapabilities({ plugins, pool });
    const call: CapabilityCall = {
      actor: { user: "local", role: "admin" } as CapabilityCall["actor"],
      job: { id: "call_1", idempotencyKey: "call_1" },
      signal: new AbortController().signal,
    };
    await assert.rejects(
      capabilities.call("text.translate", { text: "Thyme", to: "de" }, call),
      /"model".*must be set/,
    );
    const text = "Thyme likes the sun. Mint likes shade and water. Both are herbs of the kitchen.";
    const input = { prompt: "What likes the sun?", sources: [{ id: "c_1", text }] };
    const { provider } = await capabilities.call("text.generate", input, call);
    assert.equal(provider.id, "generator.extractive");
  }, () => Promise.resolve({ builtinDir: BUILTIN_PLUGINS_DIR }));
});
