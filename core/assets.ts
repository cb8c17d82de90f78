/**
 * Where the program's own files are, where `deno` is, and how a runner is started: the one module that
 * knows, so that a packed program can answer otherwise. Nothing else in `core` asks `import.meta` or
 * `Deno.execPath` for such a place.
 */
import { dirname, join } from "node:path";
import project from "../deno.json" with { type: "json" };

/** The folder that holds `core`, `sdk`, `plugins`, … Absolute. */
export const PROGRAM_DIR = dirname(import.meta.dirname!);

/** The host's own version, semver. */
export const VERSION: string = project.version;

/** A folder or file of the program, as an absolute path. */
const at = (...path: string[]): string => join(PROGRAM_DIR, ...path);

/** `0001_….sql`, … of the sql store. */
export const SQL_MIGRATIONS_DIR = at("migrations", "sql");
/** One folder for each built-in plugin. */
export const BUILTIN_PLUGINS_DIR = at("plugins");
/** What `@carrel/sdk` stands for in a plugin. */
export const SDK_DIR = at("sdk");
/** What the operator sets by hand. */
export const CONFIG_DIR = at("config");
/** npm packages that the built-in plugins are bundled with. */
export const NODE_MODULES_DIR = at("node_modules");
/** The documents that the demo imports. */
export const EXAMPLES_DIR = at("examples");

/** The `deno` that runners are started with. */
export function denoPath(): string {
  return Deno.execPath();
}

/** The child side of the sandbox: the modules that a runner process runs. */
export const SANDBOX_DIR = at("sandbox");
