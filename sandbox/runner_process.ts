/** The child process of a runner: what it is started with. */
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { AuditTail } from "./audit_tail.ts";
import { createUses, judgeByGrants } from "./audit_use.ts";
import { enclose } from "./barriers.ts";
import { GrantError, processArgs, type WorkerPermissions, workerPermissions } from "./flags.ts";
import type { RunnerOptions } from "./runner.ts";
import type { RunnerSpec } from "./types.ts";

/** Modules that the child loads, in the folder of assets. */
export const CHILD_FILES = [
  "runner_main.ts",
  "guest.ts",
  "guest_rpc.ts",
  "preludes.ts",
  "messages.ts",
  "plain.ts",
  "protocol.ts",
] as const;

/** A folder for us alone, with a short path: a socket's may have about 100 bytes. */
export function makeSocketFolder(base: string | undefined): string {
  const folder = Deno.makeTempDirSync({
    prefix: "cr-",
    ...(base === undefined ? {} : { dir: base }),
  });
  if (folder.length < 90) return folder;
  Deno.removeSync(folder);
  return Deno.makeTempDirSync({ prefix: "cr-", dir: "/tmp" });
}

/** Deno's own walls around a runner. */
export interface Walls {
  /** The command line behind `deno`. */
  readonly args: readonly string[];
  /** `deno.permissions` of the worker. */
  readonly worker: Readonly<Record<keyof WorkerPermissions, boolean | readonly string[]>>;
}

export type Rewrite = (walls: Walls) => Walls;

/** A runner's process, with what belongs to it and must end with it. */
export interface SpawnedRunner {
  readonly process: Deno.ChildProcess;
  /** See `Enclosed`. */
  readonly shelled: boolean;
  /** Reads what it asks for. */
  readonly tail: AuditTail | undefined;
  /** The value of `MARK`, of a runner that may start programs. */
  readonly mark: string | undefined;
}

/** The environment variable by which is known what a runner has started, wherever that has gone. */
export const MARK = "CARREL_RUNNER";

/** Throws `GrantError`, and what `Deno.Command` and the file system throw. */
export function spawnRunner(
  spec: RunnerSpec,
  options: RunnerOptions,
  socket: string,
): SpawnedRunner {
  const { grants, bundle, limits, trust } = spec;
  const { assets, denoDir, records } = options;
  if (grants.run.length > 0 && trust !== "trusted") {
    throw new GrantError(`Cannot grant "${grants.run[0]}": only a trusted plugin runs programs`);
  }
  const files = CHILD_FILES.map((file) => `${assets}/${file}`);
  const { rewrite = (walls) => walls } = options;
  const args = processArgs(grants, {
    main: files[0]!,
    files,
    bundle,
    socket,
    interfaces: options.interfaces,
    denied: options.denied,
  });
  const walls = rewrite({ args, worker: workerPermissions(grants, bundle) });
  const name = JSON.stringify({
    bundle: pathToFileURL(bundle).href,
    env: grants.env,
    node: options.node,
  });
  const record = records === undefined ? undefined : `${records}/${crypto.randomUUID()}`;
  const enclosed = enclose([...walls.args, JSON.stringify(walls.worker), name], {
    grants,
    limits,
    trust,
    paths: {
      deno: options.deno,
      assets,
      bundle,
      denoDir,
      socketFolder: dirname(socket),
      writes: record === undefined ? [] : [record],
    },
  }, options.barriers);
  const tail = record === undefined
    ? undefined
    : new AuditTail(record, createUses(judgeByGrants(grants, { files, bundle, socket })));
  const mark = grants.run.length > 0 ? crypto.randomUUID() : undefined;
  try {
    const process = new Deno.Command(enclosed.program, {
      args: [...enclosed.args],
      clearEnv: true,
      env: {
        ...environment(grants.env, denoDir, record),
        ...(mark === undefined ? {} : { [MARK]: mark }),
      },
      cwd: "/",
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      detached: true, // as the watchdog is
    }).spawn();
    return { process, shelled: enclosed.shelled, tail, mark };
  } catch (error) {
    void tail?.finish();
    throw error;
  }
}

function environment(
  granted: readonly string[],
  denoDir: string,
  record: string | undefined,
): Record<string, string> {
  const env: Record<string, string> = {
    DENO_DIR: denoDir,
    DENO_NO_PACKAGE_JSON: "1",
    DENO_NO_UPDATE_CHECK: "1",
    NO_COLOR: "1",
  };
  if (record !== undefined) env["DENO_AUDIT_PERMISSIONS"] = record;
  for (const name of granted) {
    const value = Deno.env.get(name);
    if (value !== undefined) env[name] = value;
  }
  return env;
}
