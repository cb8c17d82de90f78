import assert from "node:assert/strict";
import { join } from "node:path";
import { callerFolder, lineReader, syncSink, systemIo, tryDataLock, twice } from "./system_io.ts";

Deno.test("syncSink() writes all when a write takes only a part, and waits for a full pipe", () => {
  let got = "";
  let calls = 0;
  const sink = syncSink({
    writeSync(bytes) {
      if (++calls === 2) throw new Deno.errors.WouldBlock();
      got += new TextDecoder().decode(bytes.subarray(0, 3));
      return Math.min(3, bytes.length);
    },
  }, () => {});
  sink.write("0123456789");
  sink.write(new TextEncoder().encode("ab"));
  assert.equal(got, "0123456789ab");
});

Deno.test("syncSink() says once that the reader has gone, and hides no other error", () => {
  let gone = 0;
  const closed = syncSink({
    writeSync: () => {
      throw new Deno.errors.BrokenPipe();
    },
  }, () => gone++);
  closed.write("x");
  closed.write("y");
  assert.equal(gone, 1);
  const full = syncSink({
    writeSync: () => {
      throw new Error("no space");
    },
  }, () => {});
  assert.throws(() => full.write("x"), /no space/);
});

Deno.test("lineReader() gives a line at a time however the input comes", async () => {
  const pieces = ["y", "es\r\nn", "o\nlast"].map((piece) => new TextEncoder().encode(piece));
  const read = lineReader((buffer) => {
    const piece = pieces.shift();
    if (piece) buffer.set(piece);
    return Promise.resolve(piece?.length ?? null);
  });
  assert.deepEqual([await read(), await read(), await read(), await read()], [
    "yes",
    "no",
    "last",
    undefined,
  ]);
});

Deno.test("tryDataLock() takes the lock of a folder unless somebody holds it", async () => {
  const folder = await Deno.makeTempDir();
  try {
    // No host was ever there.
    (await tryDataLock(join(folder, "none")))![Symbol.dispose]();
    using held = await Deno.open(join(folder, "lock"), { write: true, create: true });
    const lock = await tryDataLock(folder);
    assert.ok(lock);
    lock[Symbol.dispose]();
    await held.lock(true);
    assert.equal(await tryDataLock(folder), undefined);
    await held.unlock();
    (await tryDataLock(folder))![Symbol.dispose]();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("systemIo() listens for signals only while somebody wants them", () => {
  const io = systemIo(() => Promise.reject(new Error("not wanted")));
  const first = io.onInterrupt(() => {});
  const second = io.onInterrupt(() => {});
  first();
  second();
  assert.ok(io.size().columns > 0);
  assert.ok(io.now() > 0);
  assert.equal(io.env("CARREL_SURELY_NOT_SET"), undefined);
});

Deno.test("twice() takes signals that come together for one, and a later one for the second", () => {
  let time = 1000;
  const calls: string[] = [];
  const signal = twice(() => time, () => calls.push("first"), () => calls.push("again"));
  signal();
  time += 3;
  signal();
  assert.deepEqual(calls, ["first"]);
  time += 2000;
  signal();
  assert.deepEqual(calls, ["first", "again"]);
});

Deno.test("callerFolder() is where deno task was called, when that moved to the program's folder", () => {
  assert.equal(callerFolder("/carrel", "/home/a", "/carrel"), "/home/a");
  assert.equal(callerFolder("/home/a", "/home/b", "/carrel"), "/home/a");
  assert.equal(callerFolder("/carrel", undefined, "/carrel"), "/carrel");
  assert.equal(callerFolder("/carrel", "relative", "/carrel"), "/carrel");
});
