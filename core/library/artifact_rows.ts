/** Reads artifacts: rows to `Artifact`, one page of a list, one by id, and what else a reader wants to know. */
import { type Kysely, type Selectable, sql } from "kysely";
import type { Actor } from "../auth/actor.ts";
import { CarrelError } from "../errors.ts";
import type { Page } from "../jobs/jobs.ts";
import type { ArtifactTable, Database } from "../stores/sql.ts";
import type {
  Artifact,
  ArtifactFilter,
  ArtifactState,
  ArtifactView,
  ReaderEvent,
  Sibling,
} from "./artifact.ts";
import { checkCursor, onePage } from "./cursor.ts";
import type { StoredFile } from "./library.ts";
import { readingOf } from "./reading.ts";

type Db = Kysely<Database>;

interface FileJson {
  name: string;
  media_type: string;
  digest: string;
  size: number;
  language?: string;
  format?: string;
}

/** The files as `files_json` has them. */
export function filesJson(files: readonly StoredFile[]): string {
  return JSON.stringify(files.map(({ mediaType, name, digest, size, language, format }) => ({
    name,
    media_type: mediaType,
    digest,
    size,
    ...(language === undefined ? {} : { language }),
    ...(format === undefined ? {} : { format }),
  })));
}

const asFlag = (value: number | null) => value === null ? undefined : value === 1;

export function toArtifact(row: Selectable<ArtifactTable>): Artifact {
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
    parent: row.parent ?? undefined,
    variantIndex: row.variant_index ?? undefined,
    chosen: asFlag(row.chosen),
    state: row.state as ArtifactState,
    run: row.run_id ?? undefined,
    created: row.created,
    updated: row.updated ?? row.created,
  };
}

/** Characters that the columns without a small bound hold. */
const SIZE = sql<number>`length(metadata_json) + length(parameters_json)
  + length(files_json) + length(sources_json)`;

/** Newest first; the cursor is the last id. Throws `bad_request` for another cursor. */
export async function listArtifacts(db: Db, filter: ArtifactFilter): Promise<Page<Artifact>> {
  const limit = Math.min(Math.max(filter.limit ?? 50, 1), 200);
  const { parent, chosen, state, run, cursor } = filter;
  let query = db.selectFrom("artifact").select(["id", SIZE.as("size")])
    .where("state", state === undefined ? "<>" : "=", state ?? "deleted");
  if (parent !== undefined) query = query.where("parent", "=", parent);
  if (chosen !== undefined) query = query.where("chosen", "=", chosen ? 1 : 0);
  if (run !== undefined) query = query.where("run_id", "=", run);
  if (cursor !== undefined) query = query.where("id", "<", checkCursor("artifact", cursor));
  const rows = await query.orderBy("id", "desc").limit(limit + 1).execute();
  const { ids, next } = onePage(rows, limit);
  const items = await db.selectFrom("artifact").selectAll().where("id", "in", ids)
    .orderBy("id", "desc").execute();
  return { items: items.map(toArtifact), cursor: next };
}

/** Throws `not_found`; `gone` for one that was deleted. */
export async function getArtifact(db: Db, id: string): Promise<Artifact> {
  const row = await db.selectFrom("artifact").selectAll().where("id", "=", id).executeTakeFirst();
  if (row !== undefined && row.state !== "deleted") return toArtifact(row);
  const tombstone = row ?? await db.selectFrom("lineage_node").select("id")
    .where("id", "=", id).where("type", "=", "Tombstone").executeTakeFirst();
  if (tombstone !== undefined) {
    throw new CarrelError("gone", `Cannot show artifact "${id}": it was deleted`);
  }
  throw new CarrelError("not_found", `Cannot find artifact "${id}": there is none of this id`);
}

/** The variants of some parents, in order, without those that were deleted. */
async function variantsOf(db: Db, parents: readonly string[]) {
  const variants = new Map<string, Sibling[]>();
  if (parents.length === 0) return variants;
  const rows = await db.selectFrom("artifact")
    .select(["id", "title", "parent", "variant_index", "chosen", "state"])
    .where("parent", "in", parents).where("variant_index", "is not", null)
    .where("state", "<>", "deleted").orderBy("parent").orderBy("variant_index").orderBy("id")
    .execute();
  for (const row of rows) {
    const sibling: Sibling = {
      id: row.id,
      title: row.title,
      variantIndex: row.variant_index!,
      chosen: asFlag(row.chosen),
      state: row.state as ArtifactState,
    };
    const list = variants.get(row.parent!) ?? [];
    list.push(sibling);
    variants.set(row.parent!, list);
  }
  return variants;
}

/** The artifacts as one reader sees them, each with its siblings. */
export async function viewArtifacts(
  db: Db,
  artifacts: readonly Artifact[],
  { user }: Pick<Actor, "user">,
): Promise<(ArtifactView & { readonly siblings: readonly Sibling[] })[]> {
  if (artifacts.length === 0) return [];
  const parents = artifacts.flatMap(({ parent, variantIndex }) =>
    parent === undefined || variantIndex === undefined ? [] : [parent]
  );
  const variants = await variantsOf(db, [...new Set(parents)]);
  const rows = await db.selectFrom("artifact_event").select(["artifact_id", "event"])
    .where("user_id", "=", user).where("artifact_id", "in", artifacts.map(({ id }) => id))
    .execute();
  const events = Map.groupBy(rows, (row) => row.artifact_id);
  return artifacts.map((artifact) => {
    const { id, parent, variantIndex } = artifact;
    const siblings = parent === undefined || variantIndex === undefined
      ? []
      : (variants.get(parent) ?? []).filter((other) => other.id !== id);
    const done = new Set(events.get(id)?.map(({ event }) => event as ReaderEvent));
    return { ...artifact, reading: readingOf(artifact, siblings, done), siblings };
  });
}

/** Notes what a reader has done with it; the first time counts. Throws as `getArtifact`. */
export async function noteArtifact(
  db: Db,
  id: string,
  event: ReaderEvent,
  { user }: Pick<Actor, "user">,
): Promise<void> {
  await getArtifact(db, id);
  await db.insertInto("artifact_event")
    .values({ artifact_id: id, user_id: user, event, time: new Date().toISOString() })
    .onConflict((conflict) => conflict.columns(["artifact_id", "user_id", "event"]).doNothing())
    .execute();
}
