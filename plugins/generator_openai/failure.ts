/** What goes wrong between here and the model, in codes that say whether a retry can help. */
import { PluginError, type PluginErrorCode } from "@carrel/sdk";
import { APIConnectionTimeoutError, APIError } from "openai";
import type { Settings } from "./settings.ts";
import { retryAfter, silent } from "./transport.ts";

/** Characters of a server's own words that are repeated. */
const MAX_SAID = 300;

/** A failure to answer, as a sentence about the model. */
export function failed(
  settings: Pick<Settings, "model">,
  code: PluginErrorCode,
  why: string,
  options: { retryable?: boolean; data?: Record<string, string | number | boolean> } = {},
): PluginError {
  return new PluginError(
    code,
    `Cannot get an answer from the model "${settings.model}": ${why}.`,
    options,
  );
}

/**
 * A `PluginError` for what the client threw. A refusal of the sandbox stays as it is, so that the host sees that a
 * permission is missing.
 */
export function failureOf(error: unknown, settings: Settings): unknown {
  for (const cause of causes(error)) {
    if (cause instanceof PluginError || cause instanceof Deno.errors.NotCapable) return cause;
    // A denial after name resolution comes as a TypeError, with the reason in its cause only.
    if (cause instanceof Error && cause.message.includes("Requires net access to")) {
      return privateAddress(settings);
    }
  }
  if (error instanceof APIConnectionTimeoutError) return silent(settings.timeoutMs);
  if (error instanceof APIError) {
    return error.status === undefined ? withoutStatus(error, settings) : answered(error, settings);
  }
  if (error instanceof SyntaxError) {
    return failed(settings, "damaged", "what the server sent is no valid JSON", {
      retryable: true,
    });
  }
  return broken(settings);
}

/** The answer ended before it was complete. */
export function broken(settings: Pick<Settings, "model">): PluginError {
  return failed(settings, "fetch_failed", "the answer broke off", { retryable: true });
}

/** Something answered that is no such server. */
export function notTheProtocol(settings: Pick<Settings, "model">, type = ""): PluginError {
  const what = type.split(";")[0]!.slice(0, 100) || "something";
  const why = `the server answered with ${what} that is no answer of a model; check base_url`;
  return failed(settings, "invalid_config", why);
}

/** An error in the middle of a stream, or no connection at all. */
function withoutStatus(error: APIError, settings: Settings): PluginError {
  if (error.error === undefined) {
    const reason = [...causes(error)].map(String).join(" ");
    const unknown =
      /name or service not known|name does not resolve|nodename nor servname|no such host/i
        .test(reason);
    const why = unknown
      ? "there is no server of the name in base_url"
      : /refused/i.test(reason)
      ? "the server refuses connections; is it running"
      : /certificate|tls|ssl/i.test(reason)
      ? "no secure connection to the server could be made"
      : "the server cannot be reached";
    return failed(settings, "fetch_failed", why, { retryable: !unknown });
  }
  return byWords(error, settings) ??
    failed(settings, "http_error", `the server broke the answer off${said(error, settings)}`, {
      retryable: true,
    });
}

function answered(error: APIError, settings: Settings): PluginError {
  const status = error.status as number;
  const data = { status };
  const wait = error.headers === undefined ? undefined : retryAfter(error.headers, Date.now());
  const words = byWords(error, settings);
  if (words !== undefined) return words;
  if (status >= 300 && status < 400) {
    const why = "the server sends the request on to another address; set base_url to that";
    return failed(settings, "invalid_config", why, { data });
  }
  if (status === 401 || status === 403) {
    // The server's own words are left out: some repeat the key.
    const why = settings.apiKey === undefined
      ? `the server wants a key; set api_key (HTTP ${status})`
      : `the server refuses the key (HTTP ${status})`;
    return failed(settings, "invalid_config", why, { data });
  }
  if (status === 402) return noCredit(settings, data);
  if (status === 404 || status === 405) {
    const why = `the server has no such address (HTTP ${status}); check base_url`;
    return failed(settings, "invalid_config", why, { data });
  }
  if (status === 413) {
    return failed(settings, "too_large", "the request is larger than the server takes", { data });
  }
  const retryable = status === 408 || status === 409 || status === 425 || status === 429 ||
    status >= 500;
  const why = status === 429
    ? "the server asks for fewer requests"
    : status >= 500
    ? "the server has a fault of its own"
    : "the server refuses the request";
  return failed(settings, "http_error", `${why} (HTTP ${status})${said(error, settings)}`, {
    retryable,
    data: { ...data, ...(retryable && wait !== undefined && { retry_after_s: wait }) },
  });
}

const CONTEXT =
  /context.?(length|window|size)|maximum context|prompt is too long|too many (input )?tokens|reduce the length/i;
const FILTER = /content.?(filter|policy|management)|moderation|flagged|safety system/i;
const NO_MODEL =
  /model\b.*(not found|does not exist|no such|not exist|unknown|not supported|is not available)|(unknown|invalid|no such) model|not a valid model/i;

/** Failures that servers say with different statuses: by their code, else by their words. */
function byWords(error: APIError, settings: Settings): PluginError | undefined {
  const { status } = error;
  if (status !== undefined && status >= 500 && status !== 500) return undefined;
  const data = status === undefined ? {} : { data: { status } };
  const code = `${error.code ?? ""} ${error.type ?? ""}`;
  const message = messageOf(error);
  if (/insufficient_quota|billing/.test(code)) return noCredit(settings, data.data);
  if (status === 429) return undefined;
  if (/context_length|exceed_context/.test(code) || CONTEXT.test(message)) {
    const why = "prompt and texts are longer than the model can take at once";
    return failed(settings, "invalid_parameters", why, data);
  }
  if (/content_filter|content_policy/.test(code) || status !== 500 && FILTER.test(message)) {
    return failed(settings, "refused", "a filter of the server refuses the text", data);
  }
  const noModel = /model_not_found/.test(code) || NO_MODEL.test(message);
  if (noModel && (status === 400 || status === 404 || status === 422 || status === undefined)) {
    return failed(settings, "invalid_config", "the server has no such model", data);
  }
  return undefined;
}

function noCredit(settings: Settings, data?: { status: number }): PluginError {
  const why = "the account at the server has no credit left";
  return failed(settings, "invalid_config", why, data && { data });
}

function privateAddress(settings: Settings): PluginError {
  const { hostname, port, protocol } = new URL(settings.baseUrl);
  const place = `${hostname}:${port || (protocol === "https:" ? "443" : "80")}`;
  return failed(
    settings,
    "private_address",
    `"${hostname}" leads to a private address. The operator can open it by starting the host with --allow-private ${place}`,
  );
}

/** `: …`, the server's own words. */
function said(error: APIError, settings: Settings): string {
  const key = settings.apiKey;
  let text = messageOf(error).replace(/\s+/g, " ").trim();
  if (key !== undefined) text = text.replaceAll(key, "[secret]");
  text = text.slice(0, MAX_SAID).toWellFormed().replace(/[.\s]+$/, "");
  return text === "" ? "" : `: ${text}`;
}

function messageOf({ error, message, status }: APIError): string {
  const own = (error as { message?: unknown } | undefined)?.message;
  if (typeof own === "string") return own;
  return message.startsWith(`${status} `) ? message.slice(`${status} `.length) : message;
}

function* causes(error: unknown): Iterable<unknown> {
  for (let depth = 0; error !== undefined && error !== null && depth < 5; depth++) {
    yield error;
    error = (error as { cause?: unknown }).cause;
  }
}
