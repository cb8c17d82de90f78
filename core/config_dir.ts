/** The operator's configuration folder: the one that comes with the program, or another that the operator names. */
import { join, resolve } from "node:path";
import { CONFIG_DIR } from "./assets.ts";
import { CarrelError } from "./errors.ts";

export interface ConfigDir {
  /** Absolute. `carrel.yaml` and `plugins.yaml` are read there if they are there. */
  readonly path: string;
  /** A file or folder in it; where it has none, the one that comes with the program. */
  shipped(name: "registry.yaml" | "pipelines"): string;
  /** The list of plugins that is set: a URL, or a path, which begins in this folder. @default its `registry.yaml` */
  registry(setting: string | undefined): string;
}

/** Throws `invalid_config` for a folder that is named and not there: its settings would silently not count. */
export async function openConfigDir(named: string | undefined): Promise<ConfigDir> {
  const path = resolve(named ?? CONFIG_DIR);
  const names = new Set<string>();
  try {
    for await (const { name } of Deno.readDir(path)) names.add(name);
  } catch (cause) {
    if (named !== undefined) {
      throw new CarrelError(
        "invalid_config",
        `Cannot use "${named}" as the configuration folder: it is no folder that can be read.`,
        { cause },
      );
    }
  }
  const shipped: ConfigDir["shipped"] = (name) => join(names.has(name) ? path : CONFIG_DIR, name);
  return {
    path,
    shipped,
    registry(setting) {
      if (setting === undefined) return shipped("registry.yaml");
      return /^[a-z]+:\/\//i.test(setting) ? setting : resolve(path, setting);
    },
  };
}
