import assert from "node:assert/strict";
import { checkOwn } from "../capabilities/call_handler.ts";
import type { CapabilityResult } from "../capabilities/capabilities.ts";
import type { NewEvent } from "../event_log/event_log.ts";
import { openWorkshop, type Workshop } from "../jobs/testing.ts";
import { createProvenance } from "../provenance/create_provenance.ts";
import { artifactCapabilities } from "./artifact_capabilities.ts";
import { deleteArtifact } from "./artifact_delete.ts";
import { failUnfinished } from "./artifact_ends.ts";
import { getArtifact, listArtifacts } from "./artifact_rows.ts";
import { actor, save } from "./testing.ts";

const RUN = "run_1";

async function open() {
  const shop = await openWorkshop();
  const { sql, blobs } = shop;
  const events: NewEvent[] = [];
  const log = {
    append: (_tx: unknown, event: NewEvent) => Promise.resolve(void events.push(event)),
  };
  const offered = new Map(
    artifactCapabilities({ sql, blobs, eventLog: log }).map((one) => [one.name, one]),
  );
  await addRun(shop, RUN);
  let calls = 0;

  /** As the handler of calls does it, for a step of the run. */
  async function call(
    name: string,
    input: object,
    path = `step${calls}`,
    run: string | null = RUN,
  ) {
    const one = offered.get(name)!;
    const checked = checkOwn(one, input);
    const id = `call_${++calls}`;
    const parent = run ?? undefined;
    const step = run === null ? {} : { run, path };
    await addJob(shop, { id, parent, input: { capability: name, input, ...step } });
    const host = {
      actor: { user: "user_1", role: "editor" as const },
      job: { id, parent },
      signal: new AbortController().signal,
    };
    const prepared = one.prepare ? await one.prepare(checked, host) : checked;
    // deno-lint-ignore no-explicit-any -- results are looked at field by field
    return await sql.transaction((tx) => one.commit(tx, prepared, host)) as any;
  }

  /** A step that a plugin did. */
  async function made(path: string, value: unknown, input: unknown = {}) {
    const id = `call_${++calls}`;
    const result: CapabilityResult = {
      value,
      provider: { id: "generator.test", version: "1.0.0", digest: "e".repeat(64) },
      usage: [{ plugin: "generator.test", model: "m-1", output_tokens: 3 }],
      skipped: [],
    };
    await addJob(shop, { id, parent: RUN, status: "completed", input: { input }, result });
    await sql.db.insertInto("run_step").values({
      run_id: RUN,
      path,
      kind: "call",
      state: "completed",
      job_id: id,
      input_json: null,
      result_json: JSON.stringify(value),
      error_json: null,
      wait_event: null,
      wait_seq: null,
      wake_ms: null,
      started: "now",
      ended: "now",
    }).execute();
  }
  return {
    shop,
    sql,
    events,
    log,
    call,
    made,
    [Symbol.asyncDispose]: () => shop[Symbol.asyncDispose](),
  };
}

async function addRun(shop: Workshop, id: string, forkedFrom: string | null = null) {
  await addJob(shop, { id, kind: "run", status: "running" });
  await shop.sql.db.insertInto("workflow_run").values({
    id,
    workflow: "test",
    digest: "d",
    format: 1,
    definition_json: "{}",
    inputs_json: "{}",
    until_ms: null,
    retry_from: null,
    ensure_key: null,
    forked_from: forkedFrom,
    user_id: "user_1",
    created: "now",
  }).execute();
}

async function addJob({ sql }: Workshop, more: {
  id: string;
  kind?: string;
  status?: string;
  parent?: string | undefined;
  input?: unknown;
  result?: unknown;
}) {
  await sql.db.insertInto("job").values({
    id: more.id,
    kind: more.kind ?? "call",
    status: more.status ?? "running",
    parent: more.parent ?? null,
    input_json: JSON.stringify(more.input ?? {}),
    result_json: more.result === undefined ? null : JSON.stringify(more.result),
    stages_json: "[]",
    progress: 0,
    priority: 5,
    rank: 0,
    attempt: 1,
    max_attempts: 4,
    run_at_ms: 0,
    user_id: "user_1",
    seq: 1,
    created: "now",
  }).execute();
}

Deno.test("artifact.write takes its maker from the step that the host saw, and refuses one that made nothing", async () => {
  await using t = await open();
  const { content } = await save(t.sql, "https://a.example/", "The quick fox.");
  const [chunk] = await t.sql.db.selectFrom("chunk").select("id").execute();
  await t.made("items[1].generate", { text: "A text.", model: "m-1", used: [chunk!.id] }, {
    sources: [{ id: chunk!.id, text: "The quick fox." }, { id: "elsewhere", text: "" }],
  });
  await t.made("items[0].generate", { text: "Another.", model: "m-1" });
  const { artifact } = await t.call("artifact.create", { title: "One\nline", formats: "en" });
  assert.equal((await getArtifact(t.sql.db, artifact)).title, "One line");
  const written = await t.call(
    "artifact.write",
    { artifact, name: "text.md", from: "generate", language: "en" },
    "items[1].keep.then.write",
  );
  assert.deepEqual(written.made_by, [
    { step: "items[1].generate", plugin: "generator.test", version: "1.0.0", models: ["m-1"] },
  ]);
  const shown = await getArtifact(t.sql.db, artifact);
  assert.deepEqual([shown.plugin, shown.state], ["generator.test", "generating"]);
  assert.deepEqual(shown.sources.map((source) => source.content), [content]);
  const { parts } = await createProvenance(t.sql).attribution(artifact, actor);
  assert.deepEqual(parts[0]!.sources[0]!.passages.map((passage) => passage.chunk), [chunk!.id]);

  for (const from of ["generate", "items[1].keep", "nothing"]) {
    await assert.rejects(
      t.call("artifact.write", { artifact, name: "x.md", from }, "write"),
      { code: "invalid_parameters" },
      from,
    );
  }
  await assert.rejects(t.call("artifact.write", { artifact, name: "../x" }), {
    code: "invalid_parameters",
  });
});

Deno.test("artifact.write by a template or a person names no plugin, and another's artifact is refused", async () => {
  await using t = await open();
  const { artifact } = await t.call("artifact.create", {});
  await t.call("artifact.write", { artifact, name: "a.txt", text: "By hand." });
  assert.equal((await getArtifact(t.sql.db, artifact)).plugin, "host");
  const { edges } = await createProvenance(t.sql).genealogy(artifact, {}, actor);
  const part = edges.filter((edge) => edge.from === `${artifact}#a.txt`);
  assert.deepEqual(part.map((edge) => [edge.type, edge.to]), [["CREATED_BY", "user_1"]]);

  await addJob(t.shop, { id: "run_2", kind: "run" });
  for (const name of ["artifact.write", "artifact.finish"]) {
    const input = name === "artifact.write" ? { artifact, name: "b.txt", text: "" } : { artifact };
    await assert.rejects(t.call(name, input, "s", "run_2"), { code: "conflict" });
  }
});

Deno.test("artifact.write of a fork goes on with what is not ready, and leaves alone what is", async () => {
  await using t = await open();
  const { artifact } = await t.call("artifact.create", {}, "announce");
  await t.call("artifact.write", { artifact, name: "a.txt", text: "The first run's." });
  await addRun(t.shop, "run_2", RUN);
  await addRun(t.shop, "run_3", "run_2");
  await t.call("artifact.write", { artifact, name: "b.txt", text: "A fork's." }, "s", "run_3");
  await t.call("artifact.finish", { artifact });
  const change = { artifact, name: "a.txt", text: "The fork's." };
  for (const run of ["run_2", "run_3"]) {
    await assert.rejects(
      t.call("artifact.write", change, "s", run),
      { code: "conflict", message: /it is ready, and "run_1" made it; fork from .* "announce"/ },
    );
    await assert.rejects(t.call("artifact.finish", { artifact, state: "failed" }, "s", run), {
      code: "conflict",
    });
  }
  const { files } = await getArtifact(t.sql.db, artifact);
  assert.deepEqual(files.map(({ name, size }) => [name, size]), [["a.txt", 16], ["b.txt", 9]]);
  // Its own run may, as a retry does.
  await t.call("artifact.write", change);
});

Deno.test("artifact.finish refuses ready without a file, and a run that ends fails what is not ready", async () => {
  await using t = await open();
  const { artifact } = await t.call("artifact.create", {});
  await assert.rejects(t.call("artifact.finish", { artifact }), { code: "conflict" });
  const { artifact: other } = await t.call("artifact.create", { state: "generating" });
  await t.call("artifact.write", { artifact: other, name: "a.md", text: "A." });
  await t.call("artifact.finish", { artifact: other });
  await t.sql.transaction((tx) =>
    failUnfinished(t.log)(
      tx,
      { id: RUN, kind: "run", user: "user_1", status: "cancelled" } as never,
    )
  );
  const { items } = await listArtifacts(t.sql.db, { run: RUN });
  assert.deepEqual(items.map(({ id, state }) => [id, state]), [[other, "ready"], [
    artifact,
    "failed",
  ]]);
  assert.deepEqual(t.events.at(-1)!.payload["state"], "failed");

  await t.sql.db.updateTable("job").set({ status: "cancelled" }).where("id", "=", RUN).execute();
  await assert.rejects(t.call("artifact.create", {}), { code: "cancelled" });
});

Deno.test("artifact.choose chooses once, and artifact.clean drops the others", async () => {
  await using t = await open();
  const { artifact: parent } = await t.call("artifact.create", {});
  const variants: string[] = [];
  for (const variant_index of [0, 1, 2]) {
    const { artifact } = await t.call("artifact.create", { parent, variant_index });
    await t.call("artifact.write", { artifact, name: "a.md", text: `Variant ${variant_index}.` });
    variants.push(artifact);
  }
  const [first, second, third] = variants as [string, string, string];
  await assert.rejects(t.call("artifact.clean", { parent }), { code: "conflict" });
  await assert.rejects(t.call("artifact.choose", { artifact: parent }), { code: "conflict" });
  assert.deepEqual(await t.call("artifact.choose", { artifact: second }), {
    artifact: second,
    parent,
    unchosen: [first, third],
  });
  for (const artifact of [second, first]) {
    await assert.rejects(t.call("artifact.choose", { artifact }), { code: "conflict" });
  }
  await assert.rejects(t.call("artifact.create", { parent, variant_index: 3 }), {
    code: "conflict",
  });
  // Somebody went on from the third.
  await t.call("artifact.create", { parent: third });
  assert.deepEqual(await t.call("artifact.clean", { parent }), { deleted: [first], kept: [third] });
  await assert.rejects(getArtifact(t.sql.db, first), { code: "gone" });
  const { nodes } = await createProvenance(t.sql).genealogy(first, {}, actor);
  assert.deepEqual([nodes[0]!.type, nodes[0]!.label], ["Tombstone", "(deleted)"]);
  assert.equal(t.events.filter(({ name }) => name === "artifact.deleted").length, 1);
});

Deno.test("artifact.write outside of runs is for calls of the user whose call announced it", async () => {
  await using t = await open();
  const { artifact } = await t.call("artifact.create", {}, "s", null);
  const write = (name: string) =>
    t.call("artifact.write", { artifact, name, text: "A." }, "s", null);
  await write("a.md");
  const row = t.sql.db.updateTable("artifact").where("id", "=", artifact);
  const { job } = await getArtifact(t.sql.db, artifact);
  await t.sql.db.updateTable("job").set({ user_id: "user_2" }).where("id", "=", job).execute();
  await row.set({ user_id: "user_2" }).execute();
  await assert.rejects(write("b.md"), { code: "conflict" });
  // Of an export, whatever its job is named.
  await t.sql.db.updateTable("job").set({ user_id: "user_1", kind: "export" })
    .where("id", "=", job).execute();
  await assert.rejects(write("c.md"), { code: "conflict" });
});

Deno.test("deleteArtifact() for good takes its text out of the calls that were given it, and no others", async () => {
  await using t = await open();
  const { artifact } = await t.call("artifact.create", {});
  await t.call("artifact.write", { artifact, name: "a.md", text: "A secret." });
  const given = { sources: [{ id: artifact, text: "A secret." }] };
  await t.made("summary", { text: "Of it." }, given);
  await t.made("other", { text: "Not of it." }, {});
  await addJob(t.shop, { id: "call_alone", status: "completed", input: given, result: {} });
  await addRun(t.shop, "run_2");
  await t.sql.db.updateTable("workflow_run")
    .set({ inputs_json: JSON.stringify({ artifact }) }).where("id", "=", "run_2").execute();
  await addRun(t.shop, "run_3", "run_2");
  for (const run of ["run_2", "run_3"]) {
    const id = `call_in_${run}`;
    await addJob(t.shop, { id, parent: run, status: "completed", input: given, result: {} });
    await t.sql.db.insertInto("run_step").values({
      run_id: run,
      path: "use",
      kind: "call",
      state: "completed",
      job_id: id,
      input_json: JSON.stringify(given),
      result_json: null,
      error_json: null,
      wait_event: null,
      wait_seq: null,
      wake_ms: null,
      started: "now",
      ended: "now",
    }).execute();
  }
  await t.sql.db.updateTable("job").set({ status: "completed" }).execute();
  await t.sql.transaction((tx) =>
    deleteArtifact(tx, artifact, { hard: true, user: "user_1", log: t.log })
  );
  const jobs = await t.sql.db.selectFrom("job").select(["id", "input_json"]).execute();
  assert.deepEqual(jobs.filter(({ input_json }) => input_json.includes("A secret.")), []);
  assert.ok(jobs.some(({ id, input_json }) => id === "call_alone" && /deleted/.test(input_json)));
  const steps = await t.sql.db.selectFrom("run_step").select(["path", "result_json"])
    .where("run_id", "=", RUN).orderBy("path").execute();
  assert.deepEqual(steps.map(({ path, result_json }) => [path, result_json !== null]), [
    ["other", true],
    ["summary", false],
  ]);
});
