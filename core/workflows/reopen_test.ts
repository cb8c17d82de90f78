import assert from "node:assert/strict";
import { problem } from "./situation.ts";
import { Journal, type StepRow } from "./journal.ts";
import { reopen, reopenJournal } from "./reopen.ts";
import { ACTOR, echo, openRuns, step, workflow } from "./testing.ts";

const COUNT = 2_000;
const STORY = workflow(
  [step({ id: "all", kind: "foreach", items: "${inputs.items}", steps: [echo("a", "x")] })],
  { failFast: false, inputs: { items: { type: "array" } } },
);

/** A foreach whose items have all failed. */
function failedRows(): StepRow[] {
  const row = (path: string, kind: StepRow["kind"], more: Partial<StepRow> = {}): StepRow => ({
    path,
    kind,
    state: "failed",
    number: 1,
    job: undefined,
    input: undefined,
    result: undefined,
    error: problem("step_failed", "it failed"),
    waitEvent: undefined,
    waitSeq: undefined,
    wakeMs: undefined,
    started: "2026-01-01T00:00:00.000Z",
    ended: "2026-01-01T00:00:00.000Z",
    ...more,
  });
  const items = Array.from({ length: COUNT }, (_, index) => index);
  return [
    row("all", "foreach", { input: { items } }),
    ...items.flatMap((index) => [
      row(`all[${index}]`, "item"),
      row(`all[${index}].a`, "call", { input: "x", error: problem("plugin_error", "it broke") }),
    ]),
  ];
}

Deno.test("reopenJournal() looks through the rows once, however many failed", () => {
  let looks = 0;
  class Counting extends Journal {
    override rows() {
      looks++;
      return super.rows();
    }
  }
  const journal = new Counting(failedRows());
  reopenJournal(STORY.definition!, journal, {
    jobs: new Map(),
    neverFilled: new Set(),
    nowMs: 0,
  });
  assert.equal(looks, 1);
  assert.deepEqual(
    ["all", "all[7]", "all[7].a"].map((path) => journal.get(path)!.state),
    ["running", "running", "pending"],
  );
});

Deno.test("reopen() writes many rows with one statement, and leaves what a container was given", async () => {
  await using runs = await openRuns({ start: false });
  const { id } = await runs.workflows.start(STORY, { inputs: { items: [] } }, ACTOR);
  const { sql } = runs.shop;
  await sql.transaction(async (tx) => {
    const values = failedRows().map((row) => ({
      run_id: id,
      path: row.path,
      kind: row.kind,
      state: row.state,
      input_json: row.input === undefined ? null : JSON.stringify(row.input),
      error_json: JSON.stringify(row.error),
      started: row.started,
      ended: row.ended ?? null,
    }));
    for (let start = 0; start < values.length; start += 500) {
      await tx.insertInto("run_step").values(values.slice(start, start + 500)).execute();
    }
  });
  const job = await runs.engine.jobs.get(id);
  let statements = 0;
  await sql.transaction((tx) =>
    reopen(
      tx.withPlugin({
        transformQuery: ({ node }) => node,
        transformResult({ result }) {
          statements++;
          return Promise.resolve(result);
        },
      }),
      job,
      0,
    )
  );
  assert.ok(statements < COUNT / 50, `${statements} statements for ${COUNT} items`);
  const states = await sql.db.selectFrom("run_step").where("run_id", "=", id).groupBy("state")
    .select((select) => ["state", select.fn.countAll<number>().as("count")]).orderBy("state")
    .execute();
  assert.deepEqual(states.map(({ state, count }) => [state, Number(count)]), [
    ["pending", COUNT],
    ["running", COUNT + 1],
  ]);
  const { input_json } = await sql.db.selectFrom("run_step").select("input_json")
    .where("run_id", "=", id).where("path", "=", "all").executeTakeFirstOrThrow();
  assert.equal(JSON.parse(input_json!).items.length, COUNT);
});
