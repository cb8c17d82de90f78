/**
 * The codes by which a plugin says why it could not do its work. The host shows them as they are; a
 * code that is not listed is shown as `plugin_error`.
 */
export type PluginErrorCode =
  | "invalid_url"
  | "invalid_parameters"
  /** A setting is missing or wrong: no retry helps, and another provider may serve. */
  | "invalid_config"
  /** A model or its filter will not do what was asked. */
  | "refused"
  | "fetch_failed"
  | "http_error"
  | "too_many_redirects"
  | "redirected"
  | "private_address"
  | "too_large"
  | "unsupported_media_type"
  | "encrypted"
  | "empty"
  | "damaged"
  | "unreadable"
  | "plugin_error";

/** A failure with a stable code and a sentence for people: `Cannot <action> "<thing>": <why>`. */
export class PluginError extends Error {
  override readonly name = "PluginError";
  readonly code: PluginErrorCode;
  /** Whether another attempt may succeed. */
  readonly retryable: boolean;
  /** Plain data beside the message, for example `{url}` of a redirect or `{status}` of an answer. */
  readonly data: Record<string, string | number | boolean> | undefined;

  constructor(
    code: PluginErrorCode,
    message: string,
    options: {
      retryable?: boolean;
      cause?: unknown;
      data?: Record<string, string | number | boolean>;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.data = options.data;
  }
}
