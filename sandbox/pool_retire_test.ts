import assert from "node:assert/strict";
import { createPool } from "./pool.ts";
import { DEFAULT_LIMITS, NO_GRANTS, type RunnerSpec } from "./types.ts";

const PLUGIN = `export default { kind: "import", methods: {
  echo: (input) => input,
  exit: () => Deno.exit(3),
} };`;
const CALL = { job: { id: "job_1", idempotencyKey: "job_1" } };

Deno.test("retire() ends idle runners of old code, lets busy ones finish, and spares the new", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const bundle = `${folder}/bundle.js`;
    await Deno.writeTextFile(bundle, PLUGIN);
    const ends: string[] = [];
    await using pool = createPool({
      denoDirs: `${folder}/deno`,
      onEnd: (spec, end) => ends.push(`${spec.plugin} ${spec.digest} ${end.reason}`),
    });
    const spec = (digest: string, plugin = "import.test"): RunnerSpec => ({
      plugin,
      version: "1.0.0",
      digest,
      bundle,
      grants: NO_GRANTS,
      config: {},
      trust: "restricted",
      limits: DEFAULT_LIMITS,
    });
    const other = await pool.acquire(spec("old", "import.other"));
    const idle = await pool.acquire(spec("old"));
    const busy = await pool.acquire(spec("old"));
    await idle.release();
    await other.release();
    await pool.retire("import.test", { keep: "new" });
    assert.equal((await idle.ended).reason, "closed");
    assert.equal(await busy.call("echo", [1], CALL), 1);
    await busy.release();
    assert.equal((await busy.ended).reason, "closed", "it is not kept for another job");

    const fresh = await pool.acquire(spec("new"));
    await fresh.release();
    await pool.retire("import.test", { keep: "new" });
    const again = await pool.acquire(spec("new"));
    assert.equal(again.pid, fresh.pid);
    await pool.retire("import.test", { kill: true });
    assert.equal((await again.ended).reason, "closed");
    assert.equal(pool.stats().idle, 1, "another plugin's runners are its own affair");

    const crashing = await pool.acquire(spec("new"));
    await assert.rejects(crashing.call("exit", [], CALL), { code: "crashed" });
    assert.deepEqual(ends.filter((end) => end.endsWith("crashed")), ["import.test new crashed"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
