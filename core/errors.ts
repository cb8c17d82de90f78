/**
 * The errors of the host: each carries a stable code, whether a retry can help, and one sentence
 * a person understands, in the form `Cannot <action> "<thing>": <why>`.
 */

/** HTTP status by code. Codes are public: they stand in problem documents and in `job.error.code`. */
export const STATUS_BY_CODE = {
  // The request
  bad_request: 400,
  invalid_url: 400,
  invalid_upload: 400,
  invalid_parameters: 400,
  invalid_manifest: 400,
  invalid_workflow: 400,
  invalid_expression: 422,
  invalid_config: 400,
  unauthorized: 401,
  forbidden: 403,
  consent_required: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  quarantined: 409,
  unhealthy: 409,
  gone: 410,
  too_large: 413,
  unsupported_media_type: 415,
  range_not_satisfiable: 416,
  no_plugin: 422,
  no_provider: 422,
  step_failed: 500,
  source_missing: 422,
  too_many_requests: 429,
  // What a plugin found in its input
  fetch_failed: 502,
  http_error: 502,
  too_many_redirects: 502,
  redirected: 502,
  private_address: 403,
  encrypted: 422,
  empty: 422,
  damaged: 422,
  unreadable: 422,
  refused: 422,
  // How a runner ended
  plugin_error: 500,
  invalid_output: 500,
  cancelled: 409,
  timed_out: 504,
  cpu_exceeded: 500,
  out_of_memory: 500,
  output_exceeded: 500,
  disk_exceeded: 500,
  denied: 403,
  crashed: 500,
  lost: 500,
  // The host
  locked: 409,
  schema_too_new: 500,
  storage_full: 507,
  shutting_down: 503,
  unavailable: 503,
  internal: 500,
} as const;

export type ErrorCode = keyof typeof STATUS_BY_CODE;

export interface CarrelErrorOptions {
  /** The error behind this one; logged, never shown to a client. */
  cause?: unknown;
  /** Whether the same request or attempt may succeed later. @default false */
  retryable?: boolean;
  /** Plain data that goes into the problem document, for example the field that is wrong. */
  details?: Record<string, unknown>;
}

/** Every failure that a user may see. Anything else that reaches a boundary is shown as `internal`. */
export class CarrelError extends Error {
  override readonly name = "CarrelError";
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly details: Record<string, unknown> | undefined;

  constructor(code: ErrorCode, message: string, options: CarrelErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.details = options.details;
  }

  /** The HTTP status that goes with the code. */
  get status(): number {
    return STATUS_BY_CODE[this.code];
  }
}

/** Whether a string, for example one said by a plugin, is one of our codes. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === "string" && Object.hasOwn(STATUS_BY_CODE, code);
}
