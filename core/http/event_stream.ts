/** Events as server-sent events (the `text/event-stream` of the HTML standard). */
import type { JobEvent } from "../jobs/job.ts";

/** One message: its data, and the id that a client that comes back names as the last one seen. */
export interface Message {
  readonly id?: string | number | undefined;
  /** JSON, without line breaks. */
  readonly data: string;
}

export interface EventStreamOptions {
  /** Milliseconds between comments that keep an idle connection open. */
  readonly heartbeatMs: number;
  /** Called once, when the stream is over for whatever reason. */
  readonly onEnd: () => void;
  /** Ends the watch behind `events` when the client is gone. */
  readonly abort: AbortController;
}

/** The stream of a job: one message an event, its `id` the `seq`; it ends when the events do. */
export function eventStream(
  events: AsyncIterator<JobEvent>,
  options: EventStreamOptions,
): ReadableStream<Uint8Array> {
  return messageStream(
    events,
    (event) => ({ id: event.seq, data: JSON.stringify(event) }),
    options,
  );
}

/** One message an event; the stream ends when the events do. */
export function messageStream<T>(
  events: AsyncIterator<T>,
  messageOf: (event: T) => Message,
  options: EventStreamOptions,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let heartbeat: ReturnType<typeof setInterval> | undefined;

  function end(): void {
    clearInterval(heartbeat);
    options.abort.abort();
    options.onEnd();
  }

  return new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(encoder.encode(": events\n\n"));
      heartbeat = setInterval(() => {
        // A client that does not read gets no pile of comments.
        if ((controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(": alive\n\n"));
      }, options.heartbeatMs);
    },
    async pull(controller) {
      try {
        const next = await events.next();
        if (next.done) {
          end();
          controller.close();
        } else {
          const { id, data } = messageOf(next.value);
          const head = id === undefined ? "" : `id: ${id}\n`;
          controller.enqueue(encoder.encode(`${head}data: ${data}\n\n`));
        }
      } catch (error) {
        end();
        throw error;
      }
    },
    async cancel() {
      end();
      await events.return?.();
    },
  }, { highWaterMark: 4 });
}
