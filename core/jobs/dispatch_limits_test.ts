import assert from "node:assert/strict";
import { classesOf, createSlots } from "./dispatch_limits.ts";

const job = (more: object = {}) => ({
  kind: "import",
  plugin: "a",
  site: "x.org",
  priority: 5,
  ...more,
});

Deno.test("classesOf() leaves out what a job has not", () => {
  assert.deepEqual(classesOf(job()), ["kind:import", "plugin:a", "site:x.org"]);
  assert.deepEqual(classesOf(job({ plugin: undefined, site: null })), ["kind:import"]);
});

Deno.test("createSlots() keeps one slot for urgent jobs", () => {
  const slots = createSlots(3, () => undefined);
  slots.take(job());
  slots.take(job());
  assert.deepEqual([slots.normal, slots.urgent], [0, 1]);
  slots.take(job({ priority: 8 }));
  assert.deepEqual([slots.normal, slots.urgent], [0, 0]);
  slots.free(job());
  assert.deepEqual([slots.normal, slots.urgent], [1, 1]);
});

Deno.test("createSlots() keeps nothing back when there is but one slot", () => {
  assert.equal(createSlots(1, () => undefined).normal, 1);
});

Deno.test("saturated() names the values of full classes, by what they are", () => {
  const limits: Record<string, number> = { "plugin:a": 2, "site:x.org:8080": 1 };
  const slots = createSlots(9, (name) => limits[name]);
  slots.take(job({ site: "x.org:8080" }));
  assert.deepEqual(slots.saturated(), { kind: [], plugin: [], site: ["x.org:8080"] });
  slots.take(job({ site: null }));
  assert.deepEqual(slots.saturated(), { kind: [], plugin: ["a"], site: ["x.org:8080"] });
  slots.free(job({ site: "x.org:8080" }));
  assert.deepEqual(slots.saturated(), { kind: [], plugin: [], site: [] });
});

Deno.test("fitting() counts the jobs before the first that would be too many", () => {
  const slots = createSlots(9, (name) => name === "plugin:a" ? 2 : undefined);
  slots.take(job());
  assert.equal(slots.fitting([job({ plugin: "b" }), job(), job({ plugin: "b" }), job()]), 3);
  assert.equal(slots.fitting([job({ plugin: "b" })]), 1);
  assert.equal(slots.fitting([]), 0);
});

Deno.test("copy() plans without touching the original", () => {
  const slots = createSlots(4, (name) => name === "plugin:a" ? 1 : undefined);
  const plan = slots.copy(0);
  plan.take(job());
  assert.deepEqual(plan.saturated().plugin, ["a"]);
  assert.deepEqual(slots.saturated().plugin, []);
  assert.equal(slots.urgent, 4);
});
