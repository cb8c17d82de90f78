import assert from "node:assert/strict";
import { BUILTIN_PLUGINS_DIR, NODE_MODULES_DIR, SDK_DIR, VERSION } from "../assets.ts";
import { createBundler } from "./bundle.ts";
import { readBuiltins } from "./registry.ts";

Deno.test("the built-in plugins have manifests without a fault, and bundle", async () => {
  const cacheDir = await Deno.makeTempDir();
  try {
    const reports: unknown[] = [];
    const builtins = await readBuiltins(BUILTIN_PLUGINS_DIR, {
      hostVersion: VERSION,
      report: (error) => reports.push(error),
    });
    assert.deepEqual(reports, []);
    const ids = builtins.map(({ manifest }) => manifest.id);
    for (const id of ["export.ebook", "import.pdf", "import.text", "import.webpage"]) {
      assert.ok(ids.includes(id), id);
    }
    const bundler = createBundler({ cacheDir, sdkDir: SDK_DIR, nodeModulesDir: NODE_MODULES_DIR });
    for (const { folder, manifest } of builtins) {
      const { size } = await bundler.bundle(folder, { entry: manifest.entry, packages: true });
      assert.ok(size > 0, manifest.id);
    }
  } finally {
    await Deno.remove(cacheDir, { recursive: true });
  }
});
