/**
 * Breaks against each barrier of this machine, one after another, and says which held. Where several stand
 * before the same thing, all but the one that is tried are taken away.
 */
import { type Barrier, DATA_BASE, findBarriers, limitedArgs } from "./barriers.ts";
import { createPool, type PoolOptions } from "./pool.ts";
import { DEFAULT_LIMITS, type Grants, type Limits, NO_GRANTS, SandboxError } from "./types.ts";
import { createWatchdog, type Watchdog } from "./watchdog.ts";

export interface Trial {
  readonly name: string;
  readonly state: "works" | "absent" | "broken";
  /** What it held, or why it does not. */
  readonly reason: string;
}

export interface TryOptions {
  readonly deno: string;
  /** The folder with the modules of the child. */
  readonly assets: string;
  /** For what is made in the course of it; the caller removes it. Absolute path. */
  readonly folder: string;
}

const PLUGIN = `export default { kind: "import", methods: {
  eat() { const kept = []; for (;;) kept.push(new Uint8Array(1 << 20).fill(1)); },
  loop() { for (;;); },
  read: (path) => Deno.readTextFileSync(path),
  call: async (url) => await (await fetch(url)).text(),
} };`;

const SECRET = "canary";

export async function* tryBarriers(options: TryOptions): AsyncGenerator<Trial, void, void> {
  await Deno.writeTextFile(`${options.folder}/plugin.js`, PLUGIN);
  await Deno.writeTextFile(`${options.folder}/canary`, SECRET);
  const { deno, assets, folder } = options;
  await using watchdog = createWatchdog({ deno, assets, denoDir: `${folder}/deno/watchdog` });
  const found = await findBarriers(deno, watchdog);
  let hits = 0;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
    hits++;
    return new Response(SECRET);
  });
  const url = `http://127.0.0.1:${server.addr.port}/`;
  try {
    yield await trial("watchdog: memory", () => tryMemory(options));
    yield await trial("watchdog: processor time", () => tryTime(options));
    yield await trial("deny-net", () => tryDenyNet(options, url, () => hits));
    yield await only("bwrap: files", found.bwrap, () => tryBwrapFiles(options));
    yield await only("bwrap: network", found.bwrap, () => tryBwrapNetwork(options, url));
    yield await only("prlimit", found.prlimit, () => tryPrlimit(options));
    yield await only("cgroup", found.cgroup, () => tryCgroup(options, watchdog, found.cgroup));
  } finally {
    await server.shutdown();
  }
}

/** What was tried, and what came of it; a barrier that did not hold throws. */
async function trial(name: string, attack: () => Promise<string>): Promise<Trial> {
  try {
    return { name, state: "works", reason: await attack() };
  } catch (error) {
    return { name, state: "broken", reason: (error as Error).message };
  }
}

async function only(
  name: string,
  { state, reason }: Barrier,
  attack: () => Promise<string>,
): Promise<Trial> {
  if (state !== "works") return { name, state: state === "broken" ? "broken" : "absent", reason };
  return await trial(name, attack);
}

interface Attack {
  readonly method: string;
  readonly args?: readonly unknown[];
  readonly grants?: Partial<Grants>;
  readonly limits?: Partial<Limits>;
  readonly pool?: Partial<PoolOptions>;
}

const NONE = { bwrap: false, prlimit: false, cgroup: false };

/** What a runner throws; an error when it did not. */
async function attacked(options: TryOptions, attack: Attack): Promise<SandboxError> {
  const { folder, deno, assets } = options;
  await using pool = createPool({
    deno,
    assets,
    denoDirs: `${folder}/deno`,
    barriers: NONE,
    ...attack.pool,
  });
  await using desk = await pool.acquire({
    plugin: "doctor",
    version: "1.0.0",
    digest: "doctor",
    bundle: `${folder}/plugin.js`,
    grants: { ...NO_GRANTS, ...attack.grants },
    config: {},
    trust: "sandboxed",
    limits: { ...DEFAULT_LIMITS, wall_s: 20, cpu_s: 20, ...attack.limits },
  });
  const job = { id: "job_doctor", idempotencyKey: "doctor" };
  try {
    await desk.call(attack.method, attack.args ?? [], { job });
  } catch (error) {
    if (error instanceof SandboxError) return error;
    throw error;
  }
  throw new Error(`it was not held: ${attack.method} succeeded`);
}

function expectCode(error: SandboxError, code: string): void {
  if (error.code !== code) throw new Error(`it ended otherwise, ${error.code}: ${error.message}`);
}

async function tryMemory(options: TryOptions): Promise<string> {
  const error = await attacked(options, { method: "eat", limits: { memory_mb: 64 } });
  expectCode(error, "out_of_memory");
  return `ended a plugin with a limit of 64 MiB (${usedIn(error)})`;
}

async function tryTime(options: TryOptions): Promise<string> {
  const error = await attacked(options, { method: "loop", limits: { cpu_s: 0.2 } });
  expectCode(error, "cpu_exceeded");
  return `ended a plugin with a limit of 0.2 s (${usedIn(error)})`;
}

function usedIn({ message }: SandboxError): string {
  return /it used [^,]*/.exec(message)?.[0] ?? message;
}

async function tryDenyNet(
  options: TryOptions,
  url: string,
  hits: () => number,
): Promise<string> {
  for (const from of [url, url.replace("127.0.0.1", "localhost")]) {
    await attacked(options, { method: "call", args: [from], grants: { netPublic: true } });
  }
  if (hits() > 0) throw new Error("a plugin that may reach any public host reached 127.0.0.1");
  return "a plugin that may reach any public host does not reach this machine";
}

/** As if nothing but bwrap held: all of Deno's permissions are given. */
const BWRAP_ALONE: Partial<PoolOptions> = {
  barriers: { ...NONE, bwrap: true },
  rewrite: ({ args, worker }) => ({
    args: args.filter((arg) => !/^--(allow|deny)-/.test(arg))
      .flatMap((arg) => arg === "run" ? [arg, "--allow-all"] : [arg]),
    worker: { ...worker, read: true, net: true },
  }),
};

async function tryBwrapFiles(options: TryOptions): Promise<string> {
  const args = [`${options.folder}/canary`];
  const error = await attacked(options, { method: "read", args, pool: BWRAP_ALONE });
  if (!/NotFound|No such file/.test(error.message)) throw new Error(error.message);
  return "with every permission of Deno, a file beside it is not there";
}

async function tryBwrapNetwork(options: TryOptions, url: string): Promise<string> {
  await attacked(options, { method: "call", args: [url], pool: BWRAP_ALONE });
  return "with every permission of Deno, a server on this machine is not there, IPv4 or IPv6";
}

const EAT = `const kept = []; let said = "refused";
try { for (let i = 0; i < 16; i++) kept.push(new Uint8Array(64 << 20).fill(1)); said = "got it"; } catch {}
console.log(said);`;

function process(program: string, before: readonly string[], code: string): Deno.ChildProcess {
  return new Deno.Command(program, {
    args: [...before, "eval", "--quiet", "--no-config", code],
    clearEnv: true,
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
}

async function said(process: Deno.ChildProcess): Promise<string> {
  const text = await new Response(process.stdout).text();
  await process.status;
  return text.trim();
}

async function tryPrlimit({ deno }: TryOptions): Promise<string> {
  const text = await said(process("/bin/sh", [...limitedArgs(2 ** 30), deno], EAT));
  if (text === "got it") throw new Error("a process took more than it was allowed");
  return `stops a runner that takes ${DATA_BASE / 2 ** 30} GiB more than its limit`;
}

/** Takes 1 GiB in a few seconds: the group is joined in the midst of it. */
const EAT_SLOWLY = `const kept = [];
for (let i = 0; i < 256; i++) {
  kept.push(new Uint8Array(4 << 20).fill(1));
  await new Promise((resolve) => setTimeout(resolve, 5));
}
console.log("got it");`;

async function tryCgroup(
  { deno }: TryOptions,
  watchdog: Watchdog,
  { reason }: Barrier,
): Promise<string> {
  const child = process(deno, [], EAT_SLOWLY);
  let kills = 0;
  // What the watchdog sees itself is no matter here.
  const watch = watchdog.watch(
    child.pid,
    { memory: 1e15, cpu: 1e6, disk: 1e15, cgroup: 192 * 2 ** 20 },
    () => kills++,
  );
  const text = await said(child);
  await watch.stop();
  if (text === "got it" || kills === 0) {
    throw new Error("a process took more than its group was allowed");
  }
  return reason;
}
