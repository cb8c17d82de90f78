/** The two files of the audit that lie outside the database: its key, and its head. */
import { randomBytes } from "node:crypto";
import { dirname, join, resolve } from "node:path";
import { z } from "zod";
import { CarrelError } from "../errors.ts";
import { type AuditKey, equal, type Head, signHead } from "./chain.ts";

export interface AuditFiles {
  readonly keyFile: string;
  readonly headFile: string;
}

/**
 * Where the files are: in the data folder, unless the operator keeps them elsewhere (`CARREL_AUDIT_KEY_FILE`,
 * `CARREL_AUDIT_HEAD_FILE`): who can rewrite the database can, as a rule, write beside it too.
 */
export function auditFiles(
  dataDir: string,
  env: (name: string) => string | undefined = () => undefined,
): AuditFiles {
  return {
    keyFile: env("CARREL_AUDIT_KEY_FILE") || join(dataDir, "audit.key"),
    headFile: env("CARREL_AUDIT_HEAD_FILE") || join(dataDir, "audit.head"),
  };
}

/** What no plugin may reach, wherever the operator keeps it: both files, and under what names they are written. */
export function closedFiles({ keyFile, headFile }: AuditFiles): readonly string[] {
  return [keyFile, headFile].flatMap((file) => [resolve(file), temporaryOf(resolve(file))]);
}

const temporaryOf = (path: string): string => `${path}.tmp`;

const MIN_KEY = 32;

/**
 * The key: 64 hex digits, or any other 32 bytes and more. Undefined when there is no such file. Throws
 * `invalid_config` when what is there is too short.
 */
export async function readKey(path: string): Promise<AuditKey | undefined> {
  const bytes = await readIfThere(path);
  if (bytes === undefined) return undefined;
  const text = new TextDecoder().decode(bytes).trim();
  const key = /^[0-9a-f]{64}$/i.test(text) ? Uint8Array.fromHex(text) : trimEnd(bytes);
  if (key.length >= MIN_KEY) return key;
  throw new CarrelError(
    "invalid_config",
    `Cannot use the audit key "${path}": it has ${key.length} bytes, and ${MIN_KEY} are the least`,
  );
}

export function newKey(): AuditKey {
  return new Uint8Array(randomBytes(MIN_KEY));
}

export async function writeKey(path: string, key: AuditKey): Promise<void> {
  await writeDurably(path, `${key.toHex()}\n`);
}

const headSchema = z.strictObject({
  v: z.literal(1),
  host: z.string(),
  seq: z.number().int().nonnegative(),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  time: z.string(),
  mac: z.string(),
});

/** What the file says: no file, not what this key has signed for this host, or the head. */
export async function readHead(
  path: string,
  key: AuditKey,
  host: string,
): Promise<Head | "missing" | "invalid"> {
  const bytes = await readIfThere(path);
  if (bytes === undefined) return "missing";
  try {
    const { mac, seq, hash, time, ...file } = headSchema.parse(
      JSON.parse(new TextDecoder().decode(bytes)),
    );
    const head = { host: file.host, seq, hash, time };
    return head.host === host && equal(mac, signHead(key, head)) ? head : "invalid";
  } catch {
    return "invalid";
  }
}

/** How many rows a head file claims, whoever signed it; 0 when there is none or it cannot be read. */
export async function claimedRows(path: string): Promise<number> {
  const bytes = await readIfThere(path);
  if (bytes === undefined) return 0;
  try {
    return headSchema.parse(JSON.parse(new TextDecoder().decode(bytes))).seq;
  } catch {
    return 0;
  }
}

export async function writeHead(path: string, key: AuditKey, head: Head): Promise<void> {
  const { host, seq, hash, time } = head;
  const text = JSON.stringify({ v: 1, host, seq, hash, time, mac: signHead(key, head) });
  await writeDurably(path, `${text}\n`);
}

/** The whole file or the one before, also after a power cut; for its owner only. */
async function writeDurably(path: string, text: string): Promise<void> {
  const temporary = temporaryOf(path);
  await Deno.remove(temporary).catch(ignoreMissing);
  {
    using file = await Deno.open(temporary, { write: true, createNew: true, mode: 0o600 });
    const bytes = new TextEncoder().encode(text);
    for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
    await file.sync();
  }
  await Deno.rename(temporary, path);
  using folder = await Deno.open(dirname(path), { read: true });
  await folder.sync();
}

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  return await Deno.readFile(path).catch(ignoreMissing);
}

function ignoreMissing(error: unknown): undefined {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

/** Without the line end that an editor leaves. */
function trimEnd(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1] === 10 || bytes[end - 1] === 13)) end--;
  return bytes.subarray(0, end);
}
