/**
 * `.carrel` files: a plugin's folder as one zip file, with its lock and, if it is signed, its signature. The
 * same folder gives the same bytes, on any machine and any day.
 */
import { zipSync } from "fflate";
import { CarrelError } from "../errors.ts";
import {
  formatLock,
  LOCK_FILE,
  type LockFile,
  parseLock,
  SIGNATURE_FILE,
  verifyLock,
} from "./lock_file.ts";
import {
  formatSignature,
  isPrivateKey,
  parseSignature,
  type Signature,
  signLock,
} from "./signature.ts";
import { lockFolder } from "./sources/lock_folder.ts";

export interface PackOptions {
  /** The author's Ed25519 key, PKCS #8 in base64. @default the signature that lies in the folder, if any */
  readonly privateKey?: string | undefined;
}

export interface PackedPlugin {
  /** `import.example-1.0.0.carrel` */
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly lock: LockFile;
  readonly signature?: Signature | undefined;
}

/** Zip knows no time zone and no year before: the first moment that it can say. */
const TIME = () => new Date(1980, 0, 1);

/**
 * Reads and packs a folder; writes nothing. Throws `invalid_manifest`, `damaged` for what no archive may hold
 * and for a signature in the folder that does not fit its files any more, `too_large`, `invalid_parameters` for
 * a private key among the files: once it is published it cannot be taken back.
 */
export async function packPlugin(
  folder: string,
  options: PackOptions = {},
): Promise<PackedPlugin> {
  const { manifest, lock, files, found } = await lockFolder(folder);
  const key = files.find(({ bytes }) => isPrivateKey(bytes));
  if (key !== undefined) {
    throw new CarrelError(
      "invalid_parameters",
      `Cannot pack "${folder}": the file "${key.path}" is a private key; keep it outside of the plugin's folder.`,
      { details: { file: key.path } },
    );
  }
  let signature: Signature | undefined;
  if (options.privateKey !== undefined) {
    signature = await signLock(lock, options.privateKey);
  } else if (found.signature !== undefined) {
    if (found.lock === undefined) {
      throw new CarrelError(
        "damaged",
        `Cannot pack "${folder}": there is a ${SIGNATURE_FILE} without its ${LOCK_FILE}; sign the plugin again.`,
      );
    }
    verifyLock(parseLock(found.lock), lock.files, folder);
    signature = parseSignature(found.signature, SIGNATURE_FILE);
  }
  const encoder = new TextEncoder();
  const all = new Map(files.map(({ path, bytes }) => [path, bytes]));
  all.set(LOCK_FILE, encoder.encode(formatLock(lock)));
  if (signature !== undefined) {
    all.set(SIGNATURE_FILE, encoder.encode(formatSignature(signature)));
  }
  const sorted = [...all].sort(([a], [b]) => a < b ? -1 : 1);
  const bytes = zipSync(
    Object.fromEntries(sorted.map(([path, bytes]) => [path, [bytes, {}] as const])) as Parameters<
      typeof zipSync
    >[0],
    { level: 9, mtime: TIME(), os: 3, attrs: 0o100644 << 16 },
  );
  return {
    name: `${manifest.id}-${manifest.version}.carrel`,
    bytes,
    lock,
    ...(signature === undefined ? {} : { signature }),
  };
}
