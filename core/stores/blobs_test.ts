import assert from "node:assert/strict";
import { type BlobKeeper, createBlobKeeper } from "./blobs.ts";
import { openObjectsFs } from "./objects_fs.ts";
import type { ObjectStore } from "./objects.ts";
import { openSqlite } from "./sqlite.ts";
import type { SqlStore } from "./sql.ts";

const MIGRATIONS = new URL("../../migrations/sql", import.meta.url).pathname;
const DAY = 24 * 60 * 60 * 1000;
const bytes = (text: string) => new TextEncoder().encode(text);

interface Setting {
  readonly sql: SqlStore;
  readonly objects: ObjectStore;
  readonly blobs: BlobKeeper;
  later(ms: number): void;
}

async function withKeeper(work: (setting: Setting) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    let time = Date.parse("2026-01-01T00:00:00Z");
    await using sql = await openSqlite(":memory:", { migrationsDir: MIGRATIONS });
    const objects = await openObjectsFs(dir);
    const blobs = createBlobKeeper(sql, objects, () => time);
    await work({ sql, objects, blobs, later: (ms) => time += ms });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const jobRow = (id: string, status: string, more: object) => ({
  id,
  kind: "noop",
  input_json: "null",
  status,
  stages_json: "[]",
  progress: 0,
  priority: 5,
  rank: 0,
  attempt: 0,
  max_attempts: 4,
  run_at_ms: 0,
  user_id: "u",
  seq: 1,
  created: "now",
  ...more,
});

Deno.test("put() stores, leases and lists a blob; get(), open() and stat() answer it", async () => {
  await withKeeper(async ({ sql, blobs }) => {
    const blob = await blobs.put("job_1", bytes("hello"), "text/plain");
    assert.deepEqual(await blobs.put("job_1", bytes("hello")), blob);
    assert.deepEqual(await blobs.get(blob.digest), bytes("hello"));
    assert.equal(
      await new Response(await blobs.open(blob.digest, { start: 1, end: 3 })).text(),
      "el",
    );
    assert.deepEqual(await blobs.stat(blob.digest), blob);
    const row = await sql.db.selectFrom("blob").selectAll().executeTakeFirstOrThrow();
    assert.deepEqual([row.digest, row.size, row.media_type], [blob.digest, 5, "text/plain"]);
    assert.equal((await sql.db.selectFrom("blob_lease").selectAll().execute()).length, 1);
  });
});

Deno.test("sweep() takes a blob only when it is old, unleased and unreferenced", async () => {
  await withKeeper(async ({ sql, blobs, later }) => {
    const { digest } = await blobs.put("job_1", bytes("x"));
    assert.equal(await blobs.sweep({ olderThanMs: 0 }), 0);
    await blobs.release("job_1");
    assert.equal(await blobs.sweep(), 0);
    later(DAY + 1);
    assert.equal(await blobs.sweep(), 1);
    assert.equal(await blobs.stat(digest), undefined);
    assert.equal((await sql.db.selectFrom("blob").selectAll().execute()).length, 0);
  });
});

Deno.test("sweep() takes a blob whose lease ran out", async () => {
  await withKeeper(async ({ blobs, later }) => {
    await blobs.put("job_1", bytes("x"));
    later(DAY + 1);
    assert.equal(await blobs.sweep(), 1);
  });
});

Deno.test("sweep() keeps what revisions, artifacts, checkpoints and inputs of open jobs refer to", async () => {
  await withKeeper(async ({ sql, blobs, later }) => {
    const digests: string[] = [];
    for (const name of ["original", "text", "artifact", "checkpoint", "upload", "done", "nobody"]) {
      digests.push((await blobs.put("o", bytes(name))).digest);
    }
    const [original, text, artifact, checkpoint, upload, done] = digests as [
      string,
      string,
      string,
      string,
      string,
      string,
    ];
    await blobs.release("o");
    await sql.transaction(async (tx) => {
      await tx.insertInto("content").values({
        id: "c",
        url: "u",
        type: "document",
        title: "t",
        authors_json: "[]",
        metadata_json: "{}",
        status: "ready",
        collection: "d",
        user_id: "u",
        revision: "r",
        created: "now",
        updated: "now",
      }).execute();
      await tx.insertInto("revision").values({
        id: "r",
        content_id: "c",
        number: 1,
        original_digest: original,
        original_media_type: "",
        original_name: "",
        original_size: 0,
        text_digest: text,
        text_size: 0,
        title: "t",
        metadata_json: "{}",
        warnings_json: "[]",
        plugin: "p",
        plugin_digest: "",
        job_id: "j",
        created: "now",
      }).execute();
      await tx.insertInto("artifact").values({
        id: "a",
        type: "ebook",
        title: "t",
        sources_json: "[]",
        files_json: JSON.stringify([{ name: "b.epub", digest: artifact }]),
        size: 1,
        parameters_json: "{}",
        metadata_json: "{}",
        plugin: "p",
        plugin_digest: "",
        job_id: "j",
        user_id: "u",
        created: "now",
      }).execute();
      await tx.insertInto("job").values([
        jobRow("j1", "failed", { stages_json: JSON.stringify([{ checkpoint }]) }),
        jobRow("j2", "queued", { input_json: JSON.stringify({ upload: { digest: upload } }) }),
        jobRow("j3", "completed", { input_json: JSON.stringify({ upload: { digest: done } }) }),
      ]).execute();
    });
    later(2 * DAY);
    assert.equal(await blobs.sweep(), 2);
    const left = await Promise.all(digests.map((digest) => blobs.stat(digest)));
    assert.deepEqual(left.map((blob) => blob !== undefined), [
      true,
      true,
      true,
      true,
      true,
      false,
      false,
    ]);
  });
});

Deno.test("sweep() takes objects without a row only when asked to look for them", async () => {
  await withKeeper(async ({ objects, blobs, later }) => {
    const orphan = await objects.put(bytes("crashed before its row"));
    const kept = await blobs.put("o", bytes("kept"));
    later(2 * DAY);
    await blobs.put("o", bytes("kept"));
    assert.equal(await blobs.sweep(), 0);
    assert.equal(await blobs.sweep({ orphans: true }), 1);
    assert.equal(await blobs.stat(orphan.digest), undefined);
    assert.deepEqual(await blobs.stat(kept.digest), kept);
  });
});

Deno.test("put() of a blob that is being swept waits, and leaves it whole", async () => {
  await withKeeper(async ({ sql, objects }) => {
    const { promise: opened, resolve: open } = Promise.withResolvers<void>();
    const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
    const slow: ObjectStore = {
      ...objects,
      async delete(digest) {
        reach();
        await opened;
        await objects.delete(digest);
      },
    };
    const blobs = createBlobKeeper(sql, slow);
    await blobs.put("old", bytes("x"));
    await blobs.release("old");
    const sweeping = blobs.sweep({ olderThanMs: 0 });
    await reached;
    const putting = blobs.put("new", bytes("x"));
    // As long as the real put takes, and some.
    await objects.put(bytes("y"));
    await objects.put(bytes("x"));
    open();
    const { digest } = await putting;
    assert.equal(await sweeping, 1);
    assert.deepEqual(await blobs.get(digest), bytes("x"));
    assert.equal((await sql.db.selectFrom("blob").selectAll().execute()).length, 1);
  });
});

Deno.test("sweep() waits for puts that are under way", async () => {
  await withKeeper(async ({ blobs }) => {
    const { promise: opened, resolve: open } = Promise.withResolvers<void>();
    const stream = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await opened;
        controller.enqueue(bytes("late"));
        controller.close();
      },
    });
    const putting = blobs.put("o", stream);
    const sweeps = [blobs.sweep({ orphans: true }), blobs.sweep({ orphans: true })];
    open();
    const { digest } = await putting;
    await Promise.all(sweeps);
    assert.deepEqual(await blobs.get(digest), bytes("late"));
  });
});

Deno.test("put() fails with the stream that fails, and leaves nothing", async () => {
  await withKeeper(async ({ sql, blobs }) => {
    const broken = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(bytes("half"));
        controller.error(new Error("connection lost"));
      },
    });
    await assert.rejects(blobs.put("o", broken), /connection lost/);
    assert.equal((await sql.db.selectFrom("blob").selectAll().execute()).length, 0);
    assert.equal(await blobs.sweep({ orphans: true, olderThanMs: 0 }), 0);
  });
});

Deno.test("sweep() looks at those blobs alone that it is told to", async () => {
  await withKeeper(async ({ blobs }) => {
    const [first, second] = [await blobs.put("o", bytes("1")), await blobs.put("o", bytes("2"))];
    await blobs.release("o");
    const only = [first.digest, "0".repeat(64)];
    assert.equal(await blobs.sweep({ only, olderThanMs: 0 }), 1);
    assert.equal(await blobs.stat(first.digest), undefined);
    assert.ok(await blobs.stat(second.digest));
    assert.equal(await blobs.sweep({ only: [second.digest] }), 0, "younger than a day");
  });
});

Deno.test("sweep() does not wait for a sender that takes its time", async () => {
  await withKeeper(async ({ blobs }) => {
    const { digest } = await blobs.put("o", bytes("1"));
    await blobs.release("o");
    let sender: ReadableStreamDefaultController<Uint8Array>;
    const slow = blobs.put(
      "o",
      new ReadableStream({ start: (controller) => void (sender = controller) }),
    );
    sender!.enqueue(bytes("begun"));
    assert.equal(await blobs.sweep({ only: [digest], olderThanMs: 0 }), 1);
    sender!.close();
    assert.deepEqual(await blobs.get((await slow).digest), bytes("begun"));
  });
});

Deno.test("sweep() takes its turn while puts follow one another", async () => {
  await withKeeper(async ({ blobs }) => {
    const { digest } = await blobs.put("o", bytes("gone"));
    await blobs.release("o");
    let swept = false;
    // Each begins before the one before it has ended: there is never none.
    const keepPutting = async (name: string) => {
      for (let i = 0; !swept && i < 2_000; i++) await blobs.put("p", bytes(`${name}${i}`));
      return swept;
    };
    const puts = [keepPutting("a"), keepPutting("b")];
    assert.equal(await blobs.sweep({ only: [digest], olderThanMs: 0 }), 1);
    swept = true;
    assert.deepEqual(await Promise.all(puts), [true, true]);
  });
});
