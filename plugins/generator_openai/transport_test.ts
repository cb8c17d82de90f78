import assert from "node:assert/strict";
import { retryAfter } from "./transport.ts";

Deno.test("retryAfter() reads milliseconds, seconds and dates", () => {
  const now = Date.parse("2024-05-06T07:08:09Z");
  const wait = (headers: Record<string, string>) => retryAfter(new Headers(headers), now);
  assert.equal(wait({ "retry-after": "20" }), 20);
  assert.equal(wait({ "retry-after-ms": "1500", "retry-after": "20" }), 1.5);
  assert.equal(wait({ "retry-after": "Mon, 06 May 2024 07:09:09 GMT" }), 60);
  assert.equal(wait({ "retry-after": "Mon, 06 May 2024 07:00:00 GMT" }), 0);
  assert.equal(wait({ "retry-after": "soon" }), undefined);
  assert.equal(wait({}), undefined);
});
