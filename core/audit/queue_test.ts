import assert from "node:assert/strict";
import { createDoor, createFakeClock } from "../jobs/testing.ts";
import { createAuditQueue } from "./queue.ts";

function openQueue(write: (batch: readonly string[]) => Promise<void>, max = 1000) {
  const clock = createFakeClock();
  const reports: unknown[] = [];
  let heads = 0;
  const queue = createAuditQueue<string>({
    write,
    after: () => Promise.resolve(void heads++),
    lost: ({ count, first, last }) => `${count} lost ${first} ${last}`,
    timestamp: () => `${clock.now() % 100_000}`,
    flushMs: 100,
    max,
    clock,
    report: (error) => reports.push(error),
  });
  return { queue, clock, reports, heads: () => heads };
}

Deno.test("createAuditQueue() writes in order, in batches, a head after each", async () => {
  const batches: (readonly string[])[] = [];
  const { queue, heads } = openQueue((batch) => Promise.resolve(void batches.push(batch)));
  const events = Array.from({ length: 250 }, (_, index) => `${index}`);
  for (const event of events) queue.add(event);
  await queue.flush();
  assert.deepEqual(batches.flat(), events);
  assert.deepEqual(batches.map(({ length }) => length), [50, 50, 50, 50, 50]);
  assert.ok(heads() >= 5);
});

Deno.test("createAuditQueue() sets one timer however much comes, and none when it is closed", async () => {
  const written: string[] = [];
  const { queue, clock } = openQueue((batch) => Promise.resolve(void written.push(...batch)));
  for (let index = 0; index < 10; index++) queue.add(`${index}`);
  queue.wake();
  assert.equal(clock.timers, 1);
  await queue.close();
  assert.equal(written.length, 10);
  queue.add("late");
  queue.wake();
  assert.equal(clock.timers, 0);
  await queue.close();
  assert.equal(written.length, 10);
});

Deno.test("createAuditQueue() counts what is dropped while it says what was dropped", async () => {
  const door = createDoor();
  const written: string[] = [];
  const { queue, clock } = openQueue(async (batch) => {
    await door.pass();
    written.push(...batch);
  }, 2);
  for (const event of ["a", "b", "c", "d"]) {
    queue.add(event);
    clock.advance(1);
  }
  const flushed = queue.flush();
  await door.reached;
  queue.add("e");
  door.open();
  await flushed;
  queue.add("f");
  await queue.flush();
  assert.deepEqual(written, ["a", "b", "2 lost 2 3", "1 lost 3 4", "f"]);
});

Deno.test("createAuditQueue() keeps a batch that could not be written, and closes all the same", async () => {
  let fail = true;
  const written: string[] = [];
  const { queue, clock, reports } = openQueue((batch) => {
    if (fail) return Promise.reject(new Error("full"));
    written.push(...batch);
    return Promise.resolve();
  });
  queue.add("a");
  await queue.flush();
  assert.equal(clock.timers, 1);
  queue.add("b");
  fail = false;
  await queue.flush();
  assert.deepEqual(written, ["a", "b"]);
  fail = true;
  queue.add("c");
  await queue.close();
  assert.deepEqual([reports.length, clock.timers], [2, 0]);
});
