import assert from "node:assert/strict";
import { CarrelError } from "../errors.ts";
import { createDoor, within } from "../jobs/testing.ts";
import { ACTOR, echo, openRuns, step, workflow } from "./testing.ts";

Deno.test("a run does its steps one after another and ends with their results", async () => {
  const seen: unknown[] = [];
  await using runs = await openRuns({
    act: (_name, input) => {
      seen.push(input);
      return input;
    },
  });
  const job = await runs.finish(
    workflow([
      echo("first", { text: "${inputs.text}" }),
      echo("second", "${steps.first.text} two"),
      echo("third", ["${steps.second}", "${run.workflow}"]),
    ], { inputs: { text: { type: "string" } } }),
    { text: "one" },
  );
  assert.equal(job.status, "completed");
  assert.deepEqual(seen, [{ text: "one" }, "one two", ["one two", "test"]]);
  assert.deepEqual(job.result, {
    first: { text: "one" },
    second: "one two",
    third: ["one two", "test"],
  });
  const run = await runs.workflows.run(job.id, ACTOR);
  assert.deepEqual(run.steps.map(({ path, state }) => [path, state]), [
    ["first", "completed"],
    ["second", "completed"],
    ["third", "completed"],
  ]);
  assert.deepEqual(run.children, { total: 3, completed: 3, failed: 0, cancelled: 0 });
  assert.equal(job.tries, 1);
});

Deno.test("a run's outputs are what its definition says", async () => {
  await using runs = await openRuns();
  const job = await runs.finish(
    workflow([echo("a", { n: 1 })], { outputs: { n: "${steps.a.n + 1}" } }),
  );
  assert.deepEqual(job.result, { n: 2 });
});

Deno.test("parallel runs its branches at the same time", async () => {
  const doors = { left: createDoor(), right: createDoor() };
  await using runs = await openRuns({
    act: async (_name, input) => {
      await doors[input as "left" | "right"].pass();
      return `${input} done`;
    },
  });
  const { id } = await runs.workflows.start(
    workflow([
      step({
        id: "both",
        kind: "parallel",
        branches: { one: [echo("l", "left")], two: [echo("r", "right")] },
      }),
    ]),
    {},
    ACTOR,
  );
  await within(Promise.all([doors.left.reached, doors.right.reached]));
  doors.left.open();
  doors.right.open();
  assert.deepEqual((await runs.ended(id)).result, {
    both: { one: "left done", two: "right done" },
  });
  const { steps } = await runs.workflows.run(id, ACTOR);
  assert.deepEqual(steps.map(({ path }) => path), [
    "both",
    "both.one",
    "both.one.l",
    "both.two",
    "both.two.r",
  ]);
});

Deno.test("foreach keeps at most its number of items open, in order, and collects the results", async () => {
  let open = 0;
  let most = 0;
  await using runs = await openRuns({
    act: async (_name, input) => {
      most = Math.max(most, ++open);
      await new Promise((resolve) => setTimeout(resolve, 0));
      open--;
      return Number(input) * 10;
    },
  });
  const each = step({
    id: "all",
    kind: "foreach",
    items: "${inputs.numbers}",
    parallel: 3,
    steps: [echo("times", "${item}"), echo("plus", "${steps.times + index}")],
    collect: { item: "${item}", value: "${steps.times}" },
  });
  const numbers = Array.from({ length: 20 }, (_, i) => i);
  const job = await runs.finish(
    workflow([each], { inputs: { numbers: { type: "array" } } }),
    { numbers },
  );
  assert.equal(job.status, "completed");
  assert.ok(most <= 3, `${most} at once`);
  assert.deepEqual(
    job.result,
    { all: numbers.map((item) => ({ item, value: item * 10 })) },
  );
});

Deno.test("foreach over nothing, one value and too many items", async () => {
  await using runs = await openRuns();
  const each = (items: unknown) =>
    workflow([
      step({ id: "all", kind: "foreach", items: items as never, steps: [echo("a", "${item}")] }),
    ]);
  assert.deepEqual((await runs.finish(each("${null}"))).result, { all: [] });
  assert.deepEqual((await runs.finish(each("${'one'}"))).result, { all: ["one"] });
  const job = await runs.finish(each("${Array(10001).fill(0)}"));
  assert.equal(job.status, "failed");
  assert.equal(job.error?.code, "step_failed");
  assert.match(job.error!.message, /"all" failed: .*10001 items, at most 10000/);
  assert.equal((await runs.engine.jobs.children(job.id)).total, 0);
});

Deno.test("containers stand within containers, each with its own steps in sight", async () => {
  await using runs = await openRuns();
  const inner = step({
    id: "letters",
    kind: "foreach",
    items: "${['x', 'y']}",
    steps: [
      step({
        id: "odd",
        kind: "if",
        condition: "item === 'x'",
        then: [echo("name", "${steps.number}${item}")],
        else: [],
      }),
    ],
  });
  const job = await runs.finish(workflow([
    echo("name", "top"),
    step({
      id: "numbers",
      kind: "foreach",
      items: [1, 2],
      steps: [echo("number", "${item}"), inner],
    }),
    echo("last", "${steps.name}"),
  ]));
  assert.equal(job.error, undefined);
  assert.deepEqual(job.result, {
    name: "top",
    numbers: [["1x", null], ["2x", null]],
    last: "top",
  });
});

Deno.test("a step whose condition is not true is skipped, and those after it go on", async () => {
  await using runs = await openRuns();
  const job = await runs.finish(workflow([
    echo("a", 1, { when: "false" }),
    echo("b", "${steps.a === null}"),
  ]));
  assert.deepEqual(job.result, { a: null, b: true });
});

Deno.test("a foreach over many items ends, a few hundred changes at a time", async () => {
  await using runs = await openRuns();
  const items = Array.from({ length: 2_000 }, (_, i) => i);
  const each = step({
    id: "all",
    kind: "foreach",
    items,
    parallel: 32,
    steps: [
      echo("never", "x", { when: "item < 0" }),
      echo("b", "${item}", { when: "item % 100 === 0" }),
    ],
    collect: "${steps.b}",
  });
  const job = await runs.finish(workflow([each], { outputs: { n: "${steps.all.length}" } }));
  assert.equal(job.error, undefined);
  assert.deepEqual(job.result, { n: 2_000 });
  assert.equal((await runs.engine.jobs.children(job.id)).total, 20);
});

Deno.test("import and export steps are the library's jobs, below the run", async () => {
  const asked: unknown[] = [];
  await using runs = await openRuns({
    library: {
      importJob(url, options, { user, role }) {
        asked.push([url, options.collection, user, role]);
        if (url === "bad:") throw new CarrelError("invalid_url", "Cannot import it");
        return Promise.resolve({ kind: "import", input: { url }, user, flightKey: "shared" });
      },
      exportJob(options, { user }) {
        asked.push(options.sourceIds);
        return Promise.resolve({ kind: "export", input: options.format, user });
      },
    },
    handlers: {
      import: { run: () => Promise.resolve({ content: "content_1" }) },
      export: { run: () => Promise.resolve({ artifact: "artifact_1" }) },
      search: {
        run: ({ job }) => Promise.resolve({ content_ids: ["content_1"], asked: job.input }),
      },
    },
  });
  const imports = (url: string) =>
    step({ id: "in", kind: "import", with: { url, collection: "${null}" } });
  const job = await runs.finish(workflow([
    imports("https://x.test/"),
    step({ id: "find", kind: "search", with: { k: 3, type: "${null}" } }),
    step({
      id: "out",
      kind: "export",
      with: { source_ids: "${steps.in.content}", format: "ebook" },
    }),
  ]));
  assert.deepEqual(job.result, {
    in: { content: "content_1" },
    find: { content_ids: ["content_1"], asked: { k: 3 } },
    out: { artifact: "artifact_1" },
  });
  assert.deepEqual(asked, [["https://x.test/", undefined, "user_1", "editor"], ["content_1"]]);
  assert.equal((await runs.engine.jobs.children(job.id)).completed, 3);
  const failed = await runs.finish(workflow([imports("bad:")]));
  assert.equal((failed.error?.details?.["error"] as { code: string }).code, "invalid_url");
  assert.equal((await runs.engine.jobs.children(failed.id)).total, 0);
  const wrong = await runs.finish(
    workflow([step({ id: "in", kind: "import", with: { ulr: "x" } })]),
  );
  assert.match(wrong.error!.message, /"ulr" is none of url, plugin, collection, metadata/);
});

Deno.test("a step's attempts are those of its job", async () => {
  await using runs = await openRuns();
  const { id } = await runs.workflows.start(workflow([echo("a", 1, { attempts: 2 })]), {}, ACTOR);
  await runs.ended(id);
  const { steps } = await runs.workflows.run(id, ACTOR);
  assert.equal((await runs.engine.jobs.get(steps[0]!.job!)).maxAttempts, 2);
});

Deno.test("a step is done with the role that the run's user has by now", async () => {
  const roles: string[] = [];
  await using runs = await openRuns({
    library: {
      importJob(_url, _options, { user, role }) {
        roles.push(role);
        return Promise.resolve({ kind: "noop", input: null, user });
      },
      exportJob: () => Promise.reject(new Error()),
    },
    handlers: { noop: { run: () => Promise.resolve(null) } },
  });
  const ask = step({
    id: "w",
    kind: "wait",
    wait: { for: "choice", options: ["a"], prompt: undefined },
  });
  const imports = (id: string) => step({ id, kind: "import", with: { url: "https://x.test/" } });
  const { id } = await runs.workflows.start(
    workflow([imports("one"), ask, imports("two")]),
    {},
    ACTOR,
  );
  await runs.settled(id);
  await runs.shop.sql.db.updateTable("user").set({ role: "reader" }).where("id", "=", ACTOR.user)
    .execute();
  await runs.workflows.interact(id, "w", { choice: 0 }, ACTOR);
  await runs.ended(id);
  assert.deepEqual(roles, ["editor", "reader"]);
});
