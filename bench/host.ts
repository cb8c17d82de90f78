/** The host as a process: start to ready, and its memory when it has nothing to do. */
import { type Figure, median } from "./figure.ts";

const ROUNDS = 5;
const MAIN = new URL("../main.ts", import.meta.url).pathname;

export async function figures(): Promise<Figure[]> {
  const dataDir = await Deno.makeTempDir();
  const starts: number[] = [];
  const empty: number[] = [];
  let memory = NaN;
  try {
    for (let round = 0; round <= ROUNDS; round++) {
      const start = performance.now();
      const host = new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", "-P=host", MAIN, "serve", "--port", "0", "--data", dataDir],
        stdout: "null",
        stderr: "null",
      }).spawn();
      await ready(dataDir, host.pid);
      // The first start makes the library; the later ones are what an operator sees.
      if (round > 0) {
        starts.push(performance.now() - start);
        const begun = performance.now();
        await new Deno.Command(Deno.execPath(), { args: ["eval", "0"] }).output();
        empty.push(performance.now() - begun);
      }
      if (round === ROUNDS) memory = await settledMemory(host.pid);
      host.kill("SIGTERM");
      await host.status;
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

async function ready(dataDir: string, pid: number): Promise<void> {
  for (;;) {
    try {
      const host = JSON.parse(await Deno.readTextFile(`${dataDir}/host.json`));
      if (host.pid === pid) {
        const response = await fetch(`${host.url}/readyz`);
        await response.body?.cancel();
        if (response.ok) return;
      }
    } catch {
      // Not there yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Resident memory in MiB, of five samples a second apart: caches of the start are given back by then. */
async function settledMemory(pid: number): Promise<number> {
  const samples: number[] = [];
  for (let i = 0; i < 5; i++) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const status = await Deno.readTextFile(`/proc/${pid}/status`);
    samples.push(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024);
  }
  return median(samples);
}
