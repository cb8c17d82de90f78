/** What a runner costs: to start, to call, to feed, to stop. */
import { createPool } from "../sandbox/pool.ts";
import { DEFAULT_LIMITS, type Desk, NO_GRANTS, type RunnerSpec } from "../sandbox/types.ts";
import { type Figure, figure, quantile } from "./figure.ts";

const PLUGIN = `export default { kind: "import", methods: {
  echo: (input) => input,
  loop() { for (;;); },
} };`;
const JOB = { job: { id: "job_bench", idempotencyKey: "bench" } };
const SMALL = { id: "content_1", title: "A small message", tags: ["a", "b"], size: 1234 };

/** All figures of the runner, a few seconds' work. */
export async function figures(): Promise<Figure[]> {
  const folder = await Deno.makeTempDir({ prefix: "carrel-bench-" });
  try {
    const bundle = `${folder}/bundle.js`;
    await Deno.writeTextFile(bundle, PLUGIN);
    await using pool = createPool({ denoDirs: `${folder}/deno` });
    const spec: RunnerSpec = {
      plugin: "import.bench",
      version: "1.0.0",
      digest: "bench",
      bundle,
      grants: NO_GRANTS,
      config: {},
      trust: "restricted",
      limits: DEFAULT_LIMITS,
    };
    const spawnToAnswer = await timeSpawns(() => pool.acquire({ ...spec, trust: "sandboxed" }));
    const emptyFile = await timeEmptyRuns(folder);
    const sandboxed = await timeSandboxed(folder, spec);
    const figures: Figure[] = [
      figure({
        name: "runner: spawn to first answer, p50",
        value: quantile(spawnToAnswer, 0.5),
        unit: "ms",
        target: 30,
        compare: "<=",
        floor: { name: "deno run of an empty file", value: quantile(emptyFile, 0.5) },
      }),
      figure({
        name: `runner: a sandboxed job, 1 MB bundle, ${sandboxed.how}, p50`,
        value: quantile(sandboxed.confined, 0.5),
        unit: "ms",
        target: 60,
        compare: "<=",
        floor: {
          name: "the same without barriers of the system",
          value: quantile(sandboxed.bare, 0.5),
        },
      }),
    ];
    {
      await using desk = await pool.acquire(spec);
      figures.push(...await timeCalls(desk, folder));
    }
    figures.push(figure({
      name: "runner: cancel of a call that loops for ever",
      value: await timeCancel(() => pool.acquire(spec)),
      unit: "ms",
      target: 2500,
      compare: "<=",
    }));
    return figures;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function timeSpawns(acquire: () => Promise<Desk>, released = false): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < 33; i++) {
    const start = performance.now();
    const desk = await acquire();
    await desk.call("echo", [1], JOB);
    const answered = performance.now() - start;
    await desk.release();
    // The first few fill the code cache, as the health check does.
    if (i >= 3) times.push(released ? performance.now() - start : answered);
  }
  return times;
}

/** A job of a sandboxed plugin from acquire to release, its record of permissions kept. */
async function timeSandboxed(folder: string, spec: RunnerSpec) {
  const bundle = `${folder}/large.js`;
  await Deno.writeTextFile(bundle, largePlugin());
  const large: RunnerSpec = { ...spec, bundle, digest: "large", trust: "sandboxed" };
  const denoDirs = `${folder}/deno-large`;
  const none = { bwrap: false, prlimit: false, cgroup: false };
  await using bare = createPool({ denoDirs: `${folder}/deno-bare`, barriers: none });
  await using pool = createPool({ denoDirs, onUses: () => {} });
  const confined = await timeSpawns(() => pool.acquire(large), true);
  const { bwrap } = pool.stats().barriers!;
  return {
    how: bwrap.state === "works" ? "bwrap" : "no bwrap here",
    confined,
    bare: await timeSpawns(() => bare.acquire(large), true),
  };
}

/** 1 MB of functions of which few are called, as in a real bundle. */
function largePlugin(): string {
  let code = "const parts = {};\n";
  for (let i = 0; code.length < 1_000_000; i++) {
    code += `parts.f${i} = function (a, b) { const list = [a, b, ${i}]; ` +
      `for (const item of list) { if (item === "x${i}") return { item, at: ${i} }; } ` +
      `return list.map((one) => String(one) + "${i}").join(","); };\n`;
  }
  return code + PLUGIN;
}

async function timeEmptyRuns(folder: string): Promise<number[]> {
  const file = `${folder}/empty.js`;
  await Deno.writeTextFile(file, "");
  const times: number[] = [];
  for (let i = 0; i < 15; i++) {
    const start = performance.now();
    await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-config", file],
      env: { DENO_DIR: `${folder}/deno/empty` },
    }).output();
    if (i > 0) times.push(performance.now() - start);
  }
  return times;
}

async function timeCalls(desk: Desk, folder: string): Promise<Figure[]> {
  const warm: number[] = [];
  for (let i = 0; i < 7000; i++) {
    const start = performance.now();
    await desk.call("echo", [SMALL], JOB);
    if (i >= 2000) warm.push(performance.now() - start);
  }
  const rates: number[] = [];
  for (let round = 0; round < 4; round++) {
    const count = 50_000;
    const start = performance.now();
    const calls: Promise<unknown>[] = [];
    for (let i = 0; i < count; i++) calls.push(desk.call("echo", [SMALL], JOB));
    await Promise.all(calls);
    rates.push(count / (performance.now() - start) * 1000);
  }
  const bytes = crypto.getRandomValues(new Uint8Array(64 * 1024));
  const large = new Uint8Array(10 * 1024 * 1024);
  for (let at = 0; at < large.length; at += bytes.length) large.set(bytes, at);
  const inAndOut: number[] = [];
  for (let i = 0; i < 12; i++) {
    const start = performance.now();
    await desk.call("echo", [large], JOB);
    if (i >= 2) inAndOut.push(performance.now() - start);
  }
  const socket = await timeSocket(folder, large);
  return [
    figure({
      name: "runner: warm call, small message, p50",
      value: quantile(warm, 0.5) * 1000,
      unit: "µs",
      target: 80,
      compare: "<=",
      floor: { name: "a byte there and back on a unix socket", value: socket.roundTrip * 1000 },
    }),
    figure({
      name: "runner: pipelined calls",
      value: Math.max(...rates),
      unit: "calls/s",
      target: 60_000,
      compare: ">=",
    }),
    figure({
      name: "runner: 10 MiB in and out",
      value: quantile(inAndOut, 0.5),
      unit: "ms",
      target: 60,
      compare: "<=",
      floor: { name: "10 MiB in and out of a unix socket", value: socket.large },
    }),
  ];
}

/** An echo on a unix socket between this thread and itself: what the socket alone costs. */
async function timeSocket(
  folder: string,
  large: Uint8Array,
): Promise<{ roundTrip: number; large: number }> {
  const path = `${folder}/echo`;
  using listener = Deno.listen({ transport: "unix", path });
  const accepted = listener.accept();
  using client = await Deno.connect({ transport: "unix", path });
  const server = await accepted;
  const echoed = server.readable.pipeTo(server.writable).catch(() => {});
  const buffer = new Uint8Array(256 * 1024);

  async function there(bytes: Uint8Array): Promise<number> {
    const start = performance.now();
    const sent = (async () => {
      for (let at = 0; at < bytes.length;) at += await client.write(bytes.subarray(at));
    })();
    for (let left = bytes.length; left > 0;) left -= await client.read(buffer) ?? left;
    await sent;
    return performance.now() - start;
  }
  const trips: number[] = [];
  for (let i = 0; i < 2000; i++) trips.push(await there(buffer.subarray(0, 1)));
  const whole: number[] = [];
  for (let i = 0; i < 5; i++) whole.push(await there(large));
  client.close();
  await echoed;
  return { roundTrip: quantile(trips, 0.5), large: quantile(whole, 0.5) };
}

async function timeCancel(acquire: () => Promise<Desk>): Promise<number> {
  const desk = await acquire();
  const controller = new AbortController();
  const call = desk.call("loop", [], { ...JOB, signal: controller.signal }).catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 100));
  const start = performance.now();
  controller.abort();
  await call;
  await desk.ended;
  const time = performance.now() - start;
  await desk.release();
  return time;
}
