import assert from "node:assert/strict";
import { CarrelError } from "../errors.ts";
import { createDoor, until, within } from "../jobs/testing.ts";
import type { Wait } from "./definition.ts";
import {
  ACTOR,
  echo,
  openRuns,
  type RunShop,
  scriptExpressions,
  step,
  workflow,
} from "./testing.ts";
import type { Answer } from "./workflows.ts";

const waiting = (wait: Wait, more = {}) =>
  step({ id: "ask", kind: "wait", wait, ...more } as Parameters<typeof step>[0]);
const choice: Wait = {
  for: "choice",
  options: ["${inputs.a}", { title: "b" }],
  prompt: "Which, ${inputs.a}?",
};

async function begin(runs: RunShop, wait: Wait, more = {}) {
  const { id } = await runs.workflows.start(
    workflow([waiting(wait, more), echo("after", "${steps.ask}")], {
      inputs: { a: { type: "string", default: "x" } },
    }),
    {},
    ACTOR,
  );
  await runs.settled(id);
  return {
    id,
    answer: (answer: Answer, actor = ACTOR, path?: string) =>
      runs.workflows.interact(id, path, answer, actor),
    async result() {
      const job = await runs.ended(id);
      assert.equal(job.error, undefined);
      return (job.result as Record<string, unknown>)["after"];
    },
  };
}

const code = (wanted: string, message?: RegExp) => (error: unknown) => {
  assert.ok(error instanceof CarrelError, String(error));
  assert.equal(error.code, wanted);
  if (message) assert.match(error.message, message);
  return true;
};

Deno.test("a choice is shown, taken once, and refused when it was not offered", async () => {
  await using runs = await openRuns();
  const { id, answer, result } = await begin(runs, choice);
  const run = await runs.workflows.run(id, ACTOR);
  assert.deepEqual(run.steps[0]!.question, {
    for: "choice",
    prompt: "Which, x?",
    options: ["x", { title: "b" }],
    schema: undefined,
    role: undefined,
    until: undefined,
  });
  assert.equal(run.job.status, "waiting");
  assert.match(run.job.message!, /ask \(waits for a choice\)/);
  const [event] = await runs.log.read(0, { names: ["run.waits"] });
  assert.deepEqual([event?.subject, event?.payload["path"]], [id, "ask"]);
  await assert.rejects(answer({ choice: 2 }), code("invalid_parameters", /2 was not offered/));
  await assert.rejects(answer({ choice: 0.5 }), code("invalid_parameters"));
  await assert.rejects(answer({ approve: true }), code("invalid_parameters"));
  await assert.rejects(answer({ choice: 1 }, ACTOR, "after"), code("not_found"));
  const both = await Promise.allSettled([answer({ choice: 1 }), answer({ choice: 0 })]);
  assert.deepEqual(both.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  const index = both[0]!.status === "fulfilled" ? 1 : 0;
  const option = index === 1 ? { title: "b" } : "x";
  assert.deepEqual(await result(), { index, option, by: "user_1" });
  await assert.rejects(answer({ choice: 1 }, ACTOR, "ask"), code("conflict", /answered before/));
  await assert.rejects(answer({ choice: 1 }), code("conflict", /the run is completed/));
});

Deno.test("an approval takes the role; a no fails the step, by whom", async () => {
  await using runs = await openRuns();
  const wait: Wait = { for: "approval", role: "admin", prompt: undefined };
  const yes = await begin(runs, wait);
  await assert.rejects(yes.answer({ approve: true }), code("forbidden"));
  const admin = { user: "boss", role: "admin" } as const;
  await yes.answer({ approve: true, comment: "fine" }, admin);
  assert.deepEqual(await yes.result(), { approved: true, by: "boss", comment: "fine" });
  const no = await begin(runs, wait);
  await no.answer({ approve: false, comment: "too long" }, admin);
  const job = await runs.ended(no.id);
  assert.equal(job.status, "failed");
  assert.equal((job.error?.details?.["error"] as { code: string }).code, "denied");
  assert.match(job.error!.message, /not approved: too long/);
});

Deno.test("an input is checked by its schema", async () => {
  await using runs = await openRuns();
  const { answer, result } = await begin(runs, {
    for: "input",
    schema: { type: "object", required: ["n"], properties: { n: { type: "integer" } } },
    prompt: undefined,
  });
  await assert.rejects(answer({ value: { n: "x" } }), code("invalid_parameters", /n/));
  await answer({ value: { n: 3 } });
  assert.deepEqual(await result(), { value: { n: 3 }, by: "user_1" });
});

Deno.test("a question that nobody answers fails, or ends with a value, when its time is up", async () => {
  await using runs = await openRuns();
  const failing = await begin(runs, choice, { timeout: 60 });
  const going = await begin(runs, choice, {
    timeout: 60,
    onTimeout: { value: { index: "${1 - 1}" } },
  });
  runs.shop.clock.advance(61_000);
  assert.deepEqual(await going.result(), { index: 0 });
  const job = await runs.ended(failing.id);
  assert.equal((job.error?.details?.["error"] as { code: string }).code, "timed_out");
  await assert.rejects(failing.answer({ choice: 0 }, ACTOR, "ask"), code("conflict"));
});

Deno.test("timers end by the clock, also by one that jumps", async () => {
  await using runs = await openRuns();
  const after = await begin(runs, { for: "timer", after: "${'5m'}", until: undefined });
  const until = await begin(runs, {
    for: "timer",
    after: undefined,
    until: "2026-01-01T00:10:00Z",
  });
  const past = await runs.finish(workflow([
    waiting({ for: "timer", after: undefined, until: "1999-01-01T00:00:00Z" }),
  ]));
  assert.deepEqual(past.result, { ask: null });
  runs.shop.clock.advance(5 * 60_000);
  assert.equal(await after.result(), null);
  assert.equal((await runs.engine.jobs.get(until.id)).status, "waiting");
  runs.shop.clock.advance(3600_000);
  assert.equal(await until.result(), null);
  const wrong = await runs.finish(workflow([
    waiting({ for: "timer", after: "soon", until: undefined }),
  ]));
  assert.match(wrong.error!.message, /"after" is no number of seconds/);
});

Deno.test("an event that fits ends the wait; others, and earlier ones, do not", async () => {
  await using runs = await openRuns();
  const say = (n: number, user = ACTOR.user) =>
    runs.shop.sql.transaction((tx) =>
      runs.log.append(tx, { name: "custom.told", payload: { n }, user })
    ).then(() => runs.engine.jobs.wake());
  await say(7);
  const { id, result } = await begin(runs, {
    for: "event",
    name: "custom.told",
    where: "event.payload.n > 5",
  });
  await say(1);
  await say(9, "a stranger");
  await until(async () => {
    const row = await runs.shop.sql.db.selectFrom("run_step").select("wait_seq")
      .where("run_id", "=", id).where("path", "=", "ask").executeTakeFirstOrThrow();
    return Number(row.wait_seq) >= 3;
  }, "a look at the stranger's event");
  assert.equal((await runs.engine.jobs.get(id)).status === "completed", false);
  await say(8);
  assert.deepEqual(((await result()) as { payload: unknown }).payload, { n: 8 });
});

Deno.test("of several questions the path says which", async () => {
  await using runs = await openRuns();
  const ask = (id: string) => step({ id, kind: "wait", needs: [], wait: choice });
  const { id } = await runs.workflows.start(
    workflow([ask("one"), ask("two")], { inputs: { a: { type: "string", default: "x" } } }),
    {},
    ACTOR,
  );
  await runs.settled(id);
  await assert.rejects(
    runs.workflows.interact(id, undefined, { choice: 0 }, ACTOR),
    code("invalid_parameters", /say which: one, two/),
  );
  await runs.workflows.interact(id, "two", { choice: 0 }, ACTOR);
  await runs.workflows.interact(id, undefined, { choice: 1 }, ACTOR);
  assert.equal((await runs.ended(id)).status, "completed");
});

Deno.test("a waiting run that was cancelled takes no answer", async () => {
  await using runs = await openRuns();
  const { id, answer } = await begin(runs, choice);
  const run = await runs.workflows.cancel(id, ACTOR);
  assert.equal(run.job.status, "cancelled");
  assert.equal(run.steps[0]!.state, "cancelled");
  await assert.rejects(answer({ choice: 0 }), code("conflict", /cancelled/));
  await runs.workflows.retry(id, undefined, ACTOR);
  await runs.settled(id);
  await answer({ choice: 0 });
  assert.equal((await runs.ended(id)).status, "completed");
});

Deno.test("an answer that comes while the run is being looked at is not lost, and no step begins twice", async () => {
  const door = createDoor();
  const seen: unknown[] = [];
  await using runs = await openRuns({
    act: (_name, input) => {
      seen.push(input);
      return input;
    },
    expressions: {
      async resolve(asked) {
        if (JSON.stringify(asked[0]!.template).includes("slow")) await door.pass();
        return await scriptExpressions.resolve(asked);
      },
    },
  });
  const { id } = await runs.workflows.start(
    workflow([
      waiting({ for: "choice", options: ["x", "y"], prompt: undefined }),
      echo("a", "a", { needs: [] }),
      echo("b", "${'slow ' + steps.a}"),
      echo("after", "${steps.ask.option}", { needs: ["ask"] }),
    ]),
    {},
    ACTOR,
  );
  await within(door.reached);
  await runs.workflows.interact(id, "ask", { choice: 1 }, ACTOR);
  door.open();
  const { result } = await runs.ended(id);
  assert.equal((result as { after: string }).after, "y");
  assert.deepEqual(seen.toSorted(), ["a", "slow a", "y"]);
});

Deno.test("an approval is given by everybody of its role, who sees nothing else of another's run", async () => {
  await using runs = await openRuns();
  const { id } = await runs.workflows.start(
    workflow([
      echo("secret"),
      waiting({ for: "approval", role: "reader", prompt: "Fine?" }),
      waiting({ for: "approval", role: "editor", prompt: undefined }, { id: "more" }),
    ]),
    { inputs: {} },
    ACTOR,
  );
  await runs.settled(id);
  const reader = { user: "user_2", role: "reader" } as const;
  assert.equal((await runs.workflows.step(id, "ask", reader)).question?.prompt, "Fine?");
  await assert.rejects(runs.workflows.step(id, "secret", reader), code("not_found"));
  await assert.rejects(runs.workflows.run(id, reader), code("not_found"));
  const run = await runs.workflows.interact(id, undefined, { approve: true }, reader);
  assert.deepEqual(run.steps.map(({ path, result }) => [path, result]), [["ask", undefined]]);
  assert.deepEqual([run.inputs, run.job.result, run.job.input], [{}, undefined, null]);
  await runs.settled(id);
  await assert.rejects(
    runs.workflows.interact(id, "more", { approve: true }, reader),
    code("not_found"),
  );
  await assert.rejects(
    runs.workflows.interact(id, "more", { approve: true }, { ...ACTOR, role: "reader" }),
    code("forbidden", /takes the role editor/),
  );
  await runs.workflows.interact(id, "more", { approve: true }, { ...reader, role: "editor" });
  assert.equal((await runs.ended(id)).status, "completed");
});
