/**
 * kill -9 of the host at random moments of a load of everything: jobs and workflows, retries, delays, choices,
 * children, calls. `FAULT_RUNS=200` is the whole test; `FAULT_SEED` repeats the moments of one.
 */
import { createFaultLoad } from "./fault_load.ts";
import { checkFaults } from "./fault_checks.ts";
import { descendants, isAlive, startTestHost, until } from "./host.ts";

const KILLS = Number(Deno.env.get("FAULT_RUNS") ?? 25);
const SEED = Number(Deno.env.get("FAULT_SEED") ?? Date.now() % 2 ** 31);
/** From the moment the host is ready to its kill, at most. */
const MOST_MS = 1_500;

Deno.test(`jobs and workflows survive ${KILLS} times kill -9`, async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "carrel-faults-" });
  const strays = new Set<number>();
  const random = createRandom(SEED);
  console.log(`seed ${SEED}`);
  let keep = Deno.env.get("FAULT_KEEP") !== undefined;
  try {
    await using load = createFaultLoad();
    const options = { dataDir, allowPrivate: [load.site.host] };
    {
      // Bundles the plugins, which a library does once: the kills below are meant for the work after that.
      await using host = await startTestHost(options);
      await load.prepare(host);
    }
    for (let kill = 0; kill < KILLS; kill++) {
      const host = await startTestHost(options);
      const over = new AbortController();
      const working = load.work(host, random, over.signal);
      await new Promise((resolve) => setTimeout(resolve, random() * MOST_MS));
      for (const pid of descendants(host.pid)) strays.add(pid);
      over.abort();
      await host.kill();
      await working;
    }
    await until(() => [...strays].every((pid) => !isAlive(pid)));
    {
      await using host = await startTestHost(options);
      await load.finish(host);
    }
    const counts = await checkFaults(dataDir, load);
    for (const [what, count] of Object.entries({ kills: KILLS, ...counts })) {
      console.log(`${String(count).padStart(8)} ${what}`);
    }
  } catch (error) {
    keep ||= Deno.env.get("FAULT_KEEP_FAILED") !== undefined;
    if (keep) console.log(`kept: ${dataDir}`);
    throw error;
  } finally {
    if (!keep) await Deno.remove(dataDir, { recursive: true });
  }
});

/** 0 to 1, the same for the same seed (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
