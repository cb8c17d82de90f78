import assert from "node:assert/strict";
import { CarrelError } from "../errors.ts";
import { createDoor, within } from "../jobs/testing.ts";
import { ACTOR, echo, openRuns, step, workflow } from "./testing.ts";

Deno.test("a step without a provider is skipped, and so is what needs it", async () => {
  await using runs = await openRuns({ missing: ["text.translate"] });
  const translate = { capability: "text.translate" };
  const job = await runs.finish(workflow([
    echo("text"),
    echo("translate", "${steps.text}", translate),
    echo("store"),
    echo("other", "there", { needs: ["text"] }),
    echo("maybe", "x", { ...translate, needs: ["text"], optional: true }),
    echo("behind"),
  ]));
  assert.equal(job.status, "completed");
  const { steps } = await runs.workflows.run(job.id, ACTOR);
  assert.deepEqual(steps.map(({ path, state, message }) => [path, state, message]), [
    ["text", "completed", undefined],
    ["translate", "skipped", "no provider for text.translate"],
    ["store", "skipped", 'it needs "translate", which was skipped: no provider for text.translate'],
    ["other", "completed", undefined],
    ["maybe", "skipped", "no provider for text.translate"],
    ["behind", "completed", undefined],
  ]);
  assert.equal((job.result as Record<string, unknown>)["translate"], null);
});

const broken = (_name: string, input: unknown) => {
  if (input === "bad") throw new CarrelError("damaged", "Cannot read it");
  return input;
};

Deno.test("with fail_fast a failed step cancels the others and the run fails by its name", async () => {
  const door = createDoor();
  let stopped = false;
  await using runs = await openRuns({
    act: async (name, input, _job, signal) => {
      if (input === "slow") {
        signal.addEventListener("abort", () => {
          stopped = true;
          door.open();
        });
        await door.pass();
        signal.throwIfAborted();
      }
      if (input === "bad") await door.reached;
      return broken(name, input);
    },
  });
  const job = await runs.finish(workflow([
    step({
      id: "both",
      kind: "parallel",
      branches: { one: [echo("slow"), echo("never")], two: [echo("bad")] },
    }),
    echo("after"),
  ]));
  assert.equal(job.status, "failed");
  assert.equal(job.error?.code, "step_failed");
  assert.deepEqual(job.error?.details?.["step"], "both.two.bad");
  assert.deepEqual(job.error?.details?.["error"], { code: "damaged", message: "Cannot read it" });
  const { steps } = await runs.workflows.run(job.id, ACTOR);
  const states = Object.fromEntries(steps.map(({ path, state }) => [path, state]));
  assert.deepEqual(states, {
    "both": "failed",
    "both.one": "cancelled",
    "both.one.slow": "cancelled",
    "both.two": "failed",
    "both.two.bad": "failed",
  });
  const slow = steps.find(({ path }) => path === "both.one.slow")!;
  assert.equal((await runs.ended(slow.job!)).status, "cancelled");
  assert.equal(stopped, true);
});

Deno.test("without fail_fast independent steps go on, and the run names all that failed", async () => {
  await using runs = await openRuns({ act: broken });
  const job = await runs.finish(workflow([
    echo("a", "bad"),
    echo("b", "needs a"),
    echo("c", "free", { needs: [] }),
    step({
      id: "each",
      kind: "foreach",
      items: [1, 2, 3],
      needs: ["c"],
      steps: [
        echo("x", "${item === 2 ? 'bad' : item}"),
      ],
    }),
  ], { failFast: false }));
  assert.equal(job.status, "failed");
  const failures = job.error?.details?.["failures"] as { step: string }[];
  assert.deepEqual(failures.map(({ step }) => step), ["a", "each[1].x"]);
  const { steps } = await runs.workflows.run(job.id, ACTOR);
  const by = Object.fromEntries(steps.map(({ path, state }) => [path, state]));
  assert.equal(by["b"], "skipped");
  assert.equal(by["c"], "completed");
  assert.equal(by["each[2].x"], "completed");
});

Deno.test("an optional step may fail: its result is null and the run goes on", async () => {
  await using runs = await openRuns({ act: broken });
  const job = await runs.finish(workflow([
    echo("a", "bad", { optional: true }),
    step({
      id: "each",
      kind: "foreach",
      items: [1],
      optional: true,
      steps: [echo("x", "bad")],
    }),
    echo("b", "${steps.a === null && steps.each === null}"),
  ]));
  assert.equal(job.status, "completed");
  assert.deepEqual(job.result, { a: null, each: null, b: true });
});

Deno.test("an expression that is wrong, and a result that is too large, fail their step", async () => {
  await using runs = await openRuns({
    act: (_name, input) => input === "large" ? "x".repeat(1024 * 1024) : input,
  });
  const wrong = await runs.finish(workflow([echo("a", 1), echo("b", "${steps.a.x.y}")]));
  assert.equal((wrong.error?.details?.["error"] as { code: string }).code, "invalid_expression");
  const large = await runs.finish(workflow([echo("a", "large")]));
  assert.match(large.error!.message, /result of the step "a": it is larger than 1048576 bytes/);
  const given = await runs.finish(workflow([echo("a", "${'x'.repeat(1048576)}")]));
  assert.match(given.error!.message, /what the step "a" is given: it is larger than 1048576 bytes/);
});

Deno.test("a job step that takes longer than its timeout is cancelled and fails", async () => {
  const door = createDoor();
  await using runs = await openRuns({
    act: async (_name, _input, _job, signal) => {
      signal.addEventListener("abort", () => door.open());
      await door.pass();
      signal.throwIfAborted();
    },
  });
  const { id } = await runs.workflows.start(
    workflow([echo("slow", 1, { timeout: 60 })]),
    {},
    ACTOR,
  );
  await within(door.reached);
  await untilWaiting(runs, id);
  runs.shop.clock.advance(61_000);
  const job = await runs.ended(id);
  assert.equal(job.status, "failed");
  assert.equal((job.error?.details?.["error"] as { code: string }).code, "timed_out");
});

Deno.test("a run that takes longer than its timeout fails, and what runs of it is cancelled", async () => {
  const door = createDoor();
  await using runs = await openRuns({
    act: async (_name, _input, _job, signal) => {
      signal.addEventListener("abort", () => door.open());
      await door.pass();
      signal.throwIfAborted();
    },
  });
  const { id } = await runs.workflows.start(workflow([echo("slow")], { timeout: 30 }), {}, ACTOR);
  await within(door.reached);
  await untilWaiting(runs, id);
  runs.shop.clock.advance(31_000);
  const job = await runs.ended(id);
  assert.equal(job.error?.code, "timed_out");
  const [slow] = (await runs.workflows.run(id, ACTOR)).steps;
  assert.equal((await runs.ended(slow!.job!)).status, "cancelled");
});

async function untilWaiting(runs: Awaited<ReturnType<typeof openRuns>>, id: string) {
  for await (const { status } of runs.engine.jobs.watch(id, {})) if (status === "waiting") return;
}

Deno.test("a cancel in the middle ends the run and what runs of it; a retry goes on", async () => {
  const door = createDoor();
  let tries = 0;
  const counted: unknown[] = [];
  await using runs = await openRuns({
    act: async (_name, input, _job, signal) => {
      counted.push(input);
      if (input !== "slow" || ++tries > 1) return input;
      signal.addEventListener("abort", () => door.open());
      await door.pass();
      signal.throwIfAborted();
    },
  });
  const { id } = await runs.workflows.start(
    workflow([echo("first"), echo("slow"), echo("last")]),
    {},
    ACTOR,
  );
  await within(door.reached);
  await runs.workflows.cancel(id, ACTOR);
  assert.equal((await runs.ended(id)).status, "cancelled");
  const { steps } = await runs.workflows.run(id, ACTOR);
  assert.deepEqual(steps.map(({ state }) => state), ["completed", "cancelled"]);
  assert.equal((await runs.ended(steps[1]!.job!)).status, "cancelled");
  await runs.workflows.retry(id, undefined, ACTOR);
  assert.deepEqual((await runs.ended(id)).result, { first: "first", slow: "slow", last: "last" });
  assert.deepEqual(counted, ["first", "slow", "slow", "last"]);
});

Deno.test("a call whose provider has gone by its turn ends skipped", async () => {
  await using runs = await openRuns({
    act: () => {
      throw new CarrelError("no_provider", "Cannot call it: nobody is there");
    },
  });
  const job = await runs.finish(workflow([echo("a")]));
  assert.equal(job.status, "completed");
  const { steps } = await runs.workflows.run(job.id, ACTOR);
  assert.deepEqual([steps[0]?.state, steps[0]?.message], ["skipped", "no provider for test.echo"]);
});

Deno.test("steps that need each other end the run instead of holding it for ever", async () => {
  await using runs = await openRuns();
  const job = await runs.finish(
    workflow([echo("a", 1, { needs: ["b"] }), echo("b", 1, { needs: ["a"] })]),
  );
  assert.match(job.error!.message, /no step can begin/);
});

Deno.test("a run that ends by a fault of the host takes the jobs with it that it has begun", async () => {
  const door = createDoor();
  let broken = false;
  await using runs = await openRuns({
    act: async (_name, input, _job, signal) => {
      if (input !== "slow") return input;
      signal.addEventListener("abort", () => door.open());
      await door.pass();
      signal.throwIfAborted();
    },
  });
  const { choose } = runs.parts.capabilities;
  Object.assign(runs.parts.capabilities, {
    choose: (name: string) => {
      if (broken) throw new TypeError("a fault");
      return choose(name);
    },
  });
  const { id } = await runs.workflows.start(
    workflow([
      echo("slow"),
      step({
        id: "ask",
        kind: "wait",
        needs: [],
        wait: { for: "choice", options: ["x"], prompt: undefined },
      }),
      echo("after", "x", { needs: ["ask"] }),
    ]),
    { ensureKey: "one" },
    ACTOR,
  );
  await within(door.reached);
  broken = true;
  await runs.workflows.interact(id, "ask", { choice: 0 }, ACTOR);
  const job = await runs.ended(id);
  assert.equal(job.status, "failed", JSON.stringify(job.error));
  assert.equal(job.error?.code, "internal");
  const { items: [slow] } = await runs.engine.jobs.list({ parent: id });
  assert.equal((await runs.ended(slow!.id)).status, "cancelled");

  broken = false;
  await runs.workflows.retry(id, undefined, ACTOR);
  await runs.workflows.cancel(id, ACTOR);
  assert.equal((await runs.ended(id)).status, "cancelled");
});
