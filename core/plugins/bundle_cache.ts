/** What is remembered of a bundle, so that an unchanged plugin costs no bundler. */
import { join } from "node:path";
import { z } from "zod";

const inputSchema = z.object({
  path: z.string(),
  size: z.number(),
  mtime_ms: z.number(),
  sha256: z.string(),
});

const recordSchema = z.object({
  /** SHA-256 of the bundle, hex. */
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  size: z.number(),
  inputs: z.array(inputSchema),
  /** Folders of npm packages as they were reached, and where they led. */
  packages: z.array(z.object({ path: z.string(), real: z.string() })),
});

export type CacheInput = z.infer<typeof inputSchema>;
export type CacheRecord = z.infer<typeof recordSchema>;

/** SHA-256 in hex. */
export async function sha256(data: Uint8Array | string): Promise<string> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  const hash = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Writes a file so that others see all of it or nothing, and it is there after a power cut. */
export async function writeAtomically(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    using file = await Deno.open(temporary, { write: true, createNew: true, mode: 0o600 });
    for (let at = 0; at < bytes.byteLength;) at += await file.write(bytes.subarray(at));
    await file.sync();
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw error;
  }
}

const recordPath = (cacheDir: string, key: string) => join(cacheDir, `${key}.json`);

export const bundlePath = (cacheDir: string, digest: string) => join(cacheDir, `${digest}.js`);

export async function writeRecord(
  cacheDir: string,
  key: string,
  record: CacheRecord,
): Promise<void> {
  const bytes = new TextEncoder().encode(JSON.stringify(record));
  await writeAtomically(recordPath(cacheDir, key), bytes);
}

/** The record of a key, if the bundle is whole and all that went into it is as it was. */
export async function freshRecord(cacheDir: string, key: string): Promise<CacheRecord | undefined> {
  const record = await readRecord(cacheDir, key);
  if (record === undefined) return undefined;
  const [inputs, packages, whole] = await Promise.all([
    Promise.all(record.inputs.map(checkInput)),
    Promise.all(record.packages.map(checkPackage)),
    isWhole(bundlePath(cacheDir, record.digest), record.digest),
  ]);
  if (!whole || packages.includes(false) || inputs.includes(undefined)) return undefined;
  const touched = inputs.some((input, i) => input !== record.inputs[i]);
  if (!touched) return record;
  // Same bytes, other times, as after a fresh checkout: spare the hashing next time.
  const renewed = { ...record, inputs: inputs.filter((input) => input !== undefined) };
  await writeRecord(cacheDir, key, renewed);
  return renewed;
}

async function readRecord(cacheDir: string, key: string): Promise<CacheRecord | undefined> {
  try {
    return recordSchema.parse(JSON.parse(await Deno.readTextFile(recordPath(cacheDir, key))));
  } catch {
    return undefined;
  }
}

/** The input as it is now, itself if nothing moved, undefined if its bytes are others. */
async function checkInput(input: CacheInput): Promise<CacheInput | undefined> {
  try {
    const { size, mtime } = await Deno.lstat(input.path);
    if (size !== input.size) return undefined;
    const mtimeMs = mtime?.getTime() ?? 0;
    if (mtimeMs === input.mtime_ms) return input;
    const same = await sha256(await Deno.readFile(input.path)) === input.sha256;
    return same ? { ...input, mtime_ms: mtimeMs } : undefined;
  } catch {
    return undefined;
  }
}

async function checkPackage(link: CacheRecord["packages"][number]): Promise<boolean> {
  try {
    return await Deno.realPath(link.path) === link.real;
  } catch {
    return false;
  }
}

/** Whether a bundle's bytes are those that its name promises. */
export async function isWhole(path: string, digest: string): Promise<boolean> {
  try {
    return await sha256(await Deno.readFile(path)) === digest;
  } catch {
    return false;
  }
}
