/** Writes one imported content: content, revision, passages and lineage, in the transaction that ends its job. */
import type { ContentMetadata, ContentType, ExtractedContent } from "../../sdk/types.ts";
import { createBreather } from "../breathe.ts";
import { CarrelError } from "../errors.ts";
import type { EventLog } from "../event_log/event_log.ts";
import { newId } from "../ids.ts";
import type { Job } from "../jobs/job.ts";
import { lineageOf } from "../provenance/lineage.ts";
import type { Blob } from "../stores/objects.ts";
import type { Tx } from "../stores/sql.ts";
import type { Passage } from "./chunks.ts";
import { findUnchanged } from "./content_rows.ts";
import type { Download, ImportInput } from "./import_input.ts";
import { withOverrides } from "./plugin_output.ts";

export interface ImportedContent {
  readonly input: ImportInput;
  readonly download: Download;
  /** As sniffed. */
  readonly mediaType: string;
  readonly extracted: ExtractedContent;
  /** Of the extracted text, cut before the transaction: that takes long. */
  readonly passages: readonly Passage[];
  readonly text: Blob;
  readonly plugin: { readonly id: string; readonly version: string; readonly digest: string };
}

/** What an import came to. */
export interface Saved {
  readonly content: string;
  readonly revision: string;
  /** The bytes were there already: no new revision. */
  readonly unchanged: boolean;
  /** The bytes were there, and the request's title or metadata are new. */
  readonly updated?: true;
}

/** Columns of a content that its title and metadata fill. */
function described(title: string, metadata: ContentMetadata) {
  return {
    title,
    authors_json: JSON.stringify(metadata.authors ?? []),
    published: metadata.published ?? null,
    language: metadata.language ?? null,
    summary: metadata.summary ?? null,
    licence: metadata.licence ?? null,
    metadata_json: JSON.stringify(metadata),
  };
}

/** @param log Is told, in the same transaction, of what is new. */
export async function saveContent(
  tx: Tx,
  imported: ImportedContent,
  job: Job,
  log?: Pick<EventLog, "append">,
): Promise<Saved> {
  const { input, download, extracted, plugin } = imported;
  // Looked for once more: equal bytes may have come in while these were being read.
  const same = await findUnchanged(tx, {
    collection: input.collection,
    url: input.url,
    digest: download.digest,
    plugin: input.pinned ? plugin.id : undefined,
  });
  if (same) return await saveUnchanged(tx, same, input.metadata);

  const now = new Date().toISOString();
  const revision = newId("revision");
  const known = await tx.selectFrom("content").select(["id", "revision"])
    .where("collection", "=", input.collection).where("url", "=", input.url)
    .executeTakeFirst();
  const id = known?.id ?? newId("content");
  const last = known &&
    await tx.selectFrom("revision").select("number").where("content_id", "=", id)
      .orderBy("number", "desc").limit(1).executeTakeFirst();

  const fields = {
    type: extracted.type,
    ...described(extracted.title || download.name, extracted.metadata),
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

  await insertChunks(tx, id, revision, imported);
  await lineageOf(tx, now).imported({
    content: {
      id,
      type: extracted.type,
      title: fields.title,
      url: input.url,
      filename: input.upload?.name,
      licence: extracted.metadata.licence,
    },
    revision,
    plugin,
    job,
  });
  await log?.append(tx, {
    name: "content.imported",
    subject: id,
    payload: {
      title: fields.title,
      type: extracted.type,
      url: input.url,
      collection: input.collection,
      revision,
      number: (last?.number ?? 0) + 1,
      job: job.id,
    },
    user: job.user,
  });
  return { content: id, revision, unchanged: false };
}

/**
 * Ends an import of bytes that are there already: only what the request says of them may be new. Throws
 * `conflict`, retryable, when they have gone meanwhile.
 */
export async function saveUnchanged(
  tx: Tx,
  same: { readonly content: string; readonly revision: string },
  overrides: Readonly<Record<string, unknown>> | undefined,
): Promise<Saved> {
  const row = await tx.selectFrom("content").select(["type", "title", "metadata_json"])
    .where("id", "=", same.content).where("revision", "=", same.revision)
    .where("status", "=", "ready").executeTakeFirst();
  if (row === undefined) {
    throw new CarrelError(
      "conflict",
      `Cannot leave "${same.content}" as it was: it changed meanwhile`,
      { retryable: true },
    );
  }
  const unchanged = { content: same.content, revision: same.revision, unchanged: true };
  const { title, metadata } = withOverrides({
    type: row.type as ContentType,
    title: row.title,
    markdown: "",
    metadata: JSON.parse(row.metadata_json),
  }, overrides);
  const fields = described(title, metadata);
  if (fields.title === row.title && fields.metadata_json === row.metadata_json) return unchanged;
  const now = new Date().toISOString();
  await tx.updateTable("content").set({ ...fields, updated: now })
    .where("id", "=", same.content).execute();
  await lineageOf(tx, now).described({
    id: same.content,
    title,
    licence: metadata.licence,
  });
  return { ...unchanged, updated: true };
}

/** Rows of one multi-row insert: a few milliseconds, then the loop may turn. */
const ROWS_AT_ONCE = 100;

async function insertChunks(
  tx: Tx,
  content: string,
  revision: string,
  { passages, extracted }: ImportedContent,
): Promise<void> {
  const breathe = createBreather();
  const prefix = revision.replace("revision", "chunk");
  for (let from = 0; from < passages.length; from += ROWS_AT_ONCE) {
    const rows = passages.slice(from, from + ROWS_AT_ONCE).map((passage, at) => ({
      id: `${prefix}_${from + at}`,
      content_id: content,
      revision_id: revision,
      position: from + at,
      start: passage.start,
      end: passage.end,
      page: passage.page ?? null,
      heading: passage.heading ?? null,
      text: extracted.markdown.slice(passage.start, passage.end),
    }));
    await tx.insertInto("chunk").values(rows).execute();
    // Other statements wait for the transaction's end, but timers, sockets and progress go on.
    await breathe();
  }
}
