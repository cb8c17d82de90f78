/** The one place where failures become HTTP: RFC 9457 problem documents. */
import { HTTPException } from "hono/http-exception";
import { PluginError } from "../../sdk/errors.ts";
import { SandboxError } from "../../sandbox/types.ts";
import { CarrelError, type ErrorCode, isErrorCode } from "../errors.ts";
import { asStorageError } from "../stores/storage_full.ts";
import type { ProblemJson } from "./schemas.ts";

/** A failure that carries headers beside its code, for example `Allow` with `method_not_allowed`. */
export class HttpError extends CarrelError {
  constructor(
    code: ErrorCode,
    message: string,
    readonly headers: Readonly<Record<string, string>>,
    details?: Record<string, unknown>,
  ) {
    super(code, message, details === undefined ? {} : { details });
  }
}

/** The failure as one that a user may see. `expected` is false for what nobody foresaw: it shows as `internal`. */
export function toCarrelError(thrown: unknown): { error: CarrelError; expected: boolean } {
  // What the stores have not named: a spooled upload, for one.
  const error = asStorageError(thrown);
  if (error instanceof CarrelError) return { error, expected: true };
  if (error instanceof PluginError || error instanceof SandboxError) {
    const code = isErrorCode(error.code) ? error.code : "plugin_error";
    const details = error.data === undefined ? {} : { details: { ...error.data } };
    return {
      error: new CarrelError(code, error.message, { retryable: error.retryable, ...details }),
      expected: true,
    };
  }
  if (error instanceof HTTPException && error.status < 500) {
    const code = error.status === 415 ? "unsupported_media_type" : "bad_request";
    return {
      error: new CarrelError(code, `Cannot read the request: ${error.message}.`),
      expected: true,
    };
  }
  return {
    error: new CarrelError(
      "internal",
      "Cannot answer the request: something went wrong inside. The log names it by the request's id.",
      { cause: error },
    ),
    expected: false,
  };
}

/** The problem document of a failure. */
export function problemResponse(error: CarrelError, requestId: string): Response {
  const words = error.code.replaceAll("_", " ");
  const problem: ProblemJson = {
    type: `urn:carrel:problem:${error.code}`,
    title: words[0]!.toUpperCase() + words.slice(1),
    status: error.status,
    code: error.code,
    detail: error.message,
    instance: `urn:uuid:${requestId}`,
    ...(error.details === undefined ? {} : { details: error.details }),
  };
  const retryAfter = error.details?.["retry_after_s"];
  return new Response(JSON.stringify(problem), {
    status: error.status,
    headers: {
      ...(typeof retryAfter === "number" ? { "retry-after": String(Math.ceil(retryAfter)) } : {}),
      ...(error instanceof HttpError ? error.headers : {}),
      "content-type": "application/problem+json",
    },
  });
}
