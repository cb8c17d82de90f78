/** Tells a disk that takes no more bytes from every other failure of a store. */
import { CarrelError } from "../errors.ts";

/** What Deno says when the disk is full, over its quota, or mounted read-only. */
const SYSTEM_CODES = new Set(["ENOSPC", "EDQUOT", "EROFS"]);

/**
 * SQLite's result codes (https://sqlite.org/rescode.html) for the same: SQLITE_FULL, SQLITE_READONLY, and of
 * SQLITE_IOERR those that come of writing. Over a quota SQLite reports a failed write, not a full disk.
 */
const SQLITE_FULL = 13;
const SQLITE_READONLY = 8;
const SQLITE_IOERR_OF_WRITES = new Set([
  3 << 8 | 10, // WRITE
  4 << 8 | 10, // FSYNC
  5 << 8 | 10, // DIR_FSYNC
  6 << 8 | 10, // TRUNCATE
  18 << 8 | 10, // SHMOPEN
  19 << 8 | 10, // SHMSIZE
  21 << 8 | 10, // SHMMAP
]);

/** `DatabaseSync.exec` and Deno KV give the message of a result code and not its number. */
const SQLITE_MESSAGES = new Set([
  "database or disk is full",
  "attempt to write a readonly database",
]);

/** The error as `storage_full` when that is what it, or an error behind it, means; else as it is. */
export function asStorageError(error: unknown): unknown {
  if (error instanceof CarrelError || !meansFull(error)) return error;
  return new CarrelError(
    "storage_full",
    "Cannot write to the data folder: its disk is full, over its quota or read-only. Free some space, then try again.",
    { cause: error, retryable: true },
  );
}

function meansFull(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    const { code, errcode } = at as Error & { code?: unknown; errcode?: unknown };
    if (typeof code === "string" && SYSTEM_CODES.has(code)) return true;
    if (SQLITE_MESSAGES.has(at.message)) return true;
    if (code !== "ERR_SQLITE_ERROR" || typeof errcode !== "number") continue;
    const primary = errcode & 0xff;
    if (primary === SQLITE_FULL || primary === SQLITE_READONLY) return true;
    if (SQLITE_IOERR_OF_WRITES.has(errcode)) return true;
  }
  return false;
}

/** Runs work of a store; a full disk is thrown as `storage_full`. */
export async function storing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asStorageError(error);
  }
}

/** The same for work that does not wait. */
export function storingSync<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw asStorageError(error);
  }
}
