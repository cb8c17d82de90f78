import assert from "node:assert/strict";
import { createBreather } from "./breathe.ts";

Deno.test("createBreather() lets timers run in the midst of long work", async () => {
  let turned = false;
  const timer = setTimeout(() => turned = true, 0);
  const breathe = createBreather(1);
  // Promises alone would never let the timer run.
  while (!turned) await breathe();
  clearTimeout(timer);
  assert.ok(turned);
});

Deno.test("createBreather() does not wait while the last turn is near", () => {
  assert.equal(createBreather(60_000)(), undefined);
});
