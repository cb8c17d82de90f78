import assert from "node:assert/strict";
import v8 from "node:v8";
import vm from "node:vm";
import { collectGarbage, freeMemoryWhenIdle } from "./idle_memory.ts";
import { createFakeClock } from "./jobs/testing.ts";

const MIB = 1024 * 1024;

/** @param left bytes of the heap after a collection */
function watched({ left = 20 * MIB } = {}) {
  const clock = createFakeClock(0);
  const state = { cpu: 0, heap: 200 * MIB, collected: 0 };
  const watch = freeMemoryWhenIdle({
    clock,
    idleMs: 1000,
    idleShare: 0.01,
    grownBytes: 8 * MIB,
    cpuMs: () => state.cpu,
    heapBytes: () => state.heap,
    collect: () => {
      state.collected++;
      state.heap = left;
      state.cpu += 50;
    },
  });
  return { clock, state, watch };
}

Deno.test("freeMemoryWhenIdle() collects once the process has done nothing for a while", () => {
  const { clock, state, watch } = watched();
  state.cpu = 300;
  clock.advance(1000);
  assert.equal(state.collected, 0, "the start was work");
  state.cpu += 10;
  clock.advance(1000);
  assert.equal(state.collected, 1);
  watch[Symbol.dispose]();
  assert.equal(clock.timers, 0);
});

Deno.test("freeMemoryWhenIdle() leaves a heap alone that has hardly grown since", () => {
  const { clock, state, watch } = watched();
  clock.advance(5000);
  assert.equal(state.collected, 1);
  state.heap = 28 * MIB - 1;
  clock.advance(5000);
  assert.equal(state.collected, 1);
  state.heap = 28 * MIB;
  clock.advance(1000);
  assert.equal(state.collected, 2);
  watch[Symbol.dispose]();
});

Deno.test("freeMemoryWhenIdle() leaves a large heap alone that has not grown by a quarter", () => {
  const { clock, state, watch } = watched({ left: 100 * MIB });
  clock.advance(1000);
  state.heap = 125 * MIB - 1;
  clock.advance(5000);
  assert.equal(state.collected, 1);
  state.heap = 125 * MIB;
  clock.advance(1000);
  assert.equal(state.collected, 2);
  watch[Symbol.dispose]();
});

Deno.test("collectGarbage() takes what nobody holds, and gives no other context the means", () => {
  const used = () => v8.getHeapStatistics().used_heap_size;
  let held: unknown[] | undefined = Array.from({ length: 200_000 }, (_, i) => ({ i }));
  collectGarbage();
  const before = used();
  assert.equal(held.length, 200_000);
  held = undefined;
  collectGarbage();
  assert.ok(before - used() > 4 * MIB, `${before} ${used()}`);
  assert.equal(vm.runInNewContext("typeof gc"), "undefined");
});
