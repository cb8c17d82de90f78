/** Full text over 20,000 generated documents, beside the bare FTS5 statement on the same file. */
import { DatabaseSync } from "node:sqlite";
import { openSqlite } from "../core/stores/sqlite.ts";
import type { SqlStore } from "../core/stores/sql.ts";
import { type Figure, median } from "./figure.ts";

const DOCUMENTS = 20_000;
const WORDS_EACH = 120;
const VOCABULARY = 20_000;
/** From the most common words of the vocabulary to rare ones; alone, together, and only begun. */
const QUERIES = ["w3", "w40 w7", "w19000", "w500 w2 w30", "w12000 w1", "w15", "w1900 w21"];

export async function figures(): Promise<Figure[]> {
  const dir = await Deno.makeTempDir({ prefix: "carrel-bench-" });
  try {
    const path = `${dir}/carrel.db`;
    const migrationsDir = new URL("../migrations/sql", import.meta.url).pathname;
    await using store = await openSqlite(path, { migrationsDir });
    await fill(store);
    const times: number[] = [];
    for (let run = 0; run < 30; run++) {
      for (const query of QUERIES) {
        const began = performance.now();
        await store.searchText(query, { limit: 20 });
        times.push(performance.now() - began);
      }
    }
    const floor = { name: "bare FTS5 statement", value: bareFts(path) };
    return [{
      name: "full text: 20,000 documents, p50",
      value: median(times),
      unit: "ms",
      target: 5,
      compare: "<=",
      floor,
    }];
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Words by Zipf's law: the nth most common one is n times as rare as the first. */
function createWriter(): () => string {
  let state = 7;
  const random = () => (state = Math.imul(state, 48271) % 0x7fffffff >>> 0) / 0x7fffffff;
  return () =>
    Array.from({ length: WORDS_EACH }, () => `w${Math.floor(VOCABULARY ** random())}`).join(" ");
}

async function fill(store: SqlStore): Promise<void> {
  const write = createWriter();
  for (let from = 0; from < DOCUMENTS; from += 500) {
    await store.transaction(async (tx) => {
      for (let index = from; index < from + 500; index++) {
        const text = write();
        const id = `content_${index}`;
        const revision = `revision_${index}`;
        await tx.insertInto("content").values({
          id,
          url: id,
          type: "document",
          title: `Document ${index}`,
          authors_json: "[]",
          metadata_json: "{}",
          status: "ready",
          collection: "default",
          user_id: "bench",
          revision,
          created: "now",
          updated: "now",
        }).execute();
        await tx.insertInto("revision").values({
          id: revision,
          content_id: id,
          number: 1,
          original_digest: "",
          original_media_type: "text/plain",
          original_name: "a.txt",
          original_size: text.length,
          text_digest: "",
          text_size: text.length,
          title: id,
          metadata_json: "{}",
          warnings_json: "[]",
          plugin: "import.text",
          plugin_digest: "",
          job_id: "import_1",
          created: "now",
        }).execute();
        await tx.insertInto("chunk").values({
          id: `chunk_${index}`,
          content_id: id,
          revision_id: revision,
          position: 0,
          start: 0,
          end: text.length,
          text,
        }).execute();
      }
    });
  }
}

/** Median of the least that can be asked: all words, ranked by bm25, row numbers only. */
function bareFts(path: string): number {
  using db = new DatabaseSync(path);
  const statement = db.prepare(
    "select rowid, rank from chunk_text where chunk_text match ? order by rank limit 20",
  );
  const times: number[] = [];
  for (let run = 0; run < 30; run++) {
    for (const query of QUERIES) {
      const words = query.split(" ").map((word) => `"${word}"`);
      const began = performance.now();
      statement.all(`${words.join(" AND ")}*`);
      times.push(performance.now() - began);
    }
  }
  return median(times);
}
