import assert from "node:assert/strict";
import { type Job, JobWaits } from "../jobs/job.ts";
import { type Bench, withBench } from "./testing.ts";
import { guestOfJob } from "./guest_services.ts";

const JOB = { id: "import_1", user: "user_1" } as Job;

/** Calls a plugin as the handler of an import does. */
async function callAsJob(
  { plugins, pool, capabilities, prompts, world }: Omit<Bench, typeof Symbol.asyncDispose>,
  plugin: string,
) {
  const spent: unknown[] = [];
  const logged: string[] = [];
  const guest = await guestOfJob({ capabilities, prompts, sql: world.sql }, {
    job: JOB,
    spend: (cost) => void spent.push(cost),
    log: (_, message) => void logged.push(message),
  }, { plugin, method: "extract" });
  const spec = await plugins.runnerSpec(plugin, undefined, { job: JOB.id });
  await using desk = await pool.acquire(spec);
  const call = { ...guest.options, job: { id: JOB.id, idempotencyKey: JOB.id } };
  const ended = await desk.call("test.run", ["in"], call).then(
    (value) => ({ value, error: undefined }),
    async (error) => ({
      value: undefined,
      error: await guest.examine({ job: JOB, plugin, error, uses: desk.uses() }),
    }),
  );
  return { ...ended, spent, logged };
}

Deno.test("guestOfJob() lets the plugin of any job call others, on the job's account", () =>
  withBench(async (bench) => {
    await bench.install({
      id: "generator.b",
      provides: ["test.b"],
      code: `"test.b": (input, ctx) => {
  ctx.usage({ model: "inner", input_tokens: 1 });
  ctx.log.info("inner says");
  return [input, ctx.idempotencyKey, ctx.jobId];
}`,
    });
    await bench.install({
      id: "generator.a",
      calls: ["test.b"],
      code: `"test.run": async (input, ctx) => {
  ctx.usage({ model: "outer", output_tokens: 2 });
  return [await ctx.call("test.b", input), await ctx.call("test.b", input)];
}`,
    });
    const { value, spent, logged } = await callAsJob(bench, "generator.a");
    assert.deepEqual(value, [
      ["in", "import_1.extract.1", "import_1"],
      ["in", "import_1.extract.2", "import_1"],
    ]);
    const inner = { usage: { plugin: "generator.b", model: "inner", input_tokens: 1 } };
    const outer = { usage: { plugin: "generator.a", model: "outer", output_tokens: 2 } };
    assert.deepEqual(spent, [outer, inner, inner]);
    assert.deepEqual(logged, ["inner says", "inner says"]);
    assert.equal(bench.audited[0]!.job, "import_1");
    assert.equal(bench.audited[0]!.details?.["caller"], "generator.a");
  }));

Deno.test("Guest.examine() asks for what the plugin lacks that was called, before what the caller lacks", () =>
  withBench(async (bench) => {
    await bench.install({ id: "generator.c", provides: ["test.c"], code: `"test.c": () => 1` });
    await bench.install({
      id: "generator.b",
      provides: ["test.b"],
      calls: ["test.c"],
      grant: [],
      code: `"test.b": (input, ctx) => ctx.call("test.c", input)`,
    });
    await bench.install({
      id: "generator.a",
      calls: ["test.b"],
      code: `"test.run": (input, ctx) => ctx.call("test.b", input)`,
    });
    const { error } = await callAsJob(bench, "generator.a");
    assert.ok(error instanceof JobWaits, String(error));
    assert.match(error.message, /calls:test\.c/);
  }));
