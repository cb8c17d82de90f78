/**
 * The `fetch` that the client is given. It bounds what a server may send and how long it may be silent, sees
 * whether a stream came to its end, and leaves long waits to the job.
 */
import { PluginError } from "@carrel/sdk";

export interface TransportOptions {
  /** Longest silence between two pieces of a body, milliseconds. */
  readonly silenceMs: number;
  /** Longest body, bytes. */
  readonly maxBytes: number;
}

export interface Transport {
  readonly fetch: typeof fetch;
  /** Whether the last answer said `data: [DONE]`. */
  readonly done: boolean;
}

/** A server that asks for a longer wait than this gets it from the job, which gives its slot back meanwhile. */
const PATIENCE_S = 10;
/** Characters that `[DONE]` and the line's beginning take. */
const TAIL = 32;

export function createTransport({ silenceMs, maxBytes }: TransportOptions): Transport {
  let done = false;

  function bounded(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
    const reader = body.getReader();
    const decoder = new TextDecoder("latin1");
    let read = 0;
    let tail = "\n";
    return new ReadableStream<Uint8Array>({
      async pull(controller) {
        let timer: ReturnType<typeof setTimeout> | undefined;
        const silence = new Promise<"silence">((resolve) => {
          timer = setTimeout(() => resolve("silence"), silenceMs);
        });
        try {
          const piece = await Promise.race([reader.read(), silence]);
          if (piece === "silence") throw silent(silenceMs);
          if (piece.done) return controller.close();
          read += piece.value.byteLength;
          if (read > maxBytes) {
            throw new PluginError(
              "too_large",
              `Cannot read the model's answer: it is larger than ${maxBytes} bytes.`,
              { data: { max_bytes: maxBytes } },
            );
          }
          const text = tail + decoder.decode(piece.value);
          // In the JSON of an event a line cannot begin.
          done ||= /[\r\n]data: ?\[DONE\]/.test(text);
          tail = text.slice(-TAIL);
          controller.enqueue(piece.value);
        } catch (error) {
          controller.error(error);
          // What the server still sends is of no use; that it cannot be told so is no matter.
          reader.cancel().catch(() => {});
        } finally {
          clearTimeout(timer);
        }
      },
      cancel: (reason) => reader.cancel(reason),
    }, { highWaterMark: 0 });
  }

  return {
    get done() {
      return done;
    },
    async fetch(input, init) {
      done = false;
      // Followed, a redirect would take the texts to where nobody said that they may go.
      const response = await fetch(input, { ...init, redirect: "manual" });
      const headers = new Headers(response.headers);
      const wait = retryAfter(headers, Date.now());
      if (!response.ok && wait !== undefined && wait > PATIENCE_S) {
        headers.set("x-should-retry", "false");
      }
      const { status, statusText, body } = response;
      return new Response(body && bounded(body), { status, statusText, headers });
    },
  };
}

export function silent(ms: number): PluginError {
  return new PluginError(
    "fetch_failed",
    `Cannot get an answer from the model: the server said nothing for ${ms / 1000} seconds.`,
    { retryable: true },
  );
}

/** Seconds, of `retry-after-ms` or `Retry-After` (RFC 9110, 10.2.3: seconds or a date). */
export function retryAfter(headers: Headers, nowMs: number): number | undefined {
  const ms = Number.parseFloat(headers.get("retry-after-ms") ?? "");
  if (Number.isFinite(ms) && ms >= 0) return ms / 1000;
  const text = headers.get("retry-after")?.trim() ?? "";
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  const date = text === "" ? NaN : Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, (date - nowMs) / 1000);
}
