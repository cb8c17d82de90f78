/** Who may do what, over the wire. */
import assert from "node:assert/strict";
import { startTestHost } from "./host.ts";

Deno.test("a token stands for its role, and for nothing once it is revoked", async () => {
  await using host = await startTestHost();
  const reader = await host.post("/api/tokens", { name: "phone", role: "reader" });
  const as = (path: string, init: RequestInit = {}) =>
    fetch(`${host.url}${path}`, { ...init, headers: { authorization: `Bearer ${reader.token}` } });
  const status = async (response: Promise<Response>) => {
    const { status, body } = await response;
    await body?.cancel();
    return status;
  };
  assert.equal(await status(as("/api/content")), 200);
  assert.equal(await status(as("/api/content/import", { method: "POST" })), 403);
  assert.equal(await status(as("/api/tokens")), 403);
  assert.equal(await status(fetch(`${host.url}/api/content`)), 401);
  assert.equal(await status(fetch(`${host.url}/healthz`)), 200);
  assert.equal(await status(fetch(`${host.url}/api/content?token=${reader.token}`)), 401);
  assert.equal((await host.fetch(`/api/tokens/${reader.id}`, { method: "DELETE" })).status, 204);
  assert.equal(await status(as("/api/content")), 401);
  const { mode } = await Deno.stat(`${host.dataDir}/host.json`);
  assert.equal(mode! & 0o777, 0o600);
});

Deno.test("a WebSocket and an event stream open with a ticket, once", async () => {
  await using host = await startTestHost();
  const job = await host.upload("a.md", "# A\n\nText.\n");
  await host.ended(job);
  const { ticket } = await host.post("/api/tickets", {});
  const stream = await fetch(`${host.url}/api/jobs/${job.id}/events?ticket=${ticket}`);
  assert.equal(stream.status, 200);
  const events = await stream.text();
  assert.match(events, /"status":"completed"/);
  const again = await fetch(`${host.url}/api/jobs/${job.id}/events?ticket=${ticket}`);
  await again.body?.cancel();
  assert.equal(again.status, 401);

  const second = (await host.post("/api/tickets", {})).ticket;
  const socket = new WebSocket(
    `${host.url.replace("http", "ws")}/ws/jobs/${job.id}?ticket=${second}`,
  );
  const seen: string[] = [];
  await new Promise<void>((resolve, reject) => {
    socket.onmessage = (event) => seen.push(JSON.parse(event.data).status);
    socket.onclose = () => resolve();
    socket.onerror = () => reject(new Error("the socket failed"));
  });
  assert.equal(seen.at(-1), "completed");
});
