/** How fast a host answers others while hostile programs run in it. */
import { startHost } from "../core/app.ts";
import { createPool } from "../sandbox/pool.ts";
import { CATALOGUE } from "../tests/hostile/catalogue.ts";
import { attack, withRange } from "../tests/hostile/harness.ts";
import { type Figure, figure, quantile } from "./figure.ts";

/** Those that try to keep the host busy. */
const BUSY = ["memory", "time", "output, logs and disk", "the host's protocol"];
/** Requests before the programs start, for the floor. */
const QUIET = 500;
const AT_ONCE = 2;

export async function figures(): Promise<Figure[]> {
  const dataDir = await Deno.makeTempDir({ prefix: "carrel-bench-" });
  const quiet: number[] = [];
  const times: number[] = [];
  try {
    await using host = await startHost({ dataDir, port: 0 });
    const ask = async () => {
      const start = performance.now();
      const response = await fetch(`${host.url}/healthz`);
      await response.body?.cancel();
      return performance.now() - start;
    };
    for (let i = 0; i < QUIET; i++) quiet.push(await ask());
    await withRange(async ({ base, world, denied, prepare }) => {
      await using pool = createPool({
        denoDirs: `${base}/deno`,
        denied: () => [denied],
        onUses: () => {},
      });
      const rows = CATALOGUE.filter(({ surface, program }) =>
        BUSY.includes(surface) && !program.ipv6
      );
      let working = AT_ONCE;
      const worker = async () => {
        for (let row = rows.shift(); row !== undefined; row = rows.shift()) {
          await attack(pool, await prepare(row.program), world, row.program.expect);
        }
        working--;
      };
      const workers = Promise.all(Array.from({ length: AT_ONCE }, worker));
      while (working > 0) {
        times.push(await ask());
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      await workers;
    });
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
  return [figure({
    name: "host: /healthz while hostile programs run, p99",
    value: quantile(times, 0.99),
    unit: "ms",
    target: 100,
    compare: "<=",
    floor: { name: "the same with nothing running", value: quantile(quiet, 0.99) },
  })];
}
