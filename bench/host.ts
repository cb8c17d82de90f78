/** The host as a process: start to ready, and its memory when it has nothing to do. */
import { type Figure, median } from "./figure.ts";
import { settledMemory, startHostProcess } from "./host_process.ts";

const ROUNDS = 5;

export async function figures(): Promise<Figure[]> {
  const dataDir = await Deno.makeTempDir({ prefix: "carrel-bench-" });
  const starts: number[] = [];
  const empty: number[] = [];
  let memory = NaN;
  try {
    for (let round = 0; round <= ROUNDS; round++) {
      await using host = await startHostProcess(dataDir);
      // The first start makes the library; the later ones are what an operator sees.
      if (round > 0) {
        starts.push(host.readyMs);
        const begun = performance.now();
        await new Deno.Command(Deno.execPath(), { args: ["eval", "0"] }).output();
        empty.push(performance.now() - begun);
      }
      if (round === ROUNDS) memory = await settledMemory(host.pid);
    }
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
  return [{
    name: "host: start to ready",
    value: median(starts),
    unit: "ms",
    target: 1_000,
    compare: "<=",
    floor: { name: "an empty deno process", value: median(empty) },
  }, { name: "host: idle memory (RSS)", value: memory, unit: "MiB", target: 150, compare: "<=" }];
}
