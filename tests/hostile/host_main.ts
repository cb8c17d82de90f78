/** A host for stray_test.ts: starts a runner that loops for ever, says the process ids, and stays. */
import { createPool } from "../../sandbox/pool.ts";
import { DEFAULT_LIMITS, NO_GRANTS } from "../../sandbox/types.ts";

const [folder = "", method = ""] = Deno.args;
const pool = createPool({ denoDirs: `${folder}/deno` });
const desk = await pool.acquire({
  plugin: "import.stray",
  version: "1.0.0",
  digest: "stray",
  bundle: `${folder}/bundle.js`,
  // One that starts a program may.
  grants: { ...NO_GRANTS, run: method === "run" ? ["/bin/sh"] : [] },
  config: {},
  trust: method === "run" ? "trusted" : "sandboxed",
  limits: { ...DEFAULT_LIMITS, cpu_s: 600, wall_s: 600 },
});
const started = Promise.withResolvers<void>();
desk.call(method, [], {
  job: { id: "job_stray", idempotencyKey: "stray" },
  onProgress: () => started.resolve(),
}).catch(() => {});
await started.promise;
console.log(desk.pid);
await new Promise((resolve) => setTimeout(resolve, 600_000));
