/**
 * Brings an embedded database to the schema of this Carrel. Migrations are files `NNNN_name.sql`, numbered
 * from 1 without a gap, never edited once released; all that are missing are applied in one transaction, so
 * that a start that is cut off leaves the old schema, and of two starts at once one waits for the other.
 */
import { createHash } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { CarrelError } from "../errors.ts";
import { asStorageError } from "./storage_full.ts";

export interface Migration {
  readonly number: number;
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of `sql`, hex. */
  readonly checksum: string;
}

export interface MigrateOptions {
  /** The database's file, for messages and for the name of the backup; `:memory:` has no backup. */
  readonly path: string;
  /** ISO 8601 time, for the rows and the backup's name. */
  readonly now: string;
}

export interface MigrateResult {
  /** Numbers of the migrations that were applied just now. */
  readonly applied: readonly number[];
  /** The copy made before, when there was something to lose. */
  readonly backup: string | undefined;
}

/** Reads a folder of migrations, in order. Throws `internal` when a number is missing or doubled. */
export async function readMigrations(dir: string): Promise<Migration[]> {
  const names: string[] = [];
  for await (const entry of Deno.readDir(dir)) {
    if (entry.isFile && entry.name.endsWith(".sql")) names.push(entry.name);
  }
  names.sort();
  return await Promise.all(names.map(async (file, index) => {
    const parts = /^(\d{4})_([a-z0-9_]+)\.sql$/.exec(file);
    if (parts === null || Number(parts[1]) !== index + 1) {
      throw new CarrelError(
        "internal",
        `Cannot read the migrations "${dir}": "${file}" stands where number ${index + 1} belongs`,
      );
    }
    const sql = await Deno.readTextFile(`${dir}/${file}`);
    const checksum = createHash("sha256").update(sql).digest("hex");
    return { number: index + 1, name: parts[2]!, sql, checksum };
  }));
}

/**
 * Applies what is missing. Throws `schema_too_new` when the database was written by a newer Carrel, and
 * `internal` when a migration that was applied reads otherwise today, `storage_full` when there is no room for
 * the backup or the new schema.
 */
export function migrate(
  db: DatabaseSync,
  migrations: readonly Migration[],
  options: MigrateOptions,
): MigrateResult {
  const { path, now } = options;
  db.exec(
    "create table if not exists migration " +
      "(number integer primary key, name text not null, checksum text not null, applied text not null)",
  );
  const before = missing(db, migrations, path);
  if (before.length === 0) return { applied: [], backup: undefined };
  const backup = before[0]!.number > 1 && path !== ":memory:" ? backUp(db, path, now) : undefined;

  db.prepare("begin immediate").run();
  try {
    // Once more, now that nobody else can write: another start may have been quicker.
    const todo = missing(db, migrations, path);
    const record = db.prepare(
      "insert into migration (number, name, checksum, applied) values (?, ?, ?, ?)",
    );
    for (const { number, name, sql, checksum } of todo) {
      db.exec(sql);
      record.run(number, name, checksum, now);
    }
    db.prepare("commit").run();
    return { applied: todo.map(({ number }) => number), backup };
  } catch (error) {
    // On a full disk SQLite has done it already.
    if (db.isTransaction) db.exec("rollback");
    throw asStorageError(error);
  }
}

function missing(
  db: DatabaseSync,
  migrations: readonly Migration[],
  path: string,
): readonly Migration[] {
  const rows = db.prepare("select number, checksum from migration order by number").all();
  for (const row of rows) {
    const known = migrations[Number(row.number) - 1];
    if (known === undefined) {
      throw new CarrelError(
        "schema_too_new",
        `Cannot open "${path}": it was written by a newer Carrel (schema ${row.number}, this one ` +
          `knows ${migrations.length}). Start the newer Carrel again, or restore the backup that it ` +
          `made beside the file before it changed the schema`,
        { details: { schema: Number(row.number), known: migrations.length } },
      );
    }
    if (known.checksum !== row.checksum) {
      throw new CarrelError(
        "internal",
        `Cannot open "${path}": migration ${known.number}, "${known.name}", was changed after it had ` +
          `been applied`,
      );
    }
  }
  return migrations.slice(rows.length);
}

function backUp(db: DatabaseSync, path: string, now: string): string {
  const target = `${path}.${now.replaceAll(/[-:.]/g, "")}-${
    crypto.randomUUID().slice(0, 8)
  }.backup`;
  try {
    db.prepare("vacuum into ?").run(target);
  } catch (error) {
    // Half a backup is none, and on a full disk it takes what room there is.
    try {
      Deno.removeSync(target);
    } catch {
      // It was not begun.
    }
    throw asStorageError(error);
  }
  return target;
}
