/** Follows a run over a stream that may break off: each connection begins with how all stands. */
import { type AwayOptions, awayTeller, mayPass, TRIES } from "./away.ts";
import { CliError, interruptedError } from "./errors.ts";
import { pause } from "./pause.ts";
import { readEvents } from "./sse.ts";
import { type Transport, unreachable } from "./transport.ts";
import { hasEnded, type RunEventJson } from "./wire.ts";

export interface WatchRunOptions extends AwayOptions {
  readonly signal?: AbortSignal | undefined;
  /** Connections in a row that bring nothing, before it is given up. @default 16 */
  readonly tries?: number | undefined;
  /** Milliseconds before the first reconnect; doubles up to 30 times of it. @default 100 */
  readonly pauseMs?: number | undefined;
}

/**
 * Each change once, until the run has ended. Throws `interrupted` when the signal is aborted, `unreachable` when the
 * host stays away, and what the host says of an unknown run.
 */
export async function* watchRun(
  http: Transport,
  id: string,
  options: WatchRunOptions = {},
): AsyncGenerator<RunEventJson> {
  const { signal } = options;
  const tries = options.tries ?? TRIES;
  const first = options.pauseMs ?? 100;
  const known = new Map<string, string>();
  let cause: unknown = new Error("the stream of events ends without an end of the run");
  const tellAway = awayTeller(options);
  let failed = 0;
  let wait = first;
  while (failed < tries) {
    if (signal?.aborted) throw interruptedError();
    try {
      const response = await http.send("GET", `/api/runs/${encodeURIComponent(id)}/events`, {
        headers: { accept: "text/event-stream" },
        signal,
      });
      tellAway(false);
      for await (const message of readEvents(response.body ?? new Blob([]).stream())) {
        const event = parseEvent(message.data);
        if (event === undefined) continue;
        // The host is there, even where it says nothing new.
        failed = 0;
        const [key, text] = event.type === "run"
          ? ["", JSON.stringify(event.run)]
          : [event.step.path, JSON.stringify(event.step)];
        if (known.get(key) === text) continue;
        known.set(key, text);
        wait = first;
        yield event;
        if (event.type === "run" && hasEnded(event.run.status)) return;
      }
    } catch (error) {
      if (signal?.aborted) throw interruptedError();
      // The host said no: asking again does not help.
      if (!mayPass(error, http)) throw error;
      // A connection that only broke off is made anew at once.
      if (error instanceof CliError) tellAway(true);
      cause = error instanceof CliError ? error.cause ?? error : error;
    }
    failed++;
    await pause(wait, signal);
    wait = Math.min(wait * 2, first * 30);
  }
  if (signal?.aborted) throw interruptedError();
  throw unreachable(http.url, cause, `The run goes on when it is back: carrel run watch ${id}`);
}

function parseEvent(data: string): RunEventJson | undefined {
  try {
    const event = JSON.parse(data) as RunEventJson;
    return event.type === "run" || event.type === "step" ? event : undefined;
  } catch {
    return undefined;
  }
}
