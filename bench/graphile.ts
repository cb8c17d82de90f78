/** No-op jobs beside graphile-worker on a real PostgreSQL, and the same jobs in a warm sandboxed plugin. */
import { Logger, makeWorkerUtils, run } from "graphile-worker";
import pg from "pg";
import { startPostgres } from "../tests/services/postgres.ts";
import { type BenchEngine, jobRate, openBenchEngine } from "./engine.ts";
import { type Figure, figure, median } from "./figure.ts";

const JOBS = 10_000;
const ROUNDS = 3;
/** Of both. */
const CONCURRENCY = 10;
const noop = { kind: "noop", input: null, user: "bench" } as const;
export const noopCall = {
  kind: "call",
  plugin: "step.bench",
  input: { capability: "bench.noop", input: null },
  user: "bench",
} as const;

export async function figures(): Promise<Figure[]> {
  const dir = await Deno.makeTempDir({ prefix: "carrel-bench-" });
  try {
    await using bench = await openBenchEngine(dir, CONCURRENCY);
    await using peer = await openPeer();
    const own: number[] = [];
    const calls: number[] = [];
    const theirs: number[] = [];
    // The first round warms all of them up.
    for (let round = 0; round <= ROUNDS; round++) {
      const rates = [
        await peer?.rate() ?? NaN,
        await jobRate(bench, JOBS, noop),
        await jobRate(bench, JOBS, noopCall),
      ];
      if (round === 0) continue;
      theirs.push(rates[0]!);
      own.push(rates[1]!);
      calls.push(rates[2]!);
    }
    const host = median(own);
    const sandboxed = median(calls);
    return [
      ...besidePeer(host, peer === undefined ? undefined : median(theirs), peer?.name),
      figure({
        name: "jobs: no-op in a warm sandboxed plugin",
        value: sandboxed,
        unit: "jobs/s",
        target: 0.6 * host,
        compare: ">=",
        floor: { name: "in the host", value: host },
      }),
      { ...await startLatency(bench), target: 3, compare: "<=" },
    ];
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

function besidePeer(host: number, peer: number | undefined, name: string | undefined): Figure[] {
  const what = `jobs: no-op, enqueued to completed, ${CONCURRENCY} slots`;
  if (peer !== undefined) {
    return [figure({
      name: what,
      value: host,
      unit: "jobs/s",
      target: 1.5 * peer,
      compare: ">=",
      floor: { name: name!, value: peer },
    })];
  }
  return [{
    name: `${what} (peer not run: no PostgreSQL here)`,
    value: host,
    unit: "jobs/s",
    target: 0,
    compare: ">=",
  }];
}

/** From `add` to the first event of the attempt, p50, with nothing else to do. */
async function startLatency({ engine, events }: BenchEngine) {
  const times: number[] = [];
  for (let n = 0; n < 300; n++) {
    const started = Promise.withResolvers<number>();
    const stop = events.on("job.event", ({ status }) => {
      if (status === "running") started.resolve(performance.now());
    });
    const began = performance.now();
    const job = await engine.jobs.add(noop);
    times.push(await started.promise - began);
    stop();
    await engine.jobs.finished(job.id);
  }
  return {
    name: "jobs: enqueue to start, idle, whole host, p50",
    value: median(times),
    unit: "ms",
  };
}

interface Peer extends AsyncDisposable {
  readonly name: string;
  /** Adds so many jobs, one by one and all at once as ours are, and waits for the last one. */
  rate(): Promise<number>;
}

/** Undefined where PostgreSQL is not installed. */
async function openPeer(): Promise<Peer | undefined> {
  const server = await startPostgres();
  if (server === undefined) return undefined;
  const stack = new AsyncDisposableStack();
  stack.use(server);
  // As it makes them itself; of ours, so that they are closed before the server is.
  const logger = new Logger(() => () => {});
  const pool = () => {
    const made = new pg.Pool({ connectionString: server.url, max: 10 });
    made.on("error", () => {});
    made.on("connect", (client) => client.on("error", () => {}));
    stack.defer(() => made.end());
    return made;
  };
  const utils = await makeWorkerUtils({ pgPool: pool(), logger });
  stack.defer(() => utils.release());
  await utils.migrate();
  let left = 0;
  let finish = () => {};
  const runner = await run({
    pgPool: pool(),
    logger,
    concurrency: CONCURRENCY,
    noHandleSignals: true,
    taskList: { noop: () => {} },
  });
  stack.defer(() => runner.stop());
  // The end of a job is told once it is in the database.
  runner.events.on("job:complete", () => --left === 0 && finish());
  return {
    name: `graphile-worker 0.18 on PostgreSQL ${server.version}`,
    async rate() {
      left = JOBS;
      const done = new Promise<void>((resolve) => finish = resolve);
      const began = performance.now();
      await Promise.all(Array.from({ length: JOBS }, () => utils.addJob("noop", {})));
      await done;
      return JOBS / (performance.now() - began) * 1000;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
