/** Reads a `text/event-stream` (WHATWG HTML, "Server-sent events"). */

export interface ServerEvent {
  readonly event: string;
  readonly data: string;
  /** The last id seen, this event's or an earlier one's; empty if none. */
  readonly id: string;
  /** The pause that the server asks for before a reconnect, milliseconds. */
  readonly retry: number | undefined;
}

/** A field longer than this ends the stream with an error. */
const MAX_LINE = 4 * 1024 * 1024;

/** The events of a body; a half event at its end is dropped. Leaving the loop cancels the body. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  let rest = "";
  let event = "";
  let data: string[] = [];
  let id = "";
  let retry: number | undefined;
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    while (true) {
      const { value, done } = await reader.read();
      if (done) return;
      rest += value;
      if (rest.length > MAX_LINE) throw new Error("an event is too long");
      // A CR at the end may be the first half of CRLF: keep it for the next piece.
      const held = rest.endsWith("\r") ? 1 : 0;
      const lines = rest.slice(0, rest.length - held).split(/\r\n|\r|\n/);
      rest = lines.pop()! + rest.slice(rest.length - held);
      for (const line of lines) {
        if (line === "") {
          if (data.length > 0) {
            yield { event: event || "message", data: data.join("\n"), id, retry };
          }
          event = "";
          data = [];
          continue;
        }
        const colon = line.indexOf(":");
        if (colon === 0) continue;
        const field = colon < 0 ? line : line.slice(0, colon);
        const text = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
        if (field === "data") data.push(text);
        else if (field === "event") event = text;
        else if (field === "id" && !text.includes("\0")) id = text;
        else if (field === "retry" && /^\d+$/.test(text)) retry = Number(text);
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
