/** What ends a command early: an exit code, a stable code, one sentence, and what to do next. */

/** The exit codes of `carrel`, as its help lists them. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  consent: 3,
  unreachable: 4,
  interrupted: 130,
} as const;

export type ExitCode = typeof EXIT[keyof typeof EXIT];

export interface CliErrorOptions {
  /** @default EXIT.failed */
  readonly exit?: ExitCode | undefined;
  /** What the person can do now. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
  /** HTTP status, when a host said so. */
  readonly status?: number | undefined;
  /** The problem document's `details`. */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

/** Every failure of a command that a person may see. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly code: string;
  readonly exit: ExitCode;
  readonly hint: string | undefined;
  readonly status: number | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: string, message: string, options: CliErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.exit = options.exit ?? EXIT.failed;
    this.hint = options.hint ?? hintFor({ code, message });
    this.status = options.status;
    this.details = options.details;
  }
}

/** The command line was wrong: exit 2. */
export function usageError(message: string, hint = "carrel help shows every command."): CliError {
  return new CliError("usage", message, { exit: EXIT.usage, hint });
}

/** Ctrl-C: exit 130. */
export function interruptedError(message = "Interrupted.", hint?: string): CliError {
  return new CliError("interrupted", message, { exit: EXIT.interrupted, hint });
}

const HINTS: Readonly<Record<string, string>> = {
  unauthorized: "Give a valid token: CARREL_TOKEN=… or --token-file FILE.",
  forbidden: "Ask an admin of this library for a token with that right: carrel token create.",
  not_found: "carrel content list and carrel job list show the ids there are.",
  no_plugin: "carrel plugin list --kind import shows what can be imported; --plugin picks one.",
  invalid_url: "Give a whole address, for example https://example.org/page, or a file.",
  private_address:
    "If you trust that address, start the server with: carrel serve --allow-private HOST:PORT",
  fetch_failed: "Check the address and the network, then: carrel job retry ID",
  http_error: "Open the address in a browser to see what the site says.",
  too_many_redirects: "Open the address in a browser and import the one it ends at.",
  too_large: "Import a smaller part of it.",
  unsupported_media_type: "carrel plugin list --kind import shows what can be imported.",
  encrypted: "Remove the password from the file and import it again.",
  empty: "There is no text in it to import; a scanned document needs text recognition first.",
  damaged: "The file is damaged or cut off: fetch it again and import that.",
  unreadable: "Save it again as UTF-8 and import that.",
  source_missing: "carrel content list shows what can be exported.",
  timed_out: "Try again with: carrel job retry ID",
  crashed: "carrel job log ID shows what the plugin said last.",
  plugin_error: "carrel job log ID shows what the plugin said last.",
  out_of_memory: "The plugin used more memory than its limit; import a smaller part.",
  lost: "Try again with: carrel job retry ID",
  too_many_requests: "Wait a little and try again.",
  internal: "The log of the server says more; carrel doctor checks the installation.",
};

/** What to do about a failure, or undefined where nobody knows better than its message. */
export function hintFor(
  error: { readonly code: string; readonly message: string },
  job?: string,
): string | undefined {
  // A message that names an option says itself how to go on.
  if (error.message.includes(" --")) return undefined;
  const hint = HINTS[error.code];
  return job === undefined ? hint : hint?.replace(/\bID\b/, job);
}
