import assert from "node:assert/strict";
import { createLock } from "./lock_file.ts";
import {
  formatSignature,
  generateKeyPair,
  parseSignature,
  signLock,
  signPlugin,
  trustedKeySchema,
  verifySignature,
} from "./signature.ts";
import { failsWith, writeFiles } from "./sources/testing/kit.ts";

const LOCK = createLock({
  id: "import.x",
  version: "1.0.0",
  files: [{ path: "carrel.yaml", sha256: "a".repeat(64), size: 1 }],
});

Deno.test("verifySignature() believes a trusted key, and nobody else", async () => {
  const [ann, bob] = [await generateKeyPair(), await generateKeyPair()];
  const trusted = [{ name: "Ann", key: ann.publicKey }];
  const good = await signLock(LOCK, ann.privateKey);
  assert.equal(good.key, ann.publicKey);
  assert.deepEqual(await verifySignature(LOCK, good, trusted), {
    verified: true,
    key: ann.publicKey,
    name: "Ann",
  });
  const why = async (signature: typeof good | undefined, lock = LOCK) => {
    const result = await verifySignature(lock, signature, trusted);
    return result.verified ? "verified" : result.why;
  };
  const bobs = await signLock(LOCK, bob.privateKey);
  assert.equal(await why(undefined), "unsigned");
  assert.equal(await why(bobs), "unknown_key");
  // Bob says that his signature is Ann's.
  assert.equal(await why({ ...bobs, key: ann.publicKey }), "broken");
  assert.equal(await why(good, { ...LOCK, version: "1.0.1" }), "broken");
  assert.equal(await why(good, { ...LOCK, id: "import.y" }), "broken");
  assert.equal(await why(good, { ...LOCK, manifest: "b".repeat(64) }), "broken");
  assert.equal(
    await why(good, { ...LOCK, files: [...LOCK.files, { ...LOCK.files[0]!, path: "b.ts" }] }),
    "broken",
  );
  const zero = new Uint8Array(32).toBase64();
  assert.equal(await why({ key: zero, value: new Uint8Array(64).toBase64() }), "broken");
});

Deno.test("signPlugin() writes lock and signature into the folder, the same each time", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await writeFiles(dir);
    const { privateKey } = await generateKeyPair();
    const { lock, signature } = await signPlugin(dir, privateKey);
    const read = () =>
      Promise.all(
        ["carrel.lock.json", "carrel.sig.json"].map((name) => Deno.readTextFile(`${dir}/${name}`)),
      );
    const first = await read();
    assert.equal(first[1], formatSignature(signature));
    assert.deepEqual(lock.files.map(({ path }) => path), [
      "carrel.yaml",
      "lib/list.json",
      "lib/words.ts",
      "mod.ts",
    ]);
    assert.ok(!first.join("").includes(privateKey));
    await signPlugin(dir, privateKey);
    assert.deepEqual(await read(), first);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("signLock() refuses what is no key, and repeats nothing of it", async () => {
  const { publicKey } = await generateKeyPair();
  for (const key of ["", "secret words", publicKey]) {
    await assert.rejects(signLock(LOCK, key), (error: Error) => {
      assert.ok(key === "" || !`${error.message} ${error.stack} ${error.cause}`.includes(key));
      return failsWith("invalid_parameters", /expected an Ed25519 private key/)(error as never);
    });
  }
});

Deno.test("parseSignature() and trustedKeySchema take keys and signatures of the right length only", async () => {
  const { publicKey, privateKey } = await generateKeyPair();
  const signature = await signLock(LOCK, privateKey);
  assert.deepEqual(parseSignature(formatSignature(signature), "x"), signature);
  const bad = [
    "{",
    "{}",
    JSON.stringify({ ...signature, key: "AAAA" }),
    JSON.stringify({ ...signature, x: 1 }),
  ];
  for (const text of bad) {
    assert.throws(
      () => parseSignature(text, "x"),
      failsWith("damaged", /Cannot read the signature/),
    );
  }
  assert.ok(trustedKeySchema.safeParse({ name: "Ann", key: publicKey }).success);
  for (const key of [privateKey, "", "!", publicKey.slice(4)]) {
    assert.ok(!trustedKeySchema.safeParse({ name: "Ann", key }).success, key);
  }
});
