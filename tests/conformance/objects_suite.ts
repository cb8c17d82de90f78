/** What every object store must do. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { ObjectStore } from "../../core/stores/objects.ts";

export interface OpenedObjects extends AsyncDisposable {
  readonly store: ObjectStore;
}

const bytes = (text: string) => new TextEncoder().encode(text);
const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");

/** Bytes that repeat nowhere near, the same in every run. */
function noise(size: number): Uint8Array {
  const data = new Uint8Array(size);
  let state = 1;
  for (let index = 0; index < size; index++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    data[index] = state >>> 16;
  }
  return data;
}

function inPieces(data: Uint8Array, size: number): ReadableStream<Uint8Array> {
  let offset = 0;
  return new ReadableStream({
    pull(controller) {
      if (offset >= data.length) return controller.close();
      controller.enqueue(data.slice(offset, offset += size));
    },
  });
}

const readAll = async (stream: ReadableStream<Uint8Array>) =>
  new Uint8Array(await new Response(stream).arrayBuffer());

async function digests(store: ObjectStore): Promise<string[]> {
  const found: string[] = [];
  for await (const { digest } of store.list()) found.push(digest);
  return found.sort();
}

/** @param open opens a new, empty store */
export function objectsSuite(name: string, open: () => Promise<OpenedObjects>): void {
  const test = (title: string, run: (store: ObjectStore) => Promise<void>) =>
    Deno.test(`${name}: ${title}`, async () => {
      await using opened = await open();
      await run(opened.store);
    });

  test("put() names bytes by their SHA-256, and get() brings them back", async (store) => {
    for (const data of [bytes(""), bytes("a"), bytes("日本語 🎉"), noise(100_000)]) {
      const blob = await store.put(data);
      assert.deepEqual(blob, { digest: sha256(data), size: data.length });
      assert.deepEqual(await store.get(blob.digest), data);
      assert.deepEqual(await store.stat(blob.digest), blob);
    }
  });

  test("put() of a stream is put() of its bytes", async (store) => {
    const data = noise(3_000_001);
    const blob = await store.put(inPieces(data, 65_537));
    assert.deepEqual(blob, { digest: sha256(data), size: data.length });
    assert.deepEqual(await readAll(await store.open(blob.digest)), data);
    assert.equal((await store.put(inPieces(bytes(""), 1))).size, 0);
  });

  test("put() twice, even at once, stores once", async (store) => {
    const data = noise(50_000);
    await Promise.all(Array.from({ length: 10 }, () => store.put(data)));
    assert.deepEqual(await digests(store), [sha256(data)]);
    assert.deepEqual(await store.get(sha256(data)), data);
  });

  test("put() of many at once keeps them apart", async (store) => {
    const all = Array.from({ length: 100 }, (_, index) => bytes(`blob ${index}`));
    const blobs = await Promise.all(all.map((data) => store.put(data)));
    assert.deepEqual(await digests(store), blobs.map(({ digest }) => digest).sort());
    for (const [index, blob] of blobs.entries()) {
      assert.deepEqual(await store.get(blob.digest), all[index]);
    }
  });

  test("put() of a stream that fails throws its error and stores nothing", async (store) => {
    const broken = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(bytes("half"));
        controller.error(new Error("cut off"));
      },
    });
    await assert.rejects(store.put(broken), /cut off/);
    assert.deepEqual(await digests(store), []);
  });

  test("open() reads ranges, clamped to the blob", async (store) => {
    const data = noise(200_000);
    const { digest } = await store.put(data);
    const ranges = [[0, 10], [100, 70_000], [199_999, 200_000], [150_000, 9e9], [5, 5], [9e9, 9e9]];
    for (const [start, end] of ranges as [number, number][]) {
      const read = await readAll(await store.open(digest, { start, end }));
      assert.deepEqual(read, data.slice(start, end));
    }
  });

  test("open() can be left before its end", async (store) => {
    const { digest } = await store.put(noise(1_000_000));
    const reader = (await store.open(digest)).getReader();
    assert.ok((await reader.read()).value!.length > 0);
    await reader.cancel();
    await (await store.open(digest)).cancel();
  });

  test("get(), open() and stat() of what is not there say so", async (store) => {
    for (const digest of [sha256(bytes("never")), "../../etc/passwd", "", "ab", "A".repeat(64)]) {
      await assert.rejects(store.get(digest), { code: "not_found" });
      await assert.rejects(store.open(digest), { code: "not_found" });
      assert.equal(await store.stat(digest), undefined);
      await store.delete(digest);
    }
  });

  test("delete() removes one blob, also twice, and leaves the others", async (store) => {
    const gone = await store.put(bytes("gone"));
    const kept = await store.put(bytes("kept"));
    await store.delete(gone.digest);
    await store.delete(gone.digest);
    assert.equal(await store.stat(gone.digest), undefined);
    assert.deepEqual(await digests(store), [kept.digest]);
    assert.deepEqual(await store.put(bytes("gone")), gone);
    assert.deepEqual(await store.get(gone.digest), bytes("gone"));
  });
}
