import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { createConnection } from "./connection.ts";
import { encodeFrame, type Frame, FrameError } from "./protocol.ts";

/** A connected pair of sockets: the first is the host's. */
async function pair(): Promise<[Deno.Conn, Deno.Conn]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connecting = Deno.connect({ port: listener.addr.port });
  return [await listener.accept(), await connecting];
}

async function open(room?: () => boolean) {
  const [near, far] = await pair();
  const frames: Frame[] = [];
  const closed = Promise.withResolvers<unknown>();
  const heard = Promise.withResolvers<void>();
  const connection = createConnection(near, {
    maxFrame: 1 << 24,
    room,
    onFrame: (frame) => {
      frames.push(frame);
      heard.resolve();
    },
    onClose: closed.resolve,
  });
  return { connection, far, frames, closed: closed.promise, heard: heard.promise };
}

Deno.test("createConnection() carries frames both ways, large ones too", async () => {
  const { connection, far, frames, closed } = await open();
  const large = new Uint8Array(5 << 20).fill(3);
  for (let i = 1; i <= 3; i++) connection.send(encodeFrame("request", i, { large }));
  ok(connection.queued > large.length);
  // The other side says back whatever it hears.
  const sent = connection.queued;
  const buffer = new Uint8Array(1 << 16);
  for (let left = sent; left > 0;) {
    const count = await far.read(buffer) ?? left;
    left -= count;
    for (let at = 0; at < count;) at += await far.write(buffer.subarray(at, count));
  }
  far.close();
  strictEqual(await closed, undefined);
  deepStrictEqual(frames.map(({ id }) => id), [1, 2, 3]);
  strictEqual((frames[2]!.value as { large: Uint8Array }).large.length, large.length);
});

Deno.test("createConnection() reads on only when there is room", async () => {
  let room = false;
  const asked = Promise.withResolvers<void>();
  const { connection, far, frames, heard, closed } = await open(() => {
    asked.resolve();
    return room;
  });
  await far.write(encodeFrame("event", 1, null)[0]!);
  await asked.promise;
  connection.resume();
  deepStrictEqual(frames, []);
  room = true;
  connection.resume();
  await heard;
  deepStrictEqual(frames.map(({ id }) => id), [1]);
  far.close();
  strictEqual(await closed, undefined);
});

Deno.test("createConnection() closes while it waits for room", async () => {
  const { connection, far, closed } = await open(() => false);
  connection.close();
  strictEqual(await closed, undefined);
  far.close();
});

Deno.test("createConnection() closes with a FrameError when what comes is no frame", async () => {
  const { far, closed } = await open();
  await far.write(new Uint8Array(100).fill(255));
  ok(await closed instanceof FrameError);
  strictEqual(await far.read(new Uint8Array(1)).catch(() => null), null);
  far.close();
});

Deno.test("createConnection() closes with the error when its listener throws", async () => {
  const [near, far] = await pair();
  const closed = Promise.withResolvers<unknown>();
  createConnection(near, {
    maxFrame: 1000,
    onFrame() {
      throw new Error("mine");
    },
    onClose: closed.resolve,
  });
  await far.write(encodeFrame("event", 1, null)[0]!);
  match(String(await closed.promise), /mine/);
  far.close();
});

Deno.test("createConnection() drops what is sent after close", async () => {
  const { connection, far, closed } = await open();
  connection.close();
  connection.close();
  connection.send(encodeFrame("event", 1, null));
  strictEqual(connection.queued, 0);
  strictEqual(await closed, undefined);
  far.close();
});
