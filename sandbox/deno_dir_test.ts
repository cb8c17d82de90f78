import { ok, rejects, strictEqual } from "node:assert/strict";
import { makeDenoDir } from "./deno_dir.ts";

Deno.test("makeDenoDir() makes a folder where a plugin can keep nothing", async () => {
  const base = await Deno.makeTempDir({ prefix: "carrel-deno-dir-" });
  try {
    const path = `${base}/a/b`;
    await makeDenoDir(path, 1 << 20);
    ok((await Deno.stat(`${path}/location_data`)).isFile);
    await Deno.writeTextFile(`${path}/v8_code_cache_v2`, "kept");
    await makeDenoDir(path, 1 << 20);
    strictEqual(await Deno.readTextFile(`${path}/v8_code_cache_v2`), "kept");
  } finally {
    await Deno.remove(base, { recursive: true });
  }
});

Deno.test("makeDenoDir() empties a folder that has grown too large", async () => {
  const base = await Deno.makeTempDir({ prefix: "carrel-deno-dir-" });
  try {
    await Deno.writeTextFile(`${base}/v8_code_cache_v2`, "");
    await Deno.truncate(`${base}/v8_code_cache_v2`, 65 * 1024 * 1024);
    await makeDenoDir(base, 64 << 20);
    await rejects(Deno.stat(`${base}/v8_code_cache_v2`), Deno.errors.NotFound);
    await rejects(makeDenoDir(`${base}/location_data/x`, 1));
  } finally {
    await Deno.remove(base, { recursive: true });
  }
});
