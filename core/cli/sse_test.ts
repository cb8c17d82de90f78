import assert from "node:assert/strict";
import { readEvents, type ServerEvent } from "./sse.ts";

/** A body that comes in the given pieces. */
function body(...pieces: string[]): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return ReadableStream.from(pieces.map((piece) => encoder.encode(piece)));
}

async function all(...pieces: string[]): Promise<ServerEvent[]> {
  return await Array.fromAsync(readEvents(body(...pieces)));
}

Deno.test("readEvents() joins events however the body is cut", async () => {
  const text =
    ': hello\r\nid: 7\r\nevent: job\r\nretry: 250\r\ndata: {"a":\r\ndata:1}\r\n\r\ndata: b\n\n';
  const wanted = [
    { event: "job", data: '{"a":\n1}', id: "7", retry: 250 },
    { event: "message", data: "b", id: "7", retry: 250 },
  ];
  assert.deepEqual(await all(text), wanted);
  assert.deepEqual(await all(...text), wanted);
});

Deno.test("readEvents() drops half an event at the end, and events without data", async () => {
  assert.deepEqual(await all("event: x\n\n", "data: whole\n\n", "data: half\n"), [
    { event: "message", data: "whole", id: "", retry: undefined },
  ]);
  assert.deepEqual(await all("retry: soon\nid: a\0b\ndata\n\n"), [
    { event: "message", data: "", id: "", retry: undefined },
  ]);
});

Deno.test("readEvents() cancels the body when its reader leaves", async () => {
  let cancelled = false;
  const endless = new ReadableStream<Uint8Array>({
    pull: (out) => out.enqueue(new TextEncoder().encode("data: x\n\n")),
    cancel: () => {
      cancelled = true;
    },
  });
  for await (const event of readEvents(endless)) {
    assert.equal(event.data, "x");
    break;
  }
  assert.ok(cancelled);
});

Deno.test("readEvents() gives up when a line never ends", async () => {
  const piece = new Uint8Array(1024 * 1024).fill(120);
  const endless = new ReadableStream<Uint8Array>({ pull: (out) => out.enqueue(piece) });
  await assert.rejects(Array.fromAsync(readEvents(endless)), /too long/);
});
