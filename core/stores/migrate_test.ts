import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { migrate, type Migration, readMigrations } from "./migrate.ts";
import { openSqlite } from "./sqlite.ts";

const MIGRATIONS = new URL("../../migrations/sql", import.meta.url).pathname;
const now = "2026-01-01T00:00:00.000Z";
const step = (number: number, sql: string): Migration => ({
  number,
  name: `step_${number}`,
  sql,
  checksum: `sum of ${sql}`,
});
const FIRST = step(1, "create table a (x)");
const SECOND = step(2, "create table b (y); insert into b select x from a");

async function inFolder(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await work(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("migrate() applies what is missing, once, and makes a backup before it changes what is there", async () => {
  await inFolder(async (dir) => {
    const path = `${dir}/a.db`;
    using db = new DatabaseSync(path);
    assert.deepEqual(migrate(db, [FIRST], { path, now }), { applied: [1], backup: undefined });
    db.exec("insert into a values (7)");
    assert.deepEqual(migrate(db, [FIRST], { path, now }), { applied: [], backup: undefined });
    const { applied, backup } = migrate(db, [FIRST, SECOND], { path, now });
    assert.deepEqual(applied, [2]);
    assert.equal(db.prepare("select y from b").get()!.y, 7);
    using before = new DatabaseSync(backup!);
    assert.equal(before.prepare("select x from a").get()!.x, 7);
    assert.throws(() => before.prepare("select y from b"));
  });
});

Deno.test("migrate() leaves the old schema whole when a migration fails", () => {
  using db = new DatabaseSync(":memory:");
  migrate(db, [FIRST], { path: ":memory:", now });
  const bad = step(3, "create table c (z); select nonsense");
  assert.throws(() => migrate(db, [FIRST, SECOND, bad], { path: ":memory:", now }), /nonsense/);
  assert.throws(() => db.prepare("select * from b"));
  assert.equal(db.prepare("select max(number) as number from migration").get()!.number, 1);
});

Deno.test("migrate() refuses a database of a newer Carrel, and says what to do", () => {
  using db = new DatabaseSync(":memory:");
  migrate(db, [FIRST, SECOND], { path: ":memory:", now });
  assert.throws(() => migrate(db, [FIRST], { path: "carrel.db", now }), (error: Error) => {
    assert.equal((error as Error & { code: string }).code, "schema_too_new");
    assert.match(error.message, /newer Carrel .* restore the backup/);
    return true;
  });
});

Deno.test("migrate() refuses a migration that was edited after it had been applied", () => {
  using db = new DatabaseSync(":memory:");
  migrate(db, [FIRST], { path: ":memory:", now });
  const edited = step(1, "create table a (x, more)");
  assert.throws(() => migrate(db, [edited], { path: ":memory:", now }), /was changed after/);
});

Deno.test("openSqlite() is safe when two start at once", async () => {
  await inFolder(async (dir) => {
    const module = new URL("./sqlite.ts", import.meta.url).href;
    const program = `
      import { openSqlite } from ${JSON.stringify(module)};
      await using sql = await openSqlite(Deno.args[0], { migrationsDir: Deno.args[1] });
      await sql.db.selectFrom("job").select("id").execute();`;
    await Deno.writeTextFile(`${dir}/start.ts`, program);
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const outputs = await Promise.all(
      Array.from({ length: 4 }, () =>
        new Deno.Command(Deno.execPath(), {
          args: [
            "run",
            "-A",
            "--no-lock",
            "--config",
            config,
            `${dir}/start.ts`,
            `${dir}/a.db`,
            MIGRATIONS,
          ],
        }).output()),
    );
    for (const { success, stderr } of outputs) assert.ok(success, new TextDecoder().decode(stderr));
    using db = new DatabaseSync(`${dir}/a.db`);
    const applied = db.prepare("select number from migration").all();
    assert.equal(applied.length, (await readMigrations(MIGRATIONS)).length);
  });
});

Deno.test("openSqlite() refuses a newer schema and lets go of the file", async () => {
  await inFolder(async (dir) => {
    {
      await using sql = await openSqlite(`${dir}/a.db`, { migrationsDir: MIGRATIONS });
      await sql.db.insertInto("migration")
        .values({ number: 999, name: "future", checksum: "x", applied: now }).execute();
    }
    await assert.rejects(openSqlite(`${dir}/a.db`, { migrationsDir: MIGRATIONS }), {
      code: "schema_too_new",
    });
  });
});

Deno.test("readMigrations() refuses a gap", async () => {
  await inFolder(async (dir) => {
    await Deno.writeTextFile(`${dir}/0001_a.sql`, "select 1");
    await Deno.writeTextFile(`${dir}/0003_c.sql`, "select 1");
    await assert.rejects(readMigrations(dir), /"0003_c.sql" stands where number 2 belongs/);
  });
});
