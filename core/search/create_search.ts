/** Full-text search over the passages of the library. */
import type { SqlStore } from "../stores/sql.ts";
import { highlight } from "./highlight.ts";
import type { Search } from "./search.ts";

export function createSearch(sql: SqlStore): Search {
  return {
    async search(query) {
      const limit = Math.min(Math.max(query.k ?? 10, 1), 100);
      const { collection, type, language } = query;
      const hits = await sql.searchText(query.q, { limit, collection, type, language });
      if (hits.length === 0) return [];
      const rows = await sql.db.selectFrom("chunk")
        .innerJoin("content", "content.id", "chunk.content_id")
        .select([
          "chunk.id",
          "chunk.revision_id",
          "chunk.start",
          "chunk.end",
          "chunk.page",
          "chunk.heading",
          "chunk.text",
          "content.id as content_id",
          "content.title",
          "content.type",
          "content.url",
        ])
        .where("chunk.id", "in", hits.map((hit) => hit.chunkId))
        .execute();
      const byId = new Map(rows.map((row) => [row.id, row]));
      return hits.flatMap((hit) => {
        const row = byId.get(hit.chunkId);
        // Deleted between the two reads.
        if (row === undefined) return [];
        return [{
          chunk: row.id,
          content: { id: row.content_id, title: row.title, type: row.type, url: row.url },
          revision: row.revision_id,
          start: row.start,
          end: row.end,
          page: row.page ?? undefined,
          heading: row.heading ?? undefined,
          text: row.text,
          highlights: highlight(row.text, query.q),
          score: hit.score,
        }];
      });
    },
  };
}
