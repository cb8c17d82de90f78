/** A workflow of three steps in a warm sandboxed plugin, from its start to its end. */
import { openBenchEngine } from "./engine.ts";
import { type Figure, figure, median } from "./figure.ts";

const RUNS = 150;
const ACTOR = { user: "bench", role: "editor" } as const;
const YAML = `name: bench
steps:
  - { id: one, call: bench.noop }
  - { id: two, call: bench.noop, needs: one }
  - { id: three, call: bench.noop, needs: two }
`;

export async function figures(): Promise<Figure[]> {
  const dir = await Deno.makeTempDir({ prefix: "carrel-bench-" });
  try {
    await using bench = await openBenchEngine(dir, 8);
    const { engine, workflows } = bench;
    const workflow = await workflows.parse(YAML);
    const times: number[] = [];
    for (let n = 0; n < RUNS + 20; n++) {
      const began = performance.now();
      const run = await workflows.start(workflow, { inputs: {} }, ACTOR);
      const job = await engine.jobs.finished(run.id);
      if (job.status !== "completed") throw new Error(`${job.status}: ${job.error?.message}`);
      if (n >= 20) times.push(performance.now() - began);
    }
    const calls: number[] = [];
    for (let n = 0; n < RUNS; n++) {
      const began = performance.now();
      const job = await engine.jobs.add({
        kind: "call",
        input: { capability: "bench.noop", input: null },
        user: "bench",
      });
      await engine.jobs.finished(job.id);
      calls.push(performance.now() - began);
    }
    return [figure({
      name: "workflow: three no-op sandboxed steps, start to end, p50",
      value: median(times),
      unit: "ms",
      target: 15,
      compare: "<=",
      floor: { name: "one such step as a job", value: median(calls) },
    })];
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
