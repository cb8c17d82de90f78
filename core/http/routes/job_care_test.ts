import assert from "node:assert/strict";
import { CarrelError } from "../../errors.ts";
import { retryAll } from "../../jobs/dead.ts";
import { createJobLogs } from "../../jobs/job_log.ts";
import { createRetention } from "../../jobs/retention.ts";
import { noop, openWorkshop, within } from "../../jobs/testing.ts";
import { createHttpApp } from "../app.ts";
import { jobDetailSchema, jobLogSchema, prunedSchema, retriedAllSchema } from "../schemas.ts";
import { testApp } from "../testing/memory_host.ts";
import { problemOf } from "../testing/problem.ts";

/** The routes over real jobs, which do what the test says. */
async function realApp(run: () => Promise<unknown>, queueLimits?: { total: number }) {
  const stack = new AsyncDisposableStack();
  const base = stack.use(await testApp());
  const shop = stack.use(await openWorkshop());
  const log = stack.use(createJobLogs({ sql: shop.sql, clock: shop.clock }));
  const retention = stack.use(createRetention({ sql: shop.sql, clock: shop.clock }));
  const { jobs, start } = shop.engine({ handlers: { noop: { run } }, log: log.write, queueLimits });
  const app = createHttpApp({
    ...base.host,
    jobs,
    jobCare: {
      log,
      retention,
      retryAll: (filter, options) => retryAll({ sql: shop.sql, jobs }, filter, options),
    },
  });
  const request = async (
    role: "reader" | "editor" | "admin",
    method: string,
    path: string,
    body?: unknown,
  ) =>
    await app.request(path, {
      method,
      headers: {
        authorization: `Bearer ${base.tokens[role]}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      body: body === undefined ? null : JSON.stringify(body),
    });
  await start();
  return { shop, log, jobs, request, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

Deno.test("GET log answers with the lines, and with wait when there is one or the job has ended", async () => {
  const { promise: end, resolve: finish } = Promise.withResolvers<void>();
  await using app = await realApp(() => end);
  const { id } = await app.jobs.add(noop());
  app.log.write(id, "debug", "fine print");
  app.log.write(id, "info", "one");
  const get = async (query: string) => {
    const response = await app.request("reader", "GET", `/api/jobs/${id}/log${query}`);
    return jobLogSchema.parse(await response.json());
  };
  const first = await get("?level=info");
  assert.deepEqual([first.items.map(({ message }) => message), first.ended], [["one"], false]);
  const waiting = get("?after=2&wait=60");
  app.log.write(id, "info", "two");
  assert.deepEqual((await within(waiting)).items.map(({ seq }) => seq), [3]);
  const over = get("?after=3&wait=60");
  finish();
  const last = await within(over);
  assert.deepEqual([last.items, last.ended], [[], true]);
  const missing = await app.request("reader", "GET", "/api/jobs/job_x/log");
  assert.equal((await problemOf(missing)).code, "not_found");
});

Deno.test("POST retry runs all that failed with a code again, and GET shows tries, costs and children", async () => {
  let broken = true;
  await using app = await realApp(async () => {
    if (broken) throw new CarrelError("crashed", "Cannot do it: it fell.");
  });
  const { id } = await app.jobs.add(noop());
  await within(app.jobs.finished(id));
  broken = false;
  const list = await app.request("reader", "GET", "/api/jobs?status=failed&code=crashed");
  assert.equal((await list.json()).items.length, 1);
  assert.equal(
    (await (await app.request("reader", "GET", "/api/jobs?code=denied")).json()).items.length,
    0,
  );
  const body = { filter: { code: "crashed", since: "2025-12-31T23:00:00+01:00" } };
  assert.equal((await app.request("reader", "POST", "/api/jobs/retry", body)).status, 403);
  const done = await app.request("editor", "POST", "/api/jobs/retry", body);
  const { retried, refused, more } = retriedAllSchema.parse(await done.json());
  assert.deepEqual([retried, refused, more], [1, 0, false]);
  await within(app.jobs.finished(id));
  const child = await app.jobs.add(noop({ parent: id }));
  await within(app.jobs.finished(child.id));
  const one = jobDetailSchema.parse(
    await (await app.request("reader", "GET", `/api/jobs/${id}`)).json(),
  );
  assert.deepEqual([one.tries, one.waits_for, one.children.completed], [2, null, 1]);
});

Deno.test("POST retry of one job takes a stage, and refuses what is none", async () => {
  await using app = await realApp(() => Promise.reject(new CarrelError("crashed", "Cannot.")));
  const { id } = await app.jobs.add(noop());
  await within(app.jobs.finished(id));
  const retry = (body: unknown) => app.request("editor", "POST", `/api/jobs/${id}/retry`, body);
  assert.equal((await problemOf(await retry({ from: "dreaming" }))).code, "bad_request");
  assert.equal((await retry({ from: "extracting" })).status, 202);
});

Deno.test("POST prune counts with dry_run, deletes without, and takes an admin", async () => {
  await using app = await realApp(() => Promise.resolve());
  const { id } = await app.jobs.add(noop());
  await within(app.jobs.finished(id));
  app.shop.clock.advance(60_000);
  const prune = (role: "editor" | "admin", body: unknown) =>
    app.request(role, "POST", "/api/jobs/prune", body);
  assert.equal((await prune("editor", { older_than_days: 0.0001 })).status, 403);
  const dry = await prune("admin", { older_than_days: 0.0001, dry_run: true });
  assert.deepEqual(prunedSchema.parse(await dry.json()), { jobs: 1, runs: 0, dry_run: true });
  assert.equal((await app.jobs.get(id)).id, id);
  await prune("admin", { older_than_days: 0.0001, status: "completed" });
  await assert.rejects(app.jobs.get(id), /there is none/);
});

Deno.test("a request that finds the queue full is answered 429 with Retry-After", async () => {
  const { promise: end, resolve: finish } = Promise.withResolvers<void>();
  await using app = await realApp(() => end, { total: 1 });
  await app.jobs.add(noop({ runAtMs: app.shop.clock.now() + 1e6 }));
  const failed = await app.jobs.add(noop()).then(() => undefined, (error) => error);
  assert.equal(failed.code, "too_many_requests");
  const { problemResponse } = await import("../problem.ts");
  const response = problemResponse(failed, "1");
  assert.deepEqual([response.status, response.headers.get("retry-after")], [429, "30"]);
  finish();
});
