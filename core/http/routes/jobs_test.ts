import assert from "node:assert/strict";
import { jobEventSchema, jobSchema, pageOf } from "../schemas.ts";
import { type TestApp, testApp } from "../testing/memory_host.ts";
import { problemOf } from "../testing/problem.ts";

const newJob = (app: TestApp) => app.jobs.add({ kind: "noop", input: null, user: "user_1" });

/** Events of a server-sent stream, by the format of the HTML standard; comments as `comment`. */
async function* readEvents(response: Response) {
  let text = "";
  for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
    text += piece;
    for (let at = text.indexOf("\n\n"); at >= 0; at = text.indexOf("\n\n")) {
      const lines = text.slice(0, at).split("\n");
      text = text.slice(at + 2);
      const field = (name: string) =>
        lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      yield { comment: field(""), id: field("id"), data: field("data") };
    }
  }
}

async function seqsOf(response: Response): Promise<number[]> {
  const seqs: number[] = [];
  for await (const { id, data } of readEvents(response)) {
    if (data === undefined) continue;
    const event = jobEventSchema.parse(JSON.parse(data));
    assert.equal(id, String(event.seq));
    seqs.push(event.seq);
  }
  return seqs;
}

Deno.test("GET jobs lists by filter and reads one", async () => {
  await using app = await testApp();
  const [a, b] = [await newJob(app), await newJob(app)];
  app.jobs.update(a.id, { status: "completed" });
  const list = await app.request("reader", "GET", "/api/jobs?status=queued&kind=noop");
  const { items, cursor } = pageOf(jobSchema).parse(await list.json());
  assert.deepEqual([items.map(({ id }) => id), cursor], [[b.id], null]);
  const one = await app.request("reader", "GET", `/api/jobs/${a.id}`);
  assert.equal(jobSchema.parse(await one.json()).status, "completed");
  const missing = await app.request("reader", "GET", "/api/jobs/job_x");
  assert.equal((await problemOf(missing)).code, "not_found");
});

Deno.test("DELETE a job cancels it, POST retry runs it again, once", async () => {
  await using app = await testApp();
  const { id } = await newJob(app);
  const cancelled = await app.request("editor", "DELETE", `/api/jobs/${id}`);
  assert.deepEqual([cancelled.status, (await cancelled.json()).status], [202, "cancelled"]);
  const retried = await app.request("editor", "POST", `/api/jobs/${id}/retry`);
  assert.equal(retried.status, 202);
  const { status, priority } = jobSchema.parse(await retried.json());
  assert.deepEqual([status, priority], ["queued", 7]);
  const again = await problemOf(await app.request("editor", "POST", `/api/jobs/${id}/retry`));
  assert.deepEqual([again.status, again.code], [409, "conflict"]);
});

Deno.test("GET events sends what was, then what comes, and ends with the job", async () => {
  await using app = await testApp();
  const { id } = await newJob(app);
  const response = await app.request("reader", "GET", `/api/jobs/${id}/events`);
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  assert.equal(response.headers.get("cache-control"), "no-store");
  const events = readEvents(response);
  assert.equal((await events.next()).value?.comment, "events");
  assert.equal((await events.next()).value?.id, "1");
  const next = events.next();
  app.jobs.update(id, { progress: 50 });
  assert.equal(JSON.parse((await next).value!.data!).progress, 50);
  app.jobs.update(id, { status: "completed" });
  assert.equal((await events.next()).value?.id, "3");
  assert.equal((await events.next()).done, true);
  assert.equal(app.jobs.watchers(), 0);
});

Deno.test("GET events goes on behind the Last-Event-ID, or behind `after`", async () => {
  await using app = await testApp();
  const { id } = await newJob(app);
  app.jobs.update(id, { progress: 50 });
  app.jobs.update(id, { status: "completed" });
  const path = `/api/jobs/${id}/events`;
  const get = (url: string, lastId?: string) =>
    app.request("reader", "GET", url, lastId ? { headers: { "last-event-id": lastId } } : {});
  assert.deepEqual(await seqsOf(await get(path)), [1, 2, 3]);
  assert.deepEqual(await seqsOf(await get(path, "1")), [2, 3]);
  assert.deepEqual(await seqsOf(await get(`${path}?after=2`)), [3]);
  assert.deepEqual(await seqsOf(await get(`${path}?after=0`, "2")), [3]);
  assert.deepEqual(await seqsOf(await get(path, "nonsense")), [1, 2, 3]);
  const over = await get(path, "3");
  assert.deepEqual([over.status, over.body], [204, null]);
  assert.equal(app.jobs.watchers(), 0);
});

Deno.test("GET events says not_found for a job that is not there", async () => {
  await using app = await testApp();
  const missing = await app.request("reader", "GET", "/api/jobs/job_x/events");
  assert.equal((await problemOf(missing)).code, "not_found");
});

Deno.test("GET events sends comments while nothing happens, and ends its watch when the client goes", async () => {
  await using app = await testApp({ heartbeatMs: 1 });
  const { id } = await newJob(app);
  const response = await app.request("reader", "GET", `/api/jobs/${id}/events`);
  let alive = 0;
  for await (const { comment } of readEvents(response)) {
    if (comment === "alive" && ++alive === 3) break;
  }
  assert.equal(app.jobs.watchers(), 0);
});

Deno.test("GET events ends its watch when a client goes that has not read what was sent", async () => {
  await using app = await testApp();
  const { id } = await newJob(app);
  for (let progress = 1; progress < 50; progress++) app.jobs.update(id, { progress });
  const response = await app.request("reader", "GET", `/api/jobs/${id}/events`);
  const events = readEvents(response);
  assert.equal((await events.next()).value?.comment, "events");
  assert.equal(app.jobs.watchers(), 1);
  await events.return();
  assert.equal(app.jobs.watchers(), 0);
});

Deno.test("GET events ends when the server shuts down or the watch fails", async () => {
  const shutdown = new AbortController();
  await using app = await testApp({ signal: shutdown.signal });
  const { id } = await newJob(app);
  const broken = await app.request("reader", "GET", `/api/jobs/${id}/events`);
  const response = await app.request("reader", "GET", `/api/jobs/${id}/events`);
  const seqs = seqsOf(response);
  shutdown.abort();
  assert.deepEqual(await seqs, [1]);
  assert.deepEqual(await seqsOf(broken), [1]);

  await using other = await testApp();
  const job = await newJob(other);
  const failing = await other.request("reader", "GET", `/api/jobs/${job.id}/events`);
  other.jobs.breakWatches(new Error("store is away"));
  await assert.rejects(seqsOf(failing), /store is away/);
});

Deno.test("GET events bounds the number of streams at once", async () => {
  await using app = await testApp({ maxStreams: 2 });
  const { id } = await newJob(app);
  const open = () => app.request("reader", "GET", `/api/jobs/${id}/events`);
  const [first, second] = [await open(), await open()];
  assert.equal((await problemOf(await open())).code, "unavailable");
  await first.body?.cancel();
  const third = await open();
  assert.equal(third.status, 200);
  await Promise.all([second.body?.cancel(), third.body?.cancel()]);
  assert.equal(app.jobs.watchers(), 0);
});

Deno.test("HEAD events opens no stream", async () => {
  await using app = await testApp({ maxStreams: 0 });
  const { id } = await newJob(app);
  assert.equal((await app.request("reader", "HEAD", `/api/jobs/${id}/events`)).status, 200);
});

Deno.test("GET /ws/jobs says bad_request when no WebSocket is asked for", async () => {
  await using app = await testApp();
  const { id } = await newJob(app);
  const plain = await app.request("reader", "GET", `/ws/jobs/${id}`);
  assert.equal((await problemOf(plain)).code, "bad_request");
  const headers = { upgrade: "websocket" };
  const half = await app.request("reader", "GET", `/ws/jobs/${id}`, { headers });
  assert.equal((await problemOf(half)).code, "bad_request");
});
