/** Events over a WebSocket. */

export interface SocketOptions {
  /** Starts the watch; the signal ends it. */
  readonly watch: (signal: AbortSignal) => AsyncIterable<unknown>;
  /** The server shuts down. */
  readonly shutdown: AbortSignal;
  /** Called once, when the socket is closed. */
  readonly onEnd: () => void;
  /** Told of a failure of the watch. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Takes the socket over. Each message is an event, as JSON; it closes with 1000 when they are over, 1001 when the
 * server goes, 1011 when something failed inside. What the client sends is ignored.
 */
export function upgradeToEvents(request: Request, options: SocketOptions): Response {
  const { socket, response } = Deno.upgradeWebSocket(request);
  const gone = new AbortController();
  socket.onclose = () => {
    gone.abort();
    options.onEnd();
  };
  socket.onopen = async () => {
    try {
      const signal = AbortSignal.any([gone.signal, options.shutdown]);
      for await (const event of options.watch(signal)) {
        if (socket.readyState !== WebSocket.OPEN) return;
        socket.send(JSON.stringify(event));
      }
      socket.close(options.shutdown.aborted ? 1001 : 1000);
    } catch (error) {
      if (gone.signal.aborted) return;
      options.onFailure(error);
      socket.close(1011);
    }
  };
  return response;
}
