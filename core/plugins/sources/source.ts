/** Brings a plugin's files to this machine, from wherever it is. Nothing of the plugin runs here. */
import { CarrelError } from "../../errors.ts";
import { createLock, LOCK_FILE, parseLock, SIGNATURE_FILE, verifyLock } from "../lock_file.ts";
import { MANIFEST_FILE, parseManifest } from "../manifest.ts";
import { parseSignature } from "../signature.ts";
import type { FetchSession } from "./fetcher.ts";
import { DEFAULT_SOURCE_LIMITS } from "./fetcher/limits.ts";
import { checkEntries, digests, removeFolder, writeFolder } from "./folder.ts";
import { fromGit } from "./from_git.ts";
import { fromNpm } from "./from_npm.ts";
import { fromPath } from "./from_path.ts";
import { fromArchive, fromManifest } from "./from_web.ts";
import { checkedRegistry, findNpmRegistry } from "./npm_registry.ts";
import { parseReference, type Reference } from "./reference.ts";
import type { Brought, FetchedPlugin, FetchOptions } from "./types.ts";

export { createFetcher, type Fetcher } from "./fetcher.ts";
export { originOf } from "./reference.ts";
export type { FetchedPlugin, FetchOptions, SourceFile, SourceLimits } from "./types.ts";

/**
 * Fetches a plugin into a new folder of `tempDir`. Throws `CarrelError`: `invalid_url` for what is no
 * reference, `invalid_manifest`, `private_address`, `fetch_failed`, `http_error`, `too_many_redirects`,
 * `too_large`, `damaged` for archives and locks that are not what they seem, `unreadable`, `timed_out`,
 * `cancelled`, `invalid_config` when no npm registry is set.
 */
export async function fetchPlugin(
  reference: string,
  options: FetchOptions,
): Promise<FetchedPlugin> {
  const parsed = parseReference(reference);
  const limits = { ...DEFAULT_SOURCE_LIMITS, ...options.limits };
  await using session = options.fetcher.open({
    network: options.network,
    limits,
    signal: options.signal,
  });
  const brought = await bring(parsed, session, options);
  await checkEntries(brought.files, reference, limits);
  return await keep(reference, brought, options.tempDir);
}

async function bring(
  reference: Reference,
  session: FetchSession,
  options: FetchOptions,
): Promise<Brought> {
  switch (reference.kind) {
    case "manifest":
      return await fromManifest(session, reference);
    case "archive":
      return await fromArchive(session, reference);
    case "npm": {
      const { npmRegistry } = options;
      const registry = npmRegistry === undefined
        ? await findNpmRegistry({ name: reference.name })
        : checkedRegistry(npmRegistry);
      return await fromNpm(session, reference, registry);
    }
    case "git":
      return await fromGit(session, reference);
    case "path":
      return await fromPath(session, reference);
  }
}

/** Checks the author's lock, and writes down the files that it names: nothing that is not locked gets in. */
async function keep(
  reference: string,
  { files: all, origin, resolved }: Brought,
  tempDir: string,
): Promise<FetchedPlugin> {
  const text = (path: string) => {
    const file = all.find((file) => file.path === path);
    return file === undefined ? undefined : new TextDecoder().decode(file.bytes);
  };
  const lockText = text(LOCK_FILE);
  const signatureText = text(SIGNATURE_FILE);
  const authors = lockText === undefined ? undefined : parseLock(lockText);
  const locked = authors && new Set(authors.files.map(({ path }) => path));
  const files = all.filter(({ path }) =>
    path !== LOCK_FILE && path !== SIGNATURE_FILE && (locked?.has(path) ?? true)
  ).sort((a, b) => a.path < b.path ? -1 : 1);
  const described = await digests(files);
  if (authors !== undefined) verifyLock(authors, described, reference);

  const yaml = text(MANIFEST_FILE);
  if (yaml === undefined) {
    throw new CarrelError(
      "invalid_manifest",
      `Cannot install "${reference}": expected a file ${MANIFEST_FILE} at the top of it.`,
    );
  }
  const { id, version } = parseManifest(yaml);
  if (authors !== undefined && (authors.id !== id || authors.version !== version)) {
    throw new CarrelError(
      "damaged",
      `Cannot use "${reference}": ${LOCK_FILE} speaks of ${authors.id} ${authors.version}, and ${MANIFEST_FILE} of ${id} ${version}.`,
    );
  }
  const signature = signatureText === undefined
    ? undefined
    : parseSignature(signatureText, SIGNATURE_FILE);
  const folder = await writeFolder(tempDir, files);
  return {
    folder,
    origin,
    reference,
    resolved,
    files: described,
    lock: createLock({ id, version, origin, files: described }),
    ...(signature === undefined ? {} : { signature }),
    [Symbol.asyncDispose]: () => removeFolder(folder),
  };
}
