import assert from "node:assert/strict";
import type { JobHandler } from "./job.ts";
import { createDoor, noop, openWorkshop, within } from "./testing.ts";

Deno.test("add() raises the priority of equal work that waits, and never lowers it", async () => {
  await using shop = await openWorkshop();
  const { jobs } = shop.engine({});
  const first = await jobs.add(noop({ flightKey: "f", priority: 3 }));
  const raised = await jobs.add(noop({ flightKey: "f", priority: 9 }));
  assert.deepEqual([raised.id, raised.priority], [first.id, 9]);
  assert.equal((await jobs.add(noop({ flightKey: "f", priority: 4 }))).priority, 9);
  assert.equal((await jobs.add(noop({ flightKey: "f" }))).priority, 9);
  assert.equal((await jobs.get(first.id)).priority, 9);
  // It stands where it would stand had it been added so.
  const peer = await jobs.add(noop({ priority: 9 }));
  const ranks = await shop.sql.db.selectFrom("job").select(["id", "rank"]).execute();
  const rankOf = (id: string) => ranks.find((row) => row.id === id)!.rank;
  assert.equal(rankOf(first.id), rankOf(peer.id));
});

Deno.test("add() raises nothing for the same request again, nor for a priority that makes no sense", async () => {
  await using shop = await openWorkshop();
  const { jobs } = shop.engine({});
  const same = { idempotencyKey: "k", flightKey: "f" };
  const first = await jobs.add(noop({ ...same, priority: 3 }));
  assert.equal((await jobs.add(noop({ ...same, priority: 9 }))).priority, 3);
  await assert.rejects(jobs.add(noop({ flightKey: "f", priority: 99 })), {
    code: "invalid_parameters",
  });
  assert.equal((await jobs.get(first.id)).priority, 3);
});

Deno.test("a job whose priority was raised runs before those that it passed", async () => {
  await using shop = await openWorkshop();
  const door = createDoor();
  const order: unknown[] = [];
  const run: JobHandler["run"] = async ({ job }) => {
    order.push(job.input);
    if (job.input === "first") await door.pass();
    return null;
  };
  const engine = shop.engine({
    handlers: { noop: { run } },
    classLimits: (name) => name === "plugin:export.slow" ? 1 : undefined,
  });
  await engine.start();
  const add = (input: string, more: { flightKey?: string; priority: number }) =>
    engine.jobs.add(noop({ plugin: "export.slow", input, ...more }));
  await add("first", { priority: 5 });
  await within(door.reached);
  const low = await add("low", { flightKey: "low", priority: 1 });
  const middle = await add("middle", { priority: 5 });
  await add("low", { flightKey: "low", priority: 7 });
  door.open();
  await within(engine.jobs.finished(low.id));
  await within(engine.jobs.finished(middle.id));
  assert.deepEqual(order, ["first", "low", "middle"]);
});
