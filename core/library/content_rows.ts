/** Reads content: rows to `Content`, one page of a list, one by id. */
import { type Kysely, type Selectable, sql } from "kysely";
import type { ContentType } from "../../sdk/types.ts";
import { CarrelError } from "../errors.ts";
import type { Page } from "../jobs/jobs.ts";
import type { ContentTable, Database, RevisionTable } from "../stores/sql.ts";
import type { Content, ContentFilter, StoredFile } from "./library.ts";
import { checkCursor, onePage } from "./cursor.ts";
import { originalName } from "./layout.ts";

type Db = Pick<Kysely<Database>, "selectFrom">;

const REVISION_COLUMNS = [
  "revision.id as revision_id",
  "revision.number as revision_number",
  "revision.created as revision_created",
  "original_digest",
  "original_media_type",
  "original_name",
  "original_size",
  "text_digest",
  "text_size",
  "warnings_json",
] as const;

type Row =
  & Selectable<ContentTable>
  & Pick<
    Selectable<RevisionTable>,
    | "original_digest"
    | "original_media_type"
    | "original_name"
    | "original_size"
    | "text_digest"
    | "text_size"
    | "warnings_json"
  >
  & { revision_id: string; revision_number: number; revision_created: string };

/** Characters that the columns without a small bound hold. */
const SIZE = sql<number>`length(content.metadata_json) + length(content.authors_json)
  + length(revision.warnings_json) + coalesce(length(content.summary), 0)`;

function toContent(row: Row): Content {
  return {
    id: row.id,
    url: row.url,
    filename: row.url.startsWith("upload:") ? row.original_name : undefined,
    type: row.type as ContentType,
    title: row.title,
    authors: JSON.parse(row.authors_json),
    published: row.published ?? undefined,
    language: row.language ?? undefined,
    summary: row.summary ?? undefined,
    licence: row.licence ?? undefined,
    status: row.status as Content["status"],
    metadata: JSON.parse(row.metadata_json),
    warnings: JSON.parse(row.warnings_json),
    collection: row.collection,
    user: row.user_id,
    revision: { id: row.revision_id, number: row.revision_number, created: row.revision_created },
    files: filesOf(row),
    created: row.created,
    updated: row.updated,
  };
}

function filesOf(row: Row): StoredFile[] {
  return [
    {
      name: originalName(row.type as ContentType, row.original_media_type, row.original_name),
      mediaType: row.original_media_type,
      digest: row.original_digest,
      size: row.original_size,
    },
    {
      name: "extracted.txt",
      mediaType: "text/markdown; charset=utf-8",
      digest: row.text_digest,
      size: row.text_size,
    },
  ];
}

function select(db: Db) {
  return db.selectFrom("content")
    .innerJoin("revision", "revision.id", "content.revision")
    .selectAll("content")
    .select(REVISION_COLUMNS);
}

/** Newest first; the cursor is the last id. Throws `bad_request` for another cursor. */
export async function listContent(db: Db, filter: ContentFilter): Promise<Page<Content>> {
  const limit = Math.min(Math.max(filter.limit ?? 50, 1), 200);
  // Sizes first: what plugins found may be large, and a page of it must not be.
  let query = db.selectFrom("content")
    .innerJoin("revision", "revision.id", "content.revision")
    .select(["content.id", SIZE.as("size")])
    .where("content.status", "=", "ready");
  if (filter.type !== undefined) query = query.where("content.type", "=", filter.type);
  if (filter.collection !== undefined) {
    query = query.where("content.collection", "=", filter.collection);
  }
  if (filter.url !== undefined) query = query.where("content.url", "=", filter.url);
  if (filter.cursor !== undefined) {
    query = query.where("content.id", "<", checkCursor("content", filter.cursor));
  }
  const rows = await query.orderBy("content.id", "desc").limit(limit + 1).execute();
  const { ids, next } = onePage(rows, limit);
  const items = await select(db).where("content.id", "in", ids)
    .orderBy("content.id", "desc").execute();
  return { items: items.map(toContent), cursor: next };
}

/** Those of the ids that are there and not deleted, in no order. */
export async function contentByIds(db: Db, ids: readonly string[]): Promise<Content[]> {
  const found: Content[] = [];
  // Bound variables are limited; a thousand at once is below every dialect's bound.
  for (let at = 0; at < ids.length; at += 1000) {
    const rows = await select(db)
      .where("content.id", "in", ids.slice(at, at + 1000))
      .where("content.status", "=", "ready")
      .execute();
    found.push(...rows.map(toContent));
  }
  return found;
}

/** Throws `not_found`; `gone` for one that was deleted. */
export async function getContent(db: Db, id: string): Promise<Content> {
  const row = await select(db).where("content.id", "=", id).executeTakeFirst();
  if (row === undefined) {
    const tombstone = await db.selectFrom("lineage_node").select("type")
      .where("id", "=", id).executeTakeFirst();
    if (tombstone?.type === "Tombstone") throw gone(id);
    throw new CarrelError("not_found", `Cannot find content "${id}": there is none of this id`);
  }
  if (row.status === "deleted") throw gone(id);
  return toContent(row);
}

function gone(id: string): CarrelError {
  return new CarrelError("gone", `Cannot show content "${id}": it was deleted`);
}

/** The content that an import of the same bytes from the same place (by the same plugin, if one is named) would only repeat. */
export async function findUnchanged(
  db: Db,
  wanted: { collection: string; url: string; digest: string; plugin?: string | undefined },
): Promise<{ content: string; revision: string } | undefined> {
  let query = db.selectFrom("content")
    .innerJoin("revision", "revision.id", "content.revision")
    .select(["content.id as content", "revision.id as revision"])
    .where("content.collection", "=", wanted.collection)
    .where("content.url", "=", wanted.url)
    .where("content.status", "=", "ready")
    .where("revision.original_digest", "=", wanted.digest);
  if (wanted.plugin !== undefined) query = query.where("revision.plugin", "=", wanted.plugin);
  return await query.executeTakeFirst();
}
