/** Requests to one host: JSON in and out, bytes, event streams; problem documents become `CliError`s. */
import { CliError, EXIT, interruptedError } from "./errors.ts";

export interface Address {
  readonly url: string;
  readonly token: string;
}

export interface TransportOptions {
  /** `http://host:port`, without a path. */
  readonly url: string;
  readonly token?: string | undefined;
  /** Where the host is by now: a restart gives it another token, and often another port. @default where it was */
  readonly renew?: (() => Promise<Address | undefined>) | undefined;
  readonly fetch?: typeof globalThis.fetch | undefined;
}

export interface RequestOptions {
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>> | undefined;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is. */
  readonly raw?: BodyInit | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Statuses beside 2xx whose body is an answer. */
  readonly accept?: readonly number[] | undefined;
}

export interface Transport {
  readonly url: string;
  /** Whether the token is one that a restart of the host changes: a host that refuses it may be just starting. */
  readonly renews: boolean;
  json<T>(method: string, path: string, options?: RequestOptions): Promise<T>;
  bytes(
    path: string,
    signal?: AbortSignal,
  ): Promise<{ readonly stream: ReadableStream<Uint8Array>; readonly size: number | undefined }>;
  /** A response with a good status, its body unread. */
  send(method: string, path: string, options?: RequestOptions): Promise<Response>;
}

interface Problem {
  readonly code?: unknown;
  readonly detail?: unknown;
  readonly title?: unknown;
  readonly details?: unknown;
}

/** The error that a response with a bad status says; reads the body. */
export async function problemOf(response: Response): Promise<CliError> {
  const text = await response.text().catch(() => "");
  let problem: Problem = {};
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null) problem = parsed;
  } catch {
    // Not a problem document: a proxy's page, or no host of ours at all.
  }
  const known = typeof problem.code === "string";
  const detail = typeof problem.detail === "string"
    ? problem.detail
    : typeof problem.title === "string"
    ? problem.title
    : `The server answered ${response.status} ${response.statusText}`.trim() + ".";
  return new CliError(known ? problem.code as string : `http_${response.status}`, detail, {
    status: response.status,
    details: typeof problem.details === "object" && problem.details !== null
      ? problem.details as Record<string, unknown>
      : undefined,
  });
}

/** A host that cannot be talked to: exit 4. */
export function unreachable(url: string, cause: unknown, hint?: string): CliError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new CliError("unreachable", `Cannot reach the server "${url}": ${why}`, {
    exit: EXIT.unreachable,
    cause,
    hint: hint ?? "Is it running? carrel serve starts one; carrel doctor looks at this machine.",
  });
}

export function createTransport(options: TransportOptions): Transport {
  const fetch = options.fetch ?? globalThis.fetch;
  let url = options.url.replace(/\/+$/, "");
  let token = options.token;

  /** Takes the address up that the host has now; whether it is another one. */
  async function renewed(): Promise<boolean> {
    const found = await options.renew?.();
    if (found === undefined || found.url === url && found.token === token) return false;
    ({ url, token } = found);
    return true;
  }

  async function send(
    method: string,
    path: string,
    request: RequestOptions = {},
  ): Promise<Response> {
    try {
      return await sendOnce(method, path, request);
    } catch (error) {
      if (!(error instanceof CliError) || request.raw !== undefined) throw error;
      // What was refused was not done. What got no answer may have been.
      const isSafe = error.status === 401 || error.code === "unreachable" && method === "GET";
      if (!isSafe || !await renewed()) throw error;
      return await sendOnce(method, path, request);
    }
  }

  async function sendOnce(
    method: string,
    path: string,
    request: RequestOptions,
  ): Promise<Response> {
    const target = new URL(url + path);
    for (const [name, value] of Object.entries(request.query ?? {})) {
      if (value !== undefined) target.searchParams.set(name, String(value));
    }
    const headers = new Headers(request.headers);
    if (!headers.has("accept")) headers.set("accept", "application/json");
    if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
    let body = request.raw ?? null;
    if (request.body !== undefined) {
      headers.set("content-type", "application/json");
      body = JSON.stringify(request.body);
    }
    let response: Response;
    try {
      response = await fetch(target, {
        method,
        headers,
        body,
        // A token must not follow a redirect to somebody else.
        redirect: "manual",
        signal: request.signal ?? null,
      });
    } catch (error) {
      if (request.signal?.aborted) throw interruptedError();
      throw unreachable(url, error);
    }
    if (response.ok || request.accept?.includes(response.status)) return response;
    throw await problemOf(response);
  }

  return {
    get url() {
      return url;
    },
    renews: options.renew !== undefined,
    send,
    async json<T>(method: string, path: string, request?: RequestOptions): Promise<T> {
      const response = await send(method, path, request);
      const text = await response.text();
      if (text === "") return undefined as T;
      try {
        return JSON.parse(text) as T;
      } catch (cause) {
        throw new CliError(
          "bad_answer",
          `Cannot read the answer of "${url}${path}": it is not JSON.`,
          { cause, hint: "Is that address a Carrel server?" },
        );
      }
    },
    async bytes(path, signal) {
      const response = await send("GET", path, { signal, headers: { accept: "*/*" } });
      const length = response.headers.get("content-length");
      return {
        stream: response.body ?? new Blob([]).stream(),
        size: length === null ? undefined : Number(length),
      };
    },
  };
}
