import assert from "node:assert/strict";
import { isEnded, JOB_STATUSES } from "./job.ts";
import { cancelled, canFollow, FIRST_STATUSES, statusesBefore } from "./states.ts";

Deno.test("canFollow() lets nothing follow a completed job", () => {
  for (const to of JOB_STATUSES) assert.equal(canFollow("completed", to), false);
});

Deno.test("canFollow() lets an ended job only be queued again, by hand", () => {
  for (const from of ["failed", "cancelled"] as const) {
    assert.deepEqual(JOB_STATUSES.filter((to) => canFollow(from, to)), ["queued"]);
  }
});

Deno.test("canFollow() lets a job that is being cancelled end in no other way", () => {
  assert.deepEqual(JOB_STATUSES.filter((to) => canFollow("cancelling", to)), ["cancelled"]);
});

Deno.test("canFollow() leads from every status to an end, and from a first one to every status", () => {
  const reach = (starts: readonly typeof JOB_STATUSES[number][]) => {
    const seen = new Set(starts);
    for (const from of seen) for (const to of JOB_STATUSES) if (canFollow(from, to)) seen.add(to);
    return seen;
  };
  assert.deepEqual([...reach(FIRST_STATUSES)].sort(), [...JOB_STATUSES].sort());
  for (const from of JOB_STATUSES) assert.ok([...reach([from])].some(isEnded), from);
});

Deno.test("statusesBefore() names the guard of each update", () => {
  assert.deepEqual(statusesBefore("running"), ["queued"]);
  assert.deepEqual(statusesBefore("completed"), ["running"]);
  assert.deepEqual(statusesBefore("pending"), []);
  const failing = ["pending", "queued", "running", "waiting", "retrying"];
  assert.deepEqual(statusesBefore("failed"), failing, "not what is being cancelled");
});

Deno.test("cancelled() ends what does not run, tells what runs, and leaves the rest alone", () => {
  const outcome = Object.fromEntries(JOB_STATUSES.map((status) => [status, cancelled(status)]));
  assert.deepEqual(outcome, {
    pending: "cancelled",
    queued: "cancelled",
    running: "cancelling",
    waiting: "cancelled",
    retrying: "cancelled",
    cancelling: undefined,
    completed: undefined,
    failed: undefined,
    cancelled: undefined,
  });
});
