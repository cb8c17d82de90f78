import { PluginError } from "./errors.ts";
import type { RawContent } from "./types.ts";

/** How `fetchSource` fetches. */
export interface FetchSourceOptions {
  /** The longest body taken, in bytes, counted after decompression. @default 33554432 (32 MiB) */
  readonly maxBytes?: number | undefined;
  /** The longest silence, in milliseconds: before the answer, and between two pieces of it. @default 30000 */
  readonly timeoutMs?: number | undefined;
  /** Ends the request; `fetchSource` then throws the signal's reason. Give it `ctx.signal`. */
  readonly signal?: AbortSignal | undefined;
  /** The `Accept` header. @default "*\/*" */
  readonly accept?: string | undefined;
  /** How many redirects are followed. @default 10 */
  readonly maxRedirects?: number | undefined;
  /** Called with the bytes read so far and, where the server said it, the size of the whole. */
  readonly onProgress?: ((read: number, total: number | undefined) => void) | undefined;
}

const USER_AGENT = "Carrel/0.1";
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const RETRYABLE_STATUS = new Set([408, 425, 429]);

/**
 * Brings the bytes behind an http(s) URL, within bounds, and says in a stable code why it could not.
 *
 * Redirects are followed as far as the runner's grants reach. One that leads out of them ends with
 * `redirected` and `data.url`: the host then looks for itself where the source's URL leads, and starts the stage
 * again with that site granted. A redirect that only this request gets (by its user, its headers) is not followed.
 *
 * Throws `PluginError` with `invalid_url`, `fetch_failed` (retryable, unless no server has that name),
 * `http_error` (with
 * `data.status`; retryable for 408, 425, 429 and 5xx), `too_many_redirects`, `redirected`,
 * `private_address` or `too_large`.
 */
export async function fetchSource(
  url: string,
  options: FetchSourceOptions = {},
): Promise<RawContent> {
  const maxRedirects = options.maxRedirects ?? 10;
  const seen = new Set<string>();
  let current = parseUrl(url);
  for (let hops = 0;; hops++) {
    if (hops > 0) checkReach(current);
    seen.add(current.href);
    const answer = await request(current, options);
    if (!("redirect" in answer)) return answer;
    current = answer.redirect;
    if (seen.has(current.href) || hops >= maxRedirects) {
      throw new PluginError(
        "too_many_redirects",
        `Cannot fetch "${url}": the server sends the request in a circle or more than ${maxRedirects} times on.`,
      );
    }
  }
}

/** One request: the body, or the place that it was sent on to. */
async function request(
  url: URL,
  options: FetchSourceOptions,
): Promise<RawContent | { readonly redirect: URL }> {
  const silence = silenceTimer(options.timeoutMs ?? 30_000);
  const signals = options.signal === undefined
    ? [silence.signal]
    : [silence.signal, options.signal];
  try {
    options.signal?.throwIfAborted();
    const response = await fetch(url, {
      redirect: "manual",
      signal: AbortSignal.any(signals),
      headers: { "user-agent": USER_AGENT, accept: options.accept ?? "*/*" },
    });
    silence.restart();
    const location = response.headers.get("location");
    if (REDIRECTS.has(response.status) && location !== null) {
      await response.body?.cancel();
      return { redirect: parseUrl(location, url) };
    }
    if (!response.ok) {
      await response.body?.cancel();
      throw httpError(url, response);
    }
    const bytes = await readBody(url, response, options, silence);
    return {
      bytes,
      mediaType: response.headers.get("content-type") ?? "application/octet-stream",
      url: url.href,
    };
  } catch (error) {
    if (options.signal?.aborted) throw options.signal.reason;
    if (silence.signal.aborted) {
      throw new PluginError(
        "fetch_failed",
        `Cannot fetch "${url.href}": the server said nothing for ${silence.seconds} seconds.`,
        { retryable: true, cause: error },
      );
    }
    throw connectionError(url, error);
  } finally {
    silence.stop();
  }
}

async function readBody(
  url: URL,
  response: Response,
  options: FetchSourceOptions,
  silence: SilenceTimer,
): Promise<Uint8Array> {
  const max = options.maxBytes ?? 32 * 1024 * 1024;
  const header = response.headers.get("content-length");
  const total = header !== null && /^\d+$/.test(header) ? Number(header) : undefined;
  if (total !== undefined && total > max) {
    await response.body?.cancel();
    throw tooLarge(url, max);
  }
  const pieces: Uint8Array[] = [];
  let read = 0;
  // Leaving the loop by a throw cancels the body, which closes the connection.
  for await (const piece of response.body ?? []) {
    silence.restart();
    read += piece.byteLength;
    if (read > max) throw tooLarge(url, max);
    pieces.push(piece);
    options.onProgress?.(read, total);
  }
  if (pieces.length === 1) return pieces[0]!;
  const bytes = new Uint8Array(read);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.byteLength;
  }
  return bytes;
}

function parseUrl(text: string, base?: URL): URL {
  let url: URL;
  try {
    url = new URL(text, base);
  } catch (cause) {
    throw new PluginError("invalid_url", `Cannot fetch "${text}": it is not a URL.`, { cause });
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new PluginError(
      "invalid_url",
      `Cannot fetch "${url.href}": only http and https addresses can be fetched.`,
    );
  }
  url.hash = "";
  return url;
}

/** Stops at a redirect that leads to where the runner may not go, instead of running into a denial. */
function checkReach(url: URL): void {
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  const { state } = Deno.permissions.querySync({ name: "net", host: `${url.hostname}:${port}` });
  // "denied" means a deny rule, and those are for private addresses only; "prompt" means not granted.
  if (state === "denied") throw privateAddress(url);
  if (state !== "granted") {
    throw new PluginError(
      "redirected",
      `Cannot fetch "${url.href}": the redirect leads to another site.`,
      { data: { url: url.href } },
    );
  }
}

function httpError(url: URL, response: Response): PluginError {
  const { status } = response;
  const retryable = RETRYABLE_STATUS.has(status) || status >= 500;
  const why = status === 404 || status === 410
    ? "there is no such page"
    : status === 401 || status === 403
    ? "the server does not allow it"
    : status === 429
    ? "the server asks for fewer requests"
    : status >= 500
    ? "the server has a fault of its own"
    : "the server refused the request";
  return new PluginError(
    "http_error",
    `Cannot fetch "${url.href}": ${why} (HTTP ${status}).`,
    { retryable, data: { status } },
  );
}

function tooLarge(url: URL, max: number): PluginError {
  return new PluginError(
    "too_large",
    `Cannot fetch "${url.href}": it is larger than ${Math.round(max / 1024 / 1024 * 10) / 10} MiB.`,
    { data: { max_bytes: max } },
  );
}

function privateAddress(url: URL): PluginError {
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  return new PluginError(
    "private_address",
    `Cannot fetch "${url.href}": the address is private. The operator can open it by starting the host with --allow-private ${url.hostname}:${port}, unless it is Carrel's own or a cloud's metadata address: those stay closed.`,
    { data: { host: url.hostname, port: Number(port) } },
  );
}

/** Gives what `fetch` or the body threw its code. What is no failure of the connection stays as it is. */
function connectionError(url: URL, error: unknown): unknown {
  if (error instanceof PluginError || !(error instanceof Error)) return error;
  if (error instanceof Deno.errors.NotCapable) {
    const port = url.port || (url.protocol === "https:" ? "443" : "80");
    const { state } = Deno.permissions.querySync({ name: "net", host: `${url.hostname}:${port}` });
    return state === "denied" ? privateAddress(url) : error;
  }
  const reason = `${error.message} ${error.cause ?? ""}`;
  // A denial after name resolution comes as a TypeError, with the reason in its cause only.
  if (reason.includes("Requires net access to")) return privateAddress(url);
  return new PluginError("fetch_failed", `Cannot fetch "${url.href}": ${plainReason(reason)}.`, {
    retryable: !isUnknownName(reason),
    cause: error,
  });
}

/**
 * Whether the resolver said for sure that the name is nobody's (EAI_NONAME, EAI_NODATA, in the words of glibc,
 * musl, macOS and Windows), rather than that it could not find out just now (EAI_AGAIN).
 */
function isUnknownName(reason: string): boolean {
  return /name or service not known|name does not resolve|nodename nor servname provided|no address associated with|no such host|no data of the requested type/i
    .test(reason);
}

function plainReason(reason: string): string {
  if (isUnknownName(reason)) return "there is no server of that name";
  if (/dns error|failed to lookup/i.test(reason)) {
    return "its name cannot be looked up at the moment";
  }
  if (/refused/i.test(reason)) return "the server refuses connections";
  if (/certificate|tls|ssl/i.test(reason)) return "no secure connection could be made";
  if (/unreachable|no route/i.test(reason)) return "the server cannot be reached";
  return "the connection broke off";
}

interface SilenceTimer {
  readonly signal: AbortSignal;
  readonly seconds: number;
  restart(): void;
  stop(): void;
}

/** Aborts its signal when nobody restarts it for so long. */
function silenceTimer(ms: number): SilenceTimer {
  const controller = new AbortController();
  let timer = setTimeout(() => controller.abort(), ms);
  return {
    signal: controller.signal,
    seconds: Math.round(ms / 100) / 10,
    restart() {
      clearTimeout(timer);
      timer = setTimeout(() => controller.abort(), ms);
    },
    stop: () => clearTimeout(timer),
  };
}
