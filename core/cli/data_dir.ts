/** Where a library lies when nobody says so. */
import { isAbsolute, join, resolve } from "node:path";
import { CliError } from "./errors.ts";

export interface DataDirOptions {
  /** `--data`. */
  readonly flag?: string | undefined;
  readonly env: (name: string) => string | undefined;
  readonly os: typeof Deno.build.os;
  readonly cwd: string;
}

/**
 * The data folder, absolute: `--data`, else `CARREL_DATA`, else the system's place for application data: on
 * macOS `~/Library/Application Support/Carrel`, else `$XDG_DATA_HOME/carrel`, by default `~/.local/share/carrel`
 * (XDG Base Directory Specification, which has relative values ignored).
 */
export function dataDir(options: DataDirOptions): string {
  const { env, os, cwd } = options;
  const named = options.flag ?? env("CARREL_DATA");
  if (named) return resolve(cwd, named);
  const xdg = env("XDG_DATA_HOME");
  if (os !== "darwin" && xdg && isAbsolute(xdg)) return join(xdg, "carrel");
  const home = env("HOME");
  if (!home) {
    throw new CliError(
      "no_data_folder",
      "Cannot find a place for the library: there is no home folder.",
      { hint: "Name one: --data FOLDER, or CARREL_DATA=FOLDER." },
    );
  }
  return os === "darwin"
    ? join(home, "Library", "Application Support", "Carrel")
    : join(home, ".local", "share", "carrel");
}
