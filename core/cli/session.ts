/** What one run of a command works with: its settings, its outputs, its host. */
import type { Connection } from "./connect.ts";
import { connect } from "./connect.ts";
import { CliError, EXIT, type ExitCode, interruptedError } from "./errors.ts";
import { createStyle, type Style, wantsColours } from "./format.ts";
import type { Io } from "./io.ts";
import { createBoard, type ProgressBoard } from "./progress.ts";
import { clean } from "./width.ts";

/** The options that every command takes. */
export interface GlobalOptions {
  readonly data?: string | undefined;
  readonly config?: string | undefined;
  readonly url?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly json?: boolean | undefined;
  readonly quiet?: boolean | undefined;
}

export interface Session {
  readonly io: Io;
  readonly global: GlobalOptions;
  readonly json: boolean;
  readonly style: Style;
  /** Columns to fill on standard output: those of the terminal; without one, nothing is cut or wrapped. */
  readonly width: number;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** A line of the answer, on standard output; not with `--json`. */
  print(line?: string): void;
  /** A word beside the answer, on standard error; not with `--quiet` or `--json`. */
  note(line: string): void;
  /** The answer as JSON; only with `--json`. */
  answer(value: unknown): void;
  /** One line of JSON, at once; only with `--json`. */
  event(value: unknown): void;
  /** The host, found or started at the first call. */
  connect(): Promise<Connection>;
  /** A board for progress on standard error; silent with `--quiet` and `--json`. */
  board(): ProgressBoard;
}

/** What a command leaves behind: nothing means 0. */
export type Outcome = ExitCode | void;

/** Runs a command with a session, then gives back what the session held. Returns the exit code. */
export async function withSession(
  io: Io,
  global: GlobalOptions,
  command: (session: Session) => Promise<Outcome>,
): Promise<ExitCode> {
  const interrupt = new AbortController();
  const stopListening = io.onInterrupt(() => interrupt.abort());
  const quiet = global.quiet ?? false;
  const json = global.json ?? false;
  const style = createStyle(wantsColours(io.terminal.out, io.env));
  const errStyle = createStyle(wantsColours(io.terminal.err, io.env));
  let connection: Promise<Connection> | undefined;
  const boards: ProgressBoard[] = [];

  const session: Session = {
    io,
    global,
    json,
    style,
    width: io.terminal.out ? Math.max(40, io.size().columns) : Infinity,
    signal: interrupt.signal,
    print(line = "") {
      if (!json) io.out.write(line + "\n");
    },
    note(line) {
      if (!quiet && !json) io.err.write(line + "\n");
    },
    answer(value) {
      if (json) io.out.write(JSON.stringify(value, null, 2) + "\n");
    },
    event(value) {
      if (json) io.out.write(JSON.stringify(value) + "\n");
    },
    connect() {
      connection ??= connect(io, { ...global, signal: interrupt.signal }).then((made) => {
        // Even with --quiet and --json: it is shown this once.
        if (made.own?.adminToken !== undefined) {
          io.err.write(firstToken(made.own.adminToken, errStyle) + "\n");
        }
        return made;
      });
      return connection;
    },
    board() {
      const board = createBoard({
        sink: quiet || json ? { write: () => {} } : io.err,
        style: errStyle,
        live: io.terminal.err && !quiet && !json && io.env("TERM") !== "dumb",
        size: io.size,
        now: io.now,
      });
      boards.push(board);
      return board;
    },
  };

  let exit: ExitCode = EXIT.ok;
  try {
    exit = await command(session) ?? (interrupt.signal.aborted ? EXIT.interrupted : EXIT.ok);
  } catch (error) {
    for (const board of boards) board.close();
    exit = report(io, { json, style: errStyle }, interrupt.signal.aborted, error);
  } finally {
    for (const board of boards) board.close();
    const made = await connection?.catch(() => undefined);
    await made?.[Symbol.asyncDispose]();
    stopListening();
  }
  return exit;
}

/** How the first admin token is shown, once. */
export function firstToken(token: string, style: Style): string {
  return [
    `${style.bold("First start of this library.")} Its admin token, shown this once:`,
    `  ${style.bold(token)}`,
  ].join("\n");
}

/** Says what went wrong and what to do next; returns the exit code. */
export function report(
  io: Io,
  options: { readonly json: boolean; readonly style: Style },
  interrupted: boolean,
  error: unknown,
): ExitCode {
  const { style } = options;
  const said = interrupted && !(error instanceof CliError) ? interruptedError() : asCliError(error);
  if (options.json) {
    const { code, message, hint, details, exit } = said;
    io.out.write(JSON.stringify({ error: { code, message, hint, details, exit } }, null, 2) + "\n");
    return said.exit;
  }
  const code = said.code === "interrupted" || said.code === "usage" ? "" : ` (${said.code})`;
  io.err.write(`${style.red("✗")} ${clean(said.message)}${style.dim(clean(code))}\n`);
  for (const hint of said.hint?.split("\n") ?? []) io.err.write(`${style.dim("  →")} ${hint}\n`);
  return said.exit;
}

/** Any error as one that can be shown. A host in this process throws errors with a `code` of its own. */
export function asCliError(error: unknown): CliError {
  if (error instanceof CliError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = (error as { code?: unknown } | null)?.code;
  if (error instanceof Deno.errors.NotFound) {
    return new CliError("file_not_found", message, { cause: error });
  }
  const named = typeof code === "string" && /^[a-z][a-z_]*$/.test(code) ? code : "internal";
  return new CliError(named, message, {
    cause: error,
    exit: named === "locked" ? EXIT.unreachable : EXIT.failed,
  });
}
