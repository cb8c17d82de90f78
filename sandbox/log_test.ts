import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { createBucket, createLog, readLines } from "./log.ts";
import type { LogLine } from "./types.ts";

Deno.test("createLog() keeps the last lines and gives each to its listener", () => {
  const heard: LogLine[] = [];
  const log = createLog({ tail: 2, maxLine: 5, onLine: (line) => heard.push(line) });
  log.add("info", "log", "first");
  log.add("warn", "stderr", "second");
  log.add("error", "stdout", "third");
  deepStrictEqual(log.tail().map(({ message }) => message), ["secon…", "third"]);
  deepStrictEqual(heard.map(({ level, stream }) => [level, stream]), [
    ["info", "log"],
    ["warn", "stderr"],
    ["error", "stdout"],
  ]);
  match(heard[0]!.time, /^\d{4}-\d\d-\d\dT.*Z$/);
});

Deno.test("createLog() drops lines that come too fast and says how many", () => {
  let now = 0;
  const log = createLog({ rate: 10, now: () => now });
  for (let i = 0; i < 25; i++) log.add("info", "log", `${i}`);
  strictEqual(log.dropped, 15);
  now += 1000;
  log.add("info", "log", "later");
  deepStrictEqual(log.tail().slice(-2).map(({ message }) => message), [
    "15 log lines were dropped: too many a second",
    "later",
  ]);
});

Deno.test("createLog() goes on when a listener throws", () => {
  const log = createLog({
    onLine() {
      throw new Error("no");
    },
  });
  log.add("info", "log", "said");
  strictEqual(log.tail().length, 1);
});

Deno.test("createBucket() says how long to wait when it is empty", () => {
  let now = 0;
  const bucket = createBucket(100, 10, () => now);
  ok(bucket.take(60));
  strictEqual(bucket.take(1), false);
  strictEqual(bucket.wait(), 510);
  now = 510;
  strictEqual(bucket.wait(), 0);
  ok(bucket.take(1));
});

/** A stream of bytes, as a process has. */
const stream = (...chunks: string[]) =>
  new ReadableStream({
    type: "bytes",
    pull(controller) {
      const chunk = chunks.shift();
      if (chunk !== undefined) return controller.enqueue(new TextEncoder().encode(chunk));
      controller.close();
      controller.byobRequest?.respond(0);
    },
  });

Deno.test("readLines() gives lines however the chunks are cut, and cuts what never ends", async () => {
  const lines: string[] = [];
  const ended = new AbortController().signal;
  await readLines(
    stream("a", "b\nc\n", "d".repeat(20), "e".repeat(5), "\n\u00e9\nlast"),
    (line) => lines.push(line),
    ended,
    { maxLine: 10 },
  );
  deepStrictEqual(lines, ["ab", "c", "d".repeat(10), "d".repeat(10), "eeeee", "é", "last"]);
});

Deno.test("readLines() holds back a stream that is too fast until it has ended", async () => {
  const ended = new AbortController();
  const large = "x".repeat(600 * 1024) + "\n";
  const read: boolean[] = [];
  await readLines(
    stream(large, large),
    () => {
      read.push(ended.signal.aborted);
      // While it pauses, the process ends.
      if (read.length === 1) setTimeout(() => ended.abort());
    },
    ended.signal,
    { maxLine: 700 * 1024 },
  );
  deepStrictEqual(read, [false, true]);
});
