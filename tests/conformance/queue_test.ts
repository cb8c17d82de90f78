import assert from "node:assert/strict";
import { openQueueKv } from "../../core/jobs/queue_kv.ts";
import { queueSuite } from "./queue_suite.ts";

queueSuite("kv in memory", () => openQueueKv(":memory:"));

queueSuite("kv in a file", async () => {
  const dir = await Deno.makeTempDir();
  const queue = await openQueueKv(`${dir}/queue.kv`);
  return {
    ...queue,
    async [Symbol.asyncDispose]() {
      await queue[Symbol.asyncDispose]();
      await Deno.remove(dir, { recursive: true }).catch(() => {});
    },
  };
});

Deno.test("openQueueKv() keeps a later wake-up over a restart", async () => {
  const dir = await Deno.makeTempDir();
  try {
    {
      await using before = await openQueueKv(`${dir}/queue.kv`);
      await before.wake(Date.now() + 200);
    }
    await using after = await openQueueKv(`${dir}/queue.kv`);
    const abort = new AbortController();
    await new Promise<void>((resolve) => after.listen(resolve, abort.signal));
    abort.abort();
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("wake() by the thousand is a few messages", async () => {
  const dir = await Deno.makeTempDir();
  try {
    {
      await using queue = await openQueueKv(`${dir}/queue.kv`);
      const later = Date.now() + 3_600_000;
      await Promise.all(
        Array.from({ length: 2000 }, (_, index) => queue.wake(index % 2 ? undefined : later)),
      );
    }
    const { DatabaseSync } = await import("node:sqlite");
    using db = new DatabaseSync(`${dir}/queue.kv`);
    const count = Number(db.prepare("select count(*) as count from queue").get()!.count);
    assert.ok(count <= 3, `${count} messages`);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
