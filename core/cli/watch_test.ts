import assert from "node:assert/strict";
import { EXIT } from "./errors.ts";
import { fakeHost, TOKEN } from "./testing/host.ts";
import { createTransport } from "./transport.ts";
import { watchJob } from "./watch.ts";

Deno.test("watchJob() gives up when the host stays away", async () => {
  const host = fakeHost();
  const http = createTransport({ url: host.url, token: TOKEN });
  await host[Symbol.asyncDispose]();
  await assert.rejects(
    Array.fromAsync(watchJob(http, "import_1", { tries: 3, pauseMs: 1 })),
    { code: "unreachable", exit: EXIT.unreachable, hint: /carrel job watch import_1/ },
  );
});

Deno.test("watchJob() gives up when the stream ends again and again without an event", async () => {
  await using host = fakeHost();
  const http = createTransport({ url: host.url, token: TOKEN });
  host.intercept = () => new Response(": nothing\n\n");
  await assert.rejects(
    Array.fromAsync(watchJob(http, "import_1", { tries: 3, pauseMs: 1 })),
    { code: "unreachable", message: /without an end/ },
  );
  assert.equal(host.seen.length, 3);
});

Deno.test("watchJob() stops in its pause when it is told to", async () => {
  await using host = fakeHost();
  const http = createTransport({ url: host.url, token: TOKEN });
  const stop = new AbortController();
  host.intercept = () => {
    setTimeout(() => stop.abort(), 0);
    return new Response(": nothing\n\n");
  };
  await assert.rejects(
    Array.fromAsync(watchJob(http, "import_1", { pauseMs: 600_000, signal: stop.signal })),
    { exit: EXIT.interrupted },
  );
});
