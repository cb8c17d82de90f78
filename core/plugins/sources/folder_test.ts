import assert from "node:assert/strict";
import { join } from "node:path";
import { DEFAULT_SOURCE_LIMITS } from "./fetcher/limits.ts";
import { checkEntries, readFolder, removeFolder, writeFolder } from "./folder.ts";
import { failsWith, writeFiles } from "./testing/kit.ts";

const limits = { ...DEFAULT_SOURCE_LIMITS, files: 4, fileBytes: 10, totalBytes: 15 };
const entry = (path: string, size = 1) => ({ path, bytes: new Uint8Array(size) });

async function inFolder(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.realPath(await Deno.makeTempDir());
  try {
    await work(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("checkEntries() looks at what a guest hands back as if a stranger had", async () => {
  await checkEntries([entry("a"), entry("b/c", 10)], "x", limits);
  const bad = [
    [[entry("../a")], "damaged", /leads out/],
    [[entry("/a")], "damaged", /absolute/],
    [[entry("a"), entry("A")], "damaged", /upper and lower case/],
    [[entry("a", 11)], "too_large", /"a" is larger than 10 bytes/],
    [[entry("a", 9), entry("b", 9)], "too_large", /more than 15 bytes/],
    [["a", "b", "c", "d", "e"].map((path) => entry(path)), "too_large", /more than 4 files/],
  ] as const;
  for (const [entries, code, words] of bad) {
    await assert.rejects(checkEntries(entries, "x", limits), failsWith(code, words));
  }
});

Deno.test("readFolder() keeps its bounds, and refuses what is no file", async () => {
  await inFolder(async (dir) => {
    await writeFiles(dir, {
      "b/c": "1",
      "a": "2",
      ".git/x": "3",
      "node_modules/y": "4",
      "old.carrel": "",
    });
    assert.deepEqual((await readFolder(dir, limits)).map(({ path }) => path), ["a", "b/c"]);
    await writeFiles(dir, { "big": "x".repeat(11) });
    await assert.rejects(readFolder(dir, limits), failsWith("too_large", /"big" is larger/));
    await Deno.remove(join(dir, "big"));
    const listener = Deno.listen({ transport: "unix", path: join(dir, "pipe") });
    await assert.rejects(readFolder(dir, limits), failsWith("damaged", /"pipe" is a device/));
    listener.close();
  });
});

Deno.test("writeFolder() writes for this user alone, and nothing outside of its folder", async () => {
  await inFolder(async (dir) => {
    const folder = await writeFolder(dir, [entry("a"), entry("b/c/d")]);
    for (
      const [path, mode] of [["", 0o700], ["b", 0o700], ["a", 0o600], ["b/c/d", 0o600]] as const
    ) {
      assert.equal((await Deno.stat(join(folder, path))).mode! & 0o777, mode, path);
    }
    // Whatever comes second under one name is an error, never a silent change.
    await assert.rejects(writeFolder(dir, [entry("a"), entry("a")]), Deno.errors.AlreadyExists);
    assert.deepEqual(await Array.fromAsync(Deno.readDir(dir), ({ name }) => join(dir, name)), [
      folder,
    ]);
    await removeFolder(folder);
    await removeFolder(folder);
  });
});
