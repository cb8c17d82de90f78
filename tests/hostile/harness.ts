/** Runs hostile programs as real plugins in real runners, and says of each whether it was held. */
import { deepStrictEqual } from "node:assert/strict";
import { kill } from "node:process";
import {
  DEFAULT_LIMITS,
  type Desk,
  NO_GRANTS,
  type Pool,
  type RunnerSpec,
  SandboxError,
  type TrustLevel,
} from "../../sandbox/types.ts";
import { type Expectation, moduleOf, type Program, type World } from "./program.ts";

export const JOB = { id: "job_hostile", idempotencyKey: "hostile" };

const SERVICES = {
  slow: (_: unknown, signal: AbortSignal) =>
    new Promise<unknown>((resolve) => signal.addEventListener("abort", () => resolve(null))),
  echo: (input: unknown) => Promise.resolve(input),
};

export function alive(pid: number): boolean {
  try {
    return kill(pid, 0);
  } catch {
    return false;
  }
}

interface Served {
  readonly port: number;
  hits(): number;
  close(): Promise<void>;
}

function serve(hostname: string): Served {
  let hits = 0;
  const server = Deno.serve({ hostname, port: 0, onListen() {} }, (request) => {
    hits++;
    const url = new URL(request.url);
    const to = url.searchParams.get("url");
    if (to !== null) return Response.redirect(to);
    const type = url.pathname.endsWith(".js") ? "application/javascript" : "text/plain";
    return new Response("/* here */", { headers: { "content-type": type } });
  });
  return { port: server.addr.port, hits: () => hits, close: () => server.shutdown() };
}

export interface Range {
  readonly base: string;
  readonly world: World;
  /** `host:port` of the server that no grant opens. */
  readonly denied: string;
  /** Requests to it. */
  readonly hits: () => number;
  /** What a program's runner is started with; its bundle is written. */
  prepare(program: Program, trust?: TrustLevel): Promise<RunnerSpec>;
}

/** A folder and servers to be attacked. */
export async function withRange(body: (range: Range) => Promise<void>): Promise<void> {
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
  let count = 0;
  try {
    await body({
      base,
      world,
      denied: `127.0.0.1:${second.port}`,
      hits: second.hits,
      async prepare(program, trust = "sandboxed") {
        for await (const { name } of Deno.readDir(open)) {
          if (name !== "socket") await Deno.remove(`${open}/${name}`).catch(() => {});
        }
        const name = `program${count++}`;
        const bundle = `${base}/${name}.js`;
        await Deno.writeTextFile(bundle, moduleOf(program, world));
        return {
          plugin: `import.${name}`,
          version: "1.0.0",
          // A version's folder is prepared once: two, for those that import Node's modules and the others.
          digest: /node:/.test(`${program.imports}${program.attack}`) ? "node" : "plain",
          bundle,
          grants: { ...NO_GRANTS, ...program.grants?.(world) },
          config: {},
          trust,
          limits: { ...DEFAULT_LIMITS, wall_s: 30, ...program.limits },
        };
      },
    });
  } finally {
    listener.close();
    await Promise.all([first.close(), second.close(), third?.close()]);
    await Deno.remove(base, { recursive: true });
  }
}

/** Runs an attack in a runner of its own. Undefined when all came as it must, else what came otherwise. */
export async function attack(
  pool: Pool,
  spec: RunnerSpec,
  world: World,
  expect: Expectation,
): Promise<string | undefined> {
  let desk: Desk;
  try {
    desk = await pool.acquire(spec);
  } catch (error) {
    if (!(error instanceof SandboxError) || !("loads" in expect)) return `did not load: ${error}`;
    return unlike(error.message, expect.message);
  }
  const wrong = await atDesk(desk, world, expect).finally(async () => {
    await desk.release();
    await desk.ended;
  });
  return wrong ?? (alive(desk.pid) ? `process ${desk.pid} is still there` : undefined);
}

async function atDesk(
  desk: Desk,
  world: World,
  expect: Expectation,
): Promise<string | undefined> {
  if ("loads" in expect) return "it loaded";
  const outcome = await desk.call("extract", [world], { job: JOB, services: SERVICES }).then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  const wrong = await judge(outcome, expect, desk.ended);
  if (wrong !== undefined || "ends" in expect) return wrong;
  return await desk.call("ping", [], { job: JOB }) === "pong" ? undefined : "it does not answer";
}

async function judge(
  outcome: { value: unknown } | { error: unknown },
  expect: Exclude<Expectation, { loads: false }>,
  ended: Desk["ended"],
): Promise<string | undefined> {
  if ("returns" in expect) {
    try {
      deepStrictEqual(outcome, { value: expect.returns });
      return undefined;
    } catch {
      return `it got ${Deno.inspect(outcome)}`;
    }
  }
  if (!("error" in outcome)) return `it got ${Deno.inspect(outcome)}`;
  const { error } = outcome;
  if (!(error instanceof SandboxError)) throw error;
  const codes: readonly string[] = "ends" in expect ? [expect.ends].flat() : [expect.throws];
  if (!codes.includes(error.code)) return `${error.code}: ${error.message}`;
  if ("ends" in expect && (await ended).reason !== error.code) return (await ended).message;
  return unlike(error.message, expect.message);
}

function unlike(message: string, pattern: RegExp | undefined): string | undefined {
  return pattern === undefined || pattern.test(message) ? undefined : `it said: ${message}`;
}

function hasIpv6(): boolean {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}
