import assert from "node:assert/strict";
import { createBreaker } from "./breaker.ts";

Deno.test("createBreaker() opens after three failures within a minute, for half a minute", () => {
  let now = 1_000_000;
  const breaker = createBreaker(() => now);
  const fail = (afterMs: number) => {
    now += afterMs;
    breaker.failed("a");
    return breaker.openUntil("a");
  };
  assert.deepEqual([fail(0), fail(40_000), fail(40_000)], [undefined, undefined, undefined]);
  assert.equal(fail(10_000), now + 30_000);
  assert.equal(breaker.openUntil("b"), undefined);
  now += 29_999;
  assert.notEqual(breaker.openUntil("a"), undefined);
  now += 1;
  assert.equal(breaker.openUntil("a"), undefined);
});

Deno.test("createBreaker() forgets failures once the provider has served", () => {
  const breaker = createBreaker(() => 0);
  for (let i = 0; i < 2; i++) breaker.failed("a");
  breaker.served("a");
  for (let i = 0; i < 2; i++) breaker.failed("a");
  assert.equal(breaker.openUntil("a"), undefined);
  breaker.failed("a");
  assert.equal(breaker.openUntil("a"), 30_000);
  breaker.served("a");
  assert.equal(breaker.openUntil("a"), undefined);
});
