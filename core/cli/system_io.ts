/** The terminal, the process and the host of this machine, as commands see them. */
import { isAbsolute, join } from "node:path";
import { PROGRAM_DIR } from "../assets.ts";
import type { RunningHost, StartOptions } from "../host_contract.ts";
import type { DataLock, Io, Sink } from "./io.ts";

/** Writes all of the bytes; a reader that has gone (`carrel … | head`) ends the output, not the command. */
export function syncSink(
  file: { writeSync(bytes: Uint8Array): number },
  onGone: () => void,
): Sink {
  const encoder = new TextEncoder();
  let gone = false;
  return {
    write(text) {
      let bytes = typeof text === "string" ? encoder.encode(text) : text;
      while (bytes.length > 0 && !gone) {
        try {
          bytes = bytes.subarray(file.writeSync(bytes));
        } catch (error) {
          // A terminal or pipe that is full for a moment.
          if (error instanceof Deno.errors.WouldBlock) continue;
          if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
          gone = true;
          onGone();
        }
      }
    },
  };
}

/** Reads lines of a stream of bytes; what follows a line waits for the next call. */
export function lineReader(
  read: (buffer: Uint8Array) => Promise<number | null>,
): () => Promise<string | undefined> {
  const decoder = new TextDecoder();
  let rest = "";
  let ended = false;
  return async () => {
    const buffer = new Uint8Array(1024);
    while (true) {
      const end = rest.indexOf("\n");
      if (end >= 0) {
        const line = rest.slice(0, end).replace(/\r$/, "");
        rest = rest.slice(end + 1);
        return line;
      }
      if (ended) {
        const line = rest;
        rest = "";
        return line === "" ? undefined : line;
      }
      const count = await read(buffer);
      if (count === null) ended = true;
      else rest += decoder.decode(buffer.subarray(0, count), { stream: true });
    }
  };
}

/** Takes the lock that a host holds on its data folder (`lock` in it), if none does. */
export async function tryDataLock(dataDir: string): Promise<DataLock | undefined> {
  const path = join(dataDir, "lock");
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path, { read: true, write: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { path, [Symbol.dispose]: () => {} };
    throw error;
  }
  let locked = false;
  try {
    locked = await file.tryLock(true);
  } finally {
    if (!locked) file.close();
  }
  if (!locked) return undefined;
  return {
    path,
    [Symbol.dispose]() {
      file.unlockSync();
      file.close();
    },
  };
}

/** One Ctrl-C may come twice: from the terminal, and handed on by a parent such as `deno task`. Milliseconds. */
const SAME_KEY_MS = 500;

/** Calls `first` for the first signal, and `again` for a second one: who asks twice does not want to wait. */
export function twice(now: () => number, first: () => void, again: () => void): () => void {
  let since: number | undefined;
  return () => {
    if (since === undefined) {
      since = now();
      first();
    } else if (now() - since > SAME_KEY_MS) again();
  };
}

/**
 * The folder that the person is in, which relative paths are relative to. `deno task` moves to the folder of
 * the project first, and says in `INIT_CWD` where it was called.
 */
export function callerFolder(
  cwd: string,
  initCwd: string | undefined,
  programDir: string = Deno.realPathSync(PROGRAM_DIR),
): string {
  return cwd === programDir && initCwd && isAbsolute(initCwd) ? initCwd : cwd;
}

/** The real thing. `startHost` is handed in, so that a command that needs no host of its own loads none. */
export function systemIo(startHost: (options: StartOptions) => Promise<RunningHost>): Io {
  const handlers = new Set<() => void>();
  const interrupt = () => handlers.forEach((handler) => handler());
  const readLine = lineReader((buffer) => Deno.stdin.read(buffer));
  const err = syncSink(Deno.stderr, interrupt);
  const onSignal = twice(() => performance.now(), interrupt, () => {
    err.write("\x1b[?25h\n");
    Deno.exit(130);
  });
  return {
    out: syncSink(Deno.stdout, interrupt),
    err,
    stdin: () => Deno.stdin.readable,
    terminal: {
      in: Deno.stdin.isTerminal(),
      out: Deno.stdout.isTerminal(),
      err: Deno.stderr.isTerminal(),
    },
    size() {
      try {
        return Deno.consoleSize();
      } catch {
        return { columns: Number(Deno.env.get("COLUMNS")) || 80, rows: 24 };
      }
    },
    env: (name) => Deno.env.get(name),
    os: Deno.build.os,
    cwd: callerFolder(Deno.cwd(), Deno.env.get("INIT_CWD")),
    async ask(question) {
      err.write(question);
      return await readLine();
    },
    onInterrupt(handler) {
      if (handlers.size === 0) {
        Deno.addSignalListener("SIGINT", onSignal);
        Deno.addSignalListener("SIGTERM", onSignal);
      }
      handlers.add(handler);
      return () => {
        handlers.delete(handler);
        if (handlers.size > 0) return;
        Deno.removeSignalListener("SIGINT", onSignal);
        Deno.removeSignalListener("SIGTERM", onSignal);
      };
    },
    startHost,
    tryLock: tryDataLock,
    now: () => performance.now(),
  };
}
