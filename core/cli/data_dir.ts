/** Where a library lies when nobody says so. */
import { isAbsolute, join, resolve } from "node:path";
import { CliError, usageError } from "./errors.ts";

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
 * (XDG Base Directory Specification, which has relative values ignored). Throws a usage error for an empty
 * `--data`: it would be the folder that one happens to be in.
 */
export function dataDir(options: DataDirOptions): string {
  const { env, os, cwd } = options;
  if (options.flag === "") throw usageError("Cannot use an empty --data: it must name a folder.");
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

/**
 * The configuration folder, absolute: `--config`, else `CARREL_CONFIG`, else undefined, for the program's own. Throws a
 * usage error for an empty `--config`.
 */
export function configDir(
  { flag, env, cwd }: Pick<DataDirOptions, "flag" | "env" | "cwd">,
): string | undefined {
  if (flag === "") throw usageError("Cannot use an empty --config: it must name a folder.");
  const named = flag ?? env("CARREL_CONFIG");
  return named ? resolve(cwd, named) : undefined;
}

/** What is wrong with a data folder, for an error of the system that came when it was opened; else the error. */
export function dataDirError(folder: string, error: unknown): unknown {
  const why =
    error instanceof Deno.errors.NotADirectory || error instanceof Deno.errors.AlreadyExists
      ? "it is a file, or lies below one"
      : error instanceof Deno.errors.PermissionDenied ||
          error instanceof Deno.errors.NotCapable || isReadOnly(error)
      ? "you may not write there"
      : error instanceof Deno.errors.NotFound
      ? "it cannot be made there"
      : undefined;
  if (why === undefined) return error;
  return new CliError("data_folder", `Cannot use "${folder}" as the data folder: ${why}.`, {
    cause: error,
    hint: "Name another one: --data FOLDER, or CARREL_DATA=FOLDER.",
  });
}

function isReadOnly(error: unknown): boolean {
  return error instanceof Error && /read-only file system/i.test(error.message);
}
