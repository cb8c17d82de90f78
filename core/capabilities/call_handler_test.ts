import assert from "node:assert/strict";
import type { NewJob } from "../jobs/job.ts";
import type { JobEngine } from "../jobs/dispatcher.ts";
import type { HostCapability } from "./capabilities.ts";
import { until, withBench } from "./testing.ts";

const call = (capability: string, input: unknown, more: Partial<NewJob> = {}): NewJob => ({
  kind: "call",
  input: { capability, input },
  user: "user_1",
  ...more,
});

async function ended(engine: JobEngine, job: NewJob) {
  const { id } = await engine.jobs.add(job);
  return await engine.jobs.finished(id);
}

Deno.test("a call job ends with the result, and its cost is on the job's account", () =>
  withBench(async ({ engine, install }) => {
    await install({
      id: "generator.a",
      provides: ["test.a"],
      code: `"test.a": (input, ctx) => {
  ctx.usage({ model: "m", input_tokens: 5, cost: 0.25 });
  ctx.progress(0.5, "half");
  return { got: input };
}`,
    });
    const job = await ended(engine, call("test.a", [1]));
    assert.equal(job.status, "completed", job.error?.message);
    const usage = [{ plugin: "generator.a", model: "m", input_tokens: 5, cost: 0.25 }];
    const { value, provider, skipped, ...rest } = job.result as Record<string, unknown>;
    assert.deepEqual([value, rest.usage, skipped], [{ got: [1] }, usage, []]);
    assert.equal((provider as { id: string }).id, "generator.a");
    assert.deepEqual(job.costs.flatMap((cost) => cost.usage ?? []), usage);
  }));

Deno.test("a call job fails by name when nobody provides it, or the input is wrong", () =>
  withBench(async ({ engine }) => {
    const none = await ended(engine, call("text.generate", { prompt: "a" }));
    assert.equal(none.error?.code, "no_provider");
    assert.equal(none.tries, 1);
    const wrong = await ended(engine, call("text.generate", { prompt: 1 }));
    assert.equal(wrong.error?.code, "invalid_parameters");
    assert.match(wrong.error?.message ?? "", /prompt/);
    const bad = await ended(engine, { kind: "call", input: {}, user: "user_1" });
    assert.equal(bad.error?.code, "invalid_parameters");
  }));

const noted: HostCapability = {
  name: "host.note",
  description: "Writes a name.",
  input: {
    type: "object",
    properties: { name: { type: "string" }, times: { type: "integer", default: 2 } },
    required: ["name"],
    additionalProperties: false,
  },
  prepare: (input) => Promise.resolve({ ...input as object, prepared: true }),
  commit: async (tx, prepared, { actor, job }) => {
    const { name } = prepared as { name: string };
    await tx.insertInto("user").values({ id: name, name, role: "reader", created: job.id })
      .execute();
    return { prepared, user: actor.user };
  },
};

Deno.test("a call job does the work of a host capability in the transaction that completes it", () =>
  withBench(async ({ engine, world, capabilities, install }) => {
    const job = await ended(engine, call("host.note", { name: "n" }));
    assert.equal(job.status, "completed", job.error?.message);
    assert.deepEqual((job.result as { value: unknown }).value, {
      prepared: { name: "n", times: 2, prepared: true },
      user: "user_1",
    });
    const rows = await world.sql.db.selectFrom("user").select("created").where("id", "=", "n")
      .execute();
    assert.deepEqual(rows.map(({ created }) => created), [job.id]);
    const wrong = await ended(engine, call("host.note", { name: "n", nam: 1 }));
    assert.equal(wrong.error?.code, "invalid_parameters");
    assert.deepEqual(capabilities.list().map(({ name, providers }) => [name, providers[0]]), [
      ["host.note", { plugin: "host", enabled: true, down: undefined }],
    ]);
    // It is for workflows: no plugin acts in the library by it.
    await install({
      id: "generator.a",
      provides: ["test.a"],
      calls: ["host.note"],
      code: `"test.a": (input, ctx) => ctx.call("host.note", input)`,
    });
    const other = await ended(engine, call("test.a", { name: "m" }));
    assert.match(other.error?.message ?? "", /for steps of workflows/);
  }, { parts: async () => ({ host: [noted] }) }));

Deno.test("a call job waits for a yes when its plugin calls what it declares and was not granted", () =>
  withBench(async ({ engine, install, prompts }) => {
    await install({ id: "generator.b", provides: ["test.b"], code: `"test.b": (input) => input` });
    await install({
      id: "generator.a",
      provides: ["test.a"],
      calls: ["test.b"],
      grant: [],
      code: `"test.a": (input, ctx) => ctx.call("test.b", input)`,
    });
    const { id } = await engine.jobs.add(call("test.a", "in"));
    await until("it asks", () => prompts.list().length === 1);
    assert.equal((await engine.jobs.get(id)).status, "waiting");
    const [prompt] = prompts.list();
    assert.deepEqual(prompt!.permissions.map(({ key }) => key), ["calls:test.b"]);
    await prompts.decide(prompt!.id, ["calls:test.b"], "admin");
    const job = await engine.jobs.finished(id);
    assert.equal((job.result as { value: unknown }).value, "in", job.error?.message);
  }));

Deno.test("a call job waits for what a plugin lacks that its plugin calls, and a no is a denial by name", () =>
  withBench(async ({ engine, install, prompts }) => {
    const relay = (id: string, name: string, next: string, grant?: string[]) =>
      install({
        id,
        provides: [name],
        calls: [next],
        ...(grant && { grant }),
        code: `"${name}": (input, ctx) => ctx.call("${next}", input)`,
      });
    await install({ id: "generator.c", provides: ["test.c"], code: `"test.c": (input) => input` });
    await relay("generator.b", "test.b", "test.c", []);
    await relay("generator.a", "test.a", "test.b");
    const { id } = await engine.jobs.add(call("test.a", "in"));
    await until("it asks", () => prompts.list().length === 1);
    const [prompt] = prompts.list();
    assert.equal(prompt!.plugin, "generator.b");
    await prompts.decide(prompt!.id, undefined, "admin");
    const job = await engine.jobs.finished(id);
    assert.deepEqual([job.status, job.error?.code], ["failed", "denied"]);
    assert.match(job.error?.message ?? "", /calls:test\.c/);
  }));

Deno.test("a call job that is cancelled ends its plugin and what that has called", () =>
  withBench(async ({ engine, install, pool }) => {
    await install({
      id: "generator.b",
      provides: ["test.b"],
      code: `"test.b": () => { for (;;); }`,
    });
    await install({
      id: "generator.a",
      provides: ["test.a"],
      calls: ["test.b"],
      code: `"test.a": (input, ctx) => ctx.call("test.b", input)`,
    });
    const { id } = await engine.jobs.add(call("test.a", 1));
    await until("both work", () => pool.stats().busy === 2);
    await engine.jobs.cancel(id);
    assert.equal((await engine.jobs.finished(id)).status, "cancelled");
    await until("both are gone", () => pool.stats().busy === 0);
  }));

Deno.test("many call jobs through plugins of concurrency 1 all end, in the slots of their callers", () =>
  withBench(async ({ engine, install }) => {
    await install({
      id: "generator.b",
      provides: ["test.b"],
      concurrency: 1,
      code: `"test.b": (input) => input`,
    });
    await install({
      id: "generator.a",
      provides: ["test.a"],
      calls: ["test.b"],
      concurrency: 1,
      code: `"test.a": async (input, ctx) =>
  (await Promise.all([1, 2, 3].map((n) => ctx.call("test.b", input * n)))).join()`,
    });
    const jobs = await Promise.all(
      Array.from({ length: 6 }, (_, i) => ended(engine, call("test.a", i))),
    );
    assert.deepEqual(
      jobs.map((job) => (job.result as { value: unknown } | null)?.value ?? job.error),
      jobs.map((_, i) => `${i},${2 * i},${3 * i}`),
    );
  }, { jobs: { concurrency: 2 } }));
