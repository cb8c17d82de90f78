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
  no_plugin: "carrel plugin list --kind import shows what can be imported; --plugin picks one.",
  invalid_url: "Give a whole address, for example https://example.org/page, or a file.",
  private_address:
    "If you trust that address, start the server with: carrel serve --allow-private HOST:PORT",
  fetch_failed: "Check the address and the network, then: carrel job retry ID",
  http_error: "Open the address in a browser to see what the site says.",
  locked: "carrel doctor says what runs on it.",
  too_many_redirects: "Open the address in a browser and import the one it ends at.",
  unsupported_media_type: "carrel plugin list --kind import shows what can be imported.",
  encrypted: "Remove the password from the file and import it again.",
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

/** Where the ids of things are shown, by the thing that a message says is not there. */
const LISTS: readonly (readonly [RegExp, string])[] = [
  [/^Cannot \w+ (?:the )?plugin "/, "carrel plugin list shows the plugins there are."],
  [/^Cannot \w+ (?:the )?job "/, "carrel job list shows the jobs there are."],
  [/^Cannot \w+ (?:the )?run "/, "carrel run list shows the runs there are."],
  [/^Cannot \w+ (?:the )?workflow "/, "carrel workflow list shows the workflows there are."],
  [/^Cannot \w+ (?:the )?token "/, "carrel token list shows the tokens there are."],
  [/^Cannot \w+ (?:the )?content "/, "carrel content list shows the contents there are."],
  [/^Cannot \w+ (?:the )?artifact "/, "carrel content list --artifacts shows what was made."],
  [
    /^Cannot \w+ the lineage of "/,
    "carrel content list shows the contents there are; with --artifacts, what was made of them.",
  ],
];

/** The hints that the code alone does not tell; null where there is none to give. */
function hintByMessage(
  { code, message }: { readonly code: string; readonly message: string },
): string | null | undefined {
  switch (code) {
    case "forbidden":
      return message.includes("install_policy")
        ? "carrel plugin available --json shows where it is: it can be installed from there. Or set another policy in config/carrel.yaml."
        : undefined;
    case "damaged":
      // A plugin whose files are not the ones that were signed: no file of the library is.
      return /carrel\.(lock|sig)\.json/.test(message) ? null : undefined;
    case "not_found":
      return LISTS.find(([pattern]) => pattern.test(message))?.[1];
    case "no_plugin":
      return message.startsWith("Cannot export")
        ? "carrel plugin list --kind export shows what can be made of contents."
        : undefined;
    case "too_large":
      // Of a run, a capability or a request, nothing was imported.
      return /^Cannot (?:(?:import|read|fetch|download)(?: the items of)? "|store the text)/.test(
          message,
        )
        ? "Import a smaller part of it."
        : undefined;
    case "http_error":
      // Too many requests, or a fault of the site's own: both pass.
      return /\(HTTP (?:408|425|429|5\d\d)\)/.test(message)
        ? "Wait a little, then: carrel job retry ID"
        : undefined;
    case "empty":
      return message.includes("drawn by scripts")
        ? "Save the page from a browser, as HTML or PDF, and import that file."
        : undefined;
  }
}

/** What to do about a failure, or undefined where nobody knows better than its message. */
export function hintFor(
  error: { readonly code: string; readonly message: string },
  job?: string,
): string | undefined {
  // A message that names an option says itself how to go on.
  if (error.message.includes(" --")) return undefined;
  const found = hintByMessage(error);
  const hint = found === undefined ? HINTS[error.code] : found ?? undefined;
  // What was no job, such as an install, is just done again.
  return job === undefined
    ? hint?.replace(/, then: carrel job retry ID$/, ", and try again.")
    : hint?.replace(/\bID\b/, job);
}
