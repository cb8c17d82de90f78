import assert from "node:assert/strict";
import { readTokens, sumUsage, usageOf } from "./usage.ts";

const PRICES = { input: 1, output: 4, currency: "USD" };

Deno.test("usageOf() says only what is known", () => {
  const all = readTokens({ prompt_tokens: 1_000_000, completion_tokens: 500_000 });
  assert.deepEqual(usageOf("m", all, PRICES), {
    model: "m",
    input_tokens: 1_000_000,
    output_tokens: 500_000,
    cost: 3,
    currency: "USD",
  });
  assert.deepEqual(usageOf("m", readTokens({ prompt_tokens: 5, completion_tokens: "9" }), PRICES), {
    model: "m",
    input_tokens: 5,
  });
  assert.deepEqual(
    usageOf("m", readTokens({ prompt_tokens: -1, completion_tokens: 1.5 }), PRICES),
    {
      model: "m",
    },
  );
  assert.deepEqual(usageOf("m", readTokens(null), undefined), { model: "m" });
});

Deno.test("sumUsage() leaves out a figure that one request lacks", () => {
  const full = { model: "m", input_tokens: 2, output_tokens: 3, cost: 0.5, currency: "EUR" };
  assert.deepEqual(sumUsage("m", [full, full]), {
    model: "m",
    input_tokens: 4,
    output_tokens: 6,
    cost: 1,
    currency: "EUR",
  });
  assert.deepEqual(sumUsage("m", [full, { model: "m", input_tokens: 1 }]), {
    model: "m",
    input_tokens: 3,
  });
});
