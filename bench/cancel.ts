/** From the cancel of a job that runs in a plugin until its process is gone. */
import { type BenchEngine, openBenchEngine } from "./engine.ts";
import { type Figure, quantile } from "./figure.ts";

const TIMES = 20;
/** Each in a runner of its own, so that it does not take a minute. */
const AT_ONCE = 2;

export async function figures(): Promise<Figure[]> {
  const dir = await Deno.makeTempDir({ prefix: "carrel-bench-" });
  try {
    return [
      {
        name: "jobs: cancel until the process is gone, signal ignored, p95",
        value: quantile(await times(`${dir}/ignores`, "bench.ignores"), 0.95),
        unit: "ms",
        target: 2_500,
        compare: "<=",
      },
      {
        name: "jobs: cancel until the process is gone, signal heeded, p95",
        value: quantile(await times(`${dir}/heeds`, "bench.heeds"), 0.95),
        unit: "ms",
        target: 100,
        compare: "<=",
      },
    ];
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function times(dir: string, capability: string): Promise<number[]> {
  // One slot is kept for urgent jobs.
  await using bench = await openBenchEngine(dir, AT_ONCE + 1);
  const { engine } = bench;
  const all: number[] = [];
  while (all.length < TIMES) {
    const ids = await Promise.all(Array.from({ length: AT_ONCE }, () => start(bench, capability)));
    const before = ended(bench);
    // For the one that ignores it to be in its loop.
    await new Promise((resolve) => setTimeout(resolve, 200));
    all.push(
      ...await Promise.all(ids.map(async (id) => {
        const began = performance.now();
        await engine.jobs.cancel(id);
        await engine.jobs.finished(id);
        while (ended(bench) - before < AT_ONCE) {
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
        return performance.now() - began;
      })),
    );
  }
  return all;
}

/** Adds a job and waits until its plugin works at it. */
async function start({ engine }: BenchEngine, capability: string): Promise<string> {
  const input = { capability, input: null };
  const { id } = await engine.jobs.add({ kind: "call", input, user: "bench" });
  for await (const { progress } of engine.jobs.watch(id, {})) if (progress > 0) break;
  return id;
}

/** Runners that are gone. */
function ended({ pool }: BenchEngine): number {
  return Object.values(pool.stats().ends).reduce((sum, count) => sum + count, 0);
}
