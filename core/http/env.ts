/** What goes with a request through the HTTP layer, and what the layer can be told. */
import type { Actor } from "../auth/actor.ts";

export interface HttpEnv {
  /** What `Deno.serve` hands over beside the request; absent where an app is called directly. */
  Bindings: { readonly remoteAddr?: Deno.Addr };
  Variables: { requestId: string; actor: Actor };
}

/** An unexpected failure, for the operator; nothing of it is shown to the client. */
export interface HttpFailure {
  readonly requestId: string;
  readonly method: string;
  readonly path: string;
  readonly error: unknown;
}

export interface HttpOptions {
  /** The largest upload in bytes, all parts together. @default 536870912 (512 MiB) */
  readonly maxUploadBytes?: number | undefined;
  /** The largest JSON body in bytes. @default 1048576 (1 MiB) */
  readonly maxJsonBytes?: number | undefined;
  /** How long a body may stand still, milliseconds. @default 30000 */
  readonly bodyIdleMs?: number | undefined;
  /**
   * Whether only requests to `localhost`, `127.0.0.1`, `[::1]` and `extraHosts` are answered: keeps web pages
   * out that have a name of their own resolve to this machine. Switch it off when not bound to loopback.
   * @default true
   */
  readonly checkHost?: boolean | undefined;
  /** More names, without port, that requests may be addressed to. @default [] */
  readonly extraHosts?: readonly string[] | undefined;
  /** Unknown tokens that one address may show in a minute before it is told to wait. @default 20 */
  readonly maxAuthFailures?: number | undefined;
  /** Event streams (SSE and WebSocket) at once. @default 500 */
  readonly maxStreams?: number | undefined;
  /** How often an idle SSE stream says that it lives, milliseconds. @default 15000 */
  readonly heartbeatMs?: number | undefined;
  /** The clock, milliseconds since 1970. @default Date.now */
  readonly now?: (() => number) | undefined;
  /** Ends all event streams: the server shuts down. */
  readonly signal?: AbortSignal | undefined;
  /** Told of unexpected failures. @default one line and the stack to stderr */
  readonly onFailure?: ((failure: HttpFailure) => void) | undefined;
}

export type Settings = { readonly [K in keyof HttpOptions]-?: Exclude<HttpOptions[K], undefined> };

/** The options with their defaults. */
export function settingsOf(options: HttpOptions): Settings {
  return {
    maxUploadBytes: options.maxUploadBytes ?? 512 * 1024 * 1024,
    maxJsonBytes: options.maxJsonBytes ?? 1024 * 1024,
    bodyIdleMs: options.bodyIdleMs ?? 30_000,
    checkHost: options.checkHost ?? true,
    extraHosts: options.extraHosts ?? [],
    maxAuthFailures: options.maxAuthFailures ?? 20,
    maxStreams: options.maxStreams ?? 500,
    heartbeatMs: options.heartbeatMs ?? 15_000,
    now: options.now ?? Date.now,
    signal: options.signal ?? new AbortController().signal,
    onFailure: options.onFailure ?? reportToStderr,
  };
}

function reportToStderr(failure: HttpFailure): void {
  console.error(
    `${failure.method} ${failure.path} failed unexpectedly (request ${failure.requestId}):`,
    failure.error,
  );
}
