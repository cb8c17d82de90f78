/** Programs that a plugin may start: only at the level `trusted`, only those named, and none outlives its runner. */
import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { createPool } from "../../sandbox/pool.ts";
import type { Desk, Grants, Pool, RunnerSpec, TrustLevel } from "../../sandbox/types.ts";
import { JOB, type Range, withRange } from "./harness.ts";
import type { Program } from "./program.ts";

const SHELL = "/bin/sh";
const linux = Deno.build.os === "linux";

/** Tries what a plugin could do with one program, and says what came of it. */
const ATTACKER: Program = {
  name: "does all it can with one program",
  attack: async ({ host, open }) => {
    const got: Record<string, string> = {};
    const attempt = async (name: string, work: () => unknown) => {
      try {
        got[name] = String(await work());
      } catch (error) {
        got[name] = (error as Error).name;
      }
    };
    const run = (program: string, options: Deno.CommandOptions = {}) => {
      const command = new Deno.Command(program, { args: ["-c", "echo ran"], ...options });
      return new TextDecoder().decode(command.outputSync().stdout).trim();
    };
    await attempt("named", () => run("/bin/sh"));
    await attempt("another", () => run("/bin/cat"));
    await attempt("the same by another path", () => run("/usr/bin/../bin/dash"));
    await attempt("by name", () => run("cat", { env: { PATH: "/bin" } }));
    await attempt("Deno", () => run(Deno.execPath()));
    await attempt("a preloaded library", () => run("/bin/sh", { env: { LD_PRELOAD: "/x.so" } }));
    await attempt("a link to another", () => {
      Deno.symlinkSync("/bin/cat", `${open}/sh`);
      return run(`${open}/sh`);
    });
    await attempt("kill the host", () => Deno.kill(host, "SIGKILL"));
    await attempt(
      "all programs",
      async () => (await Deno.permissions.request({ name: "run" })).state,
    );
    return got;
  },
  expect: { returns: {} },
};

/** Starts children in every way that it knows, and does then what it is told. */
const PARENT: Program = {
  name: "starts children",
  attack: async (input: unknown) => {
    const { marker, bare, then, file } = input as Record<"marker" | "then" | "file", string> & {
      readonly bare: boolean;
    };
    const seen = () => {
      try {
        return Deno.statSync(file).isFile;
      } catch {
        return false;
      }
    };
    const quiet = { stdin: "null", stdout: "null", stderr: "null" } as const;
    const start = (script: string, detached: boolean, clearEnv = false) =>
      new Deno.Command("/bin/sh", { args: ["-c", script], detached, clearEnv, ...quiet }).spawn();
    start(`/bin/sleep ${marker}; true`, false);
    start(`/bin/sleep ${marker}; true`, true);
    if (bare) start(`/bin/sleep ${marker}; true`, true, true);
    await start(`/usr/bin/setsid /bin/sleep ${marker} & true`, true).status;
    if (then === "loop") { for (;;); }
    if (then === "exit") {
      // Once the test has seen the children.
      while (!seen()) await new Promise((resolve) => setTimeout(resolve, 10));
      Deno.exit(3);
    }
    if (then === "wait") await new Promise(() => {});
    return "started";
  },
  expect: { returns: "started" },
};

async function specOf(
  range: Range,
  program: Program,
  grants: Partial<Grants>,
  trust: TrustLevel = "trusted",
): Promise<RunnerSpec> {
  const spec = await range.prepare(program, trust);
  return { ...spec, grants: { ...spec.grants, ...grants } };
}

/** The processes with this word in their command line. */
function marked(marker: string): number[] {
  const found: number[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const command = Deno.readTextFileSync(`/proc/${name}/cmdline`);
      if (command.split("\0").includes(marker)) found.push(Number(name));
    } catch {
      // gone meanwhile
    }
  }
  return found;
}

async function until(what: string, probe: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!probe()) {
    ok(Date.now() < deadline, what);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

for (const trust of ["sandboxed", "restricted"] as const) {
  Deno.test(`a program is granted to no ${trust} plugin, whoever says so`, () =>
    withRange(async (range) => {
      await using pool = createPool({ denoDirs: `${range.base}/deno`, idleMs: 0 });
      const spec = await specOf(range, ATTACKER, { run: [SHELL] }, trust);
      await rejects(pool.acquire(spec), /only a trusted plugin runs programs/);
    }));
}

Deno.test("a program that the plugin could change is granted to none", () =>
  withRange(async (range) => {
    await using pool = createPool({ denoDirs: `${range.base}/deno`, idleMs: 0 });
    const { open } = range.world;
    const spec = await specOf(range, ATTACKER, { run: [`${open}/tool`], write: [open] });
    await rejects(pool.acquire(spec), /may write .* and so change it/);
  }));

for (const bwrap of [true, false]) {
  const where = bwrap ? "with bwrap" : "without bwrap";

  Deno.test({
    name: `a trusted plugin gets exactly the program that is named: ${where}`,
    ignore: !linux,
    fn: () =>
      withRange(async (range) => {
        await using pool = createPool({
          denoDirs: `${range.base}/deno`,
          barriers: { bwrap },
          idleMs: 0,
        });
        const { open } = range.world;
        const grants = { run: [SHELL], read: [open], write: [open] };
        await using desk = await pool.acquire(await specOf(range, ATTACKER, grants));
        deepStrictEqual(await desk.call("extract", [range.world], { job: JOB }), {
          "named": "ran",
          "another": "NotCapable",
          "the same by another path": "NotCapable",
          "by name": "NotCapable",
          "Deno": "NotCapable",
          "a preloaded library": "NotCapable",
          "a link to another": "NotCapable",
          "kill the host": "NotCapable",
          "all programs": "denied",
        });
      }),
  });

  const ENDS: Readonly<Record<string, (desk: Desk, call: Promise<unknown>) => Promise<unknown>>> = {
    "is given back": async (desk, call) => {
      strictEqual(await call, "started");
      await desk.release();
    },
    "is cancelled": async (_, call) => await rejects(call, { code: "cancelled" }),
    "burns its time": async (_, call) => await rejects(call, { code: "cpu_exceeded" }),
    "exits": async (_, call) => await rejects(call, { code: "crashed" }),
  };
  const THEN: Readonly<Record<string, string>> = {
    "is given back": "return",
    "is cancelled": "wait",
    "burns its time": "loop",
    "exits": "exit",
  };

  for (const [how, ends] of Object.entries(ENDS)) {
    Deno.test({
      name: `what a trusted plugin has started is gone when its runner ${how}: ${where}`,
      ignore: !linux,
      fn: () =>
        withRange(async (range) => {
          await using pool: Pool = createPool({
            denoDirs: `${range.base}/deno`,
            barriers: { bwrap },
            idleMs: 0,
            graceMs: 50,
          });
          const { open } = range.world;
          const spec = await specOf(range, PARENT, { run: [SHELL], read: [open] });
          const desk = await pool.acquire({ ...spec, limits: { ...spec.limits, cpu_s: 1 } });
          // One without a trace of its runner, whose runner goes by itself, is held by a process namespace alone.
          const bare = how !== "exits" || pool.stats().barriers!.bwrap.state === "works";
          const marker = `98765.${crypto.getRandomValues(new Uint32Array(1))[0]}`;
          const cancel = new AbortController();
          const input = { marker, bare, then: THEN[how], file: `${open}/seen` };
          const call = desk.call("extract", [input], { job: JOB, signal: cancel.signal });
          call.catch(() => {});
          await until("no children", () => marked(marker).length === (bare ? 4 : 3));
          await Deno.writeTextFile(`${open}/seen`, "");
          if (how === "is cancelled") cancel.abort();
          await ends(desk, call);
          await desk.release();
          await desk.ended;
          await until(`still there: ${marked(marker)}`, () => marked(marker).length === 0);
        }),
    });
  }
}
