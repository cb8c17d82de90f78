import assert from "node:assert/strict";
import {
  createLock,
  formatLock,
  lockDigest,
  parseLock,
  signedText,
  verifyLock,
} from "./lock_file.ts";
import { failsWith } from "./sources/testing/kit.ts";

const hash = (letter: string) => letter.repeat(64);
const FILES = [
  { path: "mod.ts", sha256: hash("b"), size: 2, url: "https://h.example/mod.ts" },
  { path: "carrel.yaml", sha256: hash("a"), size: 1, url: "https://h.example/carrel.yaml" },
];
const LOCK = createLock({ id: "import.x", version: "1.0.0", files: FILES });

Deno.test("formatLock() writes the same bytes whatever the order, and parseLock() reads them", () => {
  const text = formatLock(LOCK);
  assert.equal(
    text,
    formatLock(createLock({ id: "import.x", version: "1.0.0", files: [...FILES].reverse() })),
  );
  assert.deepEqual(parseLock(text), LOCK);
  assert.equal(formatLock(parseLock(text)), text);
  const installed = createLock({
    id: "import.x",
    version: "1.0.0",
    origin: "npm:x",
    bundle: hash("c"),
    files: FILES,
  });
  assert.deepEqual(parseLock(formatLock(installed)), installed);
  assert.equal(LOCK.manifest, hash("a"));
});

Deno.test("signedText() holds id, version and files, and not where they came from", async () => {
  const moved = createLock({
    id: "import.x",
    version: "1.0.0",
    origin: "npm:x",
    bundle: hash("c"),
    files: FILES.map(({ path, sha256, size }) => ({ path, sha256, size })),
  });
  assert.equal(signedText(moved), signedText(LOCK));
  assert.equal(await lockDigest(moved), await lockDigest(LOCK));
  const [mod, manifest] = FILES as [typeof FILES[0], typeof FILES[0]];
  const others = [
    createLock({ id: "import.y", version: "1.0.0", files: FILES }),
    createLock({ id: "import.x", version: "1.0.1", files: FILES }),
    createLock({ id: "import.x", version: "1.0.0", files: [manifest] }),
    createLock({ id: "import.x", version: "1.0.0", files: [{ ...mod, path: "lib.ts" }, manifest] }),
    createLock({ id: "import.x", version: "1.0.0", files: [{ ...mod, size: 3 }, manifest] }),
    createLock({
      id: "import.x",
      version: "1.0.0",
      files: [{ ...mod, sha256: hash("d") }, manifest],
    }),
  ];
  for (const other of others) assert.notEqual(signedText(other), signedText(LOCK));
});

Deno.test("createLock() leaves lock and signature out, and wants a manifest", () => {
  const more = ["carrel.lock.json", "carrel.sig.json"].map((path) => ({ ...FILES[0]!, path }));
  assert.deepEqual(
    createLock({ id: "import.x", version: "1.0.0", files: [...FILES, ...more] }),
    LOCK,
  );
  assert.throws(
    () => createLock({ id: "import.x", version: "1.0.0", files: [FILES[0]!] }),
    failsWith("invalid_manifest", /no carrel\.yaml/),
  );
});

Deno.test("verifyLock() names the file that is missing, changed or too many", () => {
  verifyLock(LOCK, FILES, "x");
  const [mod, manifest] = FILES as [typeof FILES[0], typeof FILES[0]];
  const bad: [typeof FILES, RegExp][] = [
    [[manifest], /"mod\.ts" stands in carrel\.lock\.json and is not there/],
    [[{ ...mod, sha256: hash("d") }, manifest], /"mod\.ts" is not the one/],
    [[{ ...mod, size: 3 }, manifest], /"mod\.ts" is not the one/],
    [[mod, { ...manifest, sha256: hash("d") }], /"carrel\.yaml" is not the one/],
    [[...FILES, { ...mod, path: "more.ts" }], /"more\.ts" does not stand in/],
  ];
  for (const [files, words] of bad) {
    assert.throws(() => verifyLock(LOCK, files, "x"), failsWith("damaged", words));
  }
});

Deno.test("parseLock() refuses what is no lock, field by field", () => {
  const file = (change: Record<string, unknown>) => ({ files: [{ ...LOCK.files[0], ...change }] });
  const bad: [Record<string, unknown>, RegExp][] = [
    [{ lock: 2 }, /lock: expected 1/],
    [{ colour: "red" }, /colour/],
    [{ manifest: hash("d") }, /"manifest" is not the digest/],
    [{ manifest: "x" }, /manifest: expected a SHA-256/],
    [{ files: [] }, /files/],
    [{ files: [LOCK.files[0], LOCK.files[0]] }, /a file twice/],
    [{ files: [...LOCK.files, { ...LOCK.files[0], path: "carrel.sig.json" }] }, /names itself/],
    [file({ path: "../x" }), /leads out of the folder/],
    [file({ path: "/etc/passwd" }), /absolute path/],
    [file({ sha256: hash("A") }), /files\.0\.sha256/],
    [file({ size: -1 }), /files\.0\.size/],
  ];
  for (const [change, words] of bad) {
    const text = JSON.stringify({ ...LOCK, ...change });
    assert.throws(() => parseLock(text), failsWith("damaged", words), String(words));
  }
  assert.throws(() => parseLock("{"), failsWith("damaged", /not JSON/));
});
