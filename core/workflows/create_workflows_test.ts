import assert from "node:assert/strict";
import { CarrelError } from "../errors.ts";
import { within } from "../jobs/testing.ts";
import { ACTOR, echo, openRuns, step, workflow } from "./testing.ts";

const code = (wanted: string, message = /./) => (error: unknown) => {
  assert.ok(error instanceof CarrelError, String(error));
  assert.equal(error.code, wanted);
  assert.match(error.message, message);
  return true;
};

Deno.test("start() with an ensure key, a hundred times at once, makes one run for all", async () => {
  let calls = 0;
  await using runs = await openRuns({ act: () => ++calls });
  const flow = workflow([echo("once")]);
  const started = await Promise.all(
    Array.from({ length: 100 }, () => runs.workflows.start(flow, { ensureKey: "k" }, ACTOR)),
  );
  const ids = new Set(started.map(({ id }) => id));
  assert.equal(ids.size, 1);
  const results = await within(
    Promise.all(started.map(({ id }) => runs.engine.jobs.finished(id))),
  );
  assert.deepEqual(
    new Set(results.map(({ result }) => (result as { once: number }).once)),
    new Set([1]),
  );
  assert.equal((await runs.workflows.start(flow, { ensureKey: "k" }, ACTOR)).id, [...ids][0]);
  assert.equal(calls, 1);
});

Deno.test("a run that failed or was cancelled lets its ensure key go", async () => {
  await using runs = await openRuns({
    act: (_name, input) => {
      if (input === "bad") throw new CarrelError("damaged", "Cannot");
    },
  });
  const bad = await runs.workflows.start(workflow([echo("bad")]), { ensureKey: "k" }, ACTOR);
  assert.equal((await runs.ended(bad.id)).status, "failed");
  const wait = workflow([
    step({ id: "w", kind: "wait", wait: { for: "approval", role: "reader", prompt: undefined } }),
  ]);
  const second = await runs.workflows.start(wait, { ensureKey: "k" }, ACTOR);
  assert.notEqual(second.id, bad.id);
  await runs.workflows.cancel(second.id, ACTOR);
  await runs.ended(second.id);
  const third = await runs.workflows.start(workflow([echo("a")]), { ensureKey: "k" }, ACTOR);
  assert.notEqual(third.id, second.id);
  assert.equal((await runs.ended(third.id)).status, "completed");
});

Deno.test("start() with an idempotency key answers with the first run", async () => {
  await using runs = await openRuns();
  const flow = workflow([echo("a")]);
  const options = { idempotencyKey: "request 1" };
  const [one, two] = await Promise.all([
    runs.workflows.start(flow, options, ACTOR),
    runs.workflows.start(flow, options, ACTOR),
  ]);
  assert.equal(one.id, two.id);
  await runs.ended(one.id);
  for (const other of [{ ...flow, digest: "e" }, { ...flow, name: "other" }]) {
    await assert.rejects(
      runs.workflows.start(other, options, ACTOR),
      code("conflict", /same idempotency key/),
    );
  }
});

Deno.test("start() fills in defaults and refuses inputs by name", async () => {
  await using runs = await openRuns();
  const flow = workflow([echo("a", "${inputs}")], {
    inputs: {
      text: { type: "string", minLength: 2 },
      count: { type: "integer", default: 3 },
      maybe: { type: "string", nullable: true },
    },
  });
  const start = (inputs: Record<string, unknown>) => runs.workflows.start(flow, { inputs }, ACTOR);
  await assert.rejects(start({}), code("invalid_parameters", /text: it is required/));
  await assert.rejects(
    start({ text: "ok", tetx: 1 }),
    code("invalid_parameters", /tetx: there is no such input: its inputs are text, count, maybe/),
  );
  await assert.rejects(start({ text: 1 }), code("invalid_parameters", /text: /));
  await assert.rejects(start({ text: "x".repeat(1024 * 1024) }), code("too_large", /1048576/));
  const job = await runs.finish(flow, { text: "ok" });
  assert.deepEqual(job.result, { a: { text: "ok", count: 3, maybe: null } });
  await assert.rejects(runs.workflows.start("none", {}, ACTOR), code("not_found"));
  const problems = [{ line: 3, column: 1, message: "no" }];
  await assert.rejects(
    runs.workflows.start({ ...flow, definition: undefined, problems }, {}, ACTOR),
    code("invalid_workflow", /test.yaml:3: no/),
  );
});

Deno.test("retry() begins with what failed, once more, and keeps what was completed", async () => {
  const seen: unknown[] = [];
  let broken = true;
  await using runs = await openRuns({
    act: (_name, input) => {
      seen.push(input);
      if (broken && input === 2) throw new CarrelError("damaged", "Cannot");
      return input;
    },
  });
  const flow = workflow([
    echo("a"),
    step({
      id: "each",
      kind: "foreach",
      items: [1, 2, 3],
      parallel: 1,
      steps: [
        echo("x", "${item}"),
      ],
    }),
    echo("b", "${steps.each}"),
  ]);
  const failed = await runs.finish(flow);
  assert.equal(failed.error?.details?.["step"], "each[1].x");
  broken = false;
  const run = await runs.workflows.retry(failed.id, undefined, ACTOR);
  assert.equal(run.id, failed.id);
  const job = await runs.ended(failed.id);
  assert.deepEqual(job.result, { a: "a", each: [1, 2, 3], b: [1, 2, 3] });
  assert.deepEqual(seen, ["a", 1, 2, 2, 3, [1, 2, 3]]);
  const { steps } = await runs.workflows.run(job.id, ACTOR);
  assert.deepEqual(
    steps.map(({ path, number }) => [path, number]).filter(([, number]) => number !== 1),
    [["each[1].x", 2]],
  );
  await assert.rejects(runs.workflows.retry(job.id, undefined, ACTOR), {
    code: "conflict",
    message:
      `Cannot retry "${job.id}": it has completed; a fork of it does steps again: carrel run fork ${job.id} --from STEP`,
  });
});

Deno.test("retry() from a step does it and what follows again", async () => {
  const seen: unknown[] = [];
  let broken = true;
  await using runs = await openRuns({
    act: (_name, input) => {
      seen.push(input);
      if (broken && input === "d") throw new CarrelError("damaged", "Cannot");
      return input;
    },
  });
  const failed = await runs.finish(workflow([
    echo("a"),
    step({ id: "p", kind: "parallel", branches: { one: [echo("b"), echo("c")] } }),
    echo("e", "e", { needs: ["a"] }),
    echo("d", "d", { needs: ["p", "e"] }),
  ]));
  assert.equal(failed.status, "failed");
  broken = false;
  seen.length = 0;
  await assert.rejects(
    runs.workflows.retry(failed.id, "p.one.nope", ACTOR),
    code("invalid_parameters"),
  );
  await runs.workflows.retry(failed.id, "p.one.c", ACTOR);
  assert.equal((await runs.ended(failed.id)).status, "completed");
  assert.deepEqual(seen, ["c", "d"]);
});

Deno.test("fork() takes over what comes before a step, with other inputs", async () => {
  const seen: unknown[] = [];
  await using runs = await openRuns({
    act: (_name, input) => {
      seen.push(input);
      return input;
    },
  });
  const first = await runs.finish(
    workflow([
      echo("a", "${inputs.text}"),
      step({ id: "p", kind: "foreach", items: [1, 2], steps: [echo("x", "${item}")] }),
      echo("b", "${steps.a} ${inputs.text}"),
    ], { inputs: { text: { type: "string" }, other: { type: "string", default: "o" } } }),
    { text: "one" },
  );
  seen.length = 0;
  const options = { from: "b", inputs: { text: "two" } };
  const forked = await runs.workflows.fork(first.id, options, ACTOR);
  assert.equal(forked.forkedFrom, first.id);
  assert.deepEqual(forked.inputs, { text: "two", other: "o" });
  const job = await runs.ended(forked.id);
  assert.deepEqual(job.result, { a: "one", p: [1, 2], b: "one two" });
  assert.deepEqual(seen, ["one two"]);
  seen.length = 0;
  const inner = await runs.workflows.fork(first.id, { from: "p[1].x" }, ACTOR);
  assert.equal((await runs.ended(inner.id)).status, "completed");
  assert.deepEqual(seen.toSorted(), [1, 2, "one one"]);
});

Deno.test("a changed file changes no run that has begun", async () => {
  const files = [workflow([
    step({ id: "w", kind: "wait", wait: { for: "approval", role: "reader", prompt: undefined } }),
    echo("a", "old"),
  ])];
  await using runs = await openRuns({ files });
  const { id } = await runs.workflows.start("test", {}, ACTOR);
  await runs.settled(id);
  files[0] = workflow([echo("a", "new")]);
  await runs.workflows.interact(id, undefined, { approve: true }, ACTOR);
  assert.equal(((await runs.ended(id)).result as { a: string }).a, "old");
});

Deno.test("runs() lists by page, workflow and status, the newest first", async () => {
  await using runs = await openRuns();
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) ids.unshift((await runs.finish(workflow([echo("a")]))).id);
  const one = await runs.workflows.runs({ limit: 3 }, ACTOR);
  const two = await runs.workflows.runs({ limit: 3, cursor: one.cursor }, ACTOR);
  assert.deepEqual([...one.items, ...two.items].map(({ id }) => id), ids);
  assert.equal(two.cursor, undefined);
  assert.equal((await runs.workflows.runs({ status: "failed" }, ACTOR)).items.length, 0);
  assert.equal((await runs.workflows.runs({ workflow: "other" }, ACTOR)).items.length, 0);
  await assert.rejects(runs.workflows.runs({ cursor: "x" }, ACTOR), code("invalid_parameters"));
  await assert.rejects(runs.workflows.run("run_none", ACTOR), code("not_found"));
});

Deno.test("plan() says who would do each step, and what is missing, and does nothing", async () => {
  await using runs = await openRuns({ missing: ["text.translate"] });
  const plan = await runs.workflows.plan(
    workflow([
      echo("a", "${inputs.text}", { when: "inputs.text === 'x'" }),
      echo("t", "${steps.a}", { capability: "text.translate" }),
      echo("s"),
      step({ id: "i", kind: "import", needs: ["a"], with: { url: "${inputs.url}" } }),
      step({ id: "j", kind: "import", needs: ["a"], with: { url: "${steps.a.url}" } }),
      step({ id: "each", kind: "foreach", needs: [], items: "${steps.a}", steps: [echo("x")] }),
    ], {
      inputs: { text: { type: "string" }, url: { type: "string", default: "https://x.test/" } },
    }),
    { inputs: { text: "y" } },
    ACTOR,
  );
  assert.deepEqual(
    plan.steps.map(({ path, plugin, skipped }) => [path, plugin, skipped]),
    [
      ["a", undefined, "its condition is not true"],
      ["t", undefined, "no provider for text.translate"],
      ["s", undefined, 'it needs "t", which would be skipped'],
      ["i", undefined, 'no plugin for "https://x.test/"'],
      ["j", undefined, undefined],
      ["each", undefined, undefined],
      ["each[].x", "step.test", undefined],
    ],
  );
  assert.equal((await runs.workflows.runs({}, ACTOR)).items.length, 0);
});

Deno.test("plan() says what waits wait for, and what a capability that nobody provides may have meant", async () => {
  await using runs = await openRuns({ missing: ["text.genrate", "lab.measure"] });
  const wait = (id: string, wait: unknown) =>
    step({ id, kind: "wait", needs: [], wait: wait as never });
  const plan = await runs.workflows.plan(
    workflow([
      wait("a", { for: "choice", options: [1] }),
      wait("b", { for: "approval", role: "reader" }),
      wait("c", { for: "approval", role: "admin" }),
      wait("d", { for: "input", schema: {} }),
      wait("e", { for: "event", name: "content.imported" }),
      wait("f", { for: "timer", after: "2h" }),
      wait("g", { for: "timer", until: "${steps.a}" }),
      echo("h", "h", { capability: "text.genrate", needs: [] }),
      echo("i", "i", { capability: "lab.measure", needs: [] }),
    ]),
    {},
    ACTOR,
  );
  assert.deepEqual(plan.steps.map(({ waits, skipped }) => waits ?? skipped), [
    "a choice, by an editor",
    "an approval, by a reader",
    "an approval, by an admin",
    "a value, by an editor",
    "the event content.imported",
    "2h",
    "a time that the run finds out",
    'no provider for text.genrate; did you mean "text.generate"?',
    "no provider for lab.measure",
  ]);
});

Deno.test("run() says of a call who served it in place of whom, and why", async () => {
  const result = (skipped: unknown[]) => ({
    value: { text: "x" },
    provider: { id: "generator.b" },
    usage: [],
    skipped,
  });
  await using runs = await openRuns({
    handlers: {
      call: {
        run: ({ job }) =>
          Promise.resolve(
            result(
              (job.input as { input: unknown }).input === "down"
                ? [{ plugin: "generator.a", why: "it is down" }]
                : [],
            ),
          ),
      },
    },
  });
  const job = await runs.finish(workflow([echo("fell", "down"), echo("fine", '"skipped":[{')]));
  const { steps } = await runs.workflows.run(job.id, ACTOR);
  assert.deepEqual(steps.map(({ message }) => message), [
    "by generator.b; generator.a did not serve: it is down",
    undefined,
  ]);
});
