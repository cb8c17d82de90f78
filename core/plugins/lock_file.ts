/**
 * `carrel.lock.json`: what a plugin consists of, file by file. Its author writes one to sign it; the host
 * writes one when it installs, with where each file came from and the digest of the bundle, so that from
 * then on nothing has to be fetched again.
 *
 * ```json
 * {
 *   "lock": 1,
 *   "id": "import.example", "version": "1.0.0",
 *   "origin": "https://example.org/carrel.yaml",
 *   "manifest": "<sha256 of carrel.yaml>",
 *   "bundle": "<sha256>",
 *   "files": [{"path": "carrel.yaml", "sha256": "…", "size": 210, "url": "https://…"}]
 * }
 * ```
 *
 * `origin`, `bundle` and the URLs are the host's; an author's lock has none of them, and what is signed
 * leaves them out.
 */
import { z } from "zod";
import { CarrelError } from "../errors.ts";
import { sha256 } from "./bundle_cache.ts";
import { MANIFEST_FILE } from "./manifest.ts";
import { pathProblem } from "./sources/fetcher/entries.ts";

export const LOCK_FILE = "carrel.lock.json";
export const SIGNATURE_FILE = "carrel.sig.json";

const digest = z.string().regex(/^[0-9a-f]{64}$/, { error: "expected a SHA-256 in hex" });
const path = z.string().superRefine((value, ctx) => {
  const wrong = pathProblem(value);
  if (wrong !== undefined) ctx.addIssue({ code: "custom", message: `the file ${wrong}` });
});

const fileSchema = z.strictObject({
  path,
  sha256: digest,
  /** Bytes. */
  size: z.int().min(0),
  url: z.string().max(8192).optional(),
});

const lockSchema = z.strictObject({
  lock: z.literal(1, { error: "expected 1: a newer Carrel may have written it" }),
  id: z.string().max(200),
  version: z.string().max(200),
  origin: z.string().max(8192).optional(),
  manifest: digest,
  bundle: digest.optional(),
  files: z.array(fileSchema).min(1).max(10_000),
});

export type LockFile = z.output<typeof lockSchema>;
export type LockedFile = LockFile["files"][number];

/** What is known of a file, wherever it is. */
export interface FileDigest {
  readonly path: string;
  readonly sha256: string;
  readonly size: number;
  readonly url?: string | undefined;
}

export interface CreateLockOptions {
  readonly id: string;
  readonly version: string;
  readonly origin?: string | undefined;
  readonly bundle?: string | undefined;
  /** The plugin's files, the manifest among them; lock and signature are left out. */
  readonly files: readonly FileDigest[];
}

/** Throws `invalid_manifest` when there is no manifest among the files. */
export function createLock(options: CreateLockOptions): LockFile {
  const { id, version, origin, bundle } = options;
  const files = lockable(options.files).map(({ path, sha256, size, url }) => ({
    path,
    sha256,
    size,
    ...(url === undefined ? {} : { url }),
  })).sort(byPath);
  const manifest = files.find(({ path }) => path === MANIFEST_FILE);
  if (manifest === undefined) {
    throw new CarrelError(
      "invalid_manifest",
      `Cannot lock "${id}": there is no ${MANIFEST_FILE} among its files.`,
    );
  }
  return {
    lock: 1,
    id,
    version,
    ...(origin === undefined ? {} : { origin }),
    manifest: manifest.sha256,
    ...(bundle === undefined ? {} : { bundle }),
    files,
  };
}

/** The text of a lock: the same for the same lock, byte for byte. */
export function formatLock(lock: LockFile): string {
  const { id, version, origin, manifest, bundle } = lock;
  const files = [...lock.files].sort(byPath).map(({ path, sha256, size, url }) => ({
    path,
    sha256,
    size,
    url,
  }));
  return `${JSON.stringify({ lock: 1, id, version, origin, manifest, bundle, files }, null, 2)}\n`;
}

/** Throws `CarrelError` `damaged` that names the file and the field. */
export function parseLock(text: string, file: string = LOCK_FILE): LockFile {
  const fail = (why: string, cause?: unknown) =>
    new CarrelError("damaged", `Cannot read the lock "${file}": ${why}.`, { cause });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw fail("it is not JSON", cause);
  }
  const parsed = lockSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw fail(`${issue.path.join(".") || "the whole"}: ${issue.message}`, parsed.error);
  }
  const lock = parsed.data;
  const paths = new Set(lock.files.map(({ path }) => path));
  if (paths.size !== lock.files.length) throw fail("it names a file twice");
  if (paths.has(LOCK_FILE) || paths.has(SIGNATURE_FILE)) throw fail("it names itself");
  const manifest = lock.files.find(({ path }) => path === MANIFEST_FILE);
  if (manifest?.sha256 !== lock.manifest) {
    throw fail(`"manifest" is not the digest of ${MANIFEST_FILE}`);
  }
  return lock;
}

/**
 * Throws `damaged` unless the files are just those of the lock. `what` is whose they are, for messages.
 */
export function verifyLock(lock: LockFile, files: readonly FileDigest[], what: string): void {
  const fail = (file: string, why: string) =>
    new CarrelError(
      "damaged",
      `Cannot use "${what}": the file "${file}" ${why}. Whoever changed it must lock and sign the plugin again.`,
      { details: { file } },
    );
  const found = new Map(lockable(files).map((file) => [file.path, file]));
  for (const { path, sha256, size } of lock.files) {
    const file = found.get(path);
    if (file === undefined) throw fail(path, `stands in ${LOCK_FILE} and is not there`);
    if (file.size !== size || file.sha256 !== sha256) {
      throw fail(path, `is not the one that ${LOCK_FILE} speaks of`);
    }
    found.delete(path);
  }
  const extra = found.keys().next().value;
  if (extra !== undefined) throw fail(extra, `does not stand in ${LOCK_FILE}`);
}

/**
 * What a signature is made over: id, version, and every file's path, size and digest. The manifest is the
 * first of them. Nothing of where the files came from: a mirror serves the same plugin.
 */
export function signedText(lock: LockFile): string {
  const [manifest, others] = [lock.manifest, [...lock.files].sort(byPath)];
  return JSON.stringify([
    "carrel plugin 1",
    lock.id,
    lock.version,
    manifest,
    others.map(({ path, sha256, size }) => [path, sha256, size]),
  ]);
}

/** SHA-256 of what is signed, hex: names a plugin's contents, wherever they come from. */
export async function lockDigest(lock: LockFile): Promise<string> {
  return await sha256(signedText(lock));
}

function lockable(files: readonly FileDigest[]): readonly FileDigest[] {
  return files.filter(({ path }) => path !== LOCK_FILE && path !== SIGNATURE_FILE);
}

function byPath(a: { readonly path: string }, b: { readonly path: string }): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}
