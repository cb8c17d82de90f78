import assert from "node:assert/strict";
import { workHost } from "../testing/work_host.ts";

const FEED = {
  name: "A feed",
  spec: { every_s: 3600 },
  work: { import: { url: "https://feed.example/" } },
};

Deno.test("/api/schedules makes, lists, shows, changes, runs and removes schedules", async () => {
  await using host = await workHost();
  const made = await host.fetch("editor", "POST", "/api/schedules", { json: FEED });
  assert.equal(made.status, 201);
  const schedule = await made.json();
  assert.equal(made.headers.get("location"), `/api/schedules/${schedule.id}`);
  assert.deepEqual(schedule, {
    ...FEED,
    id: schedule.id,
    overlap: "skip",
    enabled: true,
    next: "2026-01-01T01:00:00.000Z",
    last: null,
    last_job: null,
    error: null,
    user: await host.user("editor"),
    created: "2026-01-01T00:00:00.000Z",
  });
  const path = `/api/schedules/${schedule.id}`;
  const list = async (role: "reader" | "editor" | "admin") =>
    (await (await host.fetch(role, "GET", "/api/schedules")).json()).items.length;
  assert.deepEqual([await list("editor"), await list("admin"), await list("reader")], [1, 1, 0]);
  assert.equal((await host.fetch("reader", "GET", path)).status, 404);
  const off = await host.fetch("editor", "PATCH", path, { json: { enabled: false } });
  assert.deepEqual([off.status, (await off.json()).next], [200, null]);
  const begun = await host.fetch("editor", "POST", `${path}/run`);
  assert.equal(begun.status, 202);
  const { job } = await begun.json();
  assert.equal((await (await host.fetch("editor", "GET", path)).json()).last_job, job);
  assert.equal((await host.fetch("editor", "DELETE", path)).status, 204);
  assert.equal((await host.fetch("editor", "GET", path)).status, 404);
});

Deno.test("POST /api/schedules refuses what says nothing or too much, and readers", async () => {
  await using host = await workHost();
  const post = async (json: unknown, role: "editor" | "reader" = "editor") => {
    const response = await host.fetch(role, "POST", "/api/schedules", { json });
    return [response.status, (await response.json()).code];
  };
  assert.deepEqual(await post(FEED, "reader"), [403, "forbidden"]);
  for (
    const wrong of [
      { ...FEED, spec: {} },
      { ...FEED, spec: { every_s: 3600, cron: "* * * * *" } },
      { ...FEED, work: { import: {} } },
      { ...FEED, more: 1 },
    ]
  ) assert.deepEqual(await post(wrong), [400, "bad_request"]);
  assert.deepEqual(await post({ ...FEED, spec: { every_s: 1 } }), [400, "invalid_parameters"]);
});
