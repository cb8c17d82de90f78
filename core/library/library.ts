/** The use cases of the library: what HTTP and the command line call. */
import type { Actor } from "../auth/actor.ts";
import type { ContentType } from "../../sdk/types.ts";
import type { Job, NewJob } from "../jobs/job.ts";
import type { Page } from "../jobs/jobs.ts";
import type { ByteRange } from "../stores/objects.ts";
import type { ArtifactFilter, ArtifactView, ReaderEvent, Sibling } from "./artifact.ts";

export type { Artifact } from "./artifact.ts";

/** A file of a content or an artifact: a blob with a name. */
export interface StoredFile {
  readonly name: string;
  readonly mediaType: string;
  /** SHA-256, hex. */
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  /** BCP 47, of a file of an artifact of which it was said. */
  readonly language?: string | undefined;
  /** Which of the artifact's formats it is. */
  readonly format?: string | undefined;
}

export interface Content {
  readonly id: string;
  readonly url: string;
  /** The name of the file that was uploaded; undefined for what came from a URL. */
  readonly filename: string | undefined;
  readonly type: ContentType;
  readonly title: string;
  readonly authors: readonly string[];
  readonly published: string | undefined;
  readonly language: string | undefined;
  readonly summary: string | undefined;
  readonly licence: string | undefined;
  readonly status: "ready" | "deleted";
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly warnings: readonly string[];
  readonly collection: string;
  readonly user: string;
  readonly revision: { readonly id: string; readonly number: number; readonly created: string };
  /** By the names of the library's layout: the original, and `extracted.txt`. */
  readonly files: readonly StoredFile[];
  readonly created: string;
  readonly updated: string;
}

export interface Upload {
  readonly name: string;
  /** As the uploader says: without trust. */
  readonly mediaType: string | undefined;
  readonly bytes: Uint8Array | ReadableStream<Uint8Array>;
}

export interface ImportOptions {
  /** Use this plugin instead of the one that matches. */
  readonly plugin?: string | undefined;
  readonly priority?: number | undefined;
  /** @default "default" */
  readonly collection?: string | undefined;
  /** Laid over what the plugin finds. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  readonly idempotencyKey?: string | undefined;
}

export interface ExportOptions {
  readonly sourceIds: readonly string[];
  readonly format: string;
  readonly plugin?: string | undefined;
  readonly parameters?: Readonly<Record<string, unknown>> | undefined;
  readonly priority?: number | undefined;
  readonly versionOf?: string | undefined;
  readonly reason?: string | undefined;
  readonly idempotencyKey?: string | undefined;
}

export interface ContentFilter {
  readonly type?: string | undefined;
  readonly collection?: string | undefined;
  readonly url?: string | undefined;
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

export interface Library {
  /** Starts the import of a URL. Throws `invalid_url`, `no_plugin`, `private_address`, … before a job is made. */
  importUrl(url: string, options: ImportOptions, actor: Actor): Promise<Job>;
  /** Stores the bytes, then starts the import of them. */
  importUpload(upload: Upload, options: ImportOptions, actor: Actor): Promise<Job>;
  /** Starts an export. Throws `source_missing`, `no_plugin`, `invalid_parameters`. */
  export(options: ExportOptions, actor: Actor): Promise<Job>;
  /** The job that `importUrl` would add, for one who adds it in a transaction of his own. Throws as that does. */
  importJob(url: string, options: ImportOptions, actor: Actor): Promise<NewJob>;
  /** The job that `export` would add. Throws as that does. */
  exportJob(options: ExportOptions, actor: Actor): Promise<NewJob>;

  listContent(filter: ContentFilter, actor: Actor): Promise<Page<Content>>;
  getContent(id: string, actor: Actor): Promise<Content>;
  /** Soft: hidden from lists and search. Hard: rows and blobs go; a tombstone stays in the lineage. */
  deleteContent(id: string, options: { hard: boolean }, actor: Actor): Promise<void>;
  /** Newest first. */
  listArtifacts(filter: ArtifactFilter, actor: Actor): Promise<Page<ArtifactView>>;
  /** Throws `not_found`; `gone` for one that was deleted. */
  getArtifact(
    id: string,
    actor: Actor,
  ): Promise<ArtifactView & { readonly siblings: readonly Sibling[] }>;
  /** Notes what a reader has done with it; the first time counts. Throws as `getArtifact`. */
  noteArtifact(id: string, event: ReaderEvent, actor: Actor): Promise<void>;
  /**
   * Soft: hidden from lists, its files kept. Hard: its row and files go, and what the calls of ended runs keep of its
   * text; a tombstone stays in the lineage. Throws `not_found`, and `conflict` while its run needs it.
   */
  deleteArtifact(id: string, options: { hard: boolean }, actor: Actor): Promise<void>;

  /** A file of a content or an artifact, by name. */
  file(owner: string, name: string, actor: Actor): Promise<StoredFile>;
  open(file: StoredFile, range?: ByteRange): Promise<ReadableStream<Uint8Array>>;
}
