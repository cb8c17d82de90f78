/** Tokens: how they are made, recognised and hashed. */
import { createHash } from "node:crypto";

/** `carrel_` and 32 random bytes in base64url: 256 bits, so that a plain hash is enough to store it. */
const TOKEN_PATTERN = /^carrel_[A-Za-z0-9_-]{43}$/;

/** A new token. */
export function newToken(): string {
  return `carrel_${randomSecret()}`;
}

/** Whether the text could be a token at all. */
export function looksLikeToken(text: string): boolean {
  return TOKEN_PATTERN.test(text);
}

/**
 * SHA-256 of a token, hex. Tokens are looked up and compared by this hash only: how long a comparison takes
 * tells something about hashes, from which no token can be found.
 */
export function hashToken(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** 32 random bytes in base64url, 43 characters. */
export function randomSecret(): string {
  return crypto.getRandomValues(new Uint8Array(32))
    .toBase64({ alphabet: "base64url", omitPadding: true });
}
