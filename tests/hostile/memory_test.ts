import { ok, strictEqual } from "node:assert/strict";
import { createPool } from "../../sandbox/pool.ts";
import { DEFAULT_LIMITS, NO_GRANTS, type RunnerSpec, SandboxError } from "../../sandbox/types.ts";

/** How many runners are killed; 500 take about a minute. */
const RUNS = Number(Deno.env.get("HOSTILE_RUNS") ?? 100);
/** What the host may have more at the end than after the first fifth. A megabyte a run is far above it. */
const GROWTH = 48 * 1024 * 1024;

const PLUGIN = `export default { kind: "import", methods: {
  eat() { const kept = []; for (;;) kept.push(new Uint8Array(1 << 20).fill(1)); },
  loop() { for (;;); },
  large: () => new Uint8Array(8 << 20),
  chatter() { for (;;) console.log("x".repeat(1000)); },
} };`;

const ATTACKS = [
  ["eat", "out_of_memory"],
  ["loop", "cpu_exceeded"],
  ["large", "output_exceeded"],
  ["eat", "out_of_memory"],
  ["chatter", "timed_out"],
] as const;

Deno.test(`createPool() keeps the host's memory flat while ${RUNS} runners are killed`, async () => {
  const folder = await Deno.makeTempDir({ prefix: "carrel-memory-" });
  try {
    await Deno.writeTextFile(`${folder}/bundle.js`, PLUGIN);
    await using pool = createPool({ denoDirs: `${folder}/deno` });
    const spec: RunnerSpec = {
      plugin: "import.memory",
      version: "1.0.0",
      digest: "memory",
      bundle: `${folder}/bundle.js`,
      grants: NO_GRANTS,
      config: {},
      trust: "sandboxed",
      limits: { ...DEFAULT_LIMITS, memory_mb: 64, cpu_s: 0.1, output_mb: 1, concurrency: 4 },
    };
    const pids: number[] = [];
    let next = 0;
    const attackUntil = async (end: number): Promise<void> => {
      while (next < end) {
        const [method, reason] = ATTACKS[next++ % ATTACKS.length]!;
        const wall_s = method === "chatter" ? 0.2 : 60;
        const cpu_s = method === "loop" ? spec.limits.cpu_s : 60;
        await using desk = await pool.acquire({
          ...spec,
          limits: { ...spec.limits, wall_s, cpu_s },
        });
        pids.push(desk.pid);
        const job = { id: "job_memory", idempotencyKey: "memory" };
        const error = await desk.call(method, [], { job }).catch((error) => error);
        ok(error instanceof SandboxError);
        strictEqual(error.code, reason, error.message);
      }
    };
    const attack = (end: number) => Promise.all([1, 2, 3].map(() => attackUntil(end)));
    await attack(Math.ceil(RUNS / 5));
    const before = Deno.memoryUsage().rss;
    await attack(RUNS);
    const growth = Deno.memoryUsage().rss - before;
    ok(growth < GROWTH, `the host grew by ${Math.round(growth / 1024 / 1024)} MiB`);
    strictEqual(pool.stats().started, RUNS);
    for (const pid of pids) {
      // An id may have been given to another process by now, which is not ours to ask.
      const left = await Deno.readTextFile(`/proc/${pid}/cmdline`).catch(() => "");
      strictEqual(left.includes(folder), false, `process ${pid} is still there`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
