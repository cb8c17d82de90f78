/** From whatever a handler throws to the error that stands in the job. */
import { CarrelError, isErrorCode } from "../errors.ts";
import { cleanText, type Json, jsonBytes, plainJson, PlainJsonError } from "../plain_json.ts";
import type { JobError } from "./job.ts";

/** What the sandbox throws, by its shape: jobs know nothing of runners. */
interface SandboxFailure {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly data: Readonly<Record<string, unknown>>;
  readonly logTail: readonly unknown[];
}

/** Bytes of JSON of an error's details: they stand in the job's row and in every list of jobs. */
const MAX_DETAILS_BYTES = 8 * 1024;
const MAX_MESSAGE = 2_000;
/** Characters of the log that is kept with the error, and of one line of it. */
const MAX_LOG = 16_000;
const MAX_LINE = 2_000;

/**
 * A `CarrelError` keeps its code; a plugin's code is kept if it is one of ours, else it is `plugin_error`; all
 * else is a fault of the host, `internal`, and is given to `report`. What is too long is cut: a plugin says
 * as much as it likes.
 */
export function toJobError(thrown: unknown, report: (error: unknown) => void): JobError {
  if (thrown instanceof CarrelError) {
    const { code, message, retryable, details } = thrown;
    return { code, message: shorten(message), retryable, ...bounded(details) };
  }
  const failure = asSandboxFailure(thrown);
  if (failure !== undefined) {
    const log = lastLines(failure.logTail);
    return {
      code: isErrorCode(failure.code) ? failure.code : "plugin_error",
      message: shorten(failure.message),
      retryable: failure.retryable,
      ...bounded(failure.data),
      ...(log.length === 0 ? {} : { log }),
    };
  }
  report(thrown);
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return {
    code: "internal",
    message: shorten(message) || "Cannot finish the job",
    retryable: false,
  };
}

/** The fields that are plain and fit; `left_out` says how many are not there. */
function bounded(
  details: Readonly<Record<string, unknown>> | undefined,
): { details?: Record<string, Json> } {
  const kept: [string, Json][] = [];
  let left = MAX_DETAILS_BYTES;
  let leftOut = 0;
  for (const key in details) {
    if (!Object.hasOwn(details, key) || details[key] === undefined) continue;
    const entry = left > 0 ? plainEntry(key, details[key], left) : undefined;
    left -= entry === undefined ? 0 : jsonBytes(entry);
    if (entry === undefined || left < 0) leftOut++;
    else kept.push(entry);
  }
  if (leftOut > 0) kept.push(["left_out", leftOut]);
  return kept.length === 0 ? {} : { details: Object.fromEntries(kept) };
}

function plainEntry(key: string, value: unknown, maxBytes: number): [string, Json] | undefined {
  try {
    return [cleanText(key), plainJson(value, { maxBytes })];
  } catch (error) {
    if (error instanceof PlainJsonError) return undefined;
    throw error;
  }
}

function shorten(text: string, max = MAX_MESSAGE): string {
  const clean = cleanText(text.slice(0, max + 1));
  return clean.length > max ? `${clean.slice(0, max - 1).toWellFormed()}…` : clean;
}

/** The last lines of the log, as many as fit. */
function lastLines(lines: readonly unknown[]): string[] {
  const kept: string[] = [];
  let left = MAX_LOG;
  for (let at = lines.length - 1; at >= 0; at--) {
    const line = shorten(toLine(lines[at]), MAX_LINE);
    left -= line.length;
    if (left < 0) break;
    kept.unshift(line);
  }
  return kept;
}

function asSandboxFailure(thrown: unknown): SandboxFailure | undefined {
  if (!(thrown instanceof Error) || thrown.name !== "SandboxError") return undefined;
  const { code, retryable, data, logTail } = thrown as Error & Partial<Record<string, unknown>>;
  return {
    code: typeof code === "string" ? code : "plugin_error",
    message: thrown.message,
    retryable: retryable === true,
    data: typeof data === "object" && data !== null ? data as Record<string, unknown> : {},
    logTail: Array.isArray(logTail) ? logTail : [],
  };
}

function toLine(line: unknown): string {
  if (typeof line !== "object" || line === null) return String(line);
  const { time, level, message } = line as Record<string, unknown>;
  return [time, level, message].filter((part) => part !== undefined).join(" ");
}
