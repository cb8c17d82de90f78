import assert from "node:assert/strict";
import { CarrelError } from "../errors.ts";
import { counting, openWorkshop } from "../jobs/testing.ts";
import { ACTOR, echo, openRuns, runsOver, step, workflow } from "./testing.ts";

const code = (wanted: string, message = /./) => (error: unknown) => {
  assert.ok(error instanceof CarrelError, String(error));
  assert.equal(error.code, wanted);
  assert.match(error.message, message);
  return true;
};

Deno.test("a run is its user's and the admins' alone", async () => {
  await using runs = await openRuns();
  const { workflows } = runs;
  const ask = step({
    id: "w",
    kind: "wait",
    wait: { for: "choice", options: ["a"], prompt: undefined },
  });
  const flow = workflow([ask, echo("after")]);
  const { id } = await workflows.start(flow, { ensureKey: "k" }, ACTOR);
  await runs.settled(id);
  for (const role of ["reader", "editor"] as const) {
    const other = { user: "user_2", role };
    const refused = [
      workflows.run(id, other),
      workflows.step(id, "w", other),
      workflows.interact(id, "w", { choice: 0 }, other),
      workflows.interact(id, undefined, { choice: 0 }, other),
      workflows.cancel(id, other),
      workflows.retry(id, undefined, other),
      workflows.fork(id, { from: "after" }, other),
    ];
    for (const one of refused) await assert.rejects(one, code("not_found"));
    assert.deepEqual((await workflows.runs({}, other)).items, []);
  }
  const other = { user: "user_2", role: "editor" } as const;
  const own = await workflows.start(flow, { ensureKey: "k" }, other);
  assert.notEqual(own.id, id);
  assert.deepEqual((await workflows.runs({}, other)).items.map(({ id }) => id), [own.id]);
  const admin = { user: "user_3", role: "admin" } as const;
  assert.equal((await workflows.runs({}, admin)).items.length, 2);
  assert.equal((await workflows.run(id, admin)).job.status, "waiting");
  await workflows.cancel(id, admin);
});

Deno.test("run() in brief, step() and interact() read no results but those that are asked for", async () => {
  const size = 300_000;
  let chars = 0;
  await using shop = await openWorkshop();
  const db = shop.sql.db.withPlugin({
    transformQuery: ({ node }) => node,
    transformResult({ result }) {
      chars += JSON.stringify(result.rows).length;
      return Promise.resolve(result);
    },
  });
  const act = () => "x".repeat(size);
  const runs = await runsOver(shop, { sql: { ...shop.sql, db }, act });
  await using _log = runs.parts.eventLog as unknown as AsyncDisposable;
  const { id } = await runs.workflows.start(
    workflow([
      echo("large"),
      step({ id: "w", kind: "wait", wait: { for: "input", schema: {}, prompt: undefined } }),
      step({ id: "w2", kind: "wait", wait: { for: "input", schema: {}, prompt: undefined } }),
    ]),
    {},
    ACTOR,
  );
  await runs.settled(id);
  chars = 0;
  const brief = await runs.workflows.run(id, ACTOR, { brief: true });
  assert.deepEqual([brief.steps[0]!.state, brief.steps[0]!.result], ["completed", undefined]);
  await runs.workflows.step(id, "w", ACTOR);
  assert.ok(chars < size / 10, `${chars} characters were read`);
  const full = await runs.workflows.run(id, ACTOR);
  assert.equal(full.steps[0]!.result, "x".repeat(size));
  assert.equal((await runs.workflows.step(id, "large", ACTOR)).result, "x".repeat(size));
  await runs.engine[Symbol.asyncDispose]();
});

Deno.test("runs() counts the children of a page with one statement", async () => {
  await using shop = await openWorkshop();
  const counted = counting(shop.sql);
  const runs = await runsOver(shop, { sql: counted.sql });
  await using _log = runs.parts.eventLog as unknown as AsyncDisposable;
  for (let n = 0; n < 3; n++) await runs.finish(workflow([echo("a"), echo("b")]));
  const before = counted.statements();
  const { items } = await runs.workflows.runs({}, ACTOR);
  assert.deepEqual(
    items.map(({ children }) => children),
    [1, 2, 3].map(() => ({
      total: 2,
      completed: 2,
      failed: 0,
      cancelled: 0,
    })),
  );
  assert.equal(counted.statements() - before, 2);
});

Deno.test("a run that was cancelled or has failed waits for nothing any more, and can go on", async () => {
  await using runs = await openRuns({
    act: (_name, input) => {
      if (input === "bad") throw new CarrelError("damaged", "Cannot");
      return input;
    },
  });
  const { db } = runs.shop.sql;
  const wait = step({
    id: "w",
    kind: "wait",
    needs: [],
    wait: { for: "event", name: "custom.never", where: undefined },
  });
  const open = async (id: string) =>
    await db.selectFrom("run_step").select(["path", "state", "wait_event"]).where("run_id", "=", id)
      .where((where) =>
        where.or([
          where("state", "in", ["running", "waiting"]),
          where("wait_event", "is not", null),
        ])
      ).execute();
  const group = step({ id: "p", kind: "parallel", branches: { left: [wait] } });
  const cancelled = await runs.workflows.start(workflow([group]), {}, ACTOR);
  await runs.settled(cancelled.id);
  await runs.workflows.cancel(cancelled.id, ACTOR);
  const failed = await runs.workflows.start(
    workflow([wait, echo("bad", "bad", { needs: [] })]),
    {},
    ACTOR,
  );
  await runs.ended(failed.id);
  const late = await runs.workflows.start(workflow([group], { timeout: 60 }), {}, ACTOR);
  await runs.settled(late.id);
  runs.shop.clock.advance(61_000);
  await runs.ended(late.id);
  for (const { id } of [cancelled, failed, late]) assert.deepEqual(await open(id), []);

  await runs.workflows.retry(cancelled.id, undefined, ACTOR);
  await runs.settled(cancelled.id);
  assert.deepEqual((await open(cancelled.id)).map(({ path, state }) => [path, state]), [
    ["p", "running"],
    ["p.left", "running"],
    ["p.left.w", "waiting"],
  ]);
});

Deno.test("a run whose definition a newer host wrote is refused by its name", async () => {
  await using runs = await openRuns({ start: false });
  const { id } = await runs.workflows.start(workflow([echo("a")]), {}, ACTOR);
  await runs.shop.sql.db.updateTable("workflow_run").set({ format: 2 }).execute();
  await assert.rejects(
    runs.workflows.run(id, ACTOR),
    code("conflict", new RegExp(`Cannot read the run "${id}"`)),
  );
  assert.equal((await runs.workflows.runs({}, ACTOR)).items.length, 1);
});
