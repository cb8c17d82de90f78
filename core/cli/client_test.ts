import assert from "node:assert/strict";
import { createClient, nodeType } from "./client.ts";
import { CliError, EXIT } from "./errors.ts";
import { fakeHost, problem, TOKEN } from "./testing/host.ts";

Deno.test("Client sends its token, and JSON with an idempotency key when it starts work", async () => {
  await using host = fakeHost();
  const client = createClient({ url: host.url + "/", token: TOKEN });
  const { job } = await client.importUrl("https://example.org/", { priority: 9 });
  assert.equal(job.id, "import_1");
  const seen = host.last("POST", "/api/content/import")!;
  assert.deepEqual(seen.body, { url: "https://example.org/", priority: 9 });
  assert.equal(seen.headers.get("authorization"), `Bearer ${TOKEN}`);
  assert.match(seen.headers.get("idempotency-key")!, /^[\w-]{36}$/);
});

Deno.test("Client streams a file as a form, with its fields before it", async () => {
  await using host = fakeHost();
  const client = createClient({ url: host.url, token: TOKEN });
  const sent: number[] = [];
  await client.importFile({
    name: 'a "wild"\r\nname.md',
    mediaType: "text/markdown",
    bytes: new Blob(["# Hel", "lo"]).stream(),
  }, { collection: "desks", metadata: { a: 1 }, onBytes: (n) => sent.push(n) });
  assert.deepEqual(host.last("POST", "/api/content/import")!.body, {
    collection: "desks",
    metadata: '{"a":1}',
    file: { name: "a %22wild%22%0D%0Aname.md", type: "text/markdown", text: "# Hello" },
  });
  assert.equal(sent.at(-1), 7);
  await client.importFile({ name: "b", bytes: new TextEncoder().encode("bytes") });
  assert.deepEqual(host.last("POST", "/api/content/import")!.body, {
    file: { name: "b", type: "application/octet-stream", text: "bytes" },
  });
});

Deno.test("Client makes errors of problem documents", async () => {
  await using host = fakeHost();
  const client = createClient({ url: host.url, token: "wrong" });
  await assert.rejects(client.jobs(), (error) => {
    assert.ok(error instanceof CliError);
    assert.equal(error.code, "unauthorized");
    assert.equal(error.status, 401);
    assert.match(error.hint!, /CARREL_TOKEN/);
    return true;
  });
  host.intercept = () =>
    Response.json({ code: "invalid_parameters", title: "no", details: { field: "k" } }, {
      status: 400,
    });
  await assert.rejects(client.jobs(), { message: "no", details: { field: "k" } });
});

Deno.test("Client says so when the answer is no Carrel's", async () => {
  await using host = fakeHost();
  const client = createClient({ url: host.url, token: TOKEN });
  host.intercept = () => new Response("<html>", { status: 200 });
  await assert.rejects(client.jobs(), { code: "bad_answer" });
  host.intercept = () => new Response("<html>", { status: 502, statusText: "Bad Gateway" });
  await assert.rejects(client.jobs(), { code: "http_502", message: /502 Bad Gateway/ });
  host.intercept = () => new Response(null, { status: 302, headers: { location: "http://evil/" } });
  await assert.rejects(client.jobs(), { code: "http_302" });
});

Deno.test("Client fails with exit 4 when nobody listens, and as interrupted when it is told to stop", async () => {
  const host = fakeHost();
  await host[Symbol.asyncDispose]();
  const client = createClient({ url: host.url });
  await assert.rejects(client.jobs(), { code: "unreachable", exit: EXIT.unreachable });
  await assert.rejects(client.job("x", AbortSignal.abort()), { exit: EXIT.interrupted });
});

Deno.test("Client escapes ids and names, and knows artifacts by their id", async () => {
  await using host = fakeHost();
  const client = createClient({ url: host.url, token: TOKEN });
  const { stream, size } = await client.file("artifact_1", "a b/ü.epub");
  assert.equal(await new Response(stream).text(), "bytes");
  assert.equal(size, 5);
  assert.equal(host.seen.at(-1)!.path, "/api/artifacts/artifact_1/files/a%20b%2F%C3%BC.epub");
  await client.deleteContent("../jobs", true);
  assert.equal(host.seen.at(-1)!.path, "/api/content/..%2Fjobs");
  assert.deepEqual(host.seen.at(-1)!.query, { hard_delete: "true" });
  assert.equal(nodeType("content_01"), "content");
  assert.equal(nodeType("Strange"), "node");
});

Deno.test("watchJob() goes on from the last event when the connection breaks", async () => {
  await using host = fakeHost();
  const client = createClient({ url: host.url, token: TOKEN });
  const { job } = await client.importUrl("https://example.org/");
  const { events } = host.jobs.get(job.id)!;
  let connections = 0;
  host.intercept = (seen) => {
    if (!seen.path.endsWith("/events")) return undefined;
    const message = (i: number) => `id: ${i + 1}\ndata: ${JSON.stringify(events[i])}\n\n`;
    switch (connections++) {
      case 0:
        return new Response(message(0) + message(1) + 'data: {"seq": 3, "sta');
      case 1:
        return problem(503, "unavailable", "too many streams");
      case 2:
        assert.equal(seen.headers.get("last-event-id"), "2");
        // Replays more than it was asked for, and noise.
        return new Response("retry: 1\ndata: noise\n\n" + message(1));
      default:
        return undefined;
    }
  };
  const seqs = (await Array.fromAsync(client.watchJob(job.id))).map((event) => event.seq);
  assert.deepEqual(seqs, [1, 2, 3]);
  assert.equal(connections, 4);
});

Deno.test("watchJob() ends when the host says that nothing comes after", async () => {
  await using host = fakeHost();
  const client = createClient({ url: host.url, token: TOKEN });
  host.intercept = () => new Response(null, { status: 204 });
  assert.deepEqual(await Array.fromAsync(client.watchJob("import_1", { after: 9 })), []);
});

Deno.test("watchJob() goes past the first end when the job was tried again", async () => {
  await using host = fakeHost();
  const client = createClient({ url: host.url, token: TOKEN });
  const { job } = await client.importUrl("https://example.org/");
  const told = host.jobs.get(job.id)!;
  told.events.push({ ...told.events[1]!, seq: 4 }, { ...told.events[2]!, seq: 5 });
  const seqs = (await Array.fromAsync(client.watchJob(job.id))).map((event) => event.seq);
  assert.deepEqual(seqs, [1, 2, 3, 4, 5]);
});

Deno.test("watchJob() does not ask again when the job is unknown, and stops when it is told to", async () => {
  await using host = fakeHost();
  const client = createClient({ url: host.url, token: TOKEN });
  await assert.rejects(Array.fromAsync(client.watchJob("import_9")), { code: "not_found" });
  host.stories.push({ end: "never" });
  const { job } = await client.importUrl("https://example.org/");
  const stop = new AbortController();
  const watching = (async () => {
    for await (const event of client.watchJob(job.id, { signal: stop.signal })) {
      if (event.seq === 2) stop.abort();
    }
  })();
  await assert.rejects(watching, { exit: EXIT.interrupted });
});
