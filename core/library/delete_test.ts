import assert from "node:assert/strict";
import type { Insertable } from "kysely";
import { CHECKPOINT_TYPE } from "../jobs/checkpoint.ts";
import { lineageOf } from "../provenance/lineage.ts";
import { createBlobKeeper } from "../stores/blobs.ts";
import { openObjectsFs } from "../stores/objects_fs.ts";
import type { JobTable, SqlStore } from "../stores/sql.ts";
import { deleteContent } from "./delete.ts";
import { job, openStore, plugin, save } from "./testing.ts";

const URL = "https://secret.example/xylophone";
const TITLE = "Xylophone";

async function addJob(
  sql: SqlStore,
  id: string,
  status: string,
  more: Partial<Insertable<JobTable>> = {},
) {
  const upload = {
    digest: "e".repeat(64),
    size: 3,
    mediaType: "x/y",
    name: "xylophone.md",
    url: URL,
  };
  await sql.db.insertInto("job").values({
    id,
    kind: "import",
    input_json: JSON.stringify({
      url: URL,
      upload,
      collection: "default",
      pinned: false,
      metadata: { title: TITLE },
    }),
    status,
    stages_json: JSON.stringify([
      { name: "downloading", executor: "plugin", digest: "d", checkpoint: "f".repeat(64) },
    ]),
    progress: 0,
    message: `reading ${TITLE}`,
    priority: 5,
    rank: 0,
    attempt: 1,
    max_attempts: 4,
    run_at_ms: 0,
    user_id: "user_1",
    flight_key: `import ${URL}`,
    seq: 1,
    created: "now",
    ...more,
  }).execute();
  await sql.db.insertInto("job_event").values({
    job_id: id,
    seq: 1,
    status,
    stage: null,
    progress: 0,
    message: `reading ${TITLE}`,
    time: "now",
  }).execute();
}

Deno.test("deleteContent() redacts the imports of what goes for good, however they ended", async () => {
  await using sql = await openStore();
  const { content } = await save(sql, URL, "Text.", { title: TITLE });
  await addJob(sql, "import_done", "completed", {
    stages_json: "[]",
    started: "2030-01-01",
    completed: "2030-01-03",
  });
  for (const [day, digit] of [["2029-12-31", "1"], ["2030-01-02", "2"], ["2030-01-04", "3"]]) {
    await sql.db.insertInto("blob").values({
      digest: digit!.repeat(64),
      size: 1,
      media_type: CHECKPOINT_TYPE,
      created: day!,
    }).execute();
  }
  await addJob(sql, "import_failed", "failed", {
    error_json: JSON.stringify({ code: "damaged", message: TITLE, retryable: true, log: [TITLE] }),
  });
  await addJob(sql, "import_running", "running");
  const elsewhere = { url: `${URL}/2`, collection: "default", pinned: false };
  await addJob(sql, "import_other", "completed", { input_json: JSON.stringify(elsewhere) });
  await sql.db.insertInto("blob_lease").values({
    digest: "9".repeat(64),
    owner: "import_failed",
    until_ms: 9e15,
  }).execute();

  const freed = await deleteContent(sql, content, true);
  assert.deepEqual(
    [...freed].sort(),
    ["2", "9", "a", "b", "e", "f"].map((letter) => letter.repeat(64)),
  );
  const jobs = await sql.db.selectFrom("job").selectAll().execute();
  const byId = new Map(jobs.map((row) => [row.id, row]));
  for (const id of ["import_done", "import_failed"]) {
    const row = byId.get(id)!;
    assert.doesNotMatch(JSON.stringify(row), /xylophone/i);
    assert.deepEqual(JSON.parse(row.input_json), {
      url: `deleted:${content}`,
      collection: "default",
      pinned: false,
      deleted: true,
    });
  }
  assert.equal(JSON.parse(byId.get("import_failed")!.error_json!).code, "damaged");
  assert.match(byId.get("import_running")!.input_json, /xylophone/);
  assert.match(byId.get("import_other")!.input_json, /xylophone/);
  const events = await sql.db.selectFrom("job_event").selectAll().execute();
  assert.deepEqual(
    events.filter(({ message }) => message !== null).map(({ job_id }) => job_id).sort(),
    ["import_other", "import_running"],
  );
  assert.equal((await sql.db.selectFrom("blob_lease").selectAll().execute()).length, 0);
});

Deno.test("deleteContent() redacts what exports have said of it", async () => {
  await using sql = await openStore();
  const { content, revision } = await save(sql, URL, "Text.", { title: TITLE });
  await sql.db.insertInto("artifact").values({
    id: "artifact_1",
    type: "ebook",
    title: "Book",
    sources_json: "[]",
    files_json: "[]",
    size: 0,
    parameters_json: "{}",
    metadata_json: "{}",
    plugin: "p",
    plugin_digest: "d",
    job_id: "export_1",
    user_id: "u",
    created: "now",
  }).execute();
  const part = (id: string, title: string) => ({
    part: { id, kind: "chapter" as const, title },
    source: content,
    chunks: [],
  });
  await sql.transaction((tx) =>
    lineageOf(tx, "now").generated({
      artifact: { id: "artifact_1", type: "ebook", title: "Book" },
      sources: [{ content, revision, chunks: 1 }],
      attributions: [part("c1", `On the ${TITLE.toUpperCase()}`), part("c2", "Preface")],
      plugin,
      job,
      versionOf: undefined,
      reason: undefined,
    })
  );
  for (const [seq, message] of [`Chapter 1: ${TITLE}`, "Packing the book"].entries()) {
    await sql.db.insertInto("job_event").values({
      job_id: "export_1",
      seq,
      status: "running",
      stage: null,
      progress: 0,
      message,
      time: "now",
    }).execute();
  }
  await deleteContent(sql, content, true);
  const parts = await sql.db.selectFrom("lineage_node").select("label").where("type", "=", "Part")
    .orderBy("id").execute();
  assert.deepEqual(parts.map(({ label }) => label), ["(deleted)", "Preface"]);
  const events = await sql.db.selectFrom("job_event").select("message").orderBy("seq").execute();
  assert.deepEqual(events.map(({ message }) => message), [null, "Packing the book"]);
});

Deno.test("deleteContent() names blobs that a sweep takes at once, unless something else needs them", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await using sql = await openStore();
    const blobs = createBlobKeeper(sql, await openObjectsFs(dir));
    const put = async (text: string) =>
      (await blobs.put("import_1", new TextEncoder().encode(text))).digest;
    const [mine, shared, text] = [await put("mine"), await put("shared"), await put("text")];
    const gone = await save(sql, URL, "Old.", { digest: mine, textDigest: text });
    await save(sql, URL, "New.", { digest: shared, textDigest: text });
    const kept = await save(sql, "https://b.example/", "New.", {
      digest: shared,
      textDigest: text,
    });

    assert.deepEqual(await deleteContent(sql, gone.content, false), []);
    const freed = await deleteContent(sql, gone.content, true);
    const sweep = () => blobs.sweep({ only: freed, olderThanMs: 0 });
    assert.equal(await sweep(), 0, "leased");
    await blobs.release("import_1");
    assert.equal(await sweep(), 1);
    assert.equal(await blobs.stat(mine), undefined);
    assert.ok(await blobs.stat(shared));
    assert.ok(await blobs.stat(text));
    const rest = await deleteContent(sql, kept.content, true);
    assert.equal(await blobs.sweep({ only: rest, olderThanMs: 0 }), 2);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
