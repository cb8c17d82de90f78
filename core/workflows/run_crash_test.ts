import assert from "node:assert/strict";
import { isEnded, type JobHandler } from "../jobs/job.ts";
import { openWorkshop, until, within } from "../jobs/testing.ts";
import type { SqlStore } from "../stores/sql.ts";
import { ACTOR, echo, type RunShop, runsOver, step, workflow } from "./testing.ts";

const STORY = workflow([
  echo("first"),
  step({
    id: "each",
    kind: "foreach",
    items: [1, 2, 3],
    parallel: 2,
    steps: [echo("x", "${item}"), echo("y", "${steps.x}")],
  }),
  step({
    id: "pick",
    kind: "wait",
    wait: { for: "choice", options: ["left", "right"], prompt: undefined },
  }),
  echo("last", "${steps.pick.option}"),
]);

/** Does what a step does in the transaction that completes it, where it can be counted. */
const effect: JobHandler = {
  run: ({ job }) => Promise.resolve((job.input as { input: unknown }).input),
  async commit(tx, value, job) {
    const { path } = job.input as { path: string };
    await tx.insertInto("collection")
      .values({ id: job.id, name: path, user_id: "u", shared: 0, created: "now" }).execute();
    return { value };
  },
};

class Dead extends Error {}

/** A store whose host dies at its nth transaction, before or after it is on disk. */
function mortal(sql: SqlStore, dieAt: number, when: "before" | "after") {
  let count = 0;
  const { promise: died, resolve: die } = Promise.withResolvers<void>();
  const store: SqlStore = {
    ...sql,
    async transaction(work) {
      const mine = ++count;
      if (mine === dieAt) die();
      const value = await sql.transaction(async (tx) => {
        const done = await work(tx);
        if (mine > dieAt || (mine === dieAt && when === "before")) throw new Dead();
        return done;
      });
      if (mine === dieAt) throw new Dead();
      return value;
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return { store, died, alive: () => count < dieAt };
}

/** Starts the story if it is not there, answers its question, and waits for its end. */
async function drive(runs: RunShop): Promise<void> {
  const { id } = await runs.workflows.start(STORY, { idempotencyKey: "story" }, ACTOR);
  await until(async () => {
    const run = await runs.workflows.run(id, ACTOR);
    if (isEnded(run.job.status)) return true;
    const asks = run.steps.some(({ path, state }) => path === "pick" && state === "waiting");
    if (asks) await runs.workflows.interact(id, "pick", { choice: 1 }, ACTOR);
    return false;
  }, "the end of the story");
}

for (const when of ["before", "after"] as const) {
  Deno.test(`a host that dies ${when} any transaction repeats no step and loses none`, async () => {
    for (let dieAt = 1, survived = false; !survived; dieAt++) {
      await using shop = await openWorkshop();
      const first = mortal(shop.sql, dieAt, when);
      const options = { handlers: { call: effect } };
      const before = await runsOver(shop, { ...options, sql: first.store, start: false });
      const living = before.engine.start().then(() => drive(before)).catch((error) => {
        // A dead host has nobody to tell what it makes of a commit that it did not see.
        if (first.alive()) throw error;
      });
      await within(Promise.race([first.died, living]), `death ${dieAt}`);
      survived = first.alive();
      // What it holds in memory is lost with it; its stores say no to whatever it still wants to write.
      await before.engine[Symbol.asyncDispose]();
      await within(Promise.race([living, Promise.resolve()]));
      const after = await runsOver(shop, options);
      await within(drive(after), `the story after death ${dieAt}`);
      await living.catch(() => {});
      const { items: [run, ...more] } = await after.workflows.runs({}, ACTOR);
      assert.equal(run?.job.status, "completed", `death ${dieAt}: ${run?.job.error?.message}`);
      assert.equal(more.length, 0);
      assert.equal((run.job.result as { last: string }).last, "right");
      const done = await shop.sql.db.selectFrom("collection").select("name").orderBy("name")
        .execute();
      assert.deepEqual(
        done.map(({ name }) => name),
        [
          "each[0].x",
          "each[0].y",
          "each[1].x",
          "each[1].y",
          "each[2].x",
          "each[2].y",
          "first",
          "last",
        ],
        `death ${dieAt}`,
      );
      const { steps } = await after.workflows.run(run.id, ACTOR);
      assert.deepEqual(
        steps.filter(({ state, number }) => state !== "completed" || number > 1),
        [],
      );
      const open = await shop.sql.db.selectFrom("job").select("id")
        .where("status", "not in", ["completed"]).execute();
      assert.deepEqual(open, []);
    }
  });
}
