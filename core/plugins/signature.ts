/**
 * Signatures of plugins: Ed25519 (RFC 8032) over what a lock says of the files, kept beside it in
 * `carrel.sig.json`. A signature counts only when the operator trusts its key: anybody can sign.
 */
import { join } from "node:path";
import { z } from "zod";
import { CarrelError } from "../errors.ts";
import { writeAtomically } from "./bundle_cache.ts";
import { formatLock, LOCK_FILE, type LockFile, SIGNATURE_FILE, signedText } from "./lock_file.ts";
import { lockFolder } from "./sources/lock_folder.ts";

/** Base64 of so many bytes. */
function base64(bytes: number, what: string) {
  return z.string().refine((text) => fromBase64(text)?.length === bytes, {
    error: `expected ${what}: ${bytes} bytes in base64`,
  });
}

const publicKey = base64(32, "an Ed25519 public key");
const signatureSchema = z.strictObject({
  /** The signer's public key, raw, base64. */
  key: publicKey,
  /** Base64. */
  value: base64(64, "an Ed25519 signature"),
});

export type Signature = z.output<typeof signatureSchema>;

/** One entry of the setting `plugins.trusted_keys`. */
export const trustedKeySchema = z.strictObject({
  /** Whose key it is, as shown to people. */
  name: z.string().trim().min(1).max(200),
  key: publicKey,
});
export type TrustedKey = z.output<typeof trustedKeySchema>;

/** What a plugin's signature is worth here. */
export type Verification =
  | { readonly verified: true; readonly key: string; readonly name: string }
  | {
    readonly verified: false;
    /** `unsigned`: none; `unknown_key`: a good one by a key that nobody here trusts; `broken`: a false one. */
    readonly why: "unsigned" | "unknown_key" | "broken";
    /** One sentence for people. */
    readonly reason: string;
    /** The key that made a good signature. */
    readonly key?: string | undefined;
  };

export interface KeyPair {
  /** Raw, base64: what operators put among their trusted keys. */
  readonly publicKey: string;
  /** PKCS #8, base64: what the author keeps to himself. */
  readonly privateKey: string;
}

export async function generateKeyPair(): Promise<KeyPair> {
  const pair = await crypto.subtle.generateKey("Ed25519", true, [
    "sign",
    "verify",
  ]) as CryptoKeyPair;
  return {
    publicKey: toBase64(await crypto.subtle.exportKey("raw", pair.publicKey)),
    privateKey: toBase64(await crypto.subtle.exportKey("pkcs8", pair.privateKey)),
  };
}

/** How every Ed25519 key begins, PKCS #8 (RFC 8410, section 7) in base64. */
const PRIVATE_KEY = "MC4CAQAwBQYDK2Vw";

/** Whether a file is a private key as `generateKeyPair` makes them. */
export function isPrivateKey(file: Uint8Array): boolean {
  return file.length < 1000 && new TextDecoder().decode(file).trimStart().startsWith(PRIVATE_KEY);
}

/**
 * Locks and signs a plugin's folder: writes `carrel.lock.json` and `carrel.sig.json` into it, so that it can
 * be served, packed or committed as it is. Throws `invalid_manifest`, `invalid_parameters`.
 */
export async function signPlugin(
  folder: string,
  privateKey: string,
): Promise<{ readonly lock: LockFile; readonly signature: Signature }> {
  const { lock } = await lockFolder(folder);
  const signature = await signLock(lock, privateKey);
  const encoder = new TextEncoder();
  await writeAtomically(join(folder, LOCK_FILE), encoder.encode(formatLock(lock)));
  await writeAtomically(join(folder, SIGNATURE_FILE), encoder.encode(formatSignature(signature)));
  return { lock, signature };
}

/** Signs a lock. Throws `invalid_parameters` for what is no private key. */
export async function signLock(lock: LockFile, privateKey: string): Promise<Signature> {
  let key: CryptoKey;
  try {
    key = await crypto.subtle.importKey("pkcs8", fromBase64(privateKey.trim())!, "Ed25519", true, [
      "sign",
    ]);
  } catch {
    // Without the cause: it could say parts of the key.
    throw new CarrelError(
      "invalid_parameters",
      "Cannot sign the plugin: expected an Ed25519 private key, PKCS #8 in base64.",
    );
  }
  const { x } = await crypto.subtle.exportKey("jwk", key);
  const value = await crypto.subtle.sign("Ed25519", key, encode(signedText(lock)));
  return {
    key: x!.replaceAll("-", "+").replaceAll("_", "/").padEnd(44, "="),
    value: toBase64(value),
  };
}

export function formatSignature({ key, value }: Signature): string {
  return `${JSON.stringify({ key, value }, null, 2)}\n`;
}

/** Throws `CarrelError` `damaged`. */
export function parseSignature(text: string, file: string): Signature {
  try {
    return signatureSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new CarrelError(
      "damaged",
      `Cannot read the signature "${file}": expected {"key": …, "value": …} in base64.`,
      { cause },
    );
  }
}

/** Whether a signature fits the lock and was made by a key that the operator trusts. */
export async function verifySignature(
  lock: LockFile,
  signature: Signature | undefined,
  trusted: readonly TrustedKey[],
): Promise<Verification> {
  if (signature === undefined) {
    return { verified: false, why: "unsigned", reason: "It is not signed." };
  }
  if (!await fits(lock, signature)) {
    return {
      verified: false,
      why: "broken",
      reason: "It carries a signature that does not fit its files.",
    };
  }
  const { key } = signature;
  const known = trustedKey(key, trusted);
  if (known === undefined) {
    return {
      verified: false,
      why: "unknown_key",
      reason: `It is signed by the key ${key}, which is not among the trusted keys.`,
      key,
    };
  }
  return { verified: true, key, name: known.name };
}

/** The operator's entry of a key, if it is trusted. */
export function trustedKey(key: string, trusted: readonly TrustedKey[]): TrustedKey | undefined {
  return trusted.find((entry) => sameBytes(entry.key, key));
}

async function fits(lock: LockFile, { key, value }: Signature): Promise<boolean> {
  try {
    const imported = await crypto.subtle.importKey("raw", fromBase64(key)!, "Ed25519", false, [
      "verify",
    ]);
    return await crypto.subtle.verify(
      "Ed25519",
      imported,
      fromBase64(value)!,
      encode(signedText(lock)),
    );
  } catch {
    return false; // Not a point of the curve.
  }
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function sameBytes(a: string, b: string): boolean {
  return a.replace(/=+$/, "") === b.replace(/=+$/, "");
}

function toBase64(bytes: ArrayBuffer): string {
  return new Uint8Array(bytes).toBase64();
}

/** Undefined when it is not base64. */
function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.fromBase64(text, { lastChunkHandling: "strict" });
  } catch {
    return undefined;
  }
}
