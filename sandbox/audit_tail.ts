/**
 * Reads along in the file that one runner's process writes for `DENO_AUDIT_PERMISSIONS`.
 *
 * A guest can write 150 MB/s into it, so a tick reads so many bytes at most, skips what is beyond, says so
 * (`truncated`), and empties the file. Deno opens the file anew (`O_TRUNC`) and without `O_APPEND`: what it
 * writes after the file was emptied lands at its old position, behind a hole that takes no room on disk
 * (measured on ext4: 105 MB written, 12 MB held at most with a cut every 300 ms). So positions go on counting
 * through a cut, and what was written between reading and cutting comes back as zeros.
 *
 * The file must lie where the guest may not write, and belongs to one process.
 */
import {
  type Asked,
  parseAuditLine,
  type PermissionUse,
  type UsedPermission,
  type Uses,
} from "./audit_use.ts";

export interface AuditTailOptions {
  /** Bytes read in one tick. @default 262144 */
  readonly maxBytes?: number | undefined;
  /** Bytes behind which the file is emptied. @default 1048576 */
  readonly keepBytes?: number | undefined;
  /** Milliseconds between ticks. @default 250 */
  readonly intervalMs?: number | undefined;
}

export interface AuditTailSummary {
  readonly uses: readonly PermissionUse[];
  /** More was written than was read: the counts are too low. */
  readonly truncated: boolean;
  /** Lines in no form that we know: a newer Deno may write another. */
  readonly unknown: number;
}

/** A longer line is cut. */
const MAX_LINE = 8192;
const NEWLINE = 10;

export class AuditTail implements AsyncDisposable {
  readonly #path: string;
  readonly #uses: Uses;
  readonly #maxBytes: number;
  readonly #keepBytes: number;
  readonly #file: Deno.FsFile;
  readonly #buffer: Uint8Array<ArrayBuffer>;
  readonly #line = new Uint8Array(MAX_LINE);
  readonly #decoder = new TextDecoder();
  #timer: ReturnType<typeof setInterval> | undefined;
  /** Read up to here. */
  #position = 0;
  /** The file holds nothing before this. */
  #cut = 0;
  /** Bytes of an unfinished line in `#line`. */
  #held = 0;
  /** The line goes on, but no more of it is kept. */
  #full = false;
  /** In the midst of a line whose beginning was skipped. */
  #blind = false;
  #truncated = false;
  #unknown = 0;
  #summary: AuditTailSummary | undefined;

  /** Makes the file, for its owner only: call it before the process starts. */
  constructor(path: string, uses: Uses, options: AuditTailOptions = {}) {
    this.#path = path;
    this.#uses = uses;
    this.#maxBytes = options.maxBytes ?? 256 * 1024;
    this.#keepBytes = options.keepBytes ?? 1024 * 1024;
    this.#buffer = new Uint8Array(Math.min(this.#maxBytes, 64 * 1024));
    this.#file = Deno.openSync(path, { read: true, write: true, createNew: true, mode: 0o600 });
    this.#timer = setInterval(() => this.#beat(), options.intervalMs ?? 250);
    Deno.unrefTimer(this.#timer);
  }

  /** Adds what the host itself saw. */
  note(permission: UsedPermission, value: string, granted: boolean): void {
    this.#uses.note(permission, value, granted);
  }

  /** Reads what is new. */
  tick(): void {
    if (this.#summary !== undefined) return;
    const { size } = this.#file.statSync();
    if (this.#position >= size) return;
    let budget = this.#maxBytes;
    this.#file.seekSync(this.#position, Deno.SeekMode.Start);
    while (budget > 0 && this.#position < size) {
      const piece = this.#buffer.subarray(0, Math.min(budget, size - this.#position));
      const count = this.#file.readSync(piece);
      if (count === null) break;
      this.#take(piece.subarray(0, count));
      this.#position += count;
      budget -= count;
    }
    if (this.#position < size) {
      this.#truncated = true;
      this.#position = size;
      this.#held = 0;
      this.#full = false;
      this.#blind = true;
    }
    if (this.#position - this.#cut > this.#keepBytes) {
      this.#file.truncateSync(0);
      this.#cut = this.#position;
    }
  }

  /** What was asked for so far. */
  summary(): AuditTailSummary {
    return this.#summary ??
      { uses: this.#uses.list(), truncated: this.#truncated, unknown: this.#unknown };
  }

  /** The same, with what is new. */
  current(): AuditTailSummary {
    this.#beat();
    return this.summary();
  }

  /** What was asked for since the last time, or the beginning: the next begins with nothing. */
  take(): AuditTailSummary {
    this.#beat();
    const taken = this.summary();
    this.#uses.clear();
    this.#truncated = false;
    this.#unknown = 0;
    if (this.#summary !== undefined) this.#summary = { uses: [], truncated: false, unknown: 0 };
    return taken;
  }

  /** Call it when the process is gone: reads the last of it and removes the file. */
  async finish(): Promise<AuditTailSummary> {
    if (this.#summary !== undefined) return this.#summary;
    clearInterval(this.#timer);
    try {
      this.#beat();
      if (this.#held > 0) this.#endLine();
    } finally {
      this.#summary = this.summary();
      this.#file.close();
      await Deno.remove(this.#path).catch(() => {});
    }
    return this.#summary;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.finish();
  }

  /** A disk that fails must not end the host. */
  #beat(): void {
    try {
      this.tick();
    } catch {
      this.#truncated = true;
      clearInterval(this.#timer);
    }
  }

  #take(bytes: Uint8Array): void {
    for (let start = 0; start < bytes.length;) {
      const end = bytes.indexOf(NEWLINE, start);
      if (!this.#blind) this.#hold(bytes.subarray(start, end === -1 ? bytes.length : end));
      if (end === -1) return;
      if (this.#blind) this.#blind = false;
      else this.#endLine();
      start = end + 1;
    }
  }

  #hold(bytes: Uint8Array): void {
    let start = 0;
    if (this.#held === 0 && !this.#full) {
      // Zeros stand where lines were lost in a cut.
      while (start < bytes.length && bytes[start] === 0) start++;
      if (start > 0) this.#truncated = true;
    }
    const room = MAX_LINE - this.#held;
    if (bytes.length - start > room) this.#full = true;
    this.#line.set(bytes.subarray(start, start + room), this.#held);
    this.#held += Math.min(bytes.length - start, room);
  }

  #endLine(): void {
    const line = this.#decoder.decode(this.#line.subarray(0, this.#held));
    this.#held = 0;
    this.#full = false;
    if (line === "") return;
    const asked: Asked | undefined = parseAuditLine(line);
    if (asked === undefined) this.#unknown++;
    else this.#uses.add(asked);
  }
}
