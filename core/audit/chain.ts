/** The seals: what of a row and of the head goes into their HMAC (RFC 2104, SHA-256). */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { AuditTable } from "../stores/sql.ts";
import { canonicalJson } from "./canonical.ts";

/** At least 32 bytes. */
export type AuditKey = Uint8Array;

/** The end of a chain: what the next row ties itself to. */
export interface Link {
  readonly seq: number;
  readonly hash: string;
}

/** Before the first row. */
export const GENESIS: Link = { seq: 0, hash: "0".repeat(64) };

/** Numbers beyond are nobody's rows; a forged one must not use up the numbers. */
export const MAX_SEQ = 2 ** 52;

/** A row without its seal. */
export type OpenRow = Omit<AuditTable, "hash">;

/** The seal of a row, hex. It covers the number and the seal before, so no row fits anywhere else. */
export function sealRow(key: AuditKey, row: OpenRow): string {
  const { host, seq, time, event, plugin, digest, actor, job, details_json, previous } = row;
  return hmac(
    key,
    canonicalJson({
      v: 1,
      kind: "row",
      host,
      seq,
      time,
      event,
      plugin,
      digest,
      actor,
      job,
      details_json,
      previous,
    }),
  );
}

/** Whether the row is as it was sealed. False also for a row whose columns hold other types than ours. */
export function isSealed(key: AuditKey, row: AuditTable): boolean {
  const texts = [row.host, row.time, row.event, row.details_json, row.previous, row.hash];
  const optional = [row.plugin, row.digest, row.actor, row.job];
  return texts.every((text) => typeof text === "string") &&
    optional.every((text) => text === null || typeof text === "string") &&
    Number.isSafeInteger(row.seq) && equal(sealRow(key, row), row.hash);
}

export interface Head extends Link {
  readonly host: string;
  /** When it was written, ISO 8601. */
  readonly time: string;
}

/** The signature of a head, hex. */
export function signHead(key: AuditKey, { host, seq, hash, time }: Head): string {
  return hmac(key, canonicalJson({ v: 1, kind: "head", host, seq, hash, time }));
}

export function equal(a: string, b: string): boolean {
  const [left, right] = [new TextEncoder().encode(a), new TextEncoder().encode(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function hmac(key: AuditKey, text: string): string {
  return createHmac("sha256", key).update(text).digest("hex");
}
