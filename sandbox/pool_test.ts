import { deepStrictEqual, match, ok, rejects, strictEqual } from "node:assert/strict";
import { kill } from "node:process";
import { createPool, type PoolOptions } from "./pool.ts";
import {
  type CallOptions,
  DEFAULT_LIMITS,
  type Desk,
  type EndReason,
  type LogLine,
  NO_GRANTS,
  type Pool,
  type RunnerSpec,
  SandboxError,
} from "./types.ts";

const PLUGIN = `
let calls = 0;
export default { kind: "import", methods: {
  echo: (input) => input,
  count: () => ++calls,
  hang: () => new Promise(() => {}),
  loop() { for (;;); },
  stop: (ctx) => new Promise((resolve) => ctx.signal.addEventListener("abort", () => resolve("stopped"))),
  fail() { throw Object.assign(new Error("it is empty"), { name: "PluginError", code: "empty", data: { a: 1 } }); },
  crash() { Deno.kill(Deno.pid, "SIGKILL"); },
  leave() { Deno.exit(3); },
  bad: () => () => 1,
  talk(ctx) {
    console.log("from stdout");
    console.error("from stderr");
    ctx.log.info("from log");
    ctx.progress(0.5, "half");
    return ctx.config;
  },
  chatter(count, ctx) { for (let i = 0; i < count; i++) ctx.log.info("line " + i); },
  askMuch: (count, bytes, ctx) => Promise.all(Array.from({ length: count }, (_, i) =>
    ctx.service("search", { i, bytes: new Uint8Array(bytes) }))),
  text: (length, unit) => ({ text: unit.repeat(length / unit.length), bytes: new Uint8Array(3) }),
  ask: (name, ctx) => ctx.service(name, { q: 1 }),
  call: (name, ctx) => ctx.call(name, { q: 1 }),
  forge: (input, ctx) => ctx.service("call", input),
  use(usage, ctx) { ctx.usage(usage); },
  env: () => ({ ...process.env }),
  peek: (path) => { try { return Deno.readTextFileSync(path); } catch (error) { return error.name; } },
} };`;

const CALL: CallOptions = { job: { id: "job_1", idempotencyKey: "key_1" } };

function alive(pid: number): boolean {
  try {
    return kill(pid, 0);
  } catch {
    return false;
  }
}

interface Given {
  readonly pool: Pool;
  readonly folder: string;
  spec(some?: Partial<RunnerSpec>): RunnerSpec;
}

async function withPool(
  body: (given: Given) => Promise<void>,
  options: Partial<PoolOptions> = {},
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "carrel-pool-" });
  try {
    const bundle = `${folder}/bundle.js`;
    await Deno.writeTextFile(bundle, PLUGIN);
    await using pool = createPool({ denoDirs: `${folder}/deno`, ...options });
    await body({
      pool,
      folder,
      spec: (some = {}) => ({
        plugin: "import.test",
        version: "1.0.0",
        digest: "test",
        bundle,
        grants: NO_GRANTS,
        config: {},
        trust: "restricted",
        limits: DEFAULT_LIMITS,
        ...some,
      }),
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function fails(promise: Promise<unknown>, code: string): Promise<SandboxError> {
  const error = await promise.then(
    (value) => ({ value }),
    (error: unknown) => error,
  );
  ok(error instanceof SandboxError, Deno.inspect(error));
  strictEqual(error.code, code, error.message);
  return error;
}

Deno.test("acquire() gives a desk whose calls reach the plugin, bytes as bytes", () =>
  withPool(async ({ pool, spec }) => {
    await using desk = await pool.acquire(spec({ config: { depth: 3 } }));
    ok(desk.methods.includes("echo"));
    ok(alive(desk.pid));
    const value = { bytes: new Uint8Array(100_000).fill(7), list: [1, "x", null] };
    deepStrictEqual(await desk.call("echo", [value], CALL), value);
    const answers = await Promise.all([1, 2, 3].map((n) => desk.call("echo", [n], CALL)));
    deepStrictEqual(answers, [1, 2, 3]);
    strictEqual(pool.stats().busy, 1);
  }));

Deno.test("call() passes on log lines of all streams, and progress", () =>
  withPool(async ({ pool, spec }) => {
    await using desk = await pool.acquire(spec({ config: { depth: 3 } }));
    const lines: LogLine[] = [];
    const progress: unknown[] = [];
    const heard = Promise.withResolvers<void>();
    const onLog = (line: LogLine) => {
      lines.push(line);
      if (lines.length === 3) heard.resolve();
    };
    // Streams and socket are no one channel: a second call is under way until all have come.
    const waiting = new AbortController();
    const stop = desk.call("stop", [], { ...CALL, signal: waiting.signal, onLog });
    deepStrictEqual(
      await desk.call("talk", [], { ...CALL, onLog, onProgress: (...args) => progress.push(args) }),
      { depth: 3 },
    );
    await heard.promise;
    waiting.abort();
    await fails(stop, "cancelled");
    deepStrictEqual(progress, [[0.5, "half"]]);
    deepStrictEqual(
      lines.map(({ stream, message, level }) => `${stream} ${level} ${message}`).sort(),
      ["log info from log", "stderr warn from stderr", "stdout info from stdout"],
    );
  }));

Deno.test("call() lets the plugin reach granted services only", () =>
  withPool(async ({ pool, spec }) => {
    await using desk = await pool.acquire(
      spec({ grants: { ...NO_GRANTS, services: ["search", "broken", "odd", "coded", "missing"] } }),
    );
    const services: CallOptions["services"] = {
      search: (input) => Promise.resolve({ hits: [input] }),
      secret: () => Promise.resolve("never"),
      broken: () => Promise.reject(new Error("the password is x")),
      odd: () => Promise.resolve(() => 1),
      coded: () => Promise.reject(Object.assign(new Error("not here"), { code: "not_found" })),
    };
    const ask = (name: string) => desk.call("ask", [name], { ...CALL, services });
    deepStrictEqual(await ask("search"), { hits: [{ q: 1 }] });
    await fails(ask("secret"), "denied");
    await fails(ask("missing"), "denied");
    await fails(ask("toString"), "denied");
    const broken = await fails(ask("broken"), "internal");
    strictEqual(/password/.test(broken.message), false);
    await fails(ask("odd"), "internal");
    await fails(ask("coded"), "not_found");
  }));

Deno.test("call() lets the plugin call granted capabilities only, whatever it says of them", () =>
  withPool(async ({ pool, spec }) => {
    const grants = { ...NO_GRANTS, services: ["call"], calls: ["text.generate"] };
    await using desk = await pool.acquire(spec({ grants }));
    const services: CallOptions["services"] = { call: (input) => Promise.resolve(input) };
    const reached = { capability: "text.generate", input: { q: 1 } };
    deepStrictEqual(await desk.call("call", ["text.generate"], { ...CALL, services }), reached);
    const refused = await fails(
      desk.call("call", ["text.translate"], { ...CALL, services }),
      "denied",
    );
    match(refused.message, /"text\.translate": it is not granted/);
    for (const input of [{ capability: ["text.generate"] }, { capability: null }, {}, null]) {
      await fails(desk.call("forge", [input], { ...CALL, services }), "denied");
    }
    await fails(desk.call("call", ["text.generate"], CALL), "denied");
  }));

Deno.test("call() tells of the use of models, parsed", () =>
  withPool(async ({ pool, spec }) => {
    await using desk = await pool.acquire(spec());
    const used: unknown[] = [];
    const onUsage = (usage: unknown) => used.push(usage);
    await desk.call("use", [{ model: "m", input_tokens: 3, cost: "much" }], { ...CALL, onUsage });
    deepStrictEqual(used, [{ model: "m", input_tokens: 3 }]);
  }));

Deno.test("call() throws what the plugin threw, and keeps the runner", () =>
  withPool(async ({ pool, spec }) => {
    const desk = await pool.acquire(spec());
    const error = await fails(desk.call("fail", [], CALL), "empty");
    strictEqual(error.message, "it is empty");
    deepStrictEqual(error.data, { a: 1 });
    await fails(desk.call("echo", [() => 1], CALL), "invalid_parameters");
    await desk.release();
    strictEqual(pool.stats().idle, 1);
  }));

Deno.test("call() rejects at once when its signal is aborted already", () =>
  withPool(async ({ pool, spec }) => {
    await using desk = await pool.acquire(spec());
    await fails(desk.call("echo", [1], { ...CALL, signal: AbortSignal.abort() }), "cancelled");
    strictEqual(await desk.call("echo", [1], CALL), 1);
  }));

Deno.test("call() lets a plugin that heeds its signal end by itself", () =>
  withPool(async ({ pool, spec }) => {
    const desk = await pool.acquire(spec());
    const controller = new AbortController();
    const call = desk.call("stop", [], { ...CALL, signal: controller.signal });
    strictEqual(await desk.call("echo", [1], CALL), 1);
    controller.abort();
    await fails(call, "cancelled");
    strictEqual(await desk.call("echo", [2], CALL), 2);
    // Who knows in what state the cancelled call left it.
    await desk.release();
    strictEqual(pool.stats().idle, 0);
    strictEqual((await desk.ended).reason, "closed");
  }));

const ENDS: [EndReason, string, Partial<typeof DEFAULT_LIMITS>][] = [
  ["timed_out", "hang", { wall_s: 0.1 }],
  ["cpu_exceeded", "loop", { cpu_s: 0.2 }],
  ["crashed", "crash", {}],
];
for (const [reason, method, limits] of ENDS) {
  Deno.test(`call() rejects and the runner is gone when it is ${reason}`, () =>
    withPool(async ({ pool, spec }) => {
      const desk = await pool.acquire(spec({ limits: { ...DEFAULT_LIMITS, ...limits } }));
      const other = fails(desk.call("hang", [], CALL), reason);
      const error = await fails(desk.call(method, [], CALL), reason);
      match(error.message, /^Cannot .* "import\.test"/);
      await other;
      strictEqual((await desk.ended).reason, reason);
      strictEqual(alive(desk.pid), false);
      await fails(desk.call("echo", [1], CALL), reason);
      await desk.release();
      deepStrictEqual([pool.stats().idle, pool.stats().ends[reason]], [0, 1]);
    }));
}

Deno.test("call() kills a plugin that does not heed its signal after the grace", () =>
  withPool(async ({ pool, spec }) => {
    const desk = await pool.acquire(spec());
    const controller = new AbortController();
    const call = desk.call("loop", [], { ...CALL, signal: controller.signal });
    controller.abort();
    const error = await fails(call, "cancelled");
    match(error.message, /did not stop within 0\.1 s/);
    strictEqual((await desk.ended).reason, "cancelled");
    await desk.release();
  }, { graceMs: 100 }));

Deno.test("release() keeps a runner warm for the next job of the same key only", () =>
  withPool(async ({ pool, spec }) => {
    const first = await pool.acquire(spec());
    strictEqual(await first.call("count", [], CALL), 1);
    await first.release();
    await first.release();
    await fails(first.call("count", [], CALL), "lost");
    const second = await pool.acquire(spec({ config: {}, version: "1.0.0" }));
    strictEqual(second.pid, first.pid);
    strictEqual(await second.call("count", [], CALL), 2);
    await second.release();
    const other = await pool.acquire(spec({ config: { a: 1 } }));
    ok(other.pid !== first.pid);
    await other.release();
    deepStrictEqual(pool.stats().started, 2);
  }));

Deno.test("release() closes the runner when the plugin is sandboxed or its output was broken", () =>
  withPool(async ({ pool, spec }) => {
    const fresh = await pool.acquire(spec({ trust: "sandboxed" }));
    await fresh.release();
    strictEqual((await fresh.ended).reason, "closed");
    strictEqual(alive(fresh.pid), false);
    const broken = await pool.acquire(spec());
    await fails(broken.call("bad", [], CALL), "invalid_output");
    await broken.release();
    strictEqual((await broken.ended).reason, "closed");
    strictEqual(pool.stats().idle, 0);
  }));

Deno.test("acquire() waits while all of a plugin's runners work, and takes the first given back", () =>
  withPool(async ({ pool, spec }) => {
    const limits = { ...DEFAULT_LIMITS, concurrency: 1 };
    const first = await pool.acquire(spec({ limits }));
    const order: string[] = [];
    const second = pool.acquire(spec({ limits })).then((desk) => {
      order.push("second");
      return desk;
    });
    const given = new AbortController();
    const third = pool.acquire(spec({ limits }), { signal: given.signal });
    const elsewhere = await pool.acquire(spec({ plugin: "import.other", limits }));
    order.push("elsewhere");
    given.abort();
    await fails(third, "cancelled");
    order.push("first");
    await first.release();
    const desk = await second;
    deepStrictEqual(order, ["elsewhere", "first", "second"]);
    strictEqual(desk.pid, first.pid);
    await desk.release();
    await elsewhere.release();
  }));

Deno.test("acquire() passes over those in line who may not have the place that is free", () =>
  withPool(async ({ pool, spec }) => {
    const of = (concurrency: number) =>
      spec({ trust: "sandboxed", limits: { ...DEFAULT_LIMITS, concurrency } });
    const [one, two] = [await pool.acquire(of(2)), await pool.acquire(of(2))];
    const abort = new AbortController();
    const first = pool.acquire(of(1), { signal: abort.signal }).catch((error) => error.code);
    const second = pool.acquire(of(2));
    await one.release();
    await (await second).release();
    abort.abort();
    strictEqual(await first, "cancelled");
    await two.release();
  }));

Deno.test("acquire() serves by the same runner whatever the limit of runners at once", () =>
  withPool(async ({ pool, spec }) => {
    const first = await pool.acquire(spec());
    await first.release();
    const limits = { ...DEFAULT_LIMITS, concurrency: DEFAULT_LIMITS.concurrency + 1 };
    await using second = await pool.acquire(spec({ limits }));
    strictEqual(second.pid, first.pid);
  }));

Deno.test("acquire() gives its turn on when it is aborted just then", () =>
  withPool(async ({ pool, spec }) => {
    const limits = { ...DEFAULT_LIMITS, concurrency: 1 };
    const first = await pool.acquire(spec({ limits }));
    const controller = new AbortController();
    const second = pool.acquire(spec({ limits }), { signal: controller.signal });
    const third = pool.acquire(spec({ limits }));
    const released = first.release();
    controller.abort();
    await Promise.allSettled([second.then((desk) => desk.release()), released]);
    await (await third).release();
  }));

Deno.test("acquire() closes an idle runner of the plugin when another key needs its place", () =>
  withPool(async ({ pool, spec }) => {
    const limits = { ...DEFAULT_LIMITS, concurrency: 1 };
    const first = await pool.acquire(spec({ limits }));
    await first.release();
    await using second = await pool.acquire(spec({ limits, config: { other: true } }));
    strictEqual((await first.ended).reason, "closed");
    ok(second.pid !== first.pid);
  }));

Deno.test("acquire() never gives out an idle runner that has died", () =>
  withPool(async ({ pool, spec }) => {
    const first = await pool.acquire(spec());
    await first.release();
    kill(first.pid, "SIGKILL");
    await first.ended;
    strictEqual(pool.stats().idle, 0);
    await using second = await pool.acquire(spec());
    strictEqual(await second.call("count", [], CALL), 1);
  }));

Deno.test("createPool() closes runners that are idle for long, and those above its bound", () =>
  withPool(async ({ pool, spec }) => {
    const desks: Desk[] = [];
    for (const plugin of ["import.a", "import.b"]) desks.push(await pool.acquire(spec({ plugin })));
    for (const desk of desks) await desk.release();
    strictEqual((await desks[0]!.ended).reason, "closed");
    strictEqual((await desks[1]!.ended).reason, "closed");
    strictEqual(pool.stats().idle, 0);
  }, { maxIdle: 1, idleMs: 50 }));

Deno.test("acquire() throws when the plugin does not load", () =>
  withPool(async ({ pool, spec, folder }) => {
    await Deno.writeTextFile(`${folder}/broken.js`, "export default {");
    const broken = spec({ bundle: `${folder}/broken.js`, digest: "broken" });
    match((await fails(pool.acquire(broken), "crashed")).message, /Cannot load "import.test"/);
    const missing = spec({ bundle: `${folder}/none.js`, digest: "none" });
    await fails(pool.acquire(missing), "crashed");
    await Deno.writeTextFile(`${folder}/never.js`, "await new Promise((r) => setTimeout(r, 1e9));");
    await fails(pool.acquire(spec({ bundle: `${folder}/never.js`, digest: "never" })), "timed_out");
    strictEqual(pool.stats().busy, 0);
  }, { startMs: 3000 }));

Deno.test("acquire() stops waiting for the plugin to load when it is aborted", () =>
  withPool(async ({ pool, spec, folder }) => {
    await Deno.writeTextFile(`${folder}/never.js`, "await new Promise((r) => setTimeout(r, 1e9));");
    const controller = new AbortController();
    const acquired = pool.acquire(
      spec({ bundle: `${folder}/never.js`, digest: "never" }),
      controller,
    );
    controller.abort();
    await fails(acquired, "cancelled");
  }));

Deno.test("acquire() throws denied when the grants make no wall", () =>
  withPool(async ({ pool, spec }) => {
    await fails(pool.acquire(spec({ grants: { ...NO_GRANTS, net: ["*:80"] } })), "denied");
    await rejects(pool.acquire(spec({ digest: "../up" })), /bad digest/);
  }));

Deno.test("acquire() throws when there is no deno to run", () =>
  withPool(async ({ pool, spec }) => {
    await fails(pool.acquire(spec()), "crashed");
  }, { deno: "/nowhere/deno" }));

Deno.test("acquire() hands granted variables on, and no other", async () => {
  Deno.env.set("CARREL_TEST_TOKEN", "secret");
  try {
    await withPool(async ({ pool, spec }) => {
      const grants = { ...NO_GRANTS, env: ["CARREL_TEST_TOKEN", "CARREL_TEST_MISSING"] };
      await using desk = await pool.acquire(spec({ grants }));
      deepStrictEqual(await desk.call("env", [], CALL), { CARREL_TEST_TOKEN: "secret" });
    });
  } finally {
    Deno.env.delete("CARREL_TEST_TOKEN");
  }
});

for (const trust of ["sandboxed", "restricted"] as const) {
  Deno.test(`createPool() tells what each job's ${trust} runner asked for, apart`, async () => {
    const told: unknown[] = [];
    const started: string[] = [];
    const ended: string[] = [];
    await withPool(async ({ pool, spec, folder }) => {
      await Deno.writeTextFile(`${folder}/in`, "granted");
      const mine = spec({ trust, grants: { ...NO_GRANTS, read: [`${folder}/in`] } });
      const peek = async (desk: Desk, path: string, job: string) =>
        await desk.call("peek", [path], { job: { id: job, idempotencyKey: job } });
      const first = await pool.acquire(mine);
      strictEqual(await peek(first, `${folder}/in`, "job_1"), "granted");
      deepStrictEqual(first.uses().uses.map(({ granted, count }) => [granted, count]), [[true, 1]]);
      await first.release();
      deepStrictEqual(first.uses().uses.length, 1);
      const second = await pool.acquire(mine);
      deepStrictEqual(second.uses().uses, []);
      strictEqual(await peek(second, "/etc/shadow", "job_2"), "NotCapable");
      strictEqual(await peek(second, "/etc/shadow", "job_2"), "NotCapable");
      await second.release();
      await (await pool.acquire(mine)).release();
      const crashing = await pool.acquire(mine);
      await fails(crashing.call("crash", [], CALL), "crashed");
      await crashing.release();
      deepStrictEqual(told, [
        ["job_1", "read", `${folder}/in`, true, 1],
        ["job_2", "read", "/etc/shadow", false, 2],
      ]);
    }, {
      onStart: ({ plugin }) => started.push(plugin),
      onEnd: (_, { reason }) => ended.push(reason),
      onUses: (_, job, { uses, truncated }) => {
        strictEqual(truncated, false);
        for (const { permission, value, granted, count } of uses) {
          told.push([job, permission, value, granted, count]);
        }
      },
    });
    strictEqual(started.length, trust === "sandboxed" ? 4 : 1);
    ok(ended.includes("crashed"));
  });
}

Deno.test("createPool() tells of services that were asked for", async () => {
  const told: unknown[] = [];
  await withPool(async ({ pool, spec }) => {
    const grants = { ...NO_GRANTS, services: ["search"] };
    await using desk = await pool.acquire(spec({ grants }));
    const services = { search: () => Promise.resolve(1) };
    await desk.call("ask", ["search"], { ...CALL, services });
    await fails(desk.call("ask", ["secret"], { ...CALL, services }), "denied");
  }, {
    onUses: (_, job, { uses }) => {
      for (const { permission, value, granted } of uses) {
        told.push([job, permission, value, granted]);
      }
    },
  });
  deepStrictEqual(told, [
    ["job_1", "services", "search", true],
    ["job_1", "services", "secret", false],
  ]);
});

Deno.test("createPool() gives a sandboxed plugin a network of its own where bwrap works", () =>
  withPool(async ({ pool, spec }) => {
    await using desk = await pool.acquire(spec({ trust: "sandboxed" }));
    const { bwrap } = pool.stats().barriers!;
    const ns = (pid: number) => Deno.readLinkSync(`/proc/${pid}/ns/net`);
    if (bwrap.state !== "works") return ok(bwrap.reason.length > 0);
    const inside = await runnerBelow(desk.pid);
    ok(ns(inside) !== ns(Deno.pid));
    await using granted = await pool.acquire(
      spec({ trust: "sandboxed", grants: { ...NO_GRANTS, net: ["example.com:443"] } }),
    );
    strictEqual(ns(await runnerBelow(granted.pid)), ns(Deno.pid));
  }));

/** The innermost process. */
async function runnerBelow(pid: number): Promise<number> {
  const children = await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`);
  const child = Number(children.trim().split(" ")[0]);
  return child > 0 ? await runnerBelow(child) : pid;
}

Deno.test("createPool() ends everything when it is disposed", () =>
  withPool(async ({ pool, spec, folder }) => {
    const limits = { ...DEFAULT_LIMITS, concurrency: 1 };
    const busy = await pool.acquire(spec({ limits }));
    const call = fails(busy.call("hang", [], CALL), "lost");
    const waiting = fails(pool.acquire(spec({ limits })), "lost");
    await Deno.writeTextFile(`${folder}/never.js`, "await new Promise((r) => setTimeout(r, 1e9));");
    const starting = fails(
      pool.acquire(spec({ plugin: "import.never", bundle: `${folder}/never.js`, digest: "never" })),
      "lost",
    );
    await pool[Symbol.asyncDispose]();
    await Promise.all([call, waiting, starting]);
    strictEqual(alive(busy.pid), false);
    await fails(pool.acquire(spec()), "lost");
    await busy.release();
  }));

Deno.test("call() holds no more of a guest's requests than in_flight_mb, and answers them all", () =>
  withPool(async ({ pool, spec }) => {
    const limits = { ...DEFAULT_LIMITS, in_flight_mb: 2, request_mb: 1 };
    const grants = { ...NO_GRANTS, services: ["search"] };
    await using desk = await pool.acquire(spec({ grants, limits }));
    let held = 0;
    let most = 0;
    const search = async (input: unknown) => {
      most = Math.max(most, ++held);
      // Long enough for all the others to come, were they let in.
      await new Promise((resolve) => setTimeout(resolve, 20));
      held--;
      return (input as { i: number }).i;
    };
    const answers = await desk.call("askMuch", [20, 1 << 20], { ...CALL, services: { search } });
    deepStrictEqual(answers, Array.from({ length: 20 }, (_, i) => i));
    ok(most <= 3, `${most} at once`);
  }));

Deno.test("call() carries long texts whole, of any script", () =>
  withPool(async ({ pool, spec }) => {
    await using desk = await pool.acquire(spec());
    for (const unit of ["plain ascii ", "\u00e9\u20ac\u{1f600}\ufeff", "\ud800"]) {
      const length = unit.length * 100_000;
      const got = await desk.call("text", [length, unit], CALL);
      deepStrictEqual(got, { text: unit.repeat(100_000), bytes: new Uint8Array(3) });
    }
  }));

Deno.test("call() drops log lines above log_rate", () =>
  withPool(async ({ pool, spec }) => {
    const limits = { ...DEFAULT_LIMITS, log_rate: 5 };
    await using desk = await pool.acquire(spec({ limits }));
    const lines: LogLine[] = [];
    await desk.call("chatter", [500], { ...CALL, onLog: (line) => lines.push(line) });
    // Another few a second, however long it takes here.
    ok(lines.length >= 5 && lines.length < 200, `${lines.length} lines`);
  }));

Deno.test("createPool() makes a DENO_DIR anew that a job has filled", () =>
  withPool(async ({ pool, folder, spec }) => {
    const cached = `${folder}/deno/test/gen/data`;
    {
      await using desk = await pool.acquire(spec({ trust: "sandboxed" }));
      await Deno.mkdir(cached, { recursive: true });
      await Deno.writeFile(`${cached}/x`, new Uint8Array(1 << 20));
      strictEqual(await desk.call("echo", [1], CALL), 1);
    }
    await using desk = await pool.acquire(spec({ trust: "sandboxed" }));
    await rejects(Deno.stat(cached), Deno.errors.NotFound);
    strictEqual(await desk.call("echo", [1], CALL), 1);
  }, { codeCacheBytes: 1 << 20 }));

Deno.test("call() says of a plugin that ended its own process that it did", () =>
  withPool(async ({ pool, spec }) => {
    await using desk = await pool.acquire(spec());
    const { message } = await fails(desk.call("leave", [], CALL), "crashed");
    match(message, /its process was ended by the plugin itself: Deno\.exit/);
  }));
