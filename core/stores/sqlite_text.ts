/** Full text by FTS5: from a user's words to the best chunks. */
import { type Kysely, sql } from "kysely";
import { spaced } from "./unspaced.ts";
import type { Database, TextHit, TextSearchOptions } from "./sql.ts";

/** Words beyond this are left out: nobody types more, and each costs a lookup. */
const MAX_WORDS = 32;
/** Shorter beginnings match too much to be of use, and have no index of their own. */
const MIN_PREFIX = 2;

/**
 * The best chunks of current, ready content, best first. All words must be there, the last one perhaps only
 * begun; where no chunk has them all, those with any. Punctuation, operators and emoji are not words.
 */
export async function searchText(
  db: Kysely<Database>,
  query: string,
  options: TextSearchOptions,
): Promise<TextHit[]> {
  const words = queryWords(query);
  if (words.length === 0 || options.limit < 1) return [];
  const hits = await match(db, phrase(words, "AND"), options);
  if (hits.length > 0 || words.length === 1) return hits;
  return await match(db, phrase(words, "OR"), options);
}

/**
 * The words of a query by the classes of FTS5's `unicode61`: letters, digits and private use, with the marks
 * upon them. What is left out would become an empty phrase, which matches nothing.
 */
export function queryWords(query: string): string[] {
  const runs = query.normalize("NFC").match(/[\p{L}\p{N}\p{Co}\p{M}]+/gu) ?? [];
  return runs.filter((run) => /[\p{L}\p{N}\p{Co}]/u.test(run)).slice(0, MAX_WORDS);
}

function phrase(words: readonly string[], operator: "AND" | "OR"): string {
  return words.map((word, index) => {
    const begun = index === words.length - 1 && [...word].length >= MIN_PREFIX;
    return `"${spaced(word).trim()}"${begun ? "*" : ""}`;
  }).join(` ${operator} `);
}

async function match(
  db: Kysely<Database>,
  expression: string,
  options: TextSearchOptions,
): Promise<TextHit[]> {
  // Rank first, then look the best ones up: a common word matches many more chunks than are wanted. Only
  // where the filters leave too few of those is the circle drawn wider.
  for (let depth = options.limit * 4 + 50;; depth *= 16) {
    // The weights: a passage that has the words goes before one whose title has them.
    const { rows } = await sql<{ chunkId: string; score: number; seen: number }>`
      with best as materialized (
        select rowid as row, rank as distance
        from chunk_text where chunk_text match ${expression}
        and rank match 'bm25(1.0, 0.5, 0.25)'
        order by rank limit ${depth}
      )
      select chunk.id as chunkId, -best.distance as score, (select count(*) from best) as seen
      from best
      cross join chunk on chunk.row = best.row
      cross join content on content.id = chunk.content_id and content.revision = chunk.revision_id
      where content.status = 'ready'
      ${filter("collection", options.collection)}
      ${filter("type", options.type)}
      ${filter("language", options.language)}
      order by best.distance, chunk.row
      limit ${options.limit}`.execute(db);
    const seen = rows[0]?.seen ?? await countMatches(db, expression, depth);
    if (rows.length >= options.limit || seen < depth) {
      return rows.map(({ chunkId, score }) => ({ chunkId, score }));
    }
  }
}

/** How many chunks match, counted up to a bound. */
async function countMatches(
  db: Kysely<Database>,
  expression: string,
  bound: number,
): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*) as count from
    (select 1 from chunk_text where chunk_text match ${expression} limit ${bound})`.execute(db);
  return rows[0]!.count;
}

function filter(column: "collection" | "type" | "language", value: string | undefined) {
  return value === undefined ? sql`` : sql`and content.${sql.ref(column)} = ${value}`;
}
