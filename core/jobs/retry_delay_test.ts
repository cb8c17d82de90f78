import assert from "node:assert/strict";
import { retryDelayMs } from "./retry_delay.ts";

Deno.test("retryDelayMs() doubles, give or take a quarter, up to an hour", () => {
  assert.deepEqual([1, 2, 3].map((tries) => retryDelayMs(tries, 0.5)), [2000, 4000, 8000]);
  assert.equal(retryDelayMs(1, 0), 1500);
  assert.ok(retryDelayMs(1, 0.999) < 2500);
  assert.equal(retryDelayMs(40, 0.5), 3_600_000);
});

Deno.test("retryDelayMs() keeps to the job's own policy", () => {
  const policy = { base_s: 10, most_s: 30 };
  assert.deepEqual([1, 2, 3].map((tries) => retryDelayMs(tries, 0.5, policy)), [
    10_000,
    20_000,
    30_000,
  ]);
  assert.equal(retryDelayMs(3, 0.5, { base_s: 0 }), 0);
});

Deno.test("retryDelayMs() is never shorter than the error asks for, and bounded by an hour", () => {
  const asks = (retry_after_s: unknown) => ({ details: { retry_after_s } });
  assert.equal(retryDelayMs(1, 0, {}, asks(90)), 90_000);
  assert.equal(retryDelayMs(1, 1, {}, asks(90)), 112_500);
  assert.equal(retryDelayMs(1, 0, {}, asks(1e9)), 3_600_000);
  for (const odd of ["90", -1, NaN, null]) assert.equal(retryDelayMs(1, 0.5, {}, asks(odd)), 2000);
});
