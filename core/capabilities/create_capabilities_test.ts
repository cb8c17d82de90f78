import assert from "node:assert/strict";
import { BUILTIN_PLUGINS_DIR } from "../assets.ts";
import { failsWith } from "../plugins/testing.ts";
import { MAX_DEPTH } from "./capabilities.ts";
import { byHand, until, withBench } from "./testing.ts";

const echo = (id: string, name = "test.echo") => ({
  id,
  provides: [name],
  code:
    `"${name}": (input, ctx) => ({ by: ctx.config.name ?? "${id}", input, key: ctx.idempotencyKey })`,
});

Deno.test("call() lets a plugin serve at its own desk, and says who it was", () =>
  withBench(async ({ capabilities, install, audited }) => {
    await install(echo("generator.one"));
    const result = await capabilities.call("test.echo", { a: [1, null] }, byHand());
    assert.deepEqual(result.value, {
      by: "generator.one",
      input: { a: [1, null] },
      key: "key",
    });
    assert.equal(result.provider.id, "generator.one");
    assert.equal(result.provider.version, "1.0.0");
    assert.match(result.provider.digest, /^[0-9a-f]{64}$/);
    assert.deepEqual([result.usage, result.skipped], [[], []]);
    const [event] = audited;
    assert.equal(event!.event, "capability.called");
    assert.deepEqual(event!.details, { capability: "test.echo", caller: null, outcome: "ok" });
    assert.equal(event!.digest, result.provider.digest);
  }));

Deno.test("call() takes the operator's order, and only the plugin that is asked for", () =>
  withBench(async ({ capabilities, install }) => {
    for (const name of ["a", "b", "c"]) await install(echo(`generator.${name}`));
    const by = async (provider?: string) =>
      (await capabilities.call("test.echo", 1, byHand({ provider }))).provider.id;
    assert.equal(await by(), "generator.b");
    assert.equal(await by("generator.c"), "generator.c");
    await assert.rejects(by("generator.d"), failsWith("no_provider", /not installed/));
    await assert.rejects(by("import.text"), failsWith("no_provider", /does not provide it/));
    assert.deepEqual(capabilities.choose("test.echo"), { plugin: "generator.b" });
    assert.deepEqual(capabilities.choose("test.none"), { none: "no plugin provides it" });
    const [info] = capabilities.list();
    assert.deepEqual(info!.providers.map(({ plugin, down }) => [plugin, down]), [
      ["generator.b", undefined],
      ["generator.a", undefined],
      ["generator.c", "the operator's order leaves it out"],
    ]);
  }, {
    parts: async () => ({ order: { "test.echo": ["generator.b", "generator.a"] } }),
  }));

Deno.test("call() refuses an input out of contract and a result out of contract, by field", () =>
  withBench(async ({ capabilities, install }) => {
    await install({
      id: "generator.bad",
      provides: ["text.generate", "test.big", "test.none"],
      code: `"text.generate": () => ({ text: 1, model: "" }),
"test.big": (input) => "x".repeat(input)`,
    });
    const call = (name: string, input: unknown) => capabilities.call(name, input, byHand());
    await assert.rejects(
      call("text.generate", { prompt: "a", max_token: 3 }),
      failsWith("invalid_parameters", /max_token/),
    );
    await assert.rejects(
      call("text.generate", { prompt: "a", temperature: 3 }),
      failsWith("invalid_parameters", /temperature/),
    );
    await assert.rejects(
      call("text.generate", { prompt: "a" }),
      failsWith("invalid_output", /text: .*model: /),
    );
    await assert.rejects(call("test.none", 1), failsWith("invalid_output", /no such function/));
    assert.equal((await call("test.big", 1000)).value, "x".repeat(1000));
    await assert.rejects(
      call("test.big", 1024 * 1024),
      failsWith("too_large", /the result is larger than 1048576 bytes/),
    );
    await assert.rejects(
      call("test.big", "x".repeat(1024 * 1024)),
      failsWith("too_large", /the input is larger/),
    );
    await assert.rejects(
      call("test.big", new Uint8Array(3)),
      failsWith("invalid_parameters", /bytes/),
    );
  }));

Deno.test("call() goes on to the next when a provider fails retryably, crashes or cannot start", () =>
  withBench(async ({ capabilities, install, plugins }) => {
    await install({
      id: "generator.a",
      provides: ["test.echo"],
      code: `"test.echo": () => Deno.exit(3)`,
    });
    await install({
      id: "generator.b",
      provides: ["test.echo"],
      code: `"test.echo": () => { throw fail("http_error", "Cannot ask: too many.", true); }`,
    });
    await install(echo("generator.c"));
    await install(echo("generator.off"));
    await plugins.setEnabled("generator.off", false);
    const { provider, skipped } = await capabilities.call("test.echo", 1, byHand());
    assert.equal(provider.id, "generator.c");
    assert.deepEqual(skipped.map(({ plugin }) => plugin), ["generator.a", "generator.b"]);
    assert.match(skipped[1]!.why, /too many/);
    await assert.rejects(
      capabilities.call("test.echo", 1, byHand({ provider: "generator.b" })),
      (error: { retryable?: unknown }) => error.retryable === true,
    );
    await assert.rejects(
      capabilities.call("test.echo", 1, byHand({ provider: "generator.off" })),
      failsWith("no_provider", /disabled/),
    );
  }));

Deno.test("call() does not go on when the plugin refuses the input or has failed for good", () =>
  withBench(async ({ capabilities, install }) => {
    await install({
      id: "generator.a",
      provides: ["test.echo"],
      code:
        `"test.echo": (code) => { throw fail(code, "Cannot do that: no.", code === "invalid_parameters"); }`,
    });
    await install(echo("generator.b"));
    for (const code of ["invalid_parameters", "empty", "plugin_error"]) {
      await assert.rejects(
        capabilities.call("test.echo", code, byHand()),
        (error: { code?: unknown }) => error.code === code,
      );
    }
    // Not set up: that is nothing that the input could be blamed for.
    const { provider } = await capabilities.call("test.echo", "invalid_config", byHand());
    assert.equal(provider.id, "generator.b");
  }));

Deno.test("call() passes over a provider that failed three times within a minute, for half a minute", () =>
  withBench(async ({ capabilities, install, clock, audited }) => {
    await install({
      id: "generator.a",
      provides: ["test.echo"],
      code: `"test.echo": () => { throw fail("http_error", "Cannot ask: down.", true); }`,
    });
    await install(echo("generator.b"));
    const skipped = async () =>
      (await capabilities.call("test.echo", 1, byHand())).skipped.map(({ plugin }) => plugin);
    for (let i = 0; i < 3; i++) assert.deepEqual(await skipped(), ["generator.a"]);
    assert.deepEqual(await skipped(), []);
    assert.match(capabilities.list()[0]!.providers[0]!.down ?? "", /passed over until/);
    // Who asks for it by name gets it all the same.
    audited.length = 0;
    await assert.rejects(capabilities.call("test.echo", 1, byHand({ provider: "generator.a" })));
    assert.equal(audited.length, 1);
    clock.nowMs += 31_000;
    assert.deepEqual(await skipped(), ["generator.a"]);
  }));

Deno.test("call() counts what a plugin says of its use of models, once, whatever becomes of the call", () =>
  withBench(async ({ capabilities, install }) => {
    await install({
      id: "generator.inner",
      provides: ["text.translate", "test.fails"],
      code: `"text.translate": (input, ctx) => {
  ctx.usage({ model: "m", input_tokens: 2, cost: 0.5 });
  ctx.usage({ model: "m", input_tokens: 3, output_tokens: NaN < 1 ? 1 : 4 });
  return { text: "T", language: "de", model: "m", usage: { model: "m", input_tokens: 99 } };
},
"test.fails": (input, ctx) => { ctx.usage({ model: "lost", output_tokens: 7 }); throw fail("empty", "Cannot."); }`,
    });
    await install({
      id: "generator.outer",
      provides: ["text.generate"],
      calls: ["text.translate", "test.fails"],
      code: `"text.generate": async (input, ctx) => {
  const { text } = await ctx.call("text.translate", { text: "t", to: "de" });
  await ctx.call("test.fails", 1).catch(() => {});
  return { text, model: "o", usage: { model: "o", output_tokens: 1, currency: "EUR" } };
}`,
    });
    const told: unknown[] = [];
    const { usage, value } = await capabilities.call(
      "text.generate",
      { prompt: "p" },
      byHand({ onUsage: (one) => void told.push(one) }),
    );
    assert.equal((value as { text: string }).text, "T");
    assert.deepEqual(usage, [
      { plugin: "generator.inner", model: "m", input_tokens: 5, cost: 0.5, output_tokens: 4 },
      { plugin: "generator.inner", model: "lost", output_tokens: 7 },
      { plugin: "generator.outer", model: "o", output_tokens: 1, currency: "EUR" },
    ]);
    assert.equal(told.length, 4);
  }));

const caller = (id: string, name: string, next: string, more = {}) => ({
  id,
  provides: [name],
  calls: [next],
  code:
    `"${name}": async (input, ctx) => ["${id}", ctx.idempotencyKey, await ctx.call("${next}", input)]`,
  ...more,
});

Deno.test("ctx.call() reaches another plugin with that one's grants, and is written down", () =>
  withBench(async ({ capabilities, install, audited }) => {
    await install(echo("generator.b", "test.b"));
    await install(caller("generator.a", "test.a", "test.b"));
    const { value } = await capabilities.call("test.a", "in", byHand());
    assert.deepEqual(value, [
      "generator.a",
      "key",
      { by: "generator.b", input: "in", key: "key.1" },
    ]);
    assert.deepEqual(audited.map(({ plugin, details }) => [plugin, details]), [
      ["generator.b", { capability: "test.b", caller: "generator.a", outcome: "ok" }],
      ["generator.a", { capability: "test.a", caller: null, outcome: "ok" }],
    ]);
  }));

Deno.test("ctx.call() is denied by name when it is not declared, or not granted", () =>
  withBench(async ({ capabilities, install, prompts }) => {
    await install(echo("generator.b", "test.b"));
    await install({
      ...caller("generator.a", "test.a", "test.b"),
      calls: [],
      code:
        `"test.a": (input, ctx) => ctx.service("call", { capability: "test.b", input, calls: ["test.b"] })`,
    });
    await assert.rejects(
      capabilities.call("test.a", 1, byHand()),
      /Cannot call "test.b": it is not granted to "generator.a"/,
    );
    assert.deepEqual(prompts.list(), []);
  }));

Deno.test("ctx.call() refuses a circle and a chain that is too long", () =>
  withBench(async ({ capabilities, install }) => {
    await install(caller("generator.a", "test.a", "test.b"));
    await install(caller("generator.b", "test.b", "test.a"));
    await assert.rejects(
      capabilities.call("test.a", 1, byHand()),
      /Cannot call "test.a": "generator.a" would wait for itself \(generator.a → generator.b → generator.a\)/,
    );
    const last = MAX_DEPTH + 2;
    for (let i = 1; i < last; i++) {
      await install(caller(`generator.n${i}`, `test.n${i}`, `test.n${i + 1}`));
    }
    await install(echo(`generator.n${last}`, `test.n${last}`));
    await assert.rejects(
      capabilities.call("test.n1", 1, byHand()),
      failsWithCode("denied", /more than 5 plugins already wait/),
    );
    const { value } = await capabilities.call("test.n2", 1, byHand());
    assert.match(JSON.stringify(value), /generator.n7/);
  }));

const failsWithCode =
  (code: string, words: RegExp) => (error: { code?: string; message?: string }) => {
    assert.match(error.message ?? "", words);
    assert.ok(error.code === code || error.code === "plugin_error", error.code);
    return true;
  };

Deno.test("ctx.call() is cancelled together with the call that it belongs to", () =>
  withBench(async ({ capabilities, install, pool }) => {
    await install({
      id: "generator.b",
      provides: ["test.b"],
      code: `"test.b": (input, ctx) => new Promise(() => ctx.progress(0.5, "hangs"))`,
    });
    await install(caller("generator.a", "test.a", "test.b"));
    const abort = new AbortController();
    const hanging = capabilities.call("test.a", 1, byHand({ signal: abort.signal }));
    const settled = hanging.then(() => undefined, (error) => error);
    await until("both plugins work", () => pool.stats().busy === 2);
    abort.abort();
    assert.equal((await settled).code, "cancelled");
    await until("both desks are given back", () => pool.stats().busy === 0);
  }));

Deno.test("ctx.call() takes no longer than its caller may", () =>
  withBench(async ({ capabilities, install, pool }) => {
    await install({
      id: "generator.b",
      provides: ["test.b"],
      code: `"test.b": () => new Promise(() => {})`,
    });
    await install(caller("generator.a", "test.a", "test.b", { wall_s: 1 }));
    await assert.rejects(
      capabilities.call("test.a", 1, byHand()),
      (error: { code?: unknown }) => error.code === "timed_out",
    );
    await until("both desks are given back", () => pool.stats().busy === 0);
  }));

Deno.test("ctx.call() finds a desk when plugins of concurrency 1 call each other from both ends", () =>
  withBench(async ({ capabilities, install }) => {
    for (const [one, other] of [["a", "b"], ["b", "a"]] as const) {
      await install({
        id: `generator.${one}`,
        provides: [`test.${one}`, `test.${one}_end`],
        calls: [`test.${other}_end`],
        concurrency: 1,
        code: `"test.${one}": (input, ctx) => ctx.call("test.${other}_end", input),
"test.${one}_end": (input) => "${one}" + input`,
      });
    }
    const calls = Array.from(
      { length: 12 },
      (_, i) => capabilities.call(i % 2 ? "test.a" : "test.b", i, byHand()),
    );
    const values = (await Promise.all(calls)).map(({ value }) => value);
    assert.deepEqual(values, calls.map((_, i) => `${i % 2 ? "b" : "a"}${i}`));
  }));

Deno.test("text.generate falls back to the built-in extracts, which say what they are", () =>
  withBench(async ({ capabilities, install }) => {
    await install({
      id: "generator.zz_model",
      provides: ["text.generate"],
      code:
        `"text.generate": () => { throw fail("invalid_config", "Cannot ask: no key is set."); }`,
    });
    const order = capabilities.list().find(({ name }) => name === "text.generate")!.providers;
    assert.equal(order.at(-1)!.plugin, "generator.extractive");
    const text =
      "The carrel is a desk. It stands in a library. Readers sit at it alone. It has three walls.";
    const { value, provider, skipped } = await capabilities.call("text.generate", {
      prompt: "Where is the desk?",
      sources: [{ id: "content_1", title: "Desks", text }],
    }, byHand());
    assert.equal(provider.id, "generator.extractive");
    assert.match(skipped.at(-1)!.why, /no key is set/);
    const { model, used, ...made } = value as { text: string; model: string; used: string[] };
    assert.deepEqual([model, used], ["extractive summary", ["content_1"]]);
    assert.match(made.text, /^## Desks\n\nThe carrel is a desk\./);
  }, { plugins: { builtinDir: BUILTIN_PLUGINS_DIR } }));
