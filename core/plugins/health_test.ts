import assert from "node:assert/strict";
import { join } from "node:path";
import { createPool } from "../../sandbox/pool.ts";
import { DEFAULT_LIMITS, NO_GRANTS, type RunnerSpec } from "../../sandbox/types.ts";
import { denoPath, SANDBOX_DIR, SDK_DIR } from "../assets.ts";
import { CarrelError } from "../errors.ts";
import { createBundler } from "./bundle.ts";
import { checkHealth } from "./health.ts";

/** Asks plugins with these bodies of `healthCheck`, in real runners. */
async function withHealth(
  work: (
    ask: (methods: string, timeoutMs?: number) => ReturnType<typeof checkHealth>,
  ) => Promise<void>,
): Promise<void> {
  const root = await Deno.realPath(await Deno.makeTempDir());
  try {
    await using pool = createPool({
      deno: denoPath(),
      assets: SANDBOX_DIR,
      denoDirs: join(root, "deno"),
      graceMs: 50,
    });
    const bundler = createBundler({ cacheDir: join(root, "bundles"), sdkDir: SDK_DIR });
    await work(async (methods, timeoutMs) => {
      const code = `export default { kind: "import", methods: { extract() {}, ${methods} } };`;
      await Deno.writeTextFile(join(root, "mod.js"), code);
      const { digest, path } = await bundler.bundle(root, { entry: "mod.js", packages: false });
      const spec: RunnerSpec = {
        plugin: "import.x",
        version: "1.0.0",
        digest,
        bundle: path,
        grants: NO_GRANTS,
        config: {},
        trust: "sandboxed",
        limits: DEFAULT_LIMITS,
      };
      return await checkHealth(() => Promise.resolve(spec), pool, timeoutMs);
    });
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test("checkHealth() gives what the plugin answers", async () => {
  await withHealth(async (ask) => {
    assert.deepEqual(await ask(`healthCheck: () => ({ status: "healthy", message: "well" })`), {
      status: "healthy",
      message: "well",
    });
    assert.deepEqual(await ask(""), { status: "healthy" }, "a plugin that loads and has no check");
  });
});

Deno.test("checkHealth() answers for a plugin that fails, says nonsense or says nothing", async () => {
  await withHealth(async (ask) => {
    const failing = await ask(`healthCheck() { throw new Error("no key"); }`);
    assert.equal(failing.status, "unhealthy");
    assert.match(failing.message!, /no key/);
    assert.equal((await ask(`healthCheck: () => "fine"`)).status, "unknown");
    const silent = await ask(`healthCheck: () => new Promise(() => {})`, 800);
    assert.equal(silent.status, "unhealthy");
    assert.match(silent.message!, /within 0\.8 s/);
  });
});

Deno.test("checkHealth() of a plugin that cannot be started is unhealthy", async () => {
  await withHealth(async (ask) => {
    assert.equal((await ask(`...(() => { throw new Error("at load"); })()`)).status, "unhealthy");
  });
  const spec = () => Promise.reject(new CarrelError("conflict", "It is disabled."));
  await using pool = createPool({ denoDirs: "/nowhere" });
  assert.deepEqual(await checkHealth(spec, pool), {
    status: "unhealthy",
    message: "It is disabled.",
  });
});
