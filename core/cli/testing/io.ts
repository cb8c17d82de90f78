/** An `Io` whose terminal is a string, for tests. */
import type { RunningHost } from "../../host_contract.ts";
import type { Io } from "../io.ts";
import { tryDataLock } from "../system_io.ts";

export interface TestIo extends Io {
  readonly outText: () => string;
  readonly errText: () => string;
  /** Ctrl-C. */
  interrupt(): void;
  /** The questions that were asked. */
  readonly asked: string[];
}

export interface TestIoOptions {
  readonly terminal?: boolean;
  readonly answers?: readonly (string | undefined)[];
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly cwd?: string;
  readonly columns?: number;
  readonly rows?: number;
  readonly startHost?: Io["startHost"];
  readonly tryLock?: Io["tryLock"];
  /** How far the clock goes on each time it is read. @default 10 */
  readonly clockStepMs?: number;
}

export function testIo(options: TestIoOptions = {}): TestIo {
  const decoder = new TextDecoder();
  let out = "";
  let err = "";
  let clock = 0;
  const handlers = new Set<() => void>();
  const answers = [...options.answers ?? []];
  const asked: string[] = [];
  const terminal = options.terminal ?? false;
  const text = (piece: string | Uint8Array) =>
    typeof piece === "string" ? piece : decoder.decode(piece);
  return {
    out: { write: (piece) => out += text(piece) },
    err: { write: (piece) => err += text(piece) },
    outText: () => out,
    errText: () => err,
    asked,
    interrupt: () => handlers.forEach((handler) => handler()),
    stdin: () => new Blob([options.stdin ?? ""]).stream(),
    terminal: { in: terminal, out: terminal, err: terminal },
    size: () => ({ columns: options.columns ?? 100, rows: options.rows ?? 30 }),
    env: (name) => options.env?.[name],
    os: "linux",
    cwd: options.cwd ?? Deno.cwd(),
    ask: (question) => {
      asked.push(question);
      return Promise.resolve(answers.shift());
    },
    onInterrupt(handler) {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
    startHost: options.startHost ??
      ((): Promise<RunningHost> => Promise.reject(new Error("no host is expected here"))),
    tryLock: options.tryLock ?? tryDataLock,
    // Time goes on by itself, so that deadlines pass.
    now: () => clock += options.clockStepMs ?? 10,
  };
}
