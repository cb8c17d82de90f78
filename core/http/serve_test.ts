import assert from "node:assert/strict";
import { CarrelError } from "../errors.ts";
import { type Served, serveHttp } from "./serve.ts";
import { jobEventSchema } from "./schemas.ts";
import { type TestApp, testApp } from "./testing/memory_host.ts";
import type { HttpOptions } from "./env.ts";
import { problemOf } from "./testing/problem.ts";

interface Running {
  readonly app: TestApp;
  readonly served: Served;
  readonly url: string;
  readonly stop: AbortController;
}

async function withServer(
  options: HttpOptions,
  work: (running: Running) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  await using app = await testApp({ signal: stop.signal, ...options });
  const served = await serveHttp(app.app, { port: 0, signal: stop.signal });
  try {
    await work({ app, served, url: `127.0.0.1:${served.port}`, stop });
  } finally {
    stop.abort();
    await served.finished;
  }
}

const newJob = (app: TestApp) => app.jobs.add({ kind: "noop", input: null, user: "user_1" });

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

async function ticketOf(app: TestApp): Promise<string> {
  return (await (await app.request("reader", "POST", "/api/tickets")).json()).ticket;
}

/** Messages of a socket until it is closed, and how it was. */
function listen(socket: WebSocket) {
  const seqs: number[] = [];
  let first: (() => void) | undefined;
  const firstMessage = new Promise<void>((resolve) => first = resolve);
  socket.onmessage = ({ data }) => {
    seqs.push(jobEventSchema.parse(JSON.parse(data)).seq);
    first?.();
  };
  const closed = new Promise<number>((resolve) => {
    socket.onclose = ({ code }) => resolve(code);
  });
  return { seqs, firstMessage, closed };
}

Deno.test("serveHttp() serves on loopback at a free port, and large files whole", async () => {
  await withServer({}, async ({ app, served, url }) => {
    assert.equal(served.hostname, "127.0.0.1");
    assert.ok(served.port > 0);
    const bytes = crypto.getRandomValues(new Uint8Array(60_000));
    const { id } = app.library.addArtifact({ "a.bin": { mediaType: "x/y", bytes } });
    const path = `http://${url}/api/artifacts/${id}/files/a.bin`;
    const headers = bearer(app.tokens.reader);
    const whole = await fetch(path, { headers });
    assert.equal(whole.headers.get("content-length"), "60000");
    assert.deepEqual(new Uint8Array(await whole.arrayBuffer()), bytes);
    const part = await fetch(path, { headers: { ...headers, range: "bytes=-10" } });
    assert.deepEqual(new Uint8Array(await part.arrayBuffer()), bytes.slice(-10));
    const head = await fetch(path, { method: "HEAD", headers });
    assert.equal(head.headers.get("content-length"), "60000");
    await head.body?.cancel();
  });
});

Deno.test("serveHttp() answers an endless upload with too_large while it is still being sent", async () => {
  await withServer({ maxUploadBytes: 100_000 }, async ({ app, served }) => {
    await using connection = await rawConnection(served.port);
    let answered = false;
    const answer = connection.readUntil("urn:uuid").finally(() => answered = true);
    await connection.write([
      "POST /api/content/import HTTP/1.1",
      "Host: localhost",
      `Authorization: Bearer ${app.tokens.editor}`,
      "Content-Type: application/octet-stream",
      "Transfer-Encoding: chunked",
      "\r\n",
    ].join("\r\n"));
    const chunk = `2710\r\n${"x".repeat(10_000)}\r\n`;
    while (!answered) await connection.write(chunk);
    assert.match(await answer, /^HTTP\/1.1 413 .*"code":"too_large"/s);
  });
});

Deno.test("serveHttp() refuses requests that were addressed to another name", async () => {
  await withServer({}, async ({ served }) => {
    await using connection = await rawConnection(served.port);
    await connection.write(
      "GET /healthz HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    );
    assert.match(await connection.readUntil("\r\n"), /^HTTP\/1.1 403 /);
  });
});

Deno.test("GET events over a real connection ends its watch when the client goes", async () => {
  await withServer({ heartbeatMs: 1 }, async ({ app, url }) => {
    const { id } = await newJob(app);
    const response = await fetch(`http://${url}/api/jobs/${id}/events`, {
      headers: bearer(app.tokens.reader),
    });
    const reader = response.body!.getReader();
    await reader.read();
    assert.equal(app.jobs.watchers(), 1);
    await reader.cancel();
    await until(() => app.jobs.watchers() === 0);
  });
});

Deno.test("/ws/jobs sends the events with a ticket and closes with 1000 at the job's end", async () => {
  await withServer({}, async ({ app, url }) => {
    const { id } = await newJob(app);
    const socket = new WebSocket(`ws://${url}/ws/jobs/${id}?ticket=${await ticketOf(app)}`);
    const heard = listen(socket);
    await heard.firstMessage;
    socket.send("whatever");
    app.jobs.update(id, { progress: 50 });
    app.jobs.update(id, { status: "completed" });
    assert.equal(await heard.closed, 1000);
    assert.deepEqual(heard.seqs, [1, 2, 3]);

    const late = listen(
      new WebSocket(`ws://${url}/ws/jobs/${id}?after=2&ticket=${await ticketOf(app)}`),
    );
    assert.equal(await late.closed, 1000);
    assert.deepEqual(late.seqs, [3]);
    assert.equal(app.jobs.watchers(), 0);
  });
});

Deno.test("/ws/jobs lets nobody in without a ticket, with a used one, or to a job that is not there", async () => {
  await withServer({}, async ({ app, url }) => {
    const { id } = await newJob(app);
    const ticket = await ticketOf(app);
    app.host.auth.redeemTicket(ticket);
    const fresh = await ticketOf(app);
    for (const path of [id, `${id}?ticket=${ticket}`, `job_x?ticket=${fresh}`]) {
      const socket = new WebSocket(`ws://${url}/ws/jobs/${path}`);
      let opened = false;
      socket.onopen = () => opened = true;
      socket.onerror = (event) => event.preventDefault();
      assert.notEqual(await listen(socket).closed, 1000);
      assert.equal(opened, false);
    }
  });
});

Deno.test("/ws/jobs ends its watch when the client goes", async () => {
  await withServer({}, async ({ app, url }) => {
    const { id } = await newJob(app);
    const socket = new WebSocket(`ws://${url}/ws/jobs/${id}?ticket=${await ticketOf(app)}`);
    const heard = listen(socket);
    await heard.firstMessage;
    assert.equal(app.jobs.watchers(), 1);
    socket.close();
    await heard.closed;
    await until(() => app.jobs.watchers() === 0);
  });
});

Deno.test("/ws/jobs closes with 1011 and reports when the watch fails", async () => {
  await withServer({}, async ({ app, url }) => {
    const { id } = await newJob(app);
    const heard = listen(
      new WebSocket(`ws://${url}/ws/jobs/${id}?ticket=${await ticketOf(app)}`),
    );
    await heard.firstMessage;
    app.jobs.breakWatches(new Error("store is away"));
    assert.equal(await heard.closed, 1011);
    assert.match(String(app.failures[0]), /store is away/);
  });
});

Deno.test("serveHttp() ends event streams and finishes when its signal is aborted", async () => {
  await withServer({}, async ({ app, url, stop, served }) => {
    const { id } = await newJob(app);
    const heard = listen(
      new WebSocket(`ws://${url}/ws/jobs/${id}?ticket=${await ticketOf(app)}`),
    );
    await heard.firstMessage;
    const stream = await fetch(`http://${url}/api/jobs/${id}/events`, {
      headers: bearer(app.tokens.reader),
    });
    stop.abort();
    assert.equal(await heard.closed, 1001);
    assert.match(await stream.text(), /id: 1\n/);
    await served.finished;
    await assert.rejects(fetch(`http://${url}/healthz`));
  });
});

Deno.test("serveHttp() lets requests under way finish and answers new ones with shutting_down", async () => {
  const stop = new AbortController();
  const begun = Promise.withResolvers<void>();
  const release = Promise.withResolvers<Response>();
  const app = {
    fetch: (request: Request) => {
      if (new URL(request.url).pathname !== "/slow") return new Response("let in");
      begun.resolve();
      return release.promise;
    },
  };
  const served = await serveHttp(app, { port: 0, signal: stop.signal, graceMs: 60_000 });
  const answer = fetch(`http://127.0.0.1:${served.port}/slow`);
  await begun.promise;
  stop.abort();
  const late = await fetch(`http://127.0.0.1:${served.port}/`);
  const { status, code } = await problemOf(late);
  assert.deepEqual([status, code], [503, "shutting_down"]);
  release.resolve(new Response("done"));
  assert.equal(await (await answer).text(), "done");
  await served.finished;
});

Deno.test("serveHttp() cuts off requests that outlast the grace", async () => {
  const stop = new AbortController();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const app = {
    fetch: () => {
      begin();
      return new Promise<Response>(() => {});
    },
  };
  const served = await serveHttp(app, { port: 0, signal: stop.signal, graceMs: 1 });
  const answer = fetch(`http://127.0.0.1:${served.port}/`);
  await begun;
  stop.abort();
  await assert.rejects(answer);
  await served.finished;
});

Deno.test("serveHttp() says conflict for a taken port and unavailable for an address that is not ours", async () => {
  await withServer({}, async ({ served, app }) => {
    const code = (expected: string) => (error: unknown) =>
      error instanceof CarrelError && error.code === expected;
    await assert.rejects(serveHttp(app.app, { port: served.port }), code("conflict"));
    const elsewhere = serveHttp(app.app, { hostname: "192.0.2.1", port: 0 });
    await assert.rejects(elsewhere, code("unavailable"));
  });
});

Deno.test("serveHttp() ends at once when its signal is aborted before", async () => {
  const served = await serveHttp({ fetch: () => new Response() }, {
    port: 0,
    signal: AbortSignal.abort(),
  });
  await served.finished;
});

/** Waits for a condition that the other end of a connection brings about. */
async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, "the condition did not come about");
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

async function rawConnection(port: number) {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  return {
    async write(text: string): Promise<void> {
      const bytes = new TextEncoder().encode(text);
      for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
    },
    /** What comes, up to the piece in which the text stands, or to the end. */
    async readUntil(wanted: string): Promise<string> {
      const decoder = new TextDecoder();
      const piece = new Uint8Array(16_384);
      let text = "";
      while (!text.includes(wanted)) {
        const read = await connection.read(piece);
        if (read === null) break;
        text += decoder.decode(piece.subarray(0, read), { stream: true });
      }
      return text;
    },
    async [Symbol.asyncDispose]() {
      connection.close();
    },
  };
}
