import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { kill } from "node:process";
import { createPool } from "../../sandbox/pool.ts";
import {
  DEFAULT_LIMITS,
  type Desk,
  NO_GRANTS,
  type Pool,
  type RunnerSpec,
  SandboxError,
} from "../../sandbox/types.ts";
import { type Expectation, moduleOf, type Program, type World } from "./program.ts";
import { programs as files } from "./programs/files.ts";
import { programs as network } from "./programs/network.ts";
import { programs as processes } from "./programs/process.ts";
import { programs as protocol } from "./programs/protocol.ts";
import { programs as resources } from "./programs/resources.ts";

const JOB = { id: "job_hostile", idempotencyKey: "hostile" };
const SERVICES = {
  slow: (_: unknown, signal: AbortSignal) =>
    new Promise<unknown>((resolve) => signal.addEventListener("abort", () => resolve(null))),
  echo: (input: unknown) => Promise.resolve(input),
};

function alive(pid: number): boolean {
  try {
    return kill(pid, 0);
  } catch {
    return false;
  }
}

function serve(hostname: string): { port: number; hits: () => number; close: () => Promise<void> } {
  let hits = 0;
  const server = Deno.serve({ hostname, port: 0, onListen() {} }, (request) => {
    hits++;
    const url = new URL(request.url);
    const to = url.searchParams.get("url");
    return to === null ? new Response("here") : Response.redirect(to);
  });
  return { port: server.addr.port, hits: () => hits, close: () => server.shutdown() };
}

/** Runs an attack in a runner of its own and holds what came of it against what must. */
async function run(pool: Pool, spec: RunnerSpec, world: World, expect: Expectation): Promise<void> {
  let desk: Desk;
  try {
    desk = await pool.acquire(spec);
  } catch (error) {
    ok(error instanceof SandboxError && "loads" in expect, `did not load: ${error}`);
    if (expect.message) match(error.message, expect.message);
    return;
  }
  const { pid, ended } = desk;
  try {
    ok(!("loads" in expect), "it loaded");
    const outcome = await desk.call("extract", [world], { job: JOB, services: SERVICES }).then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
    if ("returns" in expect) {
      deepStrictEqual(outcome, { value: expect.returns });
    } else {
      ok("error" in outcome, `it got ${Deno.inspect(outcome)}`);
      const { error } = outcome;
      ok(error instanceof SandboxError, Deno.inspect(error));
      const codes: readonly string[] = "ends" in expect ? [expect.ends].flat() : [expect.throws];
      ok(codes.includes(error.code), `${error.code}: ${error.message}`);
      if (expect.message) match(error.message, expect.message);
      if ("ends" in expect) strictEqual((await ended).reason, error.code);
    }
    if (!("ends" in expect) && !("loads" in expect)) {
      strictEqual(await desk.call("ping", [], { job: JOB }), "pong");
    }
  } finally {
    await desk.release();
    await ended;
    strictEqual(alive(pid), false, `process ${pid} is still there`);
  }
}

Deno.test("startRunner() confines every hostile program", async (test) => {
  const base = await Deno.makeTempDir({ prefix: "carrel-hostile-" });
  const open = `${base}/open`;
  await Deno.mkdir(open);
  await Deno.writeTextFile(`${base}/canary`, "secret");
  await Deno.writeTextFile(`${base}/canary.js`, "export default 'secret';");
  const first = serve("127.0.0.1");
  const second = serve("127.0.0.1");
  const third = hasIpv6() ? serve("::1") : undefined;
  const listener = Deno.listen({ transport: "unix", path: `${open}/socket` });
  const world: World = {
    canary: `${base}/canary`,
    folder: base,
    open,
    port: first.port,
    otherPort: second.port,
    port6: third?.port ?? 0,
    host: Deno.pid,
    socket: `${open}/socket`,
  };
  try {
    await using pool = createPool({
      denoDirs: `${base}/deno`,
      denied: () => [`127.0.0.1:${second.port}`],
    });
    const spec = (name: string, program: Partial<Program>): RunnerSpec => ({
      plugin: `import.${name}`,
      version: "1.0.0",
      // A version's folder is prepared once: two, for those that import Node's modules and the others.
      digest: /node:/.test(`${program.imports}${program.attack}`) ? "node" : "plain",
      bundle: `${base}/${name}.js`,
      grants: { ...NO_GRANTS, ...program.grants?.(world) },
      config: {},
      trust: "sandboxed",
      limits: { ...DEFAULT_LIMITS, wall_s: 30, ...program.limits },
    });
    await Deno.writeTextFile(
      `${base}/witness.js`,
      `export default { kind: "import", methods: { extract: (x) => x } };`,
    );
    await using witness = await pool.acquire(spec("witness", {}));
    let count = 0;
    for (const program of [...files, ...network, ...processes, ...protocol, ...resources]) {
      if (program.ipv6 && !third) continue;
      await test.step(program.name, async () => {
        const mine = spec(`program${count++}`, program);
        await Deno.writeTextFile(mine.bundle, moduleOf(program, world));
        await run(pool, mine, world, program.expect);
        strictEqual(await witness.call("extract", ["here"], { job: JOB }), "here");
        strictEqual(({} as Record<string, unknown>).polluted, undefined);
      });
    }
    strictEqual(second.hits(), 0, "the server that nobody may reach was reached");
    ok(alive(witness.pid));
  } finally {
    listener.close();
    await Promise.all([first.close(), second.close(), third?.close()]);
    await Deno.remove(base, { recursive: true });
  }
});

function hasIpv6(): boolean {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}
