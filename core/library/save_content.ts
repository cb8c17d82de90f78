/** Writes one imported content: content, revision, passages and lineage, in the transaction that ends its job. */
import type { ExtractedContent } from "../../sdk/types.ts";
import { newId } from "../ids.ts";
import type { Job } from "../jobs/job.ts";
import { lineageOf } from "../provenance/lineage.ts";
import type { Blob } from "../stores/objects.ts";
import type { Tx } from "../stores/sql.ts";
import { chunkMarkdown } from "./chunks.ts";
import type { Download, ImportInput } from "./import_input.ts";

export interface ImportedContent {
  readonly input: ImportInput;
  readonly download: Download;
  /** As sniffed. */
  readonly mediaType: string;
  readonly extracted: ExtractedContent;
  readonly text: Blob;
  readonly plugin: { readonly id: string; readonly version: string; readonly digest: string };
}

/** Rows of one multi-row insert; ten columns each stay below the bound on variables. */
const ROWS_AT_ONCE = 500;

export async function saveContent(
  tx: Tx,
  imported: ImportedContent,
  job: Job,
): Promise<{ content: string; revision: string }> {
  const { input, download, extracted, plugin } = imported;
  const now = new Date().toISOString();
  const revision = newId("revision");
  const known = await tx.selectFrom("content").select(["id", "revision"])
    .where("collection", "=", input.collection).where("url", "=", input.url)
    .executeTakeFirst();
  const id = known?.id ?? newId("content");
  const last = known &&
    await tx.selectFrom("revision").select("number").where("content_id", "=", id)
      .orderBy("number", "desc").limit(1).executeTakeFirst();

  const metadata = extracted.metadata;
  const fields = {
    type: extracted.type,
    title: extracted.title || download.name,
    authors_json: JSON.stringify(metadata.authors ?? []),
    published: metadata.published ?? null,
    language: metadata.language ?? null,
    summary: metadata.summary ?? null,
    licence: metadata.licence ?? null,
    metadata_json: JSON.stringify(metadata),
    status: "ready",
    revision,
    updated: now,
  };
  if (known) {
    await tx.updateTable("content").set(fields).where("id", "=", id).execute();
  } else {
    await tx.insertInto("content").values({
      id,
      url: input.url,
      collection: input.collection,
      user_id: job.user,
      created: now,
      ...fields,
    }).execute();
  }
  await tx.insertInto("revision").values({
    id: revision,
    content_id: id,
    number: (last?.number ?? 0) + 1,
    original_digest: download.digest,
    original_media_type: imported.mediaType,
    original_name: download.name,
    original_size: download.size,
    text_digest: imported.text.digest,
    text_size: imported.text.size,
    title: fields.title,
    metadata_json: fields.metadata_json,
    warnings_json: JSON.stringify(extracted.warnings ?? []),
    plugin: plugin.id,
    plugin_digest: plugin.digest,
    job_id: job.id,
    created: now,
  }).execute();

  await insertChunks(tx, id, revision, extracted);
  await lineageOf(tx, now).imported({
    content: {
      id,
      type: extracted.type,
      title: fields.title,
      url: input.url,
      filename: input.upload?.name,
      licence: metadata.licence,
    },
    revision,
    plugin,
    job,
  });
  return { content: id, revision };
}

async function insertChunks(
  tx: Tx,
  content: string,
  revision: string,
  extracted: ExtractedContent,
): Promise<void> {
  const rows = chunkMarkdown(extracted.markdown, extracted.pages).map((passage, position) => ({
    id: `${revision.replace("revision", "chunk")}_${position}`,
    content_id: content,
    revision_id: revision,
    position,
    start: passage.start,
    end: passage.end,
    page: passage.page ?? null,
    heading: passage.heading ?? null,
    text: extracted.markdown.slice(passage.start, passage.end),
  }));
  for (let at = 0; at < rows.length; at += ROWS_AT_ONCE) {
    await tx.insertInto("chunk").values(rows.slice(at, at + ROWS_AT_ONCE)).execute();
  }
}
