import assert from "node:assert/strict";
import { realPlace } from "./real_place.ts";

Deno.test("realPlace() finds where a path leads that is not there yet", async () => {
  const made = await Deno.makeTempDir({ prefix: "carrel-place-" });
  try {
    const base = await Deno.realPath(made);
    await Deno.mkdir(`${base}/shut`);
    await Deno.symlink(`${base}/shut`, `${base}/link`);
    await Deno.symlink("shut/none/new", `${base}/dangling`);
    await Deno.symlink("two", `${base}/one`);
    await Deno.symlink("one", `${base}/two`);
    const places: [string, string][] = [
      [`/${base}//shut///new.txt`, `${base}/shut/new.txt`],
      [`${base}/./link/../shut/`, `${base}/shut`],
      [`${base}/link/deep/er.txt`, `${base}/shut/deep/er.txt`],
      [`${base}/dangling`, `${base}/shut/none/new`],
      [`${base}/dangling/below`, `${base}/shut/none/new/below`],
      ["//proc", "/proc"],
      ["/", "/"],
    ];
    for (const [path, place] of places) assert.equal(await realPlace(path), place, path);
    await assert.rejects(realPlace(`${base}/one`), Deno.errors.FilesystemLoop);
  } finally {
    await Deno.remove(made, { recursive: true });
  }
});
