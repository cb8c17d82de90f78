import assert from "node:assert/strict";
import { PluginError } from "@carrel/sdk";
import { concat, gzip, tar, type TarEntry } from "../testing/archives.ts";
import { withoutWrapper } from "./entries.ts";
import { DEFAULT_SOURCE_LIMITS, type SourceLimits } from "./limits.ts";
import { readTar } from "./tar.ts";

const read = async (bytes: Uint8Array, limits: Partial<SourceLimits> = {}) =>
  await readTar(bytes, "x.tgz", { ...DEFAULT_SOURCE_LIMITS, ...limits });

const refused = (code: string, words: RegExp) => (error: unknown) => {
  assert.ok(error instanceof PluginError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, words);
  return true;
};

/** A pax record: its length counts itself. */
function pax(key: string, value: string): string {
  const body = ` ${key}=${value}\n`;
  const bytes = new TextEncoder().encode(body).length;
  const length = bytes + String(bytes + String(bytes).length).length;
  return `${length}${body}`;
}

Deno.test("readTar() reads files and folders, long names and pax names, packed or not", async () => {
  const long = `${"d".repeat(100)}/${"n".repeat(100)}.txt`;
  const archive = tar([
    { path: "a/", type: "5" },
    { path: "./a/one.txt", text: "one" },
    { path: "g", type: "g", text: pax("comment", "0123") },
    { path: "x", type: "x", text: pax("mtime", "1.5") + pax("path", "a/zwei ü.txt") },
    { path: "short", text: "two" },
    { path: "././@LongLink", type: "L", text: `${long}\0` },
    { path: "short", text: "three" },
    { path: "x", type: "x", text: pax("size", "4") },
    { path: "four", text: "four", size: 0 },
    { path: "tail.txt", text: "x".repeat(513), raw: { 345: new TextEncoder().encode("pre/fix") } },
  ]);
  for (const bytes of [archive, await gzip(archive)]) {
    const entries = await read(bytes);
    assert.deepEqual(entries.map(({ path, bytes }) => [path, new TextDecoder().decode(bytes)]), [
      ["a/one.txt", "one"],
      ["a/zwei ü.txt", "two"],
      [long, "three"],
      ["four", "four"],
      ["pre/fix/tail.txt", "x".repeat(513)],
    ]);
  }
});

Deno.test("readTar() reads what the system's tar writes", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const long = `${"long".repeat(20)}/${"name".repeat(20)}.txt`;
    await Deno.mkdir(`${dir}/p/${"long".repeat(20)}`, { recursive: true });
    await Deno.writeTextFile(`${dir}/p/${long}`, "deep");
    await Deno.writeTextFile(`${dir}/p/carrel.yaml`, "id: x");
    for (const format of ["ustar", "gnu", "pax"]) {
      const { success } = await new Deno.Command("tar", {
        args: ["-czf", `${dir}/x.tgz`, `--format=${format}`, "-C", dir, "p"],
      }).output();
      if (!success) continue; // Another tar than GNU's.
      const entries = await read(await Deno.readFile(`${dir}/x.tgz`));
      assert.deepEqual(withoutWrapper(entries, "carrel.yaml").map(({ path }) => path).sort(), [
        "carrel.yaml",
        long,
      ]);
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("readTar() refuses names that lead elsewhere, and names that fall together", async () => {
  const bad: [readonly string[], RegExp][] = [
    [["../x"], /leads out of the folder/],
    [["a/../../x"], /leads out of the folder/],
    [["/etc/passwd"], /absolute path/],
    [["C:/x"], /absolute path/],
    [["c:x"], /absolute path/],
    [["a\\..\\x"], /backslash/],
    [["a//b"], /not plain/],
    [["a/./b"], /not plain/],
    [["a/"], /not plain/],
    [["a\nb"], /control characters/],
    [["a\u202eb"], /control characters/],
    [["a", "a"], /"a" is there twice/],
    [["a/b", "./a/b"], /is there twice/],
    [["A/b.ts", "a/B.ts"], /upper and lower case only/],
    [["lib/x", "Lib/y"], /"Lib\/y" differs from "lib"/],
    [["straße", "strasse"], /upper and lower case only/],
    [["\u00e9", "e\u0301"], /upper and lower case only/],
    [["a", "a/b"], /folder as well/],
    [["a/b", "a"], /folder as well/],
    [[Array(17).fill("d").join("/")], /folders deep/],
  ];
  for (const [paths, words] of bad) {
    const archive = tar(paths.map((path) => ({ path, text: "" })));
    await assert.rejects(read(archive), refused("damaged", words), paths.join(" "));
  }
  const long = pax("path", `${"d".repeat(100)}/${"d".repeat(100)}/${"d".repeat(100)}`);
  await assert.rejects(
    read(tar([{ type: "x", text: long }, { text: "" }])),
    refused("damaged", /longer than 240 bytes/),
  );
  const latin = tar([{ text: "", raw: { 0: Uint8Array.of(0xe9, 0x2e, 0x74) } }]);
  await assert.rejects(read(latin), refused("damaged", /not UTF-8/));
});

Deno.test("readTar() refuses links, devices and all that is no file", async () => {
  const bad: [TarEntry, RegExp][] = [
    [{ type: "1", link: "/etc/passwd" }, /"file" is a hard link/],
    [{ type: "2", link: "../../x" }, /"file" is a symbolic link/],
    [{ type: "3" }, /is a device/],
    [{ type: "4" }, /is a device/],
    [{ type: "6" }, /is a pipe/],
    [{ type: "S" }, /is a sparse file/],
    [{ type: "K", text: "x" }, /is a link/],
    [{ type: "V" }, /of an unknown type/],
    [{ type: "5", text: "x" }, /folder with contents/],
  ];
  for (const [entry, words] of bad) {
    await assert.rejects(read(tar([entry])), refused("damaged", words), entry.type);
  }
  const paxed = (record: string) => tar([{ type: "x", text: record }, { text: "x" }]);
  await assert.rejects(
    read(paxed(pax("linkpath", "/etc/passwd"))),
    refused("damaged", /"file" is a link/),
  );
  await assert.rejects(
    read(paxed(pax("GNU.sparse.major", "1"))),
    refused("damaged", /sparse file/),
  );
});

Deno.test("readTar() refuses what is broken, wherever it breaks off", async () => {
  const whole = tar([{ path: "a", text: "x".repeat(600) }]);
  const bad: [Uint8Array, RegExp][] = [
    [new Uint8Array(), /ends in the middle/],
    [whole.subarray(0, 100), /ends in the middle/],
    [whole.subarray(0, 600), /ends in the middle/],
    [whole.subarray(0, 1120), /ends in the middle/],
    [tar([{ text: "x" }], false), /ends in the middle/],
    [tar([{ text: "x", badSum: true }]), /header in it is broken/],
    [new Uint8Array(1024).fill(65), /not a tar archive/],
    [tar([{ raw: { 124: new TextEncoder().encode("zzzzzzzzzzz") } }]), /size in it is broken/],
    [tar([{ raw: { 124: new Uint8Array(12).fill(0xff) } }]), /size in it is broken/],
    [tar([{ type: "x", text: "9999 path=x\n" }]), /header in it is broken/],
    [tar([{ type: "x", text: "0 =\n" }]), /header in it is broken/],
    [tar([{ type: "x", text: pax("size", "-1") }]), /size in it is broken/],
    [tar([{ type: "L", text: Uint8Array.of(0xff, 0xfe) }]), /not UTF-8/],
    [(await gzip(whole)).subarray(0, 40), /compressed data is broken/],
  ];
  for (const [bytes, words] of bad) {
    await assert.rejects(read(bytes), refused("damaged", words), String(words));
  }
});

Deno.test("readTar() keeps its bounds on size, number, headers and inflation", async () => {
  const limits = { totalBytes: 1000, fileBytes: 600, files: 3, ratio: 10 };
  const bad: [Uint8Array, RegExp][] = [
    [tar([{ path: "big", text: "x".repeat(601) }]), /"big" is larger than 600 bytes/],
    [
      tar([{ path: "a", text: "x".repeat(600) }, { path: "b", text: "x".repeat(600) }]),
      /come to more than 1000 bytes/,
    ],
    [tar(["a", "b", "c", "d"].map((path) => ({ path }))), /more than 3 files/],
    [tar(["a/", "b/", "c/", "d/"].map((path) => ({ path, type: "5" }))), /more than 3 files/],
    // A size that is only said takes no memory.
    [
      tar([{ path: "huge", raw: { 124: Uint8Array.of(0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) } }]),
      /"huge" is larger/,
    ],
    [await gzip(new Uint8Array(4 * 1024 * 1024)), /inflates to more than 10 times/],
  ];
  for (const [bytes, words] of bad) {
    await assert.rejects(read(bytes, limits), refused("too_large", words), String(words));
  }
  await assert.rejects(
    read(tar([{ type: "x", text: "x".repeat(70_000) }])),
    refused("damaged", /header in it is too long/),
  );
  // Random bytes do not inflate: there the whole is what counts.
  const noise = Array.from({ length: 40 }, () => crypto.getRandomValues(new Uint8Array(60_000)));
  await assert.rejects(
    read(
      await gzip(
        concat([
          tar([{ path: "a" }], false),
          ...noise.map((bytes) => tar([{ type: "x", text: bytes }], false)),
        ]),
      ),
      limits,
    ),
    (error: PluginError) => ["too_large", "damaged"].includes(error.code),
  );
});
