/** All that a command touches outside itself, so that tests can hand in their own. */
import type { RunningHost, StartOptions } from "../host_contract.ts";

export interface Sink {
  write(text: string | Uint8Array): void;
}

/** Held as long as nobody else may be the host of a data folder. */
export interface DataLock extends Disposable {
  readonly path: string;
}

export interface Io {
  readonly out: Sink;
  readonly err: Sink;
  /** The bytes of standard input, for `import -`. */
  stdin(): ReadableStream<Uint8Array>;
  readonly terminal: { readonly in: boolean; readonly out: boolean; readonly err: boolean };
  /** The terminal's size in characters. */
  size(): { readonly columns: number; readonly rows: number };
  env(name: string): string | undefined;
  readonly os: typeof Deno.build.os;
  readonly cwd: string;
  /** Shows a question and reads one line; undefined at the end of input. */
  ask(question: string): Promise<string | undefined>;
  /** Calls `handler` at Ctrl-C and at the system's polite request to end; returns how to stop that. */
  onInterrupt(handler: () => void): () => void;
  /** Starts the host in this process. */
  startHost(options: StartOptions): Promise<RunningHost>;
  /** Takes the lock of a data folder, or undefined while a host holds it. A folder that is not there has none. */
  tryLock(dataDir: string): Promise<DataLock | undefined>;
  /** Milliseconds, ascending. */
  now(): number;
}
