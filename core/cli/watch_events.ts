/** Follows what happens in the library over a stream that may break off: asks again from the last event seen. */
import { mayPass } from "./away.ts";
import { readEvents } from "./sse.ts";
import { type Transport, unreachable } from "./transport.ts";
import type { LoggedEventJson } from "./wire.ts";

export interface WatchEventsOptions {
  /** @default live ones only */
  readonly after?: number | undefined;
  readonly names?: string | undefined;
  readonly subject?: string | undefined;
  readonly signal: AbortSignal;
  /** Connections in a row that fail, before it is given up. @default 8 */
  readonly tries?: number | undefined;
  /** Milliseconds before the first reconnect; doubles up to 30 times of it. @default 200 */
  readonly pauseMs?: number | undefined;
}

/** Events in order, each once, until the signal. Throws `unreachable` when the host stays away. */
export async function* watchEvents(
  http: Transport,
  { after, names, subject, signal, tries = 8, pauseMs = 200 }: WatchEventsOptions,
): AsyncGenerator<LoggedEventJson, void, void> {
  let last = after;
  let failed = 0;
  while (!signal.aborted) {
    try {
      if (last === undefined) {
        // From here on, whatever becomes of the connection.
        last = (await http.json<{ after: number }>("GET", "/api/events", {
          query: { after: Number.MAX_SAFE_INTEGER, limit: 1 },
          signal,
        })).after;
      }
      const response = await http.send("GET", "/api/events/stream", {
        query: { after: last, names, subject },
        headers: { accept: "text/event-stream" },
        signal,
      });
      failed = 0;
      for await (const message of readEvents(response.body ?? new Blob([]).stream())) {
        const event = parse(message.data);
        if (event === undefined || event.seq <= last) continue;
        last = event.seq;
        yield event;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!mayPass(error, http)) throw error;
      if (++failed >= tries) throw unreachable(http.url, error, "Start it with: carrel serve");
    }
    await pause(pauseMs * Math.min(2 ** failed, 30), signal);
  }
}

function parse(data: string): LoggedEventJson | undefined {
  try {
    const event = JSON.parse(data) as LoggedEventJson;
    return typeof event.seq === "number" && typeof event.name === "string" ? event : undefined;
  } catch {
    return undefined;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
