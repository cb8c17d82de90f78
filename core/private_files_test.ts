import assert from "node:assert/strict";
import { makePrivateFiles, makePrivateFolder } from "./private_files.ts";

const rights = async (path: string) => ((await Deno.stat(path)).mode! & 0o777).toString(8);

Deno.test("makePrivateFolder() tightens a folder that is new or empty, and no other", async () => {
  const base = await Deno.makeTempDir({ prefix: "carrel-private-" });
  try {
    for (const name of ["empty", "used"]) {
      await Deno.mkdir(`${base}/${name}`);
      await Deno.chmod(`${base}/${name}`, 0o755);
    }
    await Deno.writeTextFile(`${base}/empty/lock`, "");
    await Deno.writeTextFile(`${base}/used/letter.txt`, "");
    for (const name of ["new", "empty", "used"]) await makePrivateFolder(`${base}/${name}`);
    assert.deepEqual(
      await Promise.all(["new", "empty", "used"].map((name) => rights(`${base}/${name}`))),
      ["700", "700", "755"],
    );
  } finally {
    await Deno.remove(base, { recursive: true });
  }
});

Deno.test("makePrivateFiles() keeps databases and objects for their owner, those of before too", async () => {
  const base = await Deno.makeTempDir({ prefix: "carrel-private-" });
  try {
    await Deno.mkdir(`${base}/objects`);
    await Deno.chmod(`${base}/objects`, 0o755);
    for (const name of ["library.db", "library.db-wal"]) {
      await Deno.writeTextFile(`${base}/${name}`, name);
      await Deno.chmod(`${base}/${name}`, 0o644);
    }
    await makePrivateFiles(base);
    const names = ["library.db", "library.db-wal", "queue.kv", "objects"];
    assert.deepEqual(await Promise.all(names.map((name) => rights(`${base}/${name}`))), [
      "600",
      "600",
      "600",
      "700",
    ]);
    assert.equal(await Deno.readTextFile(`${base}/library.db`), "library.db");
  } finally {
    await Deno.remove(base, { recursive: true });
  }
});
