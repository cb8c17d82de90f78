import assert from "node:assert/strict";
import { CarrelError } from "../errors.ts";
import { boundedBody, readBounded } from "./body.ts";

function post(body: BodyInit | null, headers: Record<string, string> = {}): Request {
  return new Request("http://localhost/", { method: "POST", headers, body });
}

const code = (expected: string) => (error: unknown) =>
  error instanceof CarrelError && error.code === expected;

Deno.test("readBounded() gives a body that is just as large as allowed, and an empty one", async () => {
  const limits = { maxBytes: 5, idleMs: 60_000 };
  assert.deepEqual([...await readBounded(post("12345"), limits)], [49, 50, 51, 52, 53]);
  assert.equal((await readBounded(post(null), limits)).length, 0);
});

Deno.test("boundedBody() fails with too_large after the bound and stops reading", async () => {
  let cancelled = false;
  let sent = 0;
  const large = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (sent >= 1_000_000) return controller.close();
      sent += 1000;
      controller.enqueue(new Uint8Array(1000));
    },
    cancel() {
      cancelled = true;
    },
  });
  const body = boundedBody(post(large), { maxBytes: 10_000, idleMs: 60_000 });
  await assert.rejects(new Response(body).arrayBuffer(), code("too_large"));
  assert.ok(cancelled);
  assert.ok(sent < 20_000, `${sent} bytes were read`);
});

Deno.test("boundedBody() refuses an announced length before it reads", () => {
  const request = post("x", { "content-length": "6" });
  assert.throws(() => boundedBody(request, { maxBytes: 5, idleMs: 60_000 }), code("too_large"));
});

Deno.test("boundedBody() fails with timed_out when nothing comes", async () => {
  let cancelled = false;
  const silent = new ReadableStream<Uint8Array>({
    cancel() {
      cancelled = true;
    },
  });
  const reading = readBounded(post(silent), { maxBytes: 5, idleMs: 1 });
  await assert.rejects(reading, code("timed_out"));
  assert.ok(cancelled);
});

Deno.test("boundedBody() says bad_request when the client breaks off", async () => {
  const broken = new ReadableStream<Uint8Array>({
    pull() {
      throw new TypeError("connection reset");
    },
  });
  const reading = readBounded(post(broken), { maxBytes: 5, idleMs: 60_000 });
  await assert.rejects(reading, code("bad_request"));
});

Deno.test("boundedBody() cancels the request's body when it is cancelled", async () => {
  let cancelled = false;
  const source = new ReadableStream<Uint8Array>({
    cancel() {
      cancelled = true;
    },
  });
  await boundedBody(post(source), { maxBytes: 5, idleMs: 60_000 }).cancel();
  assert.ok(cancelled);
});
