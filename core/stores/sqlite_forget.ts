/** Takes the words of deleted chunks out of the full text. */
import { type Kysely, sql } from "kysely";
import { createBreather } from "../breathe.ts";
import type { Database } from "./sql.ts";

/** Pages of one step of the merge: a few milliseconds of work. */
const PAGES_AT_ONCE = 128;

/**
 * A contentless FTS5 table only marks a deleted row: its words, with their places, stay in the index until a
 * merge leaves them out. This merges everything into one, step by step (FTS5, "The 'merge' Command"): it reads
 * and writes the whole index once, other statements take their turn in between.
 */
export async function forgetText(db: Kysely<Database>): Promise<void> {
  const breathe = createBreather();
  // Negative: begins with all that is there; the steps after it go on with that.
  for (let pages = -PAGES_AT_ONCE;; pages = PAGES_AT_ONCE) {
    const changes = await db.transaction().execute(async (tx) => {
      const before = await countChanges(tx);
      await sql`insert into chunk_text (chunk_text, rank) values ('merge', ${pages})`.execute(tx);
      return await countChanges(tx) - before;
    });
    // The statement itself counts as one.
    if (changes < 2 && pages > 0) return;
    await breathe();
  }
}

async function countChanges(db: Kysely<Database>): Promise<number> {
  const { rows } = await sql<{ count: number }>`select total_changes() as count`.execute(db);
  return rows[0]!.count;
}
