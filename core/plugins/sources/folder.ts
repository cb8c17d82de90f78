/** The files of a plugin's folder on this machine, and folders of ours that they are written to. */
import { dirname, join } from "node:path";
import { CarrelError } from "../../errors.ts";
import { sha256 } from "../bundle_cache.ts";
import { createEntryGate, type Entry } from "./fetcher/entries.ts";
import type { SourceLimits } from "./fetcher/limits.ts";

/** Hidden files may hold secrets; packages are not bundled; packed plugins are not part of themselves. */
function isLeftOut(name: string): boolean {
  return name.startsWith(".") || name === "node_modules" || name.endsWith(".carrel");
}

/**
 * Reads all files below a folder, sorted by path, without what begins with a dot and `node_modules`.
 * Throws `damaged` for links and devices, `too_large`.
 */
export async function readFolder(folder: string, limits: SourceLimits): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  await asHost(async () => {
    const gate = createEntryGate(folder, limits);
    const walk = async (below: string) => {
      const found = await Array.fromAsync(Deno.readDir(join(folder, below)));
      for (const { name } of found.sort((a, b) => a.name < b.name ? -1 : 1)) {
        if (isLeftOut(name)) continue;
        const path = below === "" ? name : `${below}/${name}`;
        const info = await Deno.lstat(join(folder, path));
        if (info.isDirectory) {
          gate.folder(path);
          await walk(path);
        } else if (info.isFile) {
          gate.file(path);
          gate.count(path, info.size, info.size);
          entries.push({ path, bytes: await Deno.readFile(join(folder, path)) });
        } else {
          throw new CarrelError(
            "damaged",
            `Cannot read "${folder}": the file "${path}" is a ${
              info.isSymlink ? "symbolic link" : "device"
            }, which a plugin may not hold.`,
            { details: { file: path } },
          );
        }
      }
    };
    await walk("");
  });
  return entries.sort((a, b) => a.path < b.path ? -1 : 1);
}

/** Looks at files that a guest handed back as if a stranger had. Throws `damaged`, `too_large`. */
export async function checkEntries(
  entries: readonly Entry[],
  what: string,
  limits: SourceLimits,
): Promise<void> {
  await asHost(() => {
    const gate = createEntryGate(what, limits);
    for (const { path, bytes } of entries) gate.count(gate.file(path), bytes.length, bytes.length);
  });
}

/** Writes files into a new folder, for this user alone. */
export async function writeFolder(dir: string, entries: readonly Entry[]): Promise<string> {
  const folder = await Deno.realPath(await Deno.makeTempDir({ dir, prefix: "plugin-" }));
  try {
    for (const { path, bytes } of entries) {
      await Deno.mkdir(join(folder, dirname(path)), { recursive: true, mode: 0o700 });
      await Deno.writeFile(join(folder, path), bytes, { createNew: true, mode: 0o600 });
    }
    return folder;
  } catch (error) {
    await removeFolder(folder);
    throw error;
  }
}

export async function removeFolder(folder: string): Promise<void> {
  await Deno.remove(folder, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

/** The digests of files, in their order. */
export async function digests<T extends Entry>(entries: readonly T[]) {
  return await Promise.all(entries.map(async ({ bytes, ...rest }) => ({
    ...rest,
    sha256: await sha256(bytes),
    size: bytes.length,
  })));
}

/** The gate speaks the guests' language: an error of it becomes one of the host's. */
async function asHost(work: () => void | Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const { name, code, message, data } = error as Error & {
      code?: string;
      data?: Record<string, unknown>;
    };
    if (name !== "PluginError") throw error;
    throw new CarrelError(code === "too_large" ? "too_large" : "damaged", message, {
      cause: error,
      ...(data === undefined ? {} : { details: data }),
    });
  }
}
