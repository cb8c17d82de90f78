import assert from "node:assert/strict";
import { openObjectsFs } from "../../core/stores/objects_fs.ts";
import { objectsSuite } from "./objects_suite.ts";

objectsSuite("files", async () => {
  const dir = await Deno.makeTempDir();
  return {
    store: await openObjectsFs(`${dir}/objects`),
    [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }),
  };
});

Deno.test("openObjectsFs() sweeps what a crashed writer left, and keeps what was stored", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const { digest } = await (await openObjectsFs(dir)).put(new Uint8Array([1]));
    await Deno.writeFile(`${dir}/tmp/half-written`, new Uint8Array(10));
    const store = await openObjectsFs(dir);
    assert.deepEqual([...Deno.readDirSync(`${dir}/tmp`)], []);
    assert.deepEqual(await store.get(digest), new Uint8Array([1]));
    assert.equal(Deno.statSync(`${dir}/${digest.slice(0, 2)}/${digest.slice(2)}`).size, 1);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
