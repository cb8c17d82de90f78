/** The pipelines that ship, each to its end on the real host: without any model, and with a plugin that offers one. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { type Json, startTestHost, type TestHost, until } from "./host.ts";

const TOPIC = "desks in the library";
const DESKS = `# Desks\n\n${
  Array.from({ length: 12 }, (_, n) =>
    `Desk number ${n} stands in the old library. A carrel is a small desk for a reader who works alone; ` +
    `number ${n} is the quietest of the desks.`)
    .join("\n\n")
}\n`;

const MANIFEST = `id: generator.words
version: 1.0.0
name: Words
description: Translates and varies texts by putting a word before them.
entry: mod.ts
provides: [text.translate, text.variants]
config:
  type: object
  properties:
    never: {type: string, description: A language that it never comes to an end with.}
`;
const CODE = `import { definePlugin } from "@carrel/sdk";
export default definePlugin.generator({
  capabilities: {
    "text.translate": async ({ text, to }, ctx) => {
      if (to === ctx.config.never) await new Promise((resolve) => setTimeout(resolve, 2 ** 30));
      const usage = { model: "words-1", output_tokens: 7 };
      return { text: "[" + to + "] " + text, language: to, model: "words-1", usage };
    },
    "text.variants": ({ count }) => {
      const variants = Array.from({ length: count }, (_, n) => ({ title: "Way " + n, text: "# Way " + n }));
      return { variants, model: "words-1" };
    },
  },
});
`;

/** Installs a plugin that translates and varies. */
async function installWords(host: TestHost): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "carrel-words-" });
  try {
    await Deno.writeTextFile(`${folder}/carrel.yaml`, MANIFEST);
    await Deno.writeTextFile(`${folder}/mod.ts`, CODE);
    const { consent } = await host.post("/api/plugins/install", { url: folder });
    if (consent) await host.post(`/api/plugins/consents/${consent.id}`, { decision: "grant" });
    assert.equal((await host.get("/api/plugins/generator.words")).enabled, true);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function never(host: TestHost, language: string): Promise<void> {
  const answer = await host.fetch("/api/plugins/generator.words/config", {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ config: { never: language } }),
  });
  assert.ok(answer.ok, await answer.text());
}

const start = async (host: TestHost, name: string, inputs: object): Promise<string> =>
  (await host.post(`/api/workflows/${name}/runs`, { inputs })).id;

async function finished(host: TestHost, id: string): Promise<Json> {
  await host.ended({ id });
  const run = await host.get(`/api/runs/${id}`);
  assert.equal(run.status, "completed", JSON.stringify(run.error));
  return run;
}

const stepOf = (run: Json, path: string): Json =>
  run.steps.find((step: Json) => step.path === path);

/** The run, once a step asks somebody. */
async function asking(host: TestHost, id: string, path: string): Promise<Json> {
  return await until(async () => {
    const run = await host.get(`/api/runs/${id}`);
    assert.ok(
      !["completed", "failed", "cancelled"].includes(run.status),
      JSON.stringify(run.error),
    );
    return stepOf(run, path)?.question ? run : undefined;
  });
}

const send = (host: TestHost, path: string, body: unknown) =>
  host.fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });

const names = (artifact: Json): string[] => artifact.files.map((file: Json) => file.name);
const fileOf = async (host: TestHost, artifact: string, name: string) =>
  await (await host.fetch(`/api/artifacts/${artifact}/files/${name}`)).text();

async function notices(dataDir: string): Promise<Json[]> {
  using db = new DatabaseSync(`${dataDir}/library.db`, { readOnly: true });
  const rows = db.prepare("select payload_json from event where name = 'notify'").all();
  return rows.map((row) => JSON.parse(String(row["payload_json"])));
}

/** No artifact that nobody makes any more, no blob that nothing refers to, no lease of an ended job. */
function checkNothingLeft(dataDir: string): void {
  using db = new DatabaseSync(`${dataDir}/library.db`, { readOnly: true });
  const all = (query: string) => db.prepare(query).all() as Json[];
  assert.deepEqual(
    all("select id, state from artifact where state in ('placeholder', 'generating')"),
    [],
  );
  assert.deepEqual(all("select * from blob_lease"), []);
  const digests = new Set(
    all("select files_json from artifact").flatMap((row) =>
      JSON.parse(row.files_json).map((file: Json) => file.digest)
    ),
  );
  for (const row of all("select original_digest, text_digest from revision")) {
    digests.add(row.original_digest).add(row.text_digest);
  }
  const blobs = new Set(
    all("select digest from blob where media_type = 'text/markdown'").map((b) => b.digest),
  );
  assert.deepEqual([...blobs].filter((digest) => !digests.has(digest)), []);
  assert.deepEqual(
    all("select id from artifact where id not in (select id from lineage_node)"),
    [],
    "an artifact without provenance",
  );
  assert.deepEqual(
    all(
      "select id from artifact where state <> 'deleted' and id not in (select from_id from lineage_edge where type = 'RAN_AS')",
    ),
    [],
  );
}

Deno.test("single-text without a model: a summary, and translations that say that nobody makes them", async () => {
  await using host = await startTestHost();
  await host.ended(await host.upload("desks.md", DESKS));
  const run = await finished(
    host,
    await start(host, "single-text", { topic: TOPIC, languages: ["de", "fr"] }),
  );
  const step = stepOf(run, "translate[0].translation");
  assert.deepEqual([step.state, step.message], ["skipped", "no provider for text.translate"]);

  const artifact = await host.get(`/api/artifacts/${run.outputs.artifact}`);
  assert.deepEqual(names(artifact), ["text.md"]);
  assert.equal(artifact.state, "ready");
  assert.equal(artifact.plugin, "generator.extractive");
  assert.deepEqual(artifact.reading, {
    state: "content_ready",
    formats: { en: "ready", de: "missing", fr: "missing" },
    waiting_siblings: 0,
  });
  assert.match(
    await fileOf(host, artifact.id, "text.md"),
    /number \d+ is the quietest of the desks/,
  );

  const { nodes, edges } = await host.get(`/api/provenance/artifact/${artifact.id}/genealogy`);
  const types = new Set(nodes.map((node: Json) => node.type));
  for (const type of ["Artifact", "Part", "PluginVersion", "AIModel", "Document", "Job", "User"]) {
    assert.ok(types.has(type), `${type} is missing from ${[...types]}`);
  }
  const maker = edges.find((edge: Json) =>
    edge.from === artifact.id && edge.type === "GENERATED_BY"
  );
  assert.match(maker.to, /^plugin:generator\.extractive@/);
  const { parts: [part] } = await host.get(`/api/provenance/artifact/${artifact.id}/attribution`);
  assert.deepEqual([part.id, part.sources[0].content], ["text.md", artifact.sources[0].content]);
  assert.ok(part.sources[0].passages.length > 0);

  for (const [event, state] of [["opened", "opened"], ["read", "read"], ["shared", "read"]]) {
    assert.equal((await send(host, `/api/artifacts/${artifact.id}/events`, { event })).status, 204);
    assert.equal((await host.get(`/api/artifacts/${artifact.id}`)).reading.state, state);
  }
  assert.equal(
    (await send(host, `/api/artifacts/${artifact.id}/events`, { event: "eaten" })).status,
    400,
  );
  const [notice] = await notices(host.dataDir);
  assert.deepEqual(notice.data, { artifact: artifact.id, translations: [] });
  checkNothingLeft(host.dataDir);
});

Deno.test("single-text with a translator: shows what is there, is cancelled and retried, and each file says who made it", async () => {
  await using host = await startTestHost();
  await installWords(host);
  await host.ended(await host.upload("desks.md", DESKS));
  await never(host, "de");
  const id = await start(host, "single-text", { topic: TOPIC, languages: ["de", "fr"] });
  const [artifact] = await until(async () => {
    const { items } = await host.get(`/api/artifacts?run=${id}`);
    return items[0]?.reading.formats.fr === "ready" && items;
  });
  assert.deepEqual([artifact.state, artifact.reading.state], ["generating", "content_ready"]);
  assert.deepEqual(artifact.reading.formats, { en: "ready", de: "generating", fr: "ready" });
  const early = await host.fetch(`/api/artifacts/${artifact.id}`, { method: "DELETE" });
  assert.equal((await early.json()).code, "conflict");

  // Cancelled in the middle, it says so, and nothing is left behind; a retry makes up for what is missing.
  await (await host.fetch(`/api/runs/${id}`, { method: "DELETE" })).body?.cancel();
  await host.ended({ id });
  await until(async () => {
    const { items } = await host.get("/api/jobs?limit=200");
    return items.every((job: Json) => ["completed", "failed", "cancelled"].includes(job.status));
  });
  const stopped = await host.get(`/api/artifacts/${artifact.id}`);
  assert.deepEqual([stopped.state, stopped.reading.state], ["failed", "content_ready"]);
  assert.deepEqual(stopped.reading.formats, { en: "ready", de: "missing", fr: "ready" });
  checkNothingLeft(host.dataDir);
  await never(host, "");
  await host.post(`/api/runs/${id}/retry`, {});
  const run = await finished(host, id);
  assert.deepEqual(run.outputs.files, ["text.md", "text.de.md", "text.fr.md"]);
  assert.equal(run.outputs.artifact, artifact.id);
  const done = await host.get(`/api/artifacts/${artifact.id}`);
  assert.equal(done.reading.state, "fully_ready");
  assert.deepEqual(names(done).sort(), ["text.de.md", "text.fr.md", "text.md"]);
  const text = await fileOf(host, artifact.id, "text.md");
  assert.equal(await fileOf(host, artifact.id, "text.de.md"), `[de] ${text}`);

  const { edges } = await host.get(`/api/provenance/artifact/${artifact.id}/genealogy`);
  const from = (name: string) =>
    edges.filter((edge: Json) => edge.from === `${artifact.id}#${name}`)
      .map((edge: Json) => `${edge.type} ${edge.to.replace(/@.*/, "")} ${edge.claimed_by}`);
  const german_ = from("text.de.md");
  assert.ok(german_.includes("GENERATED_BY plugin:generator.words host"), `${german_}`);
  assert.ok(german_.includes("GENERATED_BY model:words-1 generator.words"), `${german_}`);
  assert.ok(german_.includes(`GENERATED_FROM ${artifact.id}#text.md host`), `${german_}`);
  assert.ok(from("text.md").includes("GENERATED_BY plugin:generator.extractive host"));
  checkNothingLeft(host.dataDir);

  assert.equal(
    (await host.fetch(`/api/artifacts/${artifact.id}?hard_delete=true`, { method: "DELETE" }))
      .status,
    204,
  );
  assert.equal((await host.fetch(`/api/artifacts/${artifact.id}`)).status, 410);
  const left = JSON.stringify(await host.get(`/api/runs/${id}`));
  assert.doesNotMatch(left, /\[de\]/);
  const tree = await host.get(`/api/provenance/artifact/${artifact.id}/genealogy`);
  assert.equal(tree.nodes[0].type, "Tombstone");
});

Deno.test("branching-story: variants wait for a choice, which is made once, and the others are cleared away", async () => {
  await using host = await startTestHost();
  await host.ended(await host.upload("desks.md", DESKS));
  const id = await start(host, "branching-story", { topic: TOPIC });
  const waiting = await asking(host, id, "choice");
  assert.equal(stepOf(waiting, "offered").message, "no provider for text.variants");
  const { options } = stepOf(waiting, "choice").question;
  assert.equal(options.length, 2);
  assert.notEqual(options[0].title, options[1].title);
  const [first, second] = await Promise.all(
    options.map((option: Json) => host.get(`/api/artifacts/${option.artifact}`)),
  );
  const node = first.parent;
  assert.deepEqual([first.variant_index, second.variant_index], [0, 1]);
  assert.deepEqual([first.chosen, first.reading.waiting_siblings], [null, 1]);
  assert.deepEqual(first.siblings, [
    { id: second.id, title: second.title, variant_index: 1, chosen: null, state: "ready" },
  ]);
  const children = await host.get(`/api/artifacts?parent=${node}`);
  assert.deepEqual(
    children.items.map((item: Json) => item.id).sort(),
    [first.id, second.id].sort(),
  );

  const interact = `/api/runs/${id}/interact`;
  for (const choice of [2, -1, 0.5]) {
    assert.equal((await send(host, interact, { choice })).status, 400, `${choice}`);
  }
  const answers = await Promise.all([0, 1].map((choice) => send(host, interact, { choice })));
  const codes = answers.map(({ status }) => status).sort();
  await Promise.all(answers.map((answer) => answer.body?.cancel()));
  assert.deepEqual(codes, [202, 409]);
  assert.equal((await send(host, interact, { choice: 1 })).status, 409);

  const run = await finished(host, id);
  const { index } = stepOf(run, "choice").result;
  const [chosen, other] = index === 0 ? [first, second] : [second, first];
  assert.deepEqual(run.outputs, { node, chosen: chosen.id, cleared: [other.id] });
  const kept = await host.get(`/api/artifacts/${chosen.id}`);
  assert.deepEqual([kept.chosen, kept.siblings, kept.reading.waiting_siblings], [true, [], 0]);
  assert.equal((await host.fetch(`/api/artifacts/${other.id}`)).status, 410);
  assert.equal((await host.get(`/api/artifacts?parent=${node}&chosen=false`)).items.length, 0);
  const [gone] = (await host.get(`/api/artifacts?parent=${node}&state=deleted`)).items;
  assert.deepEqual([gone.id, gone.files, gone.reading.state], [other.id, [], "none"]);
  const tree = await host.get(`/api/provenance/artifact/${other.id}/genealogy`);
  assert.equal(tree.nodes[0].type, "Tombstone");
  checkNothingLeft(host.dataDir);

  // The same node again: somebody has chosen how it goes on.
  const again = await start(host, "branching-story", { topic: TOPIC, node });
  await host.ended({ id: again });
  const refused = await host.get(`/api/runs/${again}`);
  assert.equal(refused.status, "failed");
  assert.match(refused.error.message, /has been chosen already/);
  checkNothingLeft(host.dataDir);

  // From the chosen one it goes on.
  const next = await start(host, "branching-story", { topic: TOPIC, node: chosen.id });
  await asking(host, next, "choice");
  await host.post(`/api/runs/${next}/interact`, { step: "choice", choice: 0 });
  const ended = await finished(host, next);
  const child = await host.get(`/api/artifacts/${ended.outputs.chosen}`);
  assert.equal(child.parent, chosen.id);
  const { nodes } = await host.get(`/api/provenance/artifact/${child.id}/genealogy`);
  assert.ok([chosen.id, node].every((id) => nodes.some((one: Json) => one.id === id)));
});

Deno.test("branching-story with a model: one call makes the variants, each with its translations", async () => {
  await using host = await startTestHost();
  await installWords(host);
  await host.ended(await host.upload("desks.md", DESKS));
  const id = await start(host, "branching-story", {
    topic: TOPIC,
    languages: ["de"],
    directions: ["One.", "Two.", "Three."],
  });
  const { options } = stepOf(await asking(host, id, "choice"), "choice").question;
  assert.deepEqual(options.map((option: Json) => option.text), ["# Way 0", "# Way 1", "# Way 2"]);
  const variant = await host.get(`/api/artifacts/${options[2].artifact}`);
  assert.deepEqual([variant.title, variant.plugin], ["Way 2", "generator.words"]);
  assert.deepEqual(variant.reading.formats, { en: "ready", de: "ready" });
  assert.equal(await fileOf(host, variant.id, "text.de.md"), "[de] # Way 2");
  await host.post(`/api/runs/${id}/interact`, { choice: 2 });
  const run = await finished(host, id);
  assert.deepEqual(run.outputs.cleared.sort(), [options[0].artifact, options[1].artifact].sort());
  checkNothingLeft(host.dataDir);
});

Deno.test("interactive-story: each chapter follows a wish, until it is enough", async () => {
  await using host = await startTestHost();
  await host.ended(await host.upload("desks.md", DESKS));
  const whole = await start(host, "interactive-story", { topic: TOPIC, chapters: 2 });
  const asked = await asking(host, whole, "chapters[0].wish");
  const { prompt } = stepOf(asked, "chapters[0].wish").question;
  const [{ id: told }] = (await host.get(`/api/artifacts?run=${whole}`)).items;
  const chapter = await fileOf(host, told, "chapter-01.md");
  assert.ok(prompt.startsWith("How does it go on?\n\n"), prompt);
  assert.ok(prompt.endsWith(chapter.trimEnd().slice(-200)), prompt);
  const wrong = await send(host, `/api/runs/${whole}/interact`, { value: { colour: "red" } });
  assert.equal(wrong.status, 400);
  await wrong.body?.cancel();
  await host.post(`/api/runs/${whole}/interact`, { value: { text: "quietest" } });
  const { outputs } = await finished(host, whole);
  const story = await host.get(`/api/artifacts/${outputs.artifact}`);
  assert.deepEqual(names(story), ["chapter-01.md", "chapter-02.md"]);
  assert.equal(story.reading.state, "fully_ready");

  const short = await start(host, "interactive-story", { topic: TOPIC, chapters: 4 });
  await asking(host, short, "chapters[0].wish");
  await host.post(`/api/runs/${short}/interact`, { value: { end: true } });
  const run = await finished(host, short);
  assert.equal(stepOf(run, "chapters[2].wish").state, "skipped");
  assert.deepEqual(names(await host.get(`/api/artifacts/${run.outputs.artifact}`)), [
    "chapter-01.md",
  ]);

  const single = await finished(
    host,
    await start(host, "interactive-story", { topic: TOPIC, chapters: 1 }),
  );
  assert.equal(single.steps.filter((step: Json) => step.kind === "wait").length, 0);
  checkNothingLeft(host.dataDir);
});

Deno.test("digest: a book of what came in, and none where nothing did", async () => {
  await using host = await startTestHost();
  const before = await finished(host, await start(host, "digest", {}));
  assert.deepEqual(before.outputs, { artifact: null, contents: 0 });
  assert.equal(stepOf(before, "book").state, "skipped");
  for (const since of ["garbage", "2026-1-3", "2026-01-31 08:00"]) {
    const refused = await send(host, "/api/workflows/digest/runs", { inputs: { since } });
    assert.equal(refused.status, 400, since);
    await refused.body?.cancel();
  }
  assert.equal((await host.get("/api/artifacts")).items.length, 0);

  for (const name of ["one", "two"]) {
    await host.ended(await host.upload(`${name}.md`, `# ${name}\n\nText.\n`));
  }
  const run = await finished(host, await start(host, "digest", { title: "This week" }));
  const book = await host.get(`/api/artifacts/${run.outputs.artifact}`);
  assert.deepEqual([book.title, book.sources.length, book.state], ["This week", 2, "ready"]);
  const old = await finished(
    host,
    await start(host, "digest", { since: "2001-01-01", until: "2002-01-01" }),
  );
  assert.equal(old.outputs.artifact, null);
  const titles = (await notices(host.dataDir)).map((notice) => notice.title);
  assert.deepEqual(titles, [
    "Nothing came in: there is no digest",
    "A digest is ready",
    "Nothing came in: there is no digest",
  ]);
});

Deno.test("a host that is killed in the middle of runs finishes them, with each file once", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "carrel-pipelines-" });
  try {
    const ids: string[] = [];
    {
      await using host = await startTestHost({ dataDir });
      await installWords(host);
      await host.ended(await host.upload("desks.md", DESKS));
      for (let n = 0; n < 3; n++) {
        ids.push(await start(host, "single-text", { topic: TOPIC, languages: ["de", "fr"] }));
      }
      ids.push(await start(host, "branching-story", { topic: TOPIC, languages: ["fr"] }));
      await until(async () => {
        const { items } = await host.get("/api/artifacts");
        return items.some((artifact: Json) => artifact.files.length > 0);
      });
      await host.kill();
    }
    await using host = await startTestHost({ dataDir });
    const story = ids.at(-1)!;
    await asking(host, story, "choice");
    await host.kill();

    await using last = await startTestHost({ dataDir });
    await last.post(`/api/runs/${story}/interact`, { choice: 0 });
    for (const id of ids) await finished(last, id);
    for (const id of ids.slice(0, -1)) {
      const { items } = await last.get(`/api/artifacts?run=${id}`);
      assert.deepEqual(items.map(names).map((list: string[]) => list.sort()), [
        ["text.de.md", "text.fr.md", "text.md"],
      ]);
    }
    const { items } = await last.get(`/api/artifacts?run=${story}`);
    assert.deepEqual(items.map((item: Json) => [item.type, item.files.length]).sort(), [
      ["story_node", 1],
      ["story_variant", 2],
    ]);
    assert.equal((await notices(dataDir)).length, ids.length);
    checkNothingLeft(dataDir);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});
