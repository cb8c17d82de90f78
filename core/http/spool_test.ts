import assert from "node:assert/strict";
import { createSpool } from "./spool.ts";

async function* pieces(...sizes: number[]) {
  let next = 0;
  for (const size of sizes) yield Uint8Array.from({ length: size }, () => next++ % 251);
}

const expected = (size: number) => Uint8Array.from({ length: size }, (_, i) => i % 251);

Deno.test("createSpool() keeps small bytes in memory and larger ones in a file until disposed", async () => {
  const spool = createSpool(10);
  const small = await spool.add(pieces(4, 6));
  const large = await spool.add(pieces(4, 6, 1, 5000));
  assert.deepEqual([small.size, large.size], [10, 5011]);
  const inMemory = await small.open();
  assert.ok(inMemory instanceof Uint8Array);
  assert.deepEqual(inMemory, expected(10));
  for (let i = 0; i < 2; i++) {
    const stream = await large.open();
    assert.ok(stream instanceof ReadableStream);
    assert.deepEqual(new Uint8Array(await new Response(stream).arrayBuffer()), expected(5011));
  }
  await spool[Symbol.asyncDispose]();
  await assert.rejects(large.open(), Deno.errors.NotFound);
});

Deno.test("createSpool() closes its file when the bytes break off", async () => {
  await using spool = createSpool(10);
  async function* broken() {
    yield new Uint8Array(100);
    throw new Error("broke off");
  }
  await assert.rejects(spool.add(broken()), /broke off/);
});
