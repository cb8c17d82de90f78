import assert from "node:assert/strict";
import type { Whereabouts } from "./attempt_store.ts";
import { createProgress } from "./progress.ts";
import { createFakeClock } from "./testing.ts";

function setUp() {
  const clock = createFakeClock();
  const written: Whereabouts[] = [];
  return { clock, written, progress: createProgress(clock, (change) => written.push(change)) };
}

Deno.test("merge() writes the first change at once and at most one in 500 ms from then on", () => {
  const { clock, written, progress } = setUp();
  for (let percent = 1; percent <= 100; percent++) {
    progress.merge({ progress: percent, ...(percent === 50 ? { message: "half" } : {}) });
    clock.advance(10);
  }
  clock.advance(1000);
  assert.deepEqual(written, [
    { progress: 1 },
    { progress: 50, message: "half" },
    { progress: 100 },
  ]);
});

Deno.test("now() writes at once, with what was put off", () => {
  const { clock, written, progress } = setUp();
  progress.merge({ progress: 1 });
  progress.merge({ progress: 2, message: "two" });
  progress.now({ stage: "storing" });
  assert.deepEqual(written.at(-1), { progress: 2, message: "two", stage: "storing" });
  assert.equal(clock.timers, 0);
});

Deno.test("stop() forgets what was put off", () => {
  const { clock, written, progress } = setUp();
  progress.merge({ progress: 1 });
  progress.merge({ progress: 2 });
  progress.stop();
  clock.advance(1000);
  progress.now({ progress: 3 });
  assert.deepEqual(written, [{ progress: 1 }]);
  assert.equal(clock.timers, 0);
});
