import assert from "node:assert/strict";
import { newToken } from "../../auth/tokens.ts";
import { testApp } from "../testing/memory_host.ts";
import { problemOf } from "../testing/problem.ts";

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

Deno.test("access takes a bearer token in the Authorization header and nowhere else", async () => {
  await using app = await testApp();
  const { reader } = app.tokens;
  const status = async (path: string, authorization?: string) => {
    const init = authorization === undefined ? {} : { headers: { authorization } };
    const response = await app.request(undefined, "GET", path, init);
    await response.body?.cancel();
    return response.status;
  };
  assert.equal(await status("/api/jobs", `Bearer ${reader}`), 200);
  assert.equal(await status("/api/jobs", `bearer  ${reader} `), 200);
  for (const path of ["/api/jobs", "/api/jobs/x/events", "/ws/jobs/x"]) {
    for (const name of ["token", "access_token", "ticket"]) {
      assert.equal(await status(`${path}?${name}=${reader}`), 401, `${path} ${name}`);
    }
  }
  for (const header of [reader, `Basic ${btoa(`x:${reader}`)}`, "Bearer", `Bearer ${reader} x`]) {
    assert.equal(await status("/api/jobs", header), 401, header);
  }
});

Deno.test("access takes a ticket for event streams, once, and for nothing else", async () => {
  let ms = Date.now();
  await using app = await testApp({ now: () => ms });
  const { id } = await app.jobs.add({ kind: "noop", input: null, user: "user_1" });
  app.jobs.update(id, { status: "completed" });
  const newTicket = async () => {
    const response = await app.request("reader", "POST", "/api/tickets");
    assert.equal(response.status, 201);
    const { ticket, expires_in } = await response.json();
    assert.equal(expires_in, 60);
    return ticket as string;
  };
  const status = async (path: string, ticket: string) => {
    const response = await app.request(undefined, "GET", `${path}?ticket=${ticket}`);
    await response.body?.cancel();
    return response.status;
  };
  const ticket = await newTicket();
  for (const path of ["/api/jobs", `/api/jobs/${id}`, "/api/content"]) {
    assert.equal(await status(path, ticket), 401, path);
  }
  assert.equal(await status(`/api/jobs/${id}/events`, ticket), 200);
  assert.equal(await status(`/api/jobs/${id}/events`, ticket), 401);
  const late = await newTicket();
  ms += 60_000;
  assert.equal(await status(`/api/jobs/${id}/events`, late), 401);
});

Deno.test("access answers 429 to unknown tokens after too many of them, and lets every good one in", async () => {
  let ms = Date.now();
  await using app = await testApp({ now: () => ms, maxAuthFailures: 3 });
  const get = (token: string) => app.request(undefined, "GET", "/api/jobs", bearer(token));
  for (let i = 0; i < 3; i++) {
    assert.equal((await problemOf(await get(newToken()))).code, "unauthorized");
  }
  ms += 1000;
  const limited = await get(newToken());
  assert.equal(limited.headers.get("retry-after"), "59");
  assert.equal((await problemOf(limited)).code, "too_many_requests");
  // Neither of them was used before.
  assert.equal((await get(app.tokens.admin)).status, 200);
  assert.equal((await get(app.tokens.reader)).status, 200);
  assert.equal((await app.request(undefined, "GET", "/api/jobs")).status, 401);
  ms += 59_000;
  assert.equal((await problemOf(await get(newToken()))).code, "unauthorized");
});

Deno.test("access counts no tickets, which any web page can make up", async () => {
  await using app = await testApp({ maxAuthFailures: 2 });
  const { id } = await app.jobs.add({ kind: "noop", input: null, user: "user_1" });
  app.jobs.update(id, { status: "completed" });
  const watch = async (ticket: string) => {
    const response = await app.request(undefined, "GET", `/api/jobs/${id}/events?ticket=${ticket}`);
    await response.body?.cancel();
    return response.status;
  };
  for (let i = 0; i < 5; i++) assert.equal(await watch(`made-up-${i}`), 401);
  const wrong = () => app.request(undefined, "GET", "/api/jobs", bearer(newToken()));
  assert.equal((await wrong()).status, 401);
  assert.equal((await wrong()).status, 401);
  assert.equal((await wrong()).status, 429);
  const { ticket } = await (await app.request("reader", "POST", "/api/tickets")).json();
  assert.equal(await watch("made-up"), 401);
  assert.equal(await watch(ticket), 200);
});

Deno.test("access counts failures by the address that they come from", async () => {
  await using app = await testApp({ maxAuthFailures: 1 });
  const from = async (hostname: string, token: string) => {
    const env = { remoteAddr: { transport: "tcp", hostname, port: 1 } as const };
    const response = await app.app.request("/api/jobs", bearer(token), env);
    return response.status;
  };
  assert.equal(await from("192.0.2.1", newToken()), 401);
  assert.equal(await from("192.0.2.1", newToken()), 429);
  assert.equal(await from("192.0.2.2", newToken()), 401);
});

Deno.test("hostCheck() answers to loopback names and named hosts only", async () => {
  await using app = await testApp({ extraHosts: ["Library.example"] });
  const status = async (host: string) =>
    (await app.request(undefined, "GET", "/healthz", { headers: { host } })).status;
  const good = ["localhost", "LOCALHOST:8080", "127.0.0.1:7", "[::1]:80", "library.example:443"];
  for (const host of good) assert.equal(await status(host), 200, host);
  const bad = ["evil.example", "localhost.evil.example", "evil.example:80", "127.0.0.2", "0.0.0.0"];
  for (const host of [...bad, "localhost:80@evil.example"]) {
    assert.equal(await status(host), 403, host);
  }
  const answer = await app.request(undefined, "GET", "/", { headers: { host: "evil.example" } });
  assert.equal((await problemOf(answer)).code, "forbidden");
});

Deno.test("hostCheck() is left out when checkHost is false", async () => {
  await using app = await testApp({ checkHost: false });
  const headers = { host: "any.example" };
  assert.equal((await app.request(undefined, "GET", "/healthz", { headers })).status, 200);
});
