/** The sql port on SQLite: one writer, in this process, every commit fsynced. */
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { Kysely, SqliteDialect } from "kysely";
import type { SqliteDatabase, SqliteStatement } from "kysely";
import { migrate, readMigrations } from "./migrate.ts";
import type { Database, SqlStore, Tx } from "./sql.ts";
import { spaced } from "./unspaced.ts";
import { forgetText } from "./sqlite_forget.ts";
import { searchText } from "./sqlite_text.ts";
import { asStorageError, storingSync } from "./storage_full.ts";

export interface SqliteOptions {
  /** Folder of `NNNN_name.sql`. */
  readonly migrationsDir: string;
  /** Milliseconds since 1970. @default Date.now */
  readonly now?: (() => number) | undefined;
}

/**
 * WAL with `synchronous = full`: a commit that has returned survives a power cut. The time-out is for other
 * programs that read the file (a backup, a shell): it blocks the event loop, so it is short.
 */
const PRAGMAS = [
  "busy_timeout = 5000",
  "journal_mode = wal",
  "synchronous = full",
  "foreign_keys = on",
  "temp_store = memory",
  "cache_size = -16000",
  "journal_size_limit = 67108864",
];

/** Prepared statements kept; those of the hot paths are far fewer. */
const CACHED_STATEMENTS = 400;

/**
 * Opens a database file, or `:memory:`, and brings it to the current schema. Throws `CarrelError`
 * `schema_too_new` when a newer Carrel wrote it, and here as in every statement `storage_full` when the disk
 * takes no more.
 */
export async function openSqlite(path: string, options: SqliteOptions): Promise<SqlStore> {
  const now = options.now ?? Date.now;
  const migrations = await readMigrations(options.migrationsDir);
  const raw = new DatabaseSync(path);
  try {
    // Prepared, since `exec` does not tell why it failed.
    for (const pragma of PRAGMAS) raw.prepare(`pragma ${pragma}`).all();
    // The triggers of the full text call it.
    raw.function(
      "spaced",
      { deterministic: true },
      (text) => typeof text === "string" ? spaced(text) : text,
    );
    migrate(raw, migrations, { path, now: new Date(now()).toISOString() });
  } catch (error) {
    raw.close();
    throw asStorageError(error);
  }
  const db = new Kysely<Database>({ dialect: new SqliteDialect({ database: adapt(raw) }) });
  const close = async () => {
    await db.destroy();
    // Kysely closes only what it has used.
    if (raw.isOpen) raw.close();
  };
  return {
    db,
    transaction: <T>(work: (tx: Tx) => Promise<T>) => db.transaction().execute(work),
    searchText: (query, search) => searchText(db, query, search),
    forgetText: () => forgetText(db),
    [Symbol.asyncDispose]: close,
  };
}

/** What Kysely wants of a SQLite driver, by `node:sqlite`. */
function adapt(raw: DatabaseSync): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>();
  return {
    close: () => {
      statements.clear();
      if (raw.isOpen) raw.close();
    },
    prepare(sql) {
      // There is one writer: taking its lock at the start spares a transaction that first reads and then
      // writes from failing half-way.
      const text = sql === "begin" ? "begin immediate" : sql;
      let statement = statements.get(text);
      if (statement === undefined) {
        statement = adaptStatement(raw, text);
        if (statements.size >= CACHED_STATEMENTS) {
          statements.delete(statements.keys().next().value!);
        }
      } else {
        statements.delete(text);
      }
      statements.set(text, statement);
      return statement;
    },
  };
}

function adaptStatement(raw: DatabaseSync, sql: string): SqliteStatement {
  const statement: StatementSync = raw.prepare(sql);
  // A transaction that found the disk full was rolled back by SQLite itself: a second time is an error, which
  // would hide the first.
  const isOver = sql === "rollback" ? () => !raw.isTransaction : () => false;
  const bind = (parameters: readonly unknown[]) =>
    parameters.map((value) =>
      typeof value === "boolean" ? Number(value) : value
    ) as SQLInputValue[];
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => storingSync(() => statement.all(...bind(parameters))),
    run: (parameters) =>
      isOver()
        ? { changes: 0, lastInsertRowid: 0 }
        : storingSync(() => statement.run(...bind(parameters))),
    // Of its own, since a kept one may run again while this one is still read.
    iterate: (parameters) => raw.prepare(sql).iterate(...bind(parameters)),
  };
}
