/** `carrel doctor`: whether all is as it should be on this machine. */
import type { Builder } from "../args.ts";
import { dataDir } from "../data_dir.ts";
import { EXIT } from "../errors.ts";
import type { Trial } from "../../../sandbox/try_barriers.ts";
import { pairs } from "../format.ts";
import { asCliError, type Session } from "../session.ts";

interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly text: string;
  /** Of a barrier: what became of the try to break through it. */
  readonly state?: Trial["state"];
}

export function addDoctor({ program, action }: Builder, version: string): void {
  program.command("doctor").description("look whether all is as it should be")
    .action(action(async (session) => {
      const program: Check[] = [
        { name: "carrel", ok: true, text: version },
        {
          name: "deno",
          ok: denoIsGood(Deno.version.deno),
          text: `${Deno.version.deno} on ${Deno.build.os} ${Deno.build.arch}`,
        },
      ];
      const checks = [
        ...program,
        ...(session.global.url === undefined
          ? [...await folderChecks(session), ...await barrierChecks()]
          : []),
        ...(await mayConnect(session) ? await hostChecks(session) : []),
      ];
      session.answer({ ok: checks.every((check) => check.ok), checks });
      const { style, width } = session;
      const lines = pairs(
        checks.map((check) => [`${signOf(check)} ${check.name}`, textOf(check)]),
        { style, width },
      );
      for (const line of lines) session.print(line);
      return checks.every((check) => check.ok) ? EXIT.ok : EXIT.failed;
    }));
}

function signOf({ ok, state }: Check): string {
  return state === "absent" ? "-" : ok ? "✓" : "✗";
}

function textOf({ state, text }: Check): string {
  return state === undefined ? text : `${state}: ${text}`;
}

/** Breaks against each barrier that this machine has for plugins. One that is absent is none that failed. */
async function barrierChecks(): Promise<Check[]> {
  const [{ tryBarriers }, { denoPath, SANDBOX_DIR }] = await Promise.all([
    import("../../../sandbox/try_barriers.ts"),
    import("../../assets.ts"),
  ]);
  const folder = await Deno.makeTempDir({ prefix: "carrel-doctor-" });
  try {
    const deno = await Deno.realPath(denoPath());
    const trials = await Array.fromAsync(tryBarriers({ deno, assets: SANDBOX_DIR, folder }));
    return trials.map(({ name, state, reason }) => ({
      name,
      ok: state !== "broken",
      text: reason,
      state,
    }));
  } catch (error) {
    return [{ name: "barriers", ok: false, text: asCliError(error).message }];
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Looking must not make a library where there is none. */
async function mayConnect({ io, global }: Session): Promise<boolean> {
  if (global.url !== undefined) return true;
  try {
    const folder = dataDir({ flag: global.data, env: io.env, os: io.os, cwd: io.cwd });
    return (await Deno.stat(folder)).isDirectory;
  } catch {
    return false;
  }
}

/** The oldest Deno whose sandbox was measured. */
function denoIsGood(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 2 || (major === 2 && minor >= 9);
}

async function folderChecks(session: Session): Promise<Check[]> {
  const { io } = session;
  try {
    const folder = dataDir({ flag: session.global.data, env: io.env, os: io.os, cwd: io.cwd });
    const info = await Deno.stat(folder).catch(() => undefined);
    const lock = await io.tryLock(folder);
    lock?.[Symbol.dispose]();
    const { readHostFile } = await import("../../host_file.ts");
    const file = lock === undefined ? await readHostFile(folder) : undefined;
    const open = info?.mode != null && (info.mode & 0o077) !== 0;
    return [
      {
        name: "library",
        ok: (info?.isDirectory ?? true) && !open,
        text: folder +
          (info === undefined
            ? " (not there yet)"
            : !info.isDirectory
            ? " is not a folder"
            : open
            ? " can be read by other users: chmod 700"
            : ""),
      },
      {
        name: "server",
        ok: true,
        text: lock !== undefined
          ? "none runs; a command is one itself for as long as it needs"
          : file === undefined
          ? "one runs, but says nothing of itself"
          : `runs as process ${file.pid} on port ${file.port}, since ${file.started}`,
      },
    ];
  } catch (error) {
    return [{ name: "library", ok: false, text: asCliError(error).message }];
  }
}

async function hostChecks(session: Session): Promise<Check[]> {
  try {
    const { client } = await session.connect();
    const ready = await client.readyz();
    const stores = Object.entries(ready.stores).map(([name, ok]) => ({
      name: `store ${name}`,
      ok,
      text: ok ? "answers" : "does not answer",
    }));
    const plugins = (await client.plugins()).items;
    const on = plugins.filter((plugin) => plugin.enabled).length;
    return [...stores, {
      name: "plugins",
      ok: on > 0,
      text: `${plugins.length}, ${on} switched on`,
    }];
  } catch (error) {
    const { message, hint } = asCliError(error);
    return [{
      name: "server",
      ok: false,
      text: hint === undefined ? message : `${message} ${hint}`,
    }];
  }
}
