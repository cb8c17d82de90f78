import assert from "node:assert/strict";
import { pageOf } from "../schemas.ts";
import {
  planSchema,
  type RunEventJson,
  runEventSchema,
  runHeadSchema,
  runSchema,
  stepSchema,
  validationSchema,
  workflowDetailSchema,
  workflowSchema,
} from "../run_schemas.ts";
import { problemOf } from "../testing/problem.ts";
import { fileOf, type RunApp, runApp } from "../testing/run_app.ts";

const ECHO = `name: echo
title: Says it again
inputs:
  word: {type: string}
steps:
  - id: said
    call: test.echo
    with: "\${ inputs.word }"
outputs: {word: "\${ steps.said }"}
`;

const CHOICE = `name: choice
steps:
  - id: pick
    wait: {choice: [red, green], prompt: Which one?}
  - id: then
    call: test.echo
    with: "\${ steps.pick.option }"
`;

const APPROVAL = (role: string) =>
  `name: approval
steps:
  - id: gate
    wait: {approval: ${role}}
`;

async function open(options: Parameters<typeof runApp>[0] = {}): Promise<RunApp> {
  return await runApp({
    files: [await fileOf("echo", ECHO), await fileOf("broken", "name: broken\nsteps: 3\n")],
    ...options,
  });
}

async function startText(app: RunApp, yaml: string, more: object = {}) {
  const response = await app.request("editor", "POST", "/api/workflows/run", {
    json: { yaml, ...more },
  });
  const body = await response.json();
  assert.equal(response.status, 202, JSON.stringify(body));
  return runSchema.parse(body);
}

/** All messages of a stream, to its end. */
async function eventsOf(response: Response): Promise<{ id?: string; event: RunEventJson }[]> {
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  const found = [];
  for (const block of (await response.text()).split("\n\n")) {
    const data = /^data: (.*)$/m.exec(block)?.[1];
    if (data === undefined) continue;
    const id = /^id: (.*)$/m.exec(block)?.[1];
    const event = runEventSchema.parse(JSON.parse(data));
    found.push({ ...(id === undefined ? {} : { id }), event });
  }
  return found;
}

const events = (app: RunApp, id: string, headers = {}) =>
  app.request("editor", "GET", `/api/runs/${id}/events`, { headers });

Deno.test("GET workflows lists them, the broken ones with their problems, and shows one", async () => {
  await using app = await open();
  const list = await (await app.request("reader", "GET", "/api/workflows")).json();
  const items = list.items.map((item: unknown) => workflowSchema.parse(item));
  assert.deepEqual(
    items.map(({ name, title, inputs }: typeof items[number]) => [name, title, inputs]),
    [["echo", "Says it again", { word: { type: "string" } }], ["broken", null, null]],
  );
  assert.ok(items[1].problems[0].line >= 1);
  const one = workflowDetailSchema.parse(
    await (await app.request("reader", "GET", "/api/workflows/echo")).json(),
  );
  assert.equal((one.definition?.["steps"] as { id: string }[])[0]?.id, "said");
  assert.equal(one.definition?.["fail_fast"], true);
  const missing = await problemOf(await app.request("reader", "GET", "/api/workflows/nothing"));
  assert.equal(missing.code, "not_found");
});

Deno.test("POST validate says where a definition is wrong", async () => {
  await using app = await open();
  const check = async (yaml: string) =>
    validationSchema.parse(
      await (await app.request("reader", "POST", "/api/workflows/validate", { json: { yaml } }))
        .json(),
    );
  assert.equal((await check(ECHO)).workflow?.name, "echo");
  const { valid, problems } = await check(ECHO.replace("call:", "cal:"));
  assert.equal(valid, false);
  assert.ok(problems.some(({ line }) => line === 6 || line === 7), JSON.stringify(problems));
  const large = await problemOf(
    await app.request("reader", "POST", "/api/workflows/validate", {
      json: { yaml: "#".repeat(300_000) },
    }),
  );
  assert.equal(large.code, "bad_request");
});

Deno.test("POST runs starts a run by name, refuses wrong inputs, and knows a request again", async () => {
  await using app = await open();
  const start = (json: object, headers = {}) =>
    app.request("editor", "POST", "/api/workflows/echo/runs", { json, headers });
  const headers = { "idempotency-key": "k" };
  const response = await start({ inputs: { word: "hello" } }, headers);
  assert.equal(response.status, 202);
  const run = runSchema.parse(await response.json());
  assert.equal(response.headers.get("location"), `/api/runs/${run.id}`);
  const again = runSchema.parse(await (await start({ inputs: { word: "hello" } }, headers)).json());
  assert.equal(again.id, run.id);
  await app.runs.ended(run.id);

  const full = runSchema.parse(
    await (await app.request("editor", "GET", `/api/runs/${run.id}`)).json(),
  );
  assert.deepEqual([full.status, full.progress, full.outputs], ["completed", 100, {
    word: "hello",
  }]);
  const step = stepSchema.parse(
    await (await app.request("editor", "GET", `/api/runs/${run.id}/steps/said`)).json(),
  );
  assert.deepEqual([step.state, step.result], ["completed", "hello"]);
  const brief = await (await app.request("editor", "GET", `/api/runs/${run.id}?brief=true`)).json();
  assert.equal("result" in brief.steps[0], false);
  const none = await problemOf(
    await app.request("editor", "GET", `/api/runs/${run.id}/steps/nothing`),
  );
  assert.equal(none.code, "not_found");

  const wrong = await problemOf(await start({ inputs: { sword: 1 } }));
  assert.deepEqual([wrong.status, wrong.code], [400, "invalid_parameters"]);
  assert.match(wrong.detail, /sword.*word/);
  assert.equal((await problemOf(await start({ input: {} }))).code, "bad_request");
  const reader = await app.request("reader", "POST", "/api/workflows/echo/runs", { json: {} });
  assert.equal((await problemOf(reader)).code, "forbidden");
});

Deno.test("POST runs answers one ensure key with one run", async () => {
  await using app = await open();
  const ids = await Promise.all(Array.from({ length: 20 }, async () => {
    const json = { inputs: { word: "one" }, ensure_key: "the one" };
    const response = await app.request("editor", "POST", "/api/workflows/echo/runs", { json });
    return runSchema.parse(await response.json()).id;
  }));
  assert.equal(new Set(ids).size, 1);
  await app.runs.ended(ids[0]!);
});

Deno.test("POST plan shows what a run would do, and starts none", async () => {
  await using app = await open({ missing: ["test.echo"] });
  const response = await app.request("reader", "POST", "/api/workflows/plan", {
    json: { yaml: ECHO, inputs: { word: "x" } },
  });
  const plan = planSchema.parse(await response.json());
  assert.deepEqual(
    plan.steps.map(({ path, capability, skipped }) => [path, capability, skipped]),
    [["said", "test.echo", "no provider for test.echo"]],
  );
  const wrong = await app.request("reader", "POST", "/api/workflows/echo/plan", { json: {} });
  assert.equal((await problemOf(wrong)).code, "invalid_parameters");
  const runs = await (await app.request("editor", "GET", "/api/runs")).json();
  assert.deepEqual(runs.items, []);
});

Deno.test("GET runs pages, by workflow and status", async () => {
  await using app = await open();
  const waiting = await startText(app, CHOICE);
  for (const word of ["a", "b", "c"]) {
    const { id } = await startText(app, ECHO, { inputs: { word } });
    await app.runs.ended(id);
  }
  const list = async (query: string) =>
    pageOf(runHeadSchema).parse(
      await (await app.request("editor", "GET", `/api/runs?${query}`)).json(),
    );
  const first = await list("workflow=echo&limit=2");
  assert.deepEqual(first.items.map(({ inputs }) => inputs["word"]), ["c", "b"]);
  const second = await list(`workflow=echo&limit=2&cursor=${first.cursor}`);
  assert.deepEqual(second.items.map(({ inputs }) => inputs["word"]), ["a"]);
  await app.runs.settled(waiting.id);
  assert.deepEqual((await list("status=waiting")).items.map(({ id }) => id), [waiting.id]);
  const wrong = await app.request("editor", "GET", "/api/runs?status=asleep");
  assert.equal((await problemOf(wrong)).code, "bad_request");
});

Deno.test("POST interact answers a choice once, and refuses what was not offered", async () => {
  await using app = await open();
  const { id } = await startText(app, CHOICE);
  await app.runs.settled(id);
  const answer = (json: object) =>
    app.request("editor", "POST", `/api/runs/${id}/interact`, { json });
  const run = runSchema.parse(await (await app.request("editor", "GET", `/api/runs/${id}`)).json());
  assert.deepEqual(
    run.steps.map(({ path, question }) => [path, question?.for, question?.options]),
    [["pick", "choice", ["red", "green"]]],
  );
  for (const json of [{}, { choice: 0, approve: true }, { choice: -1 }, { coice: 1 }]) {
    assert.equal((await problemOf(await answer(json))).code, "bad_request", JSON.stringify(json));
  }
  let deep: unknown = 1;
  for (let i = 0; i < 2000; i++) deep = [deep];
  assert.equal((await problemOf(await answer({ value: deep }))).code, "bad_request");
  for (const json of [{ choice: 2 }, { value: null }, { approve: false }]) {
    const { code } = await problemOf(await answer(json));
    assert.equal(code, "invalid_parameters", JSON.stringify(json));
  }
  assert.equal((await answer({ step: "pick", choice: 1 })).status, 202);
  assert.equal((await problemOf(await answer({ step: "pick", choice: 0 }))).code, "conflict");
  assert.deepEqual((await app.runs.ended(id)).status, "completed");
});

Deno.test("POST interact lets readers give the approvals that say so, and nothing else", async () => {
  await using app = await open();
  const by = (id: string, json: object) =>
    app.request("reader", "POST", `/api/runs/${id}/interact`, { json });
  for (const yaml of [CHOICE, APPROVAL("editor")]) {
    const { id } = await startText(app, yaml);
    await app.runs.settled(id);
    assert.equal((await problemOf(await by(id, { approve: true }))).code, "not_found");
  }
  const { id } = await startText(app, APPROVAL("reader"));
  await app.runs.settled(id);
  assert.equal((await by(id, { approve: true, comment: "fine" })).status, 202);
  assert.equal((await app.runs.ended(id)).status, "completed");
});

Deno.test("GET events tells how a run stands, then each change, and its end last", async () => {
  await using app = await open();
  const { id } = await startText(app, CHOICE);
  await app.runs.settled(id);
  const response = await events(app, id);
  const answer = { json: { choice: 0 } };
  await app.request("editor", "POST", `/api/runs/${id}/interact`, answer);
  const told = await eventsOf(response);
  const last = told.at(-1)!;
  assert.deepEqual(
    [last.event.type, last.event.type === "run" && last.event.run.status],
    ["run", "completed"],
  );
  const states = (path: string) =>
    told.flatMap(({ event }) =>
      event.type === "step" && event.step.path === path ? [event.step.state] : []
    );
  assert.deepEqual([states("pick").at(-1), states("then").at(-1)], ["completed", "completed"]);
  assert.equal(told.filter(({ id }) => id !== undefined).length, 1);

  const late = await eventsOf(await events(app, id));
  assert.deepEqual(late.map(({ event }) => event.type), ["step", "step", "run"]);
  const gone = await events(app, id, { "last-event-id": last.id! });
  assert.equal(gone.status, 204);
  const unknown = await events(app, "run_x");
  assert.equal((await problemOf(unknown)).code, "not_found");
});

Deno.test("GET events hears the jobs of steps", async () => {
  const at = Promise.withResolvers<void>();
  await using app = await open({
    handlers: {
      call: {
        async run(run) {
          run.progress(40, "halfway there");
          await at.promise;
          return { value: 1, provider: { id: "step.test" }, usage: [], skipped: [] };
        },
      },
    },
  });
  const { id } = await startText(app, ECHO, { inputs: { word: "x" } });
  const response = await events(app, id);
  const text = response.body!.pipeThrough(new TextDecoderStream());
  let seen = "";
  for await (const piece of text) {
    seen += piece;
    if (seen.includes("halfway there")) at.resolve();
  }
  assert.match(seen, /"progress":40,"message":"halfway there"/);
  await app.runs.ended(id);
});

Deno.test("DELETE cancels a run, POST retry goes on with it, POST fork starts another", async () => {
  let broken = true;
  await using app = await open({
    act(_capability, input) {
      if (broken) throw Object.assign(new Error("it broke"), { code: "plugin_error" });
      return input;
    },
  });
  const yaml = ECHO.replace("    call:", "    attempts: 1\n    call:");
  const first = await startText(app, yaml, { inputs: { word: "a" } });
  assert.equal((await app.runs.ended(first.id)).status, "failed");
  broken = false;
  const retried = await app.request("editor", "POST", `/api/runs/${first.id}/retry`);
  assert.equal(retried.status, 202, await retried.clone().text());
  assert.equal((await app.runs.ended(first.id)).status, "completed");
  const wrong = await app.request("editor", "POST", `/api/runs/${first.id}/retry`, {
    json: { from: "nothing" },
  });
  assert.ok((await problemOf(wrong)).status < 500);

  const forked = await app.request("editor", "POST", `/api/runs/${first.id}/fork`, {
    json: { from: "said", inputs: { word: "b" } },
  });
  const fork = runSchema.parse(await forked.json());
  assert.deepEqual([fork.forked_from, forked.headers.get("location")], [
    first.id,
    `/api/runs/${fork.id}`,
  ]);
  assert.deepEqual((await app.runs.ended(fork.id)).result, { word: "b" });

  const waiting = await startText(app, CHOICE);
  await app.runs.settled(waiting.id);
  const cancelled = await app.request("editor", "DELETE", `/api/runs/${waiting.id}`);
  assert.equal(runSchema.parse(await cancelled.json()).status, "cancelled");
  assert.equal((await app.request("editor", "DELETE", `/api/runs/${waiting.id}`)).status, 202);
  assert.deepEqual(app.failures, []);
});

Deno.test("the API's own description says how a step is answered", async () => {
  await using app = await open();
  const response = await app.request("reader", "GET", "/api/openapi.json");
  const { components, paths } = await response.json();
  const { choice, approve, value } = components.schemas.Interaction.properties;
  assert.match(choice.description, /from 0/);
  assert.ok(approve.description && value.description);
  assert.ok(components.schemas.Question.properties.options.description);
  assert.doesNotMatch(
    paths["/api/runs/{id}/interact"].post.description,
    /role `editor`.*role `reader`/,
  );
});

Deno.test("a body that is wrong as a whole is said to be, without its name in the code", async () => {
  await using app = await open();
  const response = await app.request("editor", "POST", "/api/workflows/run", { json: [] });
  assert.equal(response.status, 400);
  assert.match((await response.json()).detail, /^Cannot use the body: /);
});
