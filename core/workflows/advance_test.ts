import assert from "node:assert/strict";
import { advance, type RunEnd } from "./advance.ts";
import { type Step, WORKFLOW_LIMITS, type WorkflowDefinition } from "./definition.ts";
import { Journal } from "./journal.ts";
import { progressOf } from "./progress.ts";
import { type ChildJob, Look, type StepJob, type Told } from "./situation.ts";
import { echo, scriptExpressions, step, workflow } from "./testing.ts";

/** A run without stores: jobs end when the test says so. */
function simulate(
  steps: readonly Step[],
  more: Partial<WorkflowDefinition> = {},
  missing: readonly string[] = [],
) {
  const definition = workflow(steps, more).definition!;
  const journal = new Journal();
  const jobs = new Map<string, ChildJob>();
  const asked: string[][] = [];
  let nowMs = 1_000_000;
  return {
    journal,
    asked,
    /** Looks until nothing more happens; answers what was asked. */
    async go(): Promise<{ end: RunEnd | undefined; begun: string[]; cancelled: string[] }> {
      const told = new Map<string, Told>();
      const begun = new Map<string, StepJob>();
      const cancelled = new Set<string>();
      for (;;) {
        const look = new Look({
          definition,
          run: {
            id: "run_1",
            workflow: "test",
            user: "u",
            created: "",
            inputs: {},
            untilMs: undefined,
          },
          journal,
          jobs,
          nowMs,
          told,
          serves: (name) => missing.includes(name) ? { none: "nobody" } : { plugin: "step.test" },
        }, { begun, cancelled });
        const end = advance(look);
        if (end === undefined && look.asks.size > 0) {
          asked.push([...look.asks.keys()]);
          for (const ask of look.asks.values()) {
            assert.ok(ask.what === "value");
            const [value] = await scriptExpressions.resolve([ask]);
            told.set(ask.key, { value });
          }
          continue;
        }
        for (const path of begun.keys()) {
          journal.set({ ...journal.get(path)!, job: `job:${path}` });
          jobs.set(`job:${path}`, {
            id: `job:${path}`,
            status: "queued",
            result: undefined,
            error: undefined,
            progress: 0,
          });
        }
        journal.changed.clear();
        return { end, begun: [...begun.keys()], cancelled: [...cancelled] };
      }
    },
    done(path: string, value: unknown = null, progress = 100) {
      jobs.set(`job:${path}`, {
        ...jobs.get(`job:${path}`)!,
        status: "completed",
        result: { value },
        progress,
      });
    },
    pass(ms: number) {
      nowMs += ms;
    },
    progress: () => progressOf(definition, journal, jobs),
  };
}

Deno.test("advance() begins a step when what it needs has ended", async () => {
  const run = simulate([
    echo("a"),
    echo("b", "${steps.a}"),
    echo("free", 1, { needs: [] }),
    echo("join", 1, { needs: ["b", "free"] }),
  ]);
  assert.deepEqual((await run.go()).begun, ["a", "free"]);
  run.done("free");
  assert.deepEqual((await run.go()).begun, []);
  run.done("a", 5);
  assert.deepEqual((await run.go()).begun, ["b"]);
  assert.deepEqual(run.journal.get("b")!.input, 5);
  assert.equal(run.progress(), 50);
  run.done("b");
  assert.deepEqual((await run.go()).begun, ["join"]);
  run.done("join", 7);
  assert.deepEqual((await run.go()).end, {
    completed: { a: 5, b: null, free: null, join: 7 },
  });
});

Deno.test("advance() asks for expressions of one look together", async () => {
  const run = simulate([
    echo("a", "${1}", { needs: [] }),
    echo("b", "${2}", { needs: [] }),
    step({ id: "c", kind: "foreach", items: ["x", "y"], needs: [], steps: [echo("d", "${item}")] }),
  ]);
  await run.go();
  assert.deepEqual(run.asked, [["a#1:with", "b#1:with", "c[0].d#1:with", "c[1].d#1:with"]]);
});

Deno.test("advance() begins the next item when one ends, and tells the rest how far it is", async () => {
  const run = simulate([
    step({ id: "c", kind: "foreach", items: [1, 2, 3], parallel: 2, steps: [echo("d")] }),
  ]);
  assert.deepEqual((await run.go()).begun, ["c[0].d", "c[1].d"]);
  run.done("c[1].d", "second");
  assert.deepEqual((await run.go()).begun, ["c[2].d"]);
  assert.equal(run.progress(), 33.3);
  run.done("c[0].d", "first");
  run.done("c[2].d", "third");
  assert.deepEqual((await run.go()).end, { completed: { c: ["first", "second", "third"] } });
});

Deno.test("advance() takes the result of a job that ended just when its time was up", async () => {
  const run = simulate([echo("a", 1, { timeout: 10 })]);
  await run.go();
  run.pass(20_000);
  run.done("a", "in time");
  assert.deepEqual((await run.go()).end, { completed: { a: "in time" } });
});

Deno.test("advance() fails a container whose time is up, and cancels what is in it", async () => {
  const run = simulate([
    step({
      id: "c",
      kind: "foreach",
      items: [1, 2],
      timeout: 10,
      optional: true,
      steps: [echo("d")],
    }),
  ]);
  await run.go();
  run.pass(20_000);
  const { end, cancelled } = await run.go();
  assert.deepEqual(cancelled, ["job:c[0].d", "job:c[1].d"]);
  assert.deepEqual(end, { completed: { c: null } });
  assert.equal(run.journal.get("c")!.error?.code, "timed_out");
  assert.equal(run.journal.get("c[0]")!.state, "cancelled");
});

Deno.test("advance() takes no result that the run has no room for", async () => {
  const run = simulate([echo("a", 1, { optional: true }), echo("b")]);
  await run.go();
  run.journal.weigh("elsewhere", WORKFLOW_LIMITS.run_chars - 100);
  run.done("a", "x".repeat(200));
  await run.go();
  const { state, error } = run.journal.get("a")!;
  assert.deepEqual([state, error?.code], ["failed", "too_large"]);
  run.done("b", "small");
  assert.deepEqual((await run.go()).end, { completed: { a: null, b: "small" } });
});

Deno.test("Journal.weigh() counts a row once, however often it is written", () => {
  const journal = new Journal([], new Map([["a", 10]]));
  for (const chars of [5, 5, 30]) journal.weigh("b", chars);
  assert.equal(journal.chars, 40);
});

Deno.test("advance() names what was skipped first, however many steps need each other", async () => {
  const run = simulate(["a", "b", "c", "d"].map((id) => echo(id)), {}, ["test.echo"]);
  await run.go();
  assert.deepEqual(run.journal.get("d")!.error, {
    code: "no_provider",
    message: 'it needs "c", which was skipped: no provider for test.echo',
    retryable: false,
    details: { root: "no provider for test.echo" },
  });
});
