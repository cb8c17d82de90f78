/** What every queue must do: carry wake-ups. How many and how late is free, that one comes is not. */
import assert from "node:assert/strict";
import type { Queue } from "../../core/jobs/queue.ts";

/** @param open opens a new queue */
export function queueSuite(name: string, open: () => Promise<Queue>): void {
  const test = (title: string, run: (queue: Queue) => Promise<void>) =>
    Deno.test(`${name}: ${title}`, async () => {
      await using queue = await open();
      await run(queue);
    });

  test("wake() reaches a listener", async (queue) => {
    const bell = createBell(queue);
    await queue.wake();
    await bell.rung(1);
    bell.stop();
  });

  test("wake() by the thousand is never lost to a listener that looks after each", async (queue) => {
    let added = 0;
    let seen = 0;
    const bell = createBell(queue, () => seen = added);
    await Promise.all(Array.from({ length: 1000 }, async () => {
      added++;
      await queue.wake();
    }));
    await bell.until(() => seen === 1000);
    bell.stop();
  });

  test("wake() at a later time comes, and not before it", async (queue) => {
    let due = Infinity;
    const early: number[] = [];
    const bell = createBell(queue, () => {
      if (Date.now() < due) early.push(due - Date.now());
    });
    due = Date.now() + 300;
    await queue.wake(due);
    await bell.rung(1);
    assert.deepEqual(early, []);
    bell.stop();
  });

  test("wake() at a time that is over comes at once", async (queue) => {
    const bell = createBell(queue);
    await queue.wake(1);
    await bell.rung(1);
    bell.stop();
  });

  test("an aborted listener hears nothing more", async (queue) => {
    const abort = new AbortController();
    let heard = 0;
    queue.listen(() => heard++, abort.signal);
    abort.abort();
    await queue.wake();
    queue.listen(() => heard++, abort.signal);
    await queue.wake();
    assert.equal(heard, 0);
  });

  test("dispose twice and wake() after it do no harm", async (queue) => {
    const bell = createBell(queue);
    await queue[Symbol.asyncDispose]();
    await queue[Symbol.asyncDispose]();
    await queue.wake();
    await queue.wake(Date.now() + 1000);
    bell.stop();
  });
}

function createBell(queue: Queue, onWake: () => void = () => {}) {
  const abort = new AbortController();
  let rings = 0;
  let notify = () => {};
  queue.listen(() => {
    rings++;
    onWake();
    notify();
  }, abort.signal);
  const until = async (condition: () => boolean) => {
    const deadline = Date.now() + 30_000;
    while (!condition()) {
      const { promise, resolve } = Promise.withResolvers<void>();
      notify = resolve;
      const timer = setTimeout(resolve, deadline - Date.now());
      await promise;
      clearTimeout(timer);
      assert.ok(Date.now() < deadline, "no wake-up came");
    }
  };
  return { until, rung: (count: number) => until(() => rings >= count), stop: () => abort.abort() };
}
