import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { sql } from "kysely";
import { CarrelError } from "../errors.ts";
import { migrate } from "./migrate.ts";
import { openObjectsFs } from "./objects_fs.ts";
import { openSqlite } from "./sqlite.ts";
import { asStorageError } from "./storage_full.ts";

const MIGRATIONS = new URL("../../migrations/sql", import.meta.url).pathname;
const FULL = { code: "storage_full", status: 507, retryable: true };

const withCode = (code: string, more: Record<string, unknown> = {}) =>
  Object.assign(new Error("x"), { code, ...more });

Deno.test("asStorageError() knows a full, over-quota or read-only disk by every store's codes", () => {
  const sqlite = (errcode: number) => withCode("ERR_SQLITE_ERROR", { errcode });
  const full = [
    withCode("ENOSPC"),
    withCode("EDQUOT"),
    withCode("EROFS"),
    sqlite(13),
    sqlite(8),
    sqlite(778),
    sqlite(4874),
    new Error("database or disk is full"),
    new Error("a transaction failed", { cause: withCode("ENOSPC") }),
  ];
  for (const error of full) {
    const shown = asStorageError(error) as CarrelError;
    assert.equal(shown.code, "storage_full", String(error));
    assert.equal(shown.status, 507);
    assert.equal(shown.retryable, true);
    assert.equal(shown.cause, error);
  }
  const others = [withCode("ENOENT"), sqlite(11), sqlite(266), sqlite(2067), "ENOSPC", undefined];
  for (const error of others) assert.equal(asStorageError(error), error);
  const known = new CarrelError("damaged", "x", { cause: withCode("ENOSPC") });
  assert.equal(asStorageError(known), known);
});

Deno.test({
  name: "asStorageError() knows what the system says of a full device",
  ignore: Deno.build.os !== "linux",
  async fn() {
    using file = await Deno.open("/dev/full", { write: true });
    await assert.rejects(
      file.write(new Uint8Array(1)).catch((error) => {
        throw asStorageError(error);
      }),
      FULL,
    );
  },
});

Deno.test("openSqlite() says storage_full when no page is left, and goes on when there is room again", async () => {
  await using store = await openSqlite(":memory:", { migrationsDir: MIGRATIONS });
  const user = (name: string) => ({ id: name, name, role: "reader", created: "now" });
  const { rows: [pages] } = await sql<{ page_count: number }>`pragma page_count`.execute(store.db);
  const most = sql.raw(`pragma max_page_count = ${pages!.page_count}`);
  await most.execute(store.db);
  const add = (name: string) =>
    store.transaction(async (tx) => {
      await tx.insertInto("user").values(user(name)).execute();
    });
  const long = "x".repeat(200_000);
  await assert.rejects(add(long), FULL);
  await assert.rejects(store.db.insertInto("user").values(user(long)).execute(), FULL);
  assert.deepEqual(await store.db.selectFrom("user").selectAll().execute(), []);
  await sql.raw("pragma max_page_count = 100000").execute(store.db);
  await add(long);
  assert.equal((await store.db.selectFrom("user").selectAll().execute()).length, 1);
});

Deno.test("migrate() says storage_full when there is no room for the new schema, and keeps the old one", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const path = `${dir}/a.db`;
    using db = new DatabaseSync(path);
    const step = (number: number, sql: string) => ({
      number,
      name: `step_${number}`,
      sql,
      checksum: sql,
    });
    const first = step(1, "create table a (x)");
    const now = "2026-01-01T00:00:00.000Z";
    migrate(db, [first], { path, now });
    const pages = Number(db.prepare("pragma page_count").get()!.page_count);
    db.exec(`pragma max_page_count = ${pages}`);
    const large = step(2, "create table b (y); insert into b values (zeroblob(200000))");
    assert.throws(() => migrate(db, [first, large], { path, now }), FULL);
    assert.throws(() => db.prepare("select * from b"));
    assert.equal(db.isTransaction, false);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("openObjectsFs() says storage_full when the disk fills up below a blob, and leaves no piece of it", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const objects = await openObjectsFs(dir);
    // No disk can be filled here: the system's error comes by way of the bytes.
    const failing = new ReadableStream<Uint8Array>({
      pull: () => Promise.reject(withCode("ENOSPC")),
    });
    await assert.rejects(objects.put(failing), FULL);
    assert.deepEqual([...Deno.readDirSync(`${dir}/tmp`)], []);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
