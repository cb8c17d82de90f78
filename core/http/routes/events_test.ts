import assert from "node:assert/strict";
import { readEvents } from "../../cli/sse.ts";
import { within } from "../../jobs/testing.ts";
import { type WorkHost, workHost } from "../testing/work_host.ts";

const page = async (host: WorkHost, query: string) =>
  await (await host.fetch("reader", "GET", `/api/events?${query}`)).json();

/** The numbers of so many messages of a stream. */
async function take(response: Response, count: number): Promise<number[]> {
  const seqs: number[] = [];
  for await (const { data, id } of readEvents(response.body!)) {
    assert.equal(String(JSON.parse(data).seq), id);
    if (seqs.push(JSON.parse(data).seq) === count) break;
  }
  return seqs;
}

Deno.test("GET /api/events pages through one's own events and the host's", async () => {
  await using host = await workHost();
  const me = await host.user("reader");
  await host.append(
    ["content.imported", "content_1", me],
    ["content.imported", "content_2", "somebody"],
    ["artifact.created", "artifact_1", me],
    ["notify", "content_1", "host"],
    ["content.imported", "content_3", "somebody"],
  );
  const seqs = async (query: string) => {
    const { items, after } = await page(host, query);
    return [items.map(({ seq }: { seq: number }) => seq), after];
  };
  assert.deepEqual(await seqs(""), [[1, 3, 4], 5]);
  assert.deepEqual(await seqs("limit=2"), [[1, 3], 3]);
  assert.deepEqual(await seqs("limit=2&after=3"), [[4], 5]);
  assert.deepEqual(await seqs("names=artifact.*,notify"), [[3, 4], 5]);
  assert.deepEqual(await seqs("subject=content_1"), [[1, 4], 5]);
  assert.deepEqual(await seqs("after=99999"), [[], 5]);
  assert.deepEqual((await page(host, "limit=1")).items, [{
    seq: 1,
    name: "content.imported",
    subject: "content_1",
    payload: { title: "About content_1" },
    user: me,
    time: "2026-01-01T00:00:00.000Z",
  }]);
  const wrong = await host.fetch("reader", "GET", "/api/events?names=a%20b");
  assert.deepEqual([wrong.status, (await wrong.json()).code], [400, "invalid_parameters"]);
});

Deno.test("GET /api/events/stream sends what is live, and goes on behind a number", async () => {
  await using host = await workHost();
  const me = await host.user("reader");
  await host.append(["notify", "a", me], ["notify", "b", me]);
  const open = (query = "", headers: Record<string, string> = {}) =>
    host.fetch("reader", "GET", `/api/events/stream?${query}`, { headers });
  const live = await open();
  const after = await open("after=1");
  const back = await open("after=0&names=notify", { "last-event-id": "1" });
  await host.append(
    ["content.imported", "c", me],
    ["notify", "d", "somebody"],
    ["notify", "e", "host"],
  );
  assert.deepEqual(await within(take(live, 2)), [3, 5]);
  assert.deepEqual(await within(take(after, 3)), [2, 3, 5]);
  assert.deepEqual(await within(take(back, 2)), [2, 5]);
  const head = await host.fetch("reader", "HEAD", "/api/events/stream");
  assert.equal(head.status, 200);
});

Deno.test("GET /ws/events sends the same over a WebSocket, by a ticket", async () => {
  await using host = await workHost();
  const me = await host.user("reader");
  await host.append(["notify", "a", me]);
  const { ticket } = await (await host.fetch("reader", "POST", "/api/tickets")).json();
  const socket = new WebSocket(
    `${host.url.replace("http", "ws")}/ws/events?after=0&ticket=${ticket}`,
  );
  const seen: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const closed = new Promise((done) => socket.onclose = done);
  socket.onmessage = ({ data }) => {
    if (seen.push(JSON.parse(data).subject) === 2) resolve();
  };
  await new Promise((done) => socket.onopen = done);
  await host.append(["notify", "b", "somebody"], ["notify", "c", me]);
  await within(promise);
  socket.close();
  await closed;
  assert.deepEqual(seen, ["a", "c"]);
  const plain = await host.fetch("reader", "GET", "/ws/events");
  assert.equal((await plain.json()).code, "bad_request");
});
