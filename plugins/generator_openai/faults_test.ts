import assert from "node:assert/strict";
import { begun, chunk, events, fault, said } from "../../tests/e2e/openai_server.ts";
import { generateText } from "./generate.ts";
import { CANARY, closedPort, thrownBy, withServer } from "./testing.ts";
import { translateText } from "./translate.ts";

const INPUT = { prompt: "Thyme?" };
const FAST = { "retry-after-ms": "1" };
const piece = (content: string) => JSON.stringify(chunk("test-model", 0, { content }));

Deno.test("a failure says by its code whether a retry can help", () =>
  withServer(async ({ server, ctx }) => {
    const cases: [
      answer: ReturnType<typeof fault>,
      code: string,
      retryable: boolean,
      words: RegExp,
      data?: Record<string, unknown>,
    ][] = [
      [fault(401, "no"), "invalid_config", false, /the server refuses the key \(HTTP 401\)\.$/],
      [fault(403, "no"), "invalid_config", false, /refuses the key/],
      [fault(402, "pay"), "invalid_config", false, /no credit left/],
      [
        fault(404, "The model `x` does not exist", { code: "model_not_found" }),
        "invalid_config",
        false,
        /the model "test-model": the server has no such model\.$/,
      ],
      [fault(404, "Not Found"), "invalid_config", false, /no such address.*base_url/],
      [
        fault(400, "test-model is not a valid model ID"),
        "invalid_config",
        false,
        /has no such model/,
      ],
      [
        fault(429, "Rate limit reached for requests.", {}, { "retry-after": "20" }),
        "http_error",
        true,
        /asks for fewer requests \(HTTP 429\): Rate limit reached for requests\.$/,
        { status: 429, retry_after_s: 20 },
      ],
      [fault(429, "Slow down", {}), "http_error", true, /fewer/, { status: 429 }],
      [
        fault(429, "You exceeded your current quota", { code: "insufficient_quota" }),
        "invalid_config",
        false,
        /no credit left/,
      ],
      [fault(500, "oops"), "http_error", true, /fault of its own \(HTTP 500\): oops\.$/],
      [
        fault(503, "The model is not found yet", {}, { "retry-after": "3" }),
        "http_error",
        true,
        /HTTP 503/,
        { status: 503, retry_after_s: 3 },
      ],
      [
        fault(400, "This model's maximum context length is 10 tokens.", {
          code: "context_length_exceeded",
        }),
        "invalid_parameters",
        false,
        /longer than the model can take/,
      ],
      [
        fault(400, "the request exceeds the available context size", {
          type: "exceed_context_size_error",
        }),
        "invalid_parameters",
        false,
        /longer than/,
      ],
      [
        fault(400, "blocked by our content management policy", { code: "content_filter" }),
        "refused",
        false,
        /a filter of the server refuses the text/,
      ],
      [fault(400, "bad request"), "http_error", false, /refuses the request.*: bad request\.$/],
      [
        fault(400, "max_tokens is too large: 9. Only 4 are supported."),
        "http_error",
        false,
        /too large/,
      ],
      [
        () => new Response(null, { status: 301, headers: { location: "https://example.org/" } }),
        "invalid_config",
        false,
        /sends the request on to another address/,
      ],
      [said("", { finish: "content_filter" }), "refused", false, /filter/],
      [
        said("", { message: { content: null, refusal: "I can't help with that." } }),
        "refused",
        false,
        /it refuses: I can't help with that\.$/,
      ],
      [said(""), "empty", true, /its answer is empty/],
      [said("<think>hm"), "empty", true, /empty/],
      [said("", { finish: "length" }), "empty", false, /raise max_tokens/],
      [
        said("", { finish: "tool_calls", message: { tool_calls: [{ index: 0, x: 1 }] } }),
        "empty",
        false,
        /asked for a tool/,
      ],
      [
        () => new Response("<html>Log in</html>", { headers: { "content-type": "text/html" } }),
        "invalid_config",
        false,
        /answered with text\/html .*check base_url/,
      ],
      [
        begun([piece("Thy"), JSON.stringify({ error: { message: "overloaded" } })], "close"),
        "http_error",
        true,
        /broke the answer off: overloaded/,
      ],
      [begun([piece("Thy"), "{nonsense"], "close"), "damaged", true, /no valid JSON/],
      [begun([piece("Thy")], "close"), "fetch_failed", true, /the answer broke off/],
      [begun([piece("Thy")], "break"), "fetch_failed", true, /the answer broke off/],
      [
        begun(["null", "[]", '"x"', '{"choices":{}}', '{"choices":[null,{"delta":7}]}'], "close"),
        "fetch_failed",
        true,
        /broke off/,
      ],
    ];
    for (const [answer, code, retryable, words, data] of cases) {
      server.next(answer);
      const thrown = await thrownBy(generateText(INPUT, ctx({ max_tokens: 9 })));
      const what = String(thrown.message);
      assert.equal(thrown.code, code, what);
      assert.equal(thrown.retryable, retryable, what);
      assert.match(what, words);
      assert.match(what, /^Cannot .+: .+\.$/);
      if (data !== undefined) assert.deepEqual(thrown.data, data, what);
    }
    assert.equal(server.bodies.length, cases.length, "something was tried twice");
  }));

Deno.test("an answer that is no JSON is told as such when it is not streamed either", () =>
  withServer(async ({ server, ctx }) => {
    const json = { headers: { "content-type": "application/json" } };
    server.next(
      () => new Response("{nonsense", json),
      () => new Response("", json),
      () => new Response("hello"),
    );
    const codes = [];
    for (let i = 0; i < 3; i++) {
      codes.push((await thrownBy(generateText(INPUT, ctx({ stream: false })))).code);
    }
    assert.deepEqual(codes, ["damaged", "invalid_config", "invalid_config"]);
  }));

Deno.test("a fault that passes is tried again: before the answer, and in its middle", () =>
  withServer(async ({ server, ctx }) => {
    const context = ctx({ max_retries: 2 });
    server.next(
      fault(500, "oops", {}, FAST),
      fault(429, "slow", {}, FAST),
      said("Third."),
      begun([piece("Fir")], "break"),
      begun([piece("Sec")], "close"),
      said("Sixth."),
    );
    assert.equal((await generateText(INPUT, context)).text, "Third.");
    assert.equal((await generateText(INPUT, context)).text, "Sixth.");
    assert.equal(server.bodies.length, 6);
    // What broke off was answered all the same, with a count that nobody knows.
    assert.deepEqual(context.used.map(({ output_tokens }) => output_tokens), [
      5,
      undefined,
      undefined,
      5,
    ]);
  }));

Deno.test("a long wait that the server asks for is left to the job", () =>
  withServer(async ({ server, ctx }) => {
    server.next(fault(429, "slow", {}, { "retry-after": "30" }));
    const { retryable, data } = await thrownBy(generateText(INPUT, ctx({ max_retries: 3 })));
    assert.deepEqual([retryable, data], [true, { status: 429, retry_after_s: 30 }]);
    assert.equal(server.bodies.length, 1);
  }));

Deno.test("a server that falls silent is given up: before the answer, and in its middle", () =>
  withServer(async ({ server, ctx }) => {
    const silent = Promise.withResolvers<Response>();
    server.next(() => silent.promise, begun([piece("Thy")], "hang"));
    for (let i = 0; i < 2; i++) {
      const thrown = await thrownBy(generateText(INPUT, ctx({ timeout_s: 0.2 })));
      assert.deepEqual([thrown.code, thrown.retryable], ["fetch_failed", true]);
      assert.match(String(thrown.message), /said nothing for 0\.2 seconds/);
    }
    silent.resolve(events([]));
  }));

Deno.test("ctx.signal ends a request, whether it has begun to be answered or not", () =>
  withServer(async ({ server, ctx }) => {
    const silent = Promise.withResolvers<Response>();
    const reason = new Error("cancelled");
    const before = new AbortController();
    server.next(() => {
      before.abort(reason);
      return silent.promise;
    });
    await assert.rejects(generateText(INPUT, ctx({ max_retries: 3 }, before.signal)), reason);

    const during = new AbortController();
    const context = ctx({ max_retries: 3 }, during.signal);
    server.next(begun([piece("Thyme")], "hang"));
    const progress = context.progress.bind(context);
    const work = generateText(INPUT, {
      ...context,
      progress(fraction, message) {
        progress(fraction, message);
        during.abort(reason);
      },
    });
    await assert.rejects(work, reason);
    assert.equal(context.progressed[0]?.message, "Thyme");
    assert.equal(server.bodies.length, 2);
    silent.resolve(events([]));
  }));

Deno.test("an answer without end is cut off and told", () =>
  withServer(async ({ server, ctx }) => {
    const text = "x".repeat(65_536);
    const endless = new TextEncoder().encode(`data: ${piece(text)}\n\n`);
    const closed = Promise.withResolvers<void>();
    server.next(() =>
      new Response(
        new ReadableStream({
          pull: (controller) => controller.enqueue(endless),
          cancel: () => closed.resolve(),
        }),
        { headers: { "content-type": "text/event-stream" } },
      )
    );
    const thrown = await thrownBy(generateText(INPUT, ctx({ max_retries: 3 })));
    assert.deepEqual([thrown.code, thrown.retryable], ["too_large", false]);
    await closed.promise;
    assert.equal(server.bodies.length, 1);
  }));

Deno.test("a translation that is cut off, or none, is no translation", () =>
  withServer(async ({ server, ctx }) => {
    const text = "Thyme likes the sun. ".repeat(20).trim();
    server.next(said("Thymian mag", { finish: "length" }), said(text), said(text));
    const cut = await thrownBy(translateText({ text, to: "de" }, ctx()));
    assert.deepEqual([cut.code, cut.retryable], ["too_large", false]);
    const same = await thrownBy(translateText({ text, to: "de", from: "en" }, ctx()));
    assert.match(String(same.message), /gave the text back untranslated/);
    // It may have been German all along.
    assert.equal((await translateText({ text, to: "de" }, ctx())).text, text);
  }));

Deno.test("the key is in no error and no log line, even where the server repeats it", async () => {
  await withServer(async ({ ctx }) => {
    const seen: unknown[] = [];
    const tell = async (config: Parameters<typeof ctx>[0]) => {
      const context = ctx(config);
      seen.push(
        await generateText(INPUT, context).catch(({ message, data, stack, cause }) => ({
          message,
          data,
          stack,
          cause: Deno.inspect(cause),
        })),
      );
      seen.push(context.logged, context.progressed, context.used);
    };
    await tell({});
    assert.match(JSON.stringify(seen), /the server refuses the key/);
    await tell({ base_url: `http://127.0.0.1:${closedPort()}/v1` });
    assert.ok(!JSON.stringify(seen).includes(CANARY), JSON.stringify(seen));
  }, { key: "another" });
  await withServer(async ({ server, ctx }) => {
    server.next(fault(400, `the key ${CANARY} may not do this`), fault(500, `oops ${CANARY}`));
    for (let i = 0; i < 2; i++) {
      const thrown = await thrownBy(generateText(INPUT, ctx()));
      assert.match(String(thrown.message), /\[secret\]/);
      assert.ok(!JSON.stringify(thrown).includes(CANARY));
    }
  });
});

Deno.test("a key that no header can carry is told without saying it", () =>
  withServer(async ({ ctx }) => {
    const context = { ...ctx(), secrets: { api_key: "sk-one\nsk-two" } };
    const thrown = await thrownBy(generateText(INPUT, context));
    assert.equal(thrown.code, "invalid_config");
    assert.ok(!/sk-/.test(String(thrown.message)));
  }));
