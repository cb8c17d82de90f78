import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { cut, parseAnswer, parseCall, parseEvent, parseService, parseStart } from "./messages.ts";

const ODD: unknown[] = [null, 1, "x", [], {}, new Uint8Array(1), { start: 1 }, { ok_: 1 }];

Deno.test("parse…() give undefined when the value is no such message", () => {
  for (const value of ODD) {
    for (const parse of [parseStart, parseCall, parseService, parseAnswer, parseEvent]) {
      strictEqual(parse(value), undefined, `${parse.name} ${Deno.inspect(value)}`);
    }
  }
  const job = { id: "a", idempotencyKey: "b" };
  strictEqual(parseCall({ method: "x", args: {}, job }), undefined);
  strictEqual(parseCall({ method: "x", args: [], job: { id: 1, idempotencyKey: "b" } }), undefined);
  strictEqual(parseService({ service: "x".repeat(200), input: 1, call: 1 }), undefined);
  strictEqual(parseService({ service: "x", input: 1, call: "1" }), undefined);
  strictEqual(parseAnswer({ error: { code: "x" } }), undefined);
  strictEqual(parseEvent({ event: "ready", kind: "import", methods: [1] }), undefined);
  strictEqual(
    parseEvent({ event: "ready", kind: "import", methods: Array(100).fill("a") }),
    undefined,
  );
  strictEqual(parseEvent({ event: "ready", kind: "import" }), undefined);
  strictEqual(parseEvent({ event: "progress", fraction: "1" }), undefined);
  strictEqual(parseEvent({ event: "log", level: "loud", message: "x" }), undefined);
});

Deno.test("parseAnswer() takes the fields it knows and cuts what is too long", () => {
  deepStrictEqual(parseAnswer({ ok: undefined }), { ok: undefined });
  deepStrictEqual(
    parseAnswer({ error: { code: "Not A Code", message: "m", retryable: 1, data: [] } }),
    {
      error: { code: "plugin_error", message: "m", retryable: false, data: undefined },
    },
  );
  const answer = parseAnswer({
    error: { code: "empty", message: "m".repeat(10_000), retryable: true },
  });
  strictEqual(answer && "error" in answer && answer.error.message.length, 4097);
});

Deno.test("parseEvent() holds a fraction between 0 and 1", () => {
  deepStrictEqual(parseEvent({ event: "progress", fraction: 7, message: null }), {
    event: "progress",
    fraction: 1,
    message: undefined,
  });
  deepStrictEqual(parseEvent({ event: "progress", fraction: -1, message: 5 }), {
    event: "progress",
    fraction: 0,
    message: "",
  });
});

Deno.test("parseEvent() takes the figures of a usage that are figures", () => {
  deepStrictEqual(
    parseEvent({
      event: "usage",
      usage: {
        model: "m".repeat(300),
        input_tokens: 1.4,
        output_tokens: -1,
        cost: Infinity,
        currency: "euro",
        more: 1,
      },
    }),
    { event: "usage", usage: { model: `${"m".repeat(200)}…`, input_tokens: 1 } },
  );
  deepStrictEqual(
    parseEvent({ event: "usage", usage: { cost: 0.5, currency: "EUR", output_tokens: 0 } }),
    { event: "usage", usage: { model: "unknown", output_tokens: 0, cost: 0.5, currency: "EUR" } },
  );
  strictEqual(parseEvent({ event: "usage", usage: "m" }), undefined);
});

Deno.test("cut() makes what is no text empty", () => {
  strictEqual(cut(5), "");
  strictEqual(cut("abc", 2), "ab…");
});
