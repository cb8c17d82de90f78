import assert from "node:assert/strict";
import { every, systemClock } from "./clock.ts";
import { createFakeClock } from "./testing.ts";

Deno.test("every() repeats until it is stopped", () => {
  const clock = createFakeClock(0);
  const times: number[] = [];
  const stop = every(clock, 10, () => {
    times.push(clock.now());
    if (times.length === 3) stop();
  });
  clock.advance(100);
  assert.deepEqual(times, [10, 20, 30]);
  assert.equal(clock.timers, 0);
});

Deno.test("systemClock runs what is due, and not what was taken back", async () => {
  const before = Date.now();
  const ran: string[] = [];
  const takeBack = systemClock.after(0, () => ran.push("taken back"));
  takeBack();
  await new Promise<void>((resolve) => systemClock.after(1, resolve));
  assert.deepEqual(ran, []);
  assert.ok(systemClock.now() >= before);
});
