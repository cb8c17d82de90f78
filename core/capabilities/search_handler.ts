/**
 * Jobs of kind `search`: passages for a query, or without one contents by the time they came in.
 *
 * Input `{query?, k?, type?, collection?, since?, until?, order?}`; result `{hits, content_ids}`. Of a query each
 * hit is a passage, as in `GET /api/search`; without one it is a content, and what only a passage has is null.
 */
import { z } from "zod";
import { CarrelError } from "../errors.ts";
import type { JobHandler } from "../jobs/job.ts";
import { cleanText, jsonBytes } from "../plain_json.ts";
import type { Search } from "../search/search.ts";
import type { SqlStore } from "../stores/sql.ts";
import { actorOfJob } from "./actor_of.ts";
import { MAX_JSON_BYTES } from "./contracts.ts";

const time = z.string().max(40).refine((text) => !Number.isNaN(Date.parse(text)), {
  error: "expected a time such as 2026-01-31 or 2026-01-31T08:00:00Z",
}).transform((text) => new Date(text).toISOString());

const searchInput = z.strictObject({
  query: z.string().max(1000).optional(),
  /** At most so many hits. */
  k: z.int().min(1).max(100).default(10),
  type: z.string().max(50).optional(),
  collection: z.string().max(200).optional(),
  /** Came in at this time or later. */
  since: time.optional(),
  /** Came in before this time. */
  until: time.optional(),
  /** `relevance` unless there is no query, else `newest`. */
  order: z.enum(["relevance", "newest", "oldest"]).optional(),
});

type SearchInput = z.output<typeof searchInput>;

export interface SearchResult {
  readonly hits: readonly SearchResultHit[];
  /** Each once, in the order of the hits. */
  readonly content_ids: readonly string[];
}

export interface SearchResultHit {
  readonly content: {
    readonly id: string;
    readonly title: string;
    readonly type: string;
    readonly url: string;
    /** When it came in. */
    readonly created: string;
  };
  readonly revision: string;
  readonly chunk: string | null;
  readonly start: number | null;
  readonly end: number | null;
  readonly page: number | null;
  readonly heading: string | null;
  readonly text: string | null;
  readonly score: number | null;
}

const NO_PASSAGE = {
  chunk: null,
  start: null,
  end: null,
  page: null,
  heading: null,
  text: null,
  score: null,
};

export function searchHandler(
  { sql, search }: { readonly sql: Pick<SqlStore, "db">; readonly search: Search },
): JobHandler<SearchResult> {
  return {
    async run({ job }) {
      const input = parse(job.input);
      const query = input.query?.trim() ?? "";
      const hits = query === "" ? await byTime(sql, input) : await byQuery(query, input, job);
      const result: SearchResult = {
        hits,
        content_ids: [...new Set(hits.map(({ content }) => content.id))],
      };
      if (jsonBytes(result) <= MAX_JSON_BYTES) return result;
      throw new CarrelError(
        "too_large",
        `Cannot search for "${query}": the hits are larger than ${MAX_JSON_BYTES} bytes; ask for fewer.`,
      );
    },
  };

  async function byQuery(
    query: string,
    { k, type, collection, since, until, order = "relevance" }: SearchInput,
    job: { readonly user: string },
  ): Promise<SearchResultHit[]> {
    // The index knows no times: where they count, more is asked for than is wanted.
    const wanted = since === undefined && until === undefined ? k : 100;
    const actor = await actorOfJob(sql.db, job);
    const found = await search.search({ q: query, k: wanted, type, collection }, actor);
    const ids = [...new Set(found.map(({ content }) => content.id))];
    const rows = ids.length === 0 ? [] : await sql.db.selectFrom("content")
      .select(["id", "created"]).where("id", "in", ids).execute();
    const created = new Map(rows.map((row) => [row.id, row.created]));
    const hits = found.flatMap((hit): SearchResultHit[] => {
      const at = created.get(hit.content.id);
      const out = at === undefined || (since !== undefined && at < since) ||
        (until !== undefined && at >= until);
      if (out) return [];
      const { chunk, start, end, page, heading, text, score } = hit;
      return [{
        content: { ...hit.content, created: at },
        revision: hit.revision,
        chunk,
        start,
        end,
        page: page ?? null,
        heading: heading ?? null,
        text: cleanText(text),
        score,
      }];
    }).slice(0, k);
    if (order === "relevance") return hits;
    const way = order === "newest" ? -1 : 1;
    return hits.sort((a, b) =>
      a.content.created === b.content.created
        ? 0
        : a.content.created < b.content.created
        ? -way
        : way
    );
  }
}

async function byTime(
  sql: Pick<SqlStore, "db">,
  { k, type, collection, since, until, order = "newest" }: SearchInput,
): Promise<SearchResultHit[]> {
  let query = sql.db.selectFrom("content")
    .select(["id", "title", "type", "url", "created", "revision"])
    .where("status", "=", "ready");
  if (type !== undefined) query = query.where("type", "=", type);
  if (collection !== undefined) query = query.where("collection", "=", collection);
  if (since !== undefined) query = query.where("created", ">=", since);
  if (until !== undefined) query = query.where("created", "<", until);
  const way = order === "oldest" ? "asc" : "desc";
  const rows = await query.orderBy("created", way).orderBy("id", way).limit(k).execute();
  return rows.map(({ revision, ...content }) => ({ content, revision, ...NO_PASSAGE }));
}

function parse(input: unknown): SearchInput {
  const parsed = searchInput.safeParse(dropNulls(input));
  if (parsed.success) return parsed.data;
  const list = parsed.error.issues.slice(0, 10).map(({ path, message }) => {
    const field = path.map(String).join(".");
    return field === "" ? message : `${field}: ${message}`;
  });
  throw new CarrelError("invalid_parameters", `Cannot search: ${list.join("; ")}.`);
}

/** An expression that finds nothing says null: the same as not said. */
function dropNulls(input: unknown): unknown {
  if (typeof input !== "object" || input === null || Array.isArray(input)) return input ?? {};
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== null));
}
