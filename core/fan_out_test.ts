import assert from "node:assert/strict";
import { createFanOut } from "./fan_out.ts";

interface Item {
  readonly seq: number;
}

/** A story on a disk of its own, with gaps in its numbers. */
function setup(keep = 1_000) {
  const disk: Item[] = [];
  const reads: number[] = [];
  let fault: Error | undefined;
  const feed = createFanOut<Item, "even">({
    newest: async () => {
      if (fault) throw fault;
      return disk.at(-1)?.seq ?? 0;
    },
    read: async (after, upTo, limit, filter) => {
      reads.push(after);
      if (fault) throw fault;
      return disk.filter(({ seq }) =>
        seq > after && seq <= upTo && (filter === undefined || seq % 2 === 0)
      ).slice(0, limit);
    },
    matches: ({ seq }) => seq % 2 === 0,
    keep,
  });
  const write = (...seqs: number[]) => disk.push(...seqs.map((seq) => ({ seq })));
  return { feed, reads, write, break: (error: Error | undefined) => fault = error };
}

const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, at) => from + at);

async function take(items: AsyncIterator<Item>, count: number): Promise<number[]> {
  const seen: number[] = [];
  while (seen.length < count) {
    const { value, done } = await items.next();
    if (done) break;
    seen.push(value!.seq);
  }
  return seen;
}

Deno.test("follow() reads what is new once for all, whatever their number", async () => {
  const { feed, reads, write } = setup();
  write(1, 2);
  const followers = range(1, 100).map(() => feed.follow({ afterSeq: 2 }));
  const all = followers.map((one) => take(one, 5));
  // Turns, until everyone stands at the end.
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  write(3, 5);
  feed.wake();
  write(6);
  feed.wake();
  feed.wake();
  await feed.idle();
  write(7, 10);
  feed.wake();
  for (const seen of await Promise.all(all)) assert.deepEqual(seen, [3, 5, 6, 7, 10]);
  assert.ok(reads.length <= 4, `${reads}`);
  for (const one of followers) await one.return();
});

Deno.test("follow() catches a slow follower up from disk, without a gap and nothing twice", async () => {
  const { feed, reads, write } = setup(10);
  const slow = feed.follow({ afterSeq: 0 });
  const quick = feed.follow({ afterSeq: 0 });
  const begun = Promise.all([take(slow, 1), take(quick, 1)]);
  await Promise.resolve();
  write(1);
  feed.wake();
  assert.deepEqual(await begun, [[1], [1]]);
  for (const seq of range(2, 2_000)) {
    write(seq);
    feed.wake();
    assert.deepEqual(await take(quick, 1), [seq]);
  }
  const before = reads.length;
  assert.deepEqual(await take(slow, 1_999), range(2, 2_000));
  assert.ok(reads.length - before <= 5, `${reads.length - before} reads of 500`);
  await slow.return();
  await quick.return();
});

Deno.test("follow() keeps no more in memory than its size, however few the items are", async () => {
  const disk: Item[] = [];
  const kept = new Set<Item>();
  const feed = createFanOut<Item, never>({
    newest: async () => disk.at(-1)?.seq ?? 0,
    read: async (after, upTo, limit) =>
      disk.filter(({ seq }) => seq > after && seq <= upTo).slice(0, limit).map((item) => {
        kept.add(item);
        return item;
      }),
    sizeOf: () => 100,
    keepSize: 1_000,
  });
  const slow = feed.follow({ afterSeq: 0 });
  const quick = feed.follow({ afterSeq: 0 });
  const begun = Promise.all([take(slow, 1), take(quick, 1)]);
  await Promise.resolve();
  for (const seq of range(1, 50)) {
    disk.push({ seq });
    feed.wake();
    if (seq === 1) await begun;
    else assert.deepEqual(await take(quick, 1), [seq]);
  }
  // What is not in memory any more is read again; at most twice the size of ten is.
  kept.clear();
  assert.deepEqual(await take(slow, 49), range(2, 50));
  const live = 50 - Math.max(...[...kept].map(({ seq }) => seq));
  assert.ok(live <= 20, `${live} in memory`);
  await slow.return();
  await quick.return();
});

Deno.test("follow() goes by its filter, on disk and live", async () => {
  const { feed, write } = setup();
  write(...range(1, 7));
  const even = feed.follow({ afterSeq: 1, filter: "even" });
  assert.deepEqual(await take(even, 3), [2, 4, 6]);
  const next = take(even, 2);
  write(8, 9, 10);
  feed.wake();
  assert.deepEqual(await next, [8, 10]);
  await even.return();
});

Deno.test("follow() ends by its signal, by close(), and by a failed read, after which others begin anew", async () => {
  const { feed, write, ...story } = setup();
  write(1);
  const abort = new AbortController();
  const one = take(feed.follow({ signal: abort.signal }), 1);
  const two = take(feed.follow({}), 1);
  await Promise.resolve();
  abort.abort();
  assert.deepEqual(await one, []);
  story.break(new Error("the disk is away"));
  feed.wake();
  await assert.rejects(two, /the disk is away/);
  await assert.rejects(take(feed.follow({}), 1), /the disk is away/);
  story.break(undefined);
  assert.deepEqual(await take(feed.follow({ afterSeq: 0 }), 1), [1]);
  const last = take(feed.follow({ afterSeq: 0 }), 2);
  feed.close();
  assert.deepEqual(await last, [1]);
});

Deno.test("offer() hands items on without a read, and reads what lies before one that is out of turn", async () => {
  const { feed, reads, write } = setup();
  const items = feed.follow({ afterSeq: 0 });
  const seen = take(items, 5);
  // While the newest number is asked for.
  write(1);
  feed.offer({ seq: 1 });
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  write(2);
  feed.offer({ seq: 2 });
  feed.offer({ seq: 2 });
  assert.deepEqual(reads, []);
  write(3, 4, 5);
  feed.offer({ seq: 5 });
  feed.offer({ seq: 3 });
  assert.deepEqual(await seen, [1, 2, 3, 4, 5]);
  assert.equal(reads[0], 2);
  await items.return();
});
