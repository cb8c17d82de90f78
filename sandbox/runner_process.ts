/** The child process of a runner: what it is started with. */
import { pathToFileURL } from "node:url";
import { processArgs, workerPermissions } from "./flags.ts";
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

/** Throws `GrantError`, and what `Deno.Command` throws. */
export function spawnRunner(
  spec: RunnerSpec,
  options: RunnerOptions,
  socket: string,
): Deno.ChildProcess {
  const { grants, bundle } = spec;
  const env: Record<string, string> = {
    DENO_DIR: options.denoDir,
    DENO_NO_PACKAGE_JSON: "1",
    NO_COLOR: "1",
  };
  for (const name of grants.env) {
    const value = Deno.env.get(name);
    if (value !== undefined) env[name] = value;
  }
  const args = processArgs(grants, {
    main: `${options.assets}/${CHILD_FILES[0]}`,
    files: CHILD_FILES.map((file) => `${options.assets}/${file}`),
    bundle,
    socket,
    interfaces: options.interfaces,
    denied: options.denied,
  });
  return new Deno.Command(options.deno, {
    args: [
      ...args,
      JSON.stringify(workerPermissions(grants, bundle)),
      JSON.stringify({ bundle: pathToFileURL(bundle).href, env: grants.env, node: options.node }),
    ],
    clearEnv: true,
    env,
    cwd: "/",
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    detached: true, // as the watchdog is
  }).spawn();
}
