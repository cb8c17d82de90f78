/** From whatever a handler throws to the error that stands in the job. */
import { CarrelError, isErrorCode } from "../errors.ts";
import type { JobError } from "./job.ts";

/** What the sandbox throws, by its shape: jobs know nothing of runners. */
interface SandboxFailure {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly data: Readonly<Record<string, unknown>>;
  readonly logTail: readonly unknown[];
}

/**
 * A `CarrelError` keeps its code; a plugin's code is kept if it is one of ours, else it is `plugin_error`; all
 * else is a fault of the host, `internal`, and is given to `report`.
 */
export function toJobError(thrown: unknown, report: (error: unknown) => void): JobError {
  if (thrown instanceof CarrelError) {
    const { code, message, retryable, details } = thrown;
    return { code, message, retryable, ...(details === undefined ? {} : { details }) };
  }
  const failure = asSandboxFailure(thrown);
  if (failure !== undefined) {
    return {
      code: isErrorCode(failure.code) ? failure.code : "plugin_error",
      message: failure.message,
      retryable: failure.retryable,
      ...(Object.keys(failure.data).length === 0 ? {} : { details: failure.data }),
      ...(failure.logTail.length === 0 ? {} : { log: failure.logTail.map(toLine) }),
    };
  }
  report(thrown);
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return { code: "internal", message: message || "Cannot finish the job", retryable: false };
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
