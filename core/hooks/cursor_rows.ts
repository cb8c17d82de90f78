/** Statements on the cursors of hooks. */
import { type Kysely, sql } from "kysely";
import { END_STATUSES } from "../jobs/job.ts";
import { matchesName } from "../event_log/names.ts";
import type { Database, Tx } from "../stores/sql.ts";

type Db = Kysely<Database>;

const PREFIX = "hook:";

export async function readCursor(db: Db, hook: string): Promise<number | undefined> {
  const row = await db.selectFrom("event_cursor").select("seq")
    .where("reader", "=", PREFIX + hook).executeTakeFirst();
  return row && Number(row.seq);
}

/** Moves it on; never back. */
export async function setCursor(tx: Tx, hook: string, seq: number): Promise<void> {
  await tx.insertInto("event_cursor").values({ reader: PREFIX + hook, seq })
    .onConflict((conflict) =>
      conflict.column("reader").doUpdateSet({ seq }).where("event_cursor.seq", "<", seq)
    ).execute();
}

export async function deleteCursor(tx: Tx, hook: string): Promise<void> {
  await tx.deleteFrom("event_cursor").where("reader", "=", PREFIX + hook).execute();
}

export async function cursorsOfHooks(
  db: Db,
): Promise<readonly { readonly hook: string; readonly seq: number }[]> {
  const rows = await db.selectFrom("event_cursor").selectAll()
    .where("reader", ">=", PREFIX).where("reader", "<", "hook;").execute();
  return rows.map(({ reader, seq }) => ({ hook: reader.slice(PREFIX.length), seq: Number(seq) }));
}

/** The jobs of hooks that have not ended: one for each hook at most. */
export async function openHookJobs(
  db: Db,
): Promise<readonly { readonly id: string; readonly plugin: string; waitsForPlugin: boolean }[]> {
  const rows = await db.selectFrom("job").select(["id", "plugin", "status", "waits_for"])
    // By the index of jobs in flight.
    .where("flight_key", ">=", PREFIX).where("flight_key", "<", "hook;")
    .where("status", "not in", END_STATUSES.map((status) => sql.lit(status)))
    .execute();
  return rows.map(({ id, plugin, status, waits_for }) => ({
    id,
    plugin: plugin ?? "",
    waitsForPlugin: status === "waiting" && waits_for === "plugin",
  }));
}

/** Events after one number, up to another, that some pattern means. */
export async function countMatching(
  db: Db,
  afterSeq: number,
  upToSeq: number,
  patterns: readonly string[],
): Promise<number> {
  const rows = await db.selectFrom("event").where("seq", ">", afterSeq).where("seq", "<=", upToSeq)
    .groupBy("name").select((select) => ["name", select.fn.countAll<number>().as("count")])
    .execute();
  return rows.filter(({ name }) => patterns.some((pattern) => matchesName(pattern, name)))
    .reduce((sum, { count }) => sum + Number(count), 0);
}
