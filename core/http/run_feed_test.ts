import assert from "node:assert/strict";
import { CarrelError } from "../errors.ts";
import { createDoor } from "../jobs/testing.ts";
import { ACTOR, echo, openRuns, step, workflow } from "../workflows/testing.ts";
import { createRunFeeds } from "./run_feed.ts";

const asks = step({
  id: "pick",
  kind: "wait",
  wait: { for: "choice", options: ["a"], prompt: null },
});

Deno.test("createRunFeeds() reads a run once for all who watch it", async () => {
  await using runs = await openRuns();
  let reads = 0;
  const feeds = createRunFeeds({
    jobs: runs.engine.jobs,
    workflows: {
      run(id, actor) {
        reads++;
        return runs.workflows.run(id, actor);
      },
    },
  });
  const { id } = await runs.workflows.start(workflow([asks, echo("then")]), {}, ACTOR);
  await runs.settled(id);
  const started = Promise.withResolvers<void>();
  let begun = 0;
  const watchers = Array.from({ length: 200 }, async () => {
    const states: string[] = [];
    for await (const event of feeds.watch(id, ACTOR, new AbortController().signal)) {
      if (states.length === 0 && ++begun === 200) started.resolve();
      states.push(event.type === "run" ? event.run.status : event.step.state);
    }
    return states;
  });
  await started.promise;
  const before = reads;
  await runs.workflows.interact(id, "pick", { choice: 0 }, ACTOR);
  for (const states of await Promise.all(watchers)) assert.equal(states.at(-1), "completed");
  assert.ok(before <= 3, `${before} reads`);
  assert.ok(reads - before < 20, `${reads} reads`);
});

Deno.test("createRunFeeds() forgets a run that nobody watches any more", async () => {
  await using runs = await openRuns();
  const feeds = createRunFeeds({ jobs: runs.engine.jobs, workflows: runs.workflows });
  const { id } = await runs.workflows.start(workflow([asks]), {}, ACTOR);
  await runs.settled(id);
  for (let round = 0; round < 2; round++) {
    const leave = new AbortController();
    const seen: string[] = [];
    for await (const event of feeds.watch(id, ACTOR, leave.signal)) {
      seen.push(event.type);
      if (seen.length === 2) leave.abort();
    }
    assert.deepEqual(seen, ["run", "step"]);
  }
});

Deno.test("createRunFeeds() hands on why a run cannot be read", async () => {
  await using runs = await openRuns();
  const feeds = createRunFeeds({ jobs: runs.engine.jobs, workflows: runs.workflows });
  const watching = feeds.watch("run_x", ACTOR, new AbortController().signal);
  await assert.rejects(watching.next(), { code: "not_found" });
});

Deno.test("createRunFeeds() hands on why it hears nothing more of a run", async () => {
  await using runs = await openRuns();
  const { id } = await runs.workflows.start(workflow([asks]), {}, ACTOR);
  await runs.settled(id);
  const door = createDoor();
  const feeds = createRunFeeds({
    jobs: {
      // deno-lint-ignore require-yield
      async *watch() {
        await door.pass();
        throw new CarrelError("unavailable", "Cannot read the events");
      },
    },
    workflows: runs.workflows,
  });
  const watching = feeds.watch(id, ACTOR, new AbortController().signal);
  const seen = [await watching.next(), await watching.next()];
  assert.deepEqual(seen.map(({ value }) => value?.type), ["run", "step"]);
  door.open();
  await assert.rejects(watching.next(), { code: "unavailable" });
});

Deno.test("createRunFeeds() shows a run to those who may see it, whoever else watches", async () => {
  await using runs = await openRuns();
  const feeds = createRunFeeds({ jobs: runs.engine.jobs, workflows: runs.workflows });
  const { id } = await runs.workflows.start(workflow([asks]), {}, ACTOR);
  await runs.settled(id);
  const leave = new AbortController();
  const admin = { user: "user_2", role: "admin" } as const;
  for (const actor of [admin, ACTOR]) {
    const { value } = await feeds.watch(id, actor, leave.signal).next();
    assert.equal(value?.type, "run");
  }
  const other = feeds.watch(id, { user: "user_2", role: "editor" }, leave.signal);
  await assert.rejects(other.next(), { code: "not_found" });
  leave.abort();
});

Deno.test("createRunFeeds() reads no results", async () => {
  await using runs = await openRuns();
  const brief: unknown[] = [];
  const feeds = createRunFeeds({
    jobs: runs.engine.jobs,
    workflows: {
      run(id, actor, options) {
        brief.push(options?.brief);
        return runs.workflows.run(id, actor, options);
      },
    },
  });
  const { id } = await runs.workflows.start(workflow([echo("one")]), {}, ACTOR);
  for await (const _ of feeds.watch(id, ACTOR, new AbortController().signal));
  assert.ok(brief.length > 0 && brief.every((one) => one === true));
});
