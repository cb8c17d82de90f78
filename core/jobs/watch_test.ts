import assert from "node:assert/strict";
import type { JobEvent } from "./job.ts";
import { noopHandler } from "./noop.ts";
import { counting, createDoor, noop, openWorkshop, within } from "./testing.ts";

async function collect(events: AsyncIterable<JobEvent>): Promise<number[]> {
  const seen: number[] = [];
  for await (const { seq } of events) seen.push(seq);
  return seen;
}

Deno.test("watch() replays after a sequence number and ends with the job", async () => {
  await using shop = await openWorkshop();
  const engine = shop.engine({ handlers: { noop: noopHandler } });
  await engine.start();
  const { id } = await engine.jobs.add(noop());
  await within(engine.jobs.finished(id));
  assert.deepEqual(await collect(engine.jobs.watch(id, {})), [1, 2, 3]);
  assert.deepEqual(await collect(engine.jobs.watch(id, { afterSeq: 2 })), [3]);
  assert.deepEqual(await collect(engine.jobs.watch(id, { afterSeq: 3 })), []);
  assert.deepEqual(await collect(engine.jobs.watch(id, { afterSeq: 99 })), []);
});

Deno.test("watch() gives every watcher all events once and in order, whenever it begins", async () => {
  await using shop = await openWorkshop();
  const { promise: go, resolve: letGo } = Promise.withResolvers<void>();
  const engine = shop.engine({
    handlers: {
      noop: {
        async run(run) {
          await go;
          for (let index = 0; index < 50; index++) {
            await run.stage({
              name: "processing",
              executor: "host",
              digest: `${index}`,
              from: index,
            }, async () => {});
          }
        },
      },
    },
  });
  await engine.start();
  const { id } = await engine.jobs.add(noop());
  const watchers = [collect(engine.jobs.watch(id, {})), collect(engine.jobs.watch(id, {}))];
  letGo();
  for (let index = 0; index < 20; index++) {
    watchers.push(collect(engine.jobs.watch(id, {})));
    await new Promise((resolve) => setTimeout(resolve));
  }
  const all = Array.from({ length: 53 }, (_, index) => index + 1);
  for (const seen of await within(Promise.all(watchers))) assert.deepEqual(seen, all);
});

Deno.test("watch() reads what it missed when live events come out of turn", async () => {
  await using shop = await openWorkshop();
  const engine = shop.engine({});
  const job = await shop.sql.transaction((tx) => engine.jobs.addIn(tx, noop()));
  const events = engine.jobs.watch(job.id, {})[Symbol.asyncIterator]();
  assert.equal((await events.next()).value!.seq, 1);
  // Another process writes an event that this one is not told of.
  await shop.sql.db.updateTable("job").set({ seq: 2 }).where("id", "=", job.id).execute();
  await shop.sql.db.insertInto("job_event").values({
    job_id: job.id,
    seq: 2,
    status: "queued",
    stage: null,
    progress: 0,
    message: "from elsewhere",
    time: "now",
  }).execute();
  const next = events.next();
  await engine.jobs.cancel(job.id);
  assert.equal((await within(next)).value!.message, "from elsewhere");
  assert.equal((await within(events.next())).value!.status, "cancelled");
  assert.equal((await within(events.next())).done, true);
});

Deno.test("watch() ends when its signal is aborted, and lets go when its reader leaves", async () => {
  await using shop = await openWorkshop();
  const { jobs } = shop.engine({});
  const { id } = await jobs.add(noop());
  const abort = new AbortController();
  const seen = collect(jobs.watch(id, { signal: abort.signal }));
  await jobs.get(id);
  abort.abort();
  assert.ok((await within(seen)).length <= 1);
  assert.deepEqual(await collect(jobs.watch(id, { signal: abort.signal })), []);
  for await (const event of jobs.watch(id, {})) {
    assert.equal(event.seq, 1);
    break;
  }
});

Deno.test("watch() goes on over an earlier end when the job was retried by hand", async () => {
  await using shop = await openWorkshop();
  const engine = shop.engine({ handlers: { noop: noopHandler } });
  const { id } = await engine.jobs.add(noop());
  await engine.jobs.cancel(id);
  await engine.jobs.retry(id);
  const seen = collect(engine.jobs.watch(id, {}));
  await engine.start();
  assert.deepEqual(await within(seen), [1, 2, 3, 4, 5]);
});

Deno.test("finished() throws the signal's reason", async () => {
  await using shop = await openWorkshop();
  const { jobs } = shop.engine({});
  const { id } = await jobs.add(noop());
  const abort = new AbortController();
  const waiting = assert.rejects(jobs.finished(id, abort.signal), /enough/);
  abort.abort(new Error("enough"));
  await within(waiting);
});

Deno.test("finished() waits through a retry", async () => {
  await using shop = await openWorkshop();
  const door = createDoor();
  const engine = shop.engine({ handlers: { noop: { run: () => door.pass() } } });
  await engine.start();
  const { id } = await engine.jobs.add(noop());
  await within(door.reached);
  const waiting = engine.jobs.finished(id);
  door.open();
  assert.equal((await within(waiting)).status, "completed");
});

Deno.test("watch() costs one read for 500 listeners on one job, and none for those that come while they listen", async () => {
  await using shop = await openWorkshop();
  const { promise: go, resolve: letGo } = Promise.withResolvers<void>();
  const counted = counting(shop.sql);
  const engine = shop.engine({
    sql: counted.sql,
    handlers: {
      noop: {
        async run(run) {
          for (let index = 0; index < 60; index++) {
            if (index === 30) await go;
            await run.stage({
              name: "processing",
              executor: "host",
              digest: `${index}`,
              from: index,
            }, async () => {});
          }
        },
      },
    },
  });
  await engine.start();
  const { id } = await engine.jobs.add(noop());
  const first = engine.jobs.watch(id, {})[Symbol.asyncIterator]();
  // Queued, claimed, and 30 stages.
  while ((await within(first.next())).value!.seq < 32);
  await first.return!();

  const before = counted.statements();
  const watchers = Array.from({ length: 500 }, () => collect(engine.jobs.watch(id, {})));
  const live = engine.jobs.watch(id, {})[Symbol.asyncIterator]();
  while ((await within(live.next())).value!.seq < 32);
  assert.equal(counted.statements() - before, 2, "the row and its events, once");
  watchers.push(...Array.from({ length: 20 }, () => collect(engine.jobs.watch(id, {}))));
  watchers.push(collect(engine.jobs.watch(id, { afterSeq: 7 })));
  letGo();
  const all = Array.from({ length: 63 }, (_, index) => index + 1);
  const seen = await within(Promise.all(watchers));
  assert.deepEqual(seen.pop(), all.slice(7));
  for (const one of seen) assert.deepEqual(one, all);
  await live.return!();
  assert.equal(counted.statements() - before, 2, "what is live is read by nobody");
});
