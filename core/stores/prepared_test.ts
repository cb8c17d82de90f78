import assert from "node:assert/strict";
import { prepared } from "./prepared.ts";
import { openSqlite } from "./sqlite.ts";

const MIGRATIONS = new URL("../../migrations/sql", import.meta.url).pathname;

Deno.test("prepared() builds a statement once and binds other values each time, in and out of transactions", async () => {
  await using sql = await openSqlite(":memory:", { migrationsDir: MIGRATIONS });
  let built = 0;
  const add = prepared<{ id: string; role: string }, unknown>((db, slot) => {
    built++;
    return db.insertInto("user")
      .values({ id: slot("id"), name: slot("id"), role: slot("role"), created: "fixed" });
  });
  const byRole = prepared<{ role: string; most: number }, { id: string }>((db, slot) =>
    db.selectFrom("user").select("id").where("role", "=", slot("role")).orderBy("id").limit(
      slot("most"),
    )
  );
  await add(sql.db, { id: "a", role: "admin" });
  await sql.transaction(async (tx) => {
    await add(tx, { id: "b", role: "reader" });
    await add(tx, { id: "c", role: "reader" });
  });
  const { rows } = await byRole(sql.db, { role: "reader", most: 1 });
  assert.deepEqual(rows.map(({ id }) => id), ["b"]);
  assert.equal((await byRole(sql.db, { role: "reader", most: 9 })).rows.length, 2);
  assert.equal(built, 1);
});
