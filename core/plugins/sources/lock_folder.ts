/** A plugin's folder as its author has it: what it holds, and the lock that says so. */
import { CarrelError } from "../../errors.ts";
import { createLock, LOCK_FILE, type LockFile, SIGNATURE_FILE } from "../lock_file.ts";
import { type Manifest, MANIFEST_FILE, parseManifest } from "../manifest.ts";
import type { Entry } from "./fetcher/entries.ts";
import { DEFAULT_SOURCE_LIMITS } from "./fetcher/limits.ts";
import { digests, readFolder } from "./folder.ts";

export interface LockedFolder {
  readonly manifest: Manifest;
  readonly lock: LockFile;
  /** The files that the lock speaks of. */
  readonly files: readonly Entry[];
  /** What lies beside them already. */
  readonly found: { readonly lock?: string | undefined; readonly signature?: string | undefined };
}

/** Throws `invalid_manifest`, `damaged` for links and names that no archive may hold, `too_large`. */
export async function lockFolder(folder: string): Promise<LockedFolder> {
  const info = await Deno.stat(folder).catch(() => undefined);
  const all = info?.isDirectory ? await readFolder(folder, DEFAULT_SOURCE_LIMITS) : [];
  const text = (path: string) => {
    const file = all.find((file) => file.path === path);
    return file === undefined ? undefined : new TextDecoder().decode(file.bytes);
  };
  const yaml = text(MANIFEST_FILE);
  if (yaml === undefined) {
    throw new CarrelError(
      "invalid_manifest",
      `Cannot read the plugin "${folder}": expected a folder with a file ${MANIFEST_FILE} in it.`,
    );
  }
  const manifest = parseManifest(yaml);
  const files = all.filter(({ path }) => path !== LOCK_FILE && path !== SIGNATURE_FILE);
  if (!files.some(({ path }) => path === manifest.entry.replace(/^(\.\/)+/, ""))) {
    throw new CarrelError(
      "invalid_manifest",
      `Cannot read the plugin "${folder}": its entry "${manifest.entry}" is not there.`,
    );
  }
  const { id, version } = manifest;
  return {
    manifest,
    files,
    lock: createLock({ id, version, files: await digests(files) }),
    found: { lock: text(LOCK_FILE), signature: text(SIGNATURE_FILE) },
  };
}
