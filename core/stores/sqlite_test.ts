import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { sql } from "kysely";
import { openSqlite } from "./sqlite.ts";

const MIGRATIONS = new URL("../../migrations/sql", import.meta.url).pathname;
const open = (path = ":memory:") => openSqlite(path, { migrationsDir: MIGRATIONS });
const user = (name: string) => ({ id: name, name, role: "reader", created: "now" });

Deno.test("openSqlite() syncs every commit, checks references, and keeps a write-ahead log", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await using store = await open(`${dir}/a.db`);
    const pragma = async (name: string) =>
      Object.values((await sql.raw(`pragma ${name}`).execute(store.db)).rows[0] as object)[0];
    assert.equal(await pragma("journal_mode"), "wal");
    assert.equal(await pragma("synchronous"), 2);
    assert.equal(await pragma("foreign_keys"), 1);
    await store[Symbol.asyncDispose]();
    await assert.rejects(store.db.selectFrom("user").selectAll().execute());
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("openSqlite() binds booleans and streams rows", async () => {
  await using store = await open();
  for (const name of ["a", "b", "c"]) {
    await store.db.insertInto("user").values(user(name)).execute();
  }
  const { rows } = await sql<{ yes: number }>`select ${true} as yes`.execute(store.db);
  assert.equal(rows[0]!.yes, 1);
  const names: string[] = [];
  for await (
    const { name } of store.db.selectFrom("user").select("name").orderBy("name").stream()
  ) {
    names.push(name);
  }
  assert.deepEqual(names, ["a", "b", "c"]);
});

Deno.test("openSqlite() goes on with more different statements than it keeps prepared", async () => {
  await using store = await open();
  for (let index = 0; index < 1000; index++) {
    const { rows } = await sql.raw<{ n: number }>(`select ${index} as n`).execute(store.db);
    assert.equal(rows[0]!.n, index);
  }
});

Deno.test("a transaction takes the write lock at its start", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await using store = await open(`${dir}/a.db`);
    await store.transaction(async (tx) => {
      await tx.selectFrom("user").selectAll().execute();
      using other = new DatabaseSync(`${dir}/a.db`);
      assert.throws(() => other.exec("begin immediate"), /locked/);
    });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("the claim and the other hot reads of jobs use their indexes", async () => {
  await using store = await open();
  const plan = async (statement: string) =>
    (await sql.raw<{ detail: string }>(`explain query plan ${statement}`).execute(store.db)).rows
      .map(({ detail }) => detail).join("; ");
  const expected = {
    "select row from job where status = 'queued' and rank >= 1 order by rank, row limit 1":
      /^SEARCH job USING COVERING INDEX job_ready \(rank>\?\)$/,
    "select row from job where status = 'queued' and rank >= 1 and priority >= 8 order by rank, row":
      /^SEARCH job USING .*INDEX job_urgent \(rank>\?\)$/,
    "select * from job where status in ('running', 'cancelling') and status <> 'queued'":
      /job_status/,
    "select * from job where status in ('pending', 'retrying') order by run_at_ms limit 1":
      /job_due/,
    "select status, count(*) from job where status <> 'queued' group by status": /COVERING/,
  };
  for (const [statement, index] of Object.entries(expected)) {
    assert.match(await plan(statement), index);
  }
});
