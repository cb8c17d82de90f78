/** Follows a job over a stream of events that may break off: asks again from the last event seen. */
import type { JobEventJson } from "../http/schemas.ts";
import { type AwayOptions, awayTeller, mayPass, TRIES } from "./away.ts";
import { CliError, interruptedError } from "./errors.ts";
import { pause } from "./pause.ts";
import { readEvents } from "./sse.ts";
import { type Transport, unreachable } from "./transport.ts";
import { hasEnded } from "./wire.ts";

export interface WatchOptions extends AwayOptions {
  /** Events up to this `seq` are not wanted. */
  readonly after?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Connections in a row that bring nothing, before it is given up. @default 16 */
  readonly tries?: number | undefined;
  /** Milliseconds before the first reconnect; doubles up to 30 times of it. @default 100 */
  readonly pauseMs?: number | undefined;
}

function parseEvent(data: string): JobEventJson | undefined {
  try {
    const event = JSON.parse(data) as JobEventJson;
    return typeof event.seq === "number" && typeof event.status === "string" ? event : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The job's events in order, each once, until the job has ended. Throws `interrupted` when the signal is
 * aborted, `unreachable` when the host stays away, and what the host says of an unknown job.
 */
export async function* watchJob(
  http: Transport,
  id: string,
  options: WatchOptions = {},
): AsyncGenerator<JobEventJson> {
  const { signal } = options;
  const tries = options.tries ?? TRIES;
  const first = options.pauseMs ?? 100;
  let last = options.after ?? 0;
  const tellAway = awayTeller(options);
  let failed = 0;
  let ended = false;
  let wait = first;
  let cause: unknown = new Error("the stream of events ends without an end of the job");
  while (failed < tries) {
    if (signal?.aborted) throw interruptedError();
    try {
      const headers: Record<string, string> = { accept: "text/event-stream" };
      if (last > 0) headers["last-event-id"] = String(last);
      const response = await http.send("GET", `/api/jobs/${encodeURIComponent(id)}/events`, {
        headers,
        signal,
      });
      tellAway(false);
      for await (const message of readEvents(response.body ?? new Blob([]).stream())) {
        const event = parseEvent(message.data);
        if (message.retry !== undefined) wait = message.retry;
        if (event === undefined || event.seq <= last) continue;
        last = event.seq;
        failed = 0;
        ended = hasEnded(event.status);
        yield event;
      }
      // Not at the first end: a job that was tried again has another one. 204: nothing comes after `last`.
      if (ended || response.status === 204) return;
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
  throw unreachable(http.url, cause, `The job goes on when it is back: carrel job watch ${id}`);
}
