/** Reads artifacts: rows to `Artifact`, one page of a list, one by id. */
import { type Kysely, type Selectable, sql } from "kysely";
import { CarrelError } from "../errors.ts";
import type { Page } from "../jobs/jobs.ts";
import type { ArtifactTable, Database } from "../stores/sql.ts";
import { checkCursor, onePage } from "./cursor.ts";
import type { Artifact } from "./library.ts";

interface FileJson {
  name: string;
  media_type: string;
  digest: string;
  size: number;
}

function toArtifact(row: Selectable<ArtifactTable>): Artifact {
  return {
    id: row.id,
    type: row.type,
    title: row.title,
    sources: JSON.parse(row.sources_json),
    files: (JSON.parse(row.files_json) as FileJson[]).map(({ media_type, ...file }) => ({
      ...file,
      mediaType: media_type,
    })),
    size: row.size,
    parameters: JSON.parse(row.parameters_json),
    metadata: JSON.parse(row.metadata_json),
    plugin: row.plugin,
    pluginDigest: row.plugin_digest,
    job: row.job_id,
    user: row.user_id,
    versionOf: row.version_of ?? undefined,
    created: row.created,
  };
}

/** Characters that the columns without a small bound hold. */
const SIZE = sql<number>`length(metadata_json) + length(parameters_json)
  + length(files_json) + length(sources_json)`;

/** Newest first; the cursor is the last id. Throws `bad_request` for another cursor. */
export async function listArtifacts(
  db: Kysely<Database>,
  filter: { limit?: number | undefined; cursor?: string | undefined },
): Promise<Page<Artifact>> {
  const limit = Math.min(Math.max(filter.limit ?? 50, 1), 200);
  let query = db.selectFrom("artifact").select(["id", SIZE.as("size")]);
  if (filter.cursor !== undefined) {
    query = query.where("id", "<", checkCursor("artifact", filter.cursor));
  }
  const rows = await query.orderBy("id", "desc").limit(limit + 1).execute();
  const { ids, next } = onePage(rows, limit);
  const items = await db.selectFrom("artifact").selectAll().where("id", "in", ids)
    .orderBy("id", "desc").execute();
  return { items: items.map(toArtifact), cursor: next };
}

/** Throws `not_found`. */
export async function getArtifact(db: Kysely<Database>, id: string): Promise<Artifact> {
  const row = await db.selectFrom("artifact").selectAll().where("id", "=", id).executeTakeFirst();
  if (row) return toArtifact(row);
  throw new CarrelError("not_found", `Cannot find artifact "${id}": there is none of this id`);
}
