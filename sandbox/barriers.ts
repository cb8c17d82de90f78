/**
 * The barriers that the system has beside Deno's own: found out once, by a harmless try, and put around a
 * runner's command. `try_barriers.ts` breaks against each of them.
 */
import { bwrapArgs, type BwrapPaths, OWN_PROCESSES } from "./bwrap.ts";
import { type Grants, type Limits, NO_GRANTS, type TrustLevel } from "./types.ts";
import type { Watchdog } from "./watchdog.ts";

/** `off`: the caller does not want it. */
export type BarrierState = "works" | "absent" | "broken" | "off";

export interface Barrier {
  readonly state: BarrierState;
  /** For people; of one that works, what it is. */
  readonly reason: string;
}

/** Of each barrier whether it may be used. @default all that work */
export interface WantedBarriers {
  readonly bwrap?: boolean | undefined;
  /** A limit on the data segment, `prlimit --data`. */
  readonly prlimit?: boolean | undefined;
  readonly cgroup?: boolean | undefined;
}

export interface FoundBarriers {
  readonly bwrap: Barrier & { readonly program?: string };
  readonly prlimit: Barrier;
  /** The watchdog's to make. */
  readonly cgroup: Barrier;
}

const MIB = 1024 * 1024;

/**
 * Address space that a runner may commit without ever touching it. The limit counts such space: a process and its
 * worker take 1.1 GiB of it, each nested worker 0.5 GiB more (measured), so it stops only what the watchdog did not.
 */
export const DATA_BASE = 6144 * MIB;
/** Bytes of memory at which a runner is ended. */
export function memoryLimit({ memory_mb }: Pick<Limits, "memory_mb">): number {
  return memory_mb * MIB * 1.25;
}

export const OFF: Barrier = { state: "off", reason: "it is switched off" };

/** Deno's own barriers and the watchdog alone. */
export const NO_BARRIERS: FoundBarriers = { bwrap: OFF, prlimit: OFF, cgroup: OFF };

/** Looks for the barriers; a look takes some 20 ms. Throws when the watchdog does not start. */
export async function findBarriers(
  deno: string,
  watchdog: Pick<Watchdog, "cgroups">,
  wanted: WantedBarriers = {},
): Promise<FoundBarriers> {
  const [bwrap, prlimit, cgroup] = await Promise.all([
    wanted.bwrap === false ? OFF : findBwrap(deno),
    wanted.prlimit === false ? OFF : findPrlimit(deno),
    wanted.cgroup === false ? OFF : watchdog.cgroups(),
  ]);
  return { bwrap, prlimit, cgroup };
}

async function findBwrap(deno: string): Promise<FoundBarriers["bwrap"]> {
  if (Deno.build.os !== "linux") return { state: "absent", reason: "only Linux has it" };
  const program = findProgram("bwrap");
  if (program === undefined) {
    return { state: "absent", reason: "bubblewrap is not installed (the program bwrap)" };
  }
  const folder = Deno.makeTempDirSync({ prefix: "cr-" });
  try {
    Deno.mkdirSync(`${folder}/deno`);
    Deno.writeTextFileSync(`${folder}/bundle.js`, "");
    const args = bwrapArgs(NO_GRANTS, {
      deno,
      assets: folder,
      bundle: `${folder}/bundle.js`,
      denoDir: `${folder}/deno`,
      socketFolder: folder,
    }, () => true);
    const why = await tryRun(program, [...args, deno, "--version"]);
    return why === undefined
      ? { state: "works", reason: program, program }
      : { state: "broken", reason: `${program} cannot start a process here: ${why}` };
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

async function findPrlimit(deno: string): Promise<Barrier> {
  if (Deno.build.os !== "linux") {
    return { state: "absent", reason: "only Linux keeps such a limit" };
  }
  const why = await tryRun("/bin/sh", [...limitedArgs(DATA_BASE), deno, "--version"]);
  return why === undefined
    ? { state: "works", reason: "a limit on the data segment" }
    : { state: "broken", reason: `Deno does not start under such a limit: ${why}` };
}

/** Undefined when it ended well, else why not. */
async function tryRun(program: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const { success, code, stderr } = await new Deno.Command(program, {
      args: [...args],
      clearEnv: true,
      env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
      cwd: "/",
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    if (success) return undefined;
    return new TextDecoder().decode(stderr).trim().slice(0, 300) || `it ended with code ${code}`;
  } catch (error) {
    return (error as Error).message;
  }
}

function findProgram(name: string): string | undefined {
  for (const folder of ["/usr/bin", "/bin", "/usr/local/bin"]) {
    try {
      if (Deno.statSync(`${folder}/${name}`).isFile) return `${folder}/${name}`;
    } catch {
      // not here
    }
  }
  return undefined;
}

/** Of a shell that takes the limit upon itself, as `prlimit --data` does, then becomes the command behind it. */
export function limitedArgs(dataBytes: number): string[] {
  return ["-c", `ulimit -d ${Math.ceil(dataBytes / 1024)} && exec "$@"`, "sh"];
}

/** A command with the barriers around it. */
export interface Enclosed {
  readonly program: string;
  readonly args: readonly string[];
  /** Under bwrap: a signal that ends the runner is seen as exit code 128 + its number. */
  readonly shelled: boolean;
}

export interface EncloseOptions {
  readonly grants: Grants;
  readonly limits: Limits;
  readonly trust: TrustLevel;
  readonly paths: BwrapPaths;
}

export function enclose(
  args: readonly string[],
  { grants, limits, trust, paths }: EncloseOptions,
  found: FoundBarriers,
): Enclosed {
  let program = paths.deno;
  let all = [...args];
  // One that may start programs gets a process namespace, if nothing else: with it ends all that was started in it.
  const walls = trust === "sandboxed"
    ? bwrapArgs(grants, paths, exists)
    : grants.run.length > 0
    ? OWN_PROCESSES
    : [];
  const shelled = walls.length > 0 && found.bwrap.program !== undefined;
  if (shelled) {
    all = [...walls, program, ...all];
    program = found.bwrap.program!;
  }
  if (found.prlimit.state === "works") {
    all = [...limitedArgs(memoryLimit(limits) + DATA_BASE), program, ...all];
    program = "/bin/sh";
  }
  return { program, args: all, shelled };
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
