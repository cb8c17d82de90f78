import assert from "node:assert/strict";
import * as assets from "./assets.ts";
import { parseVersion } from "./plugins/version.ts";

Deno.test("assets name folders that are there", async () => {
  const folders = [
    assets.PROGRAM_DIR,
    assets.SQL_MIGRATIONS_DIR,
    assets.BUILTIN_PLUGINS_DIR,
    assets.SDK_DIR,
    assets.NODE_MODULES_DIR,
    assets.SANDBOX_DIR,
  ];
  for (const folder of folders) assert.ok((await Deno.stat(folder)).isDirectory, folder);
  assert.ok((await Deno.stat(`${assets.SDK_DIR}/mod.ts`)).isFile);
});

Deno.test("denoPath() is a deno, and VERSION a version", async () => {
  const { success } = await new Deno.Command(assets.denoPath(), {
    args: ["--version"],
    stdout: "null",
  }).output();
  assert.ok(success);
  assert.notEqual(parseVersion(assets.VERSION), undefined);
});
