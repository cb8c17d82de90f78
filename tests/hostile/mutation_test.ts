/** Takes away all that guards one surface: a program that attacks it must then get through. */
import { ok, strictEqual } from "node:assert/strict";
import { createPool } from "../../sandbox/pool.ts";
import type { Rewrite } from "../../sandbox/runner_process.ts";
import { CATALOGUE, type Surface } from "./catalogue.ts";
import { attack, withRange } from "./harness.ts";

interface Mutation {
  readonly surface: Surface;
  /** Programs that get through without it. */
  readonly through: readonly string[];
  readonly rewrite: Rewrite;
}

/** The flags that begin so are gone; those named are there instead. */
function flags(args: readonly string[], gone: RegExp, instead: readonly string[]): string[] {
  return args.filter((arg) => !gone.test(arg))
    .flatMap((arg) => arg === "run" ? [arg, ...instead] : [arg]);
}

const MUTATIONS: readonly Mutation[] = [
  {
    surface: "imports",
    through: ["static import by http", "dynamic import by http"],
    rewrite: ({ args, worker }) => ({
      args: flags(args, /^--(deny-import|no-remote|cached-only|no-npm|deny-net)/, [
        "--allow-import=127.0.0.1",
      ]),
      worker: { ...worker, import: true },
    }),
  },
  {
    surface: "network",
    through: ["opens a TCP connection", "listens", "calls 127.0.0.1 with any public host granted"],
    rewrite: ({ args, worker }) => ({
      args: flags(args, /^--(allow|deny)-net/, ["--allow-net"]),
      worker: { ...worker, net: true },
    }),
  },
  {
    surface: "files",
    through: ["reads a file", "writes a file", "static import of a file as text"],
    rewrite: ({ args, worker }) => ({
      args: flags(args, /^--allow-(read|write)/, ["--allow-read", "--allow-write"]),
      worker: { ...worker, read: true, write: true },
    }),
  },
  {
    surface: "environment",
    through: ["reads the whole environment", "reads a variable of the host"],
    rewrite: ({ args, worker }) => ({
      args: flags(args, /^--allow-env/, ["--allow-env"]),
      worker: { ...worker, env: true },
    }),
  },
  {
    surface: "processes",
    through: ["runs a program"],
    rewrite: ({ args, worker }) => ({
      args: flags(args, /^--deny-run/, ["--allow-run"]),
      worker: { ...worker, run: true },
    }),
  },
  {
    surface: "native code",
    through: ["loads a library"],
    rewrite: ({ args, worker }) => ({
      args: flags(args, /^--deny-ffi/, ["--allow-ffi"]),
      worker: { ...worker, ffi: true },
    }),
  },
];

for (const { surface, through, rewrite } of MUTATIONS) {
  Deno.test(`without what guards ${surface} hostile programs get through`, () =>
    withRange(async ({ base, world, prepare }) => {
      const barriers = { bwrap: false };
      await using pool = createPool({ denoDirs: `${base}/deno`, barriers, idleMs: 0 });
      await using open = createPool({ denoDirs: `${base}/deno`, barriers, idleMs: 0, rewrite });
      for (const name of through) {
        const row = CATALOGUE.find((row) => row.name === name);
        ok(row, name);
        const { program } = row;
        strictEqual(await attack(pool, await prepare(program), world, program.expect), undefined);
        const got = await attack(open, await prepare(program), world, program.expect);
        ok(got !== undefined, `"${name}" was held all the same`);
      }
    }));
}
