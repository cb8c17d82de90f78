/** Listens, and shuts down in order. */
import { CarrelError } from "../errors.ts";
import { problemResponse } from "./problem.ts";

export interface ServeOptions {
  /** @default "127.0.0.1" */
  readonly hostname?: string | undefined;
  /** 0 takes a free one. */
  readonly port: number;
  /** Ends the server: new requests get 503, those under way `graceMs`, then all connections are cut. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds that requests under way have at shutdown. @default 5000 */
  readonly graceMs?: number | undefined;
}

export interface Served {
  readonly hostname: string;
  readonly port: number;
  /** Settles when the last connection is closed. */
  readonly finished: Promise<void>;
}

/** What can be served, for example a Hono app. */
export interface Servable {
  fetch(request: Request, env: Deno.ServeHandlerInfo): Response | Promise<Response>;
}

/**
 * Serves the app. Give the app the same signal, so that its event streams end too. Throws `conflict` if the
 * port is taken, `unavailable` if the address cannot be listened on.
 *
 * Not bounded: how long a client may take over the head of its request. `Deno.serve` has no option for it, and the
 * app sees a request only once its head is whole. A client that stops half-way keeps one connection, until the
 * shutdown; its cost is a file descriptor and some kilobytes. Where strangers can reach the port, put a proxy in
 * front that times heads out.
 */
export async function serveHttp(app: Servable, options: ServeOptions): Promise<Served> {
  const hostname = options.hostname ?? "127.0.0.1";
  // Deno's graceful `shutdown()` waits without end for a request that does not end, and cannot be cut short: an
  // abort after it throws where nobody can catch it. So the requests under way are counted here, and it is
  // called only when there are none; if they take too long, all is aborted instead.
  const hard = new AbortController();
  const over = Promise.withResolvers<void>();
  let underWay = 0;
  let stopping = false;

  function handle(request: Request, info: Deno.ServeHandlerInfo): Response | Promise<Response> {
    if (stopping) return shuttingDown();
    underWay++;
    info.completed.catch(() => {}).finally(() => {
      underWay--;
      if (stopping && underWay === 0) close();
    });
    return app.fetch(request, info);
  }

  let server: Deno.HttpServer<Deno.NetAddr>;
  try {
    server = Deno.serve(
      { hostname, port: options.port, signal: hard.signal, onListen: () => {} },
      handle,
    );
  } catch (error) {
    throw listenError(error, hostname, options.port);
  }

  let grace: ReturnType<typeof setTimeout> | undefined;
  let closing = false;

  /** Sends what is still to be sent, then closes the connections. */
  function close(): void {
    closing = true;
    server.shutdown().catch(() => {});
  }

  function stop(): void {
    stopping = true;
    grace = setTimeout(() => {
      // What is left then is a client that neither reads nor goes: it ends with the process.
      if (closing) over.resolve();
      else hard.abort();
    }, options.graceMs ?? 5000);
    if (underWay === 0) close();
  }

  if (options.signal?.aborted) stop();
  options.signal?.addEventListener("abort", stop, { once: true });
  const finished = Promise.race([server.finished, over.promise]).finally(() => {
    clearTimeout(grace);
    options.signal?.removeEventListener("abort", stop);
  });
  return { hostname: server.addr.hostname, port: server.addr.port, finished };
}

function shuttingDown(): Response {
  const error = new CarrelError("shutting_down", "Cannot answer: the host is shutting down.", {
    retryable: true,
  });
  return problemResponse(error, crypto.randomUUID());
}

function listenError(error: unknown, hostname: string, port: number): unknown {
  const action = `Cannot listen on "${hostname}:${port}"`;
  if (error instanceof Deno.errors.AddrInUse) {
    return new CarrelError("conflict", `${action}: the port is taken.`, { cause: error });
  }
  if (error instanceof Error) {
    return new CarrelError("unavailable", `${action}: ${error.message}.`, { cause: error });
  }
  return error;
}
