import assert from "node:assert/strict";
import { EventBus } from "../events.ts";
import { createHub } from "./hub.ts";
import type { JobEvent } from "./job.ts";

const event = (job: string): JobEvent => ({
  job_id: job,
  seq: 1,
  status: "queued",
  stage: null,
  progress: 0,
  message: null,
  plugin: null,
  timestamp: "now",
});

Deno.test("publish() reaches the job's watchers and the bus, until they leave", () => {
  const bus = new EventBus();
  const hub = createHub(bus);
  const seen: string[] = [];
  bus.on("job.event", ({ job_id }) => seen.push(`bus ${job_id}`));
  const leave = hub.subscribe("a", ({ job_id }) => seen.push(`watcher ${job_id}`), () => {});
  hub.publish(event("a"));
  hub.publish(event("b"));
  leave();
  leave();
  hub.publish(event("a"));
  assert.deepEqual(seen, ["watcher a", "bus a", "bus b", "bus a"]);
});

Deno.test("close() tells watchers, and those that come later, that nothing more comes", () => {
  const hub = createHub(new EventBus());
  const closed: string[] = [];
  hub.subscribe("a", () => {}, () => closed.push("early"));
  hub.close();
  hub.subscribe("a", () => {}, () => closed.push("late"))();
  assert.deepEqual(closed, ["early", "late"]);
});
