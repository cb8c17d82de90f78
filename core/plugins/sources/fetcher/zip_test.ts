import assert from "node:assert/strict";
import { PluginError } from "@carrel/sdk";
import { zipSync } from "fflate";
import { zip, type ZipEntry } from "../testing/zip_file.ts";
import { DEFAULT_SOURCE_LIMITS, type SourceLimits } from "./limits.ts";
import { crc32, readZip } from "./zip.ts";

const read = async (bytes: Uint8Array, limits: Partial<SourceLimits> = {}) =>
  await readZip(bytes, "x.carrel", { ...DEFAULT_SOURCE_LIMITS, ...limits });

const refused = (code: string, words: RegExp) => (error: unknown) => {
  assert.ok(error instanceof PluginError, String(error));
  assert.equal(error.code, code, error.message);
  assert.match(error.message, words);
  return true;
};

Deno.test("crc32() is that of ISO 3309", () => {
  assert.equal(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
});

Deno.test("readZip() reads stored and deflated files and folders", async () => {
  const entries = await read(zip([
    { path: "a/", stored: true, mode: 0o040755 },
    { path: "a/one.txt", text: "one", stored: true },
    { path: "zwei ü.txt", text: "two".repeat(1000) },
    { path: "empty", text: "" },
  ]));
  assert.deepEqual(entries.map(({ path, bytes }) => [path, new TextDecoder().decode(bytes)]), [
    ["a/one.txt", "one"],
    ["zwei ü.txt", "two".repeat(1000)],
    ["empty", ""],
  ]);
  const noise = crypto.getRandomValues(new Uint8Array(60_000));
  const [file] = await read(zipSync({ "noise.bin": noise }));
  assert.deepEqual(file?.bytes, noise);
});

Deno.test("readZip() refuses names that lead elsewhere, twins, links and encrypted files", async () => {
  const bad: [readonly ZipEntry[], RegExp][] = [
    [[{ path: "../x" }], /leads out of the folder/],
    [[{ path: "/x" }], /absolute path/],
    [[{ path: "a\\..\\..\\x" }], /backslash/],
    [[{ path: "C:\\x" }], /absolute path/],
    [[{ path: "a\0b" }], /control characters/],
    [[{ path: "" }], /has no name/],
    [[{ path: Uint8Array.of(0xff, 0xfe) }], /not UTF-8/],
    [[{ path: "a" }, { path: "a" }], /is there twice/],
    [[{ path: "Mod.ts" }, { path: "mod.ts" }], /upper and lower case only/],
    [[{ path: "x", text: "/etc/passwd", mode: 0o120777 }], /"x" is a link or a device/],
    [[{ path: "x", mode: 0o020644 }], /link or a device/],
    [[{ path: "x/", text: "y", mode: 0o040755 }], /folder with contents/],
    [[{ path: "x", flags: 1 }], /encrypted/],
    [[{ path: "x", method: 12 }], /unknown method/],
    [[{ path: "good", localPath: "evil" }], /said to be two things/],
    [[{ path: "x", text: "a", crc: 1 }], /"x" is broken/],
    [[{ path: "x", text: "abc", size: 9 }], /"x" is broken/],
    [[{ path: "x", text: "abc", stored: true, size: 9 }], /"x" is broken/],
    // The core of the worst bombs: many names for the same bytes.
    [[{ path: "x", text: "abc" }, { path: "x", text: "abc", same: 0 }], /overlaps/],
  ];
  for (const [entries, words] of bad) {
    await assert.rejects(read(zip(entries)), refused("damaged", words), String(words));
  }
});

Deno.test("readZip() refuses what is broken", async () => {
  const good = zip([{ path: "a", text: "abc" }]);
  const bad = [
    new Uint8Array(),
    new TextEncoder().encode("hello, I am no zip file at all, am I?"),
    good.subarray(0, good.length - 1),
    zip([{ path: "a" }], { count: 2 }),
    zip([{ path: "a" }, { path: "b" }], { count: 1 }),
    zip([{ path: "a" }], { size: 3 }),
    zip([{ path: "a" }], { tail: new Uint8Array(5) }),
  ];
  for (const [i, bytes] of bad.entries()) {
    await assert.rejects(
      read(bytes),
      refused("damaged", /whole zip file|directory is broken/),
      `${i}`,
    );
  }
  // No byte of it can be changed unnoticed into anything but another name or another time.
  for (let at = 0; at < good.length; at++) {
    const changed = good.slice();
    changed[at]! ^= 0x41;
    await read(changed).then(
      ([file]) => assert.equal(new TextDecoder().decode(file?.bytes), "abc", `byte ${at}`),
      (error) => assert.ok(error instanceof PluginError, `byte ${at}: ${error}`),
    );
  }
});

Deno.test("readZip() keeps its bounds on size, number and inflation", async () => {
  const limits = { totalBytes: 1000, fileBytes: 600, files: 3, ratio: 10 };
  const bad: [Uint8Array, RegExp][] = [
    [zip([{ path: "big", text: "x".repeat(601) }]), /"big" is larger than 600 bytes/],
    [
      zip([{ path: "a", text: "x".repeat(600) }, { path: "b", text: "x".repeat(600) }]),
      /come to more than 1000 bytes/,
    ],
    [zip(["a", "b", "c", "d"].map((path) => ({ path }))), /more than 3 files/],
    [zip([{ path: "bomb", text: new Uint8Array(4_000_000) }]), /"bomb" inflates to more than 10/],
    // It says less than there is.
    [
      zip([{ path: "liar", text: new Uint8Array(400_000), size: 100 }]),
      /"liar" is larger than the/,
    ],
  ];
  for (const [bytes, words] of bad) {
    await assert.rejects(read(bytes, limits), refused("too_large", words), String(words));
  }
});
