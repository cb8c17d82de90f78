/** What a plugin says: by `ctx.log`, stdout or stderr. Bounded in line length, rate and memory. */
import { cut } from "./messages.ts";
import type { LogLine } from "./types.ts";

export interface LogOptions {
  /** Lines kept. @default 50 */
  readonly tail?: number;
  /** Characters of a line. @default 8192 */
  readonly maxLine?: number;
  /** Lines a second; more are counted and dropped. @default 500 */
  readonly rate?: number;
  /** Gets each line that is not dropped. */
  readonly onLine?: (line: LogLine) => void;
  /** Milliseconds. @default performance.now */
  readonly now?: () => number;
}

export interface Log {
  add(level: LogLine["level"], stream: LogLine["stream"], message: string): void;
  /** The last lines, oldest first. */
  tail(): readonly LogLine[];
  /** Lines dropped so far. */
  readonly dropped: number;
}

export function createLog(options: LogOptions = {}): Log {
  const { tail = 50, maxLine = 8192, rate = 500, onLine, now = () => performance.now() } = options;
  const lines: LogLine[] = [];
  const bucket = createBucket(rate, rate, now);
  let dropped = 0;
  let unsaid = 0;

  function put(level: LogLine["level"], stream: LogLine["stream"], message: string): void {
    const line = { time: new Date().toISOString(), level, stream, message: cut(message, maxLine) };
    lines.push(line);
    if (lines.length > tail) lines.shift();
    try {
      onLine?.(line);
    } catch {
      // a listener's trouble is not the plugin's
    }
  }

  return {
    add(level, stream, message) {
      if (!bucket.take(1)) {
        dropped++;
        unsaid++;
        return;
      }
      if (unsaid > 0) put("warn", stream, `${unsaid} log lines were dropped: too many a second`);
      unsaid = 0;
      put(level, stream, message);
    },
    tail: () => [...lines],
    get dropped() {
      return dropped;
    },
  };
}

export interface Bucket {
  /** Takes tokens if there are any left; the last taker may overdraw. */
  take(count: number): boolean;
  /** Milliseconds until a token is there. */
  wait(): number;
}

/** A token bucket: `burst` tokens at first, `rate` more a second. */
export function createBucket(
  rate: number,
  burst: number,
  now: () => number = () => performance.now(),
): Bucket {
  let tokens = burst;
  let last = now();
  function refill(): void {
    const time = now();
    tokens = Math.min(burst, tokens + (time - last) / 1000 * rate);
    last = time;
  }
  return {
    take(count) {
      if (tokens < count) refill();
      if (tokens <= 0) return false;
      tokens -= count;
      return true;
    },
    wait() {
      refill();
      return tokens > 0 ? 0 : Math.ceil((1 - tokens) / rate * 1000);
    },
  };
}

/** Bytes read at once. One buffer serves a stream for life: a flood must not become garbage here. */
const READ = 16 * 1024;

export interface ReadLinesOptions {
  /** Bytes a second; who writes more waits for its own pipe. @default 524288 */
  readonly rate?: number;
  /** Bytes of a line. @default 8192 */
  readonly maxLine?: number;
}

/**
 * Reads a stream of the process to its end, line by line. When `ended` is aborted it no longer holds
 * back: what is left in the pipe is little.
 */
export async function readLines(
  stream: ReadableStream<Uint8Array>,
  onLine: (line: string) => void,
  ended: AbortSignal,
  { rate = 512 * 1024, maxLine = 8192 }: ReadLinesOptions = {},
): Promise<void> {
  const decoder = new TextDecoder();
  const bucket = createBucket(rate, rate);
  const reader = stream.getReader({ mode: "byob" });
  // Each line is decoded by itself: a piece of a larger string would keep all of it.
  const line = new Uint8Array(maxLine);
  let length = 0;
  const say = () => {
    onLine(decoder.decode(line.subarray(0, length)));
    length = 0;
  };
  let buffer = new Uint8Array(READ);
  for (;;) {
    const { value, done } = await reader.read(buffer);
    if (done) break;
    for (let at = 0; at < value.length;) {
      const newline = value.indexOf(10, at);
      const stop = newline === -1 ? value.length : newline;
      const piece = value.subarray(at, Math.min(stop, at + maxLine - length));
      line.set(piece, length);
      length += piece.length;
      at += piece.length;
      if (at === newline) {
        at++;
        say();
      } else if (length === maxLine) say();
    }
    bucket.take(value.length);
    buffer = new Uint8Array(value.buffer);
    const wait = bucket.wait();
    if (wait > 0 && !ended.aborted) await pause(wait, ended);
  }
  if (length > 0) say();
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
