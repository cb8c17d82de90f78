/**
 * What a plugin and its host say to each other.
 *
 * - **source**: the URL or upload that an import starts from.
 * - **raw**: the bytes that `download` brought.
 * - **extracted**: title, Markdown and metadata that `extract` made of them.
 * - **chunk**: a passage of a content's text, by its offsets.
 * - **attribution**: the claim that a part of an artifact was made from passages of a source.
 *
 * Offsets are UTF-16 code units into the content's text, end exclusive. Times are ISO 8601 in UTC.
 */

/** What a plugin is to the host. */
export const PLUGIN_KINDS = [
  "import",
  "export",
  "connector",
  "preprocessor",
  "chunker",
  "embedder",
  "extractor",
  "reranker",
  "postprocessor",
  "generator",
  "speech",
  "transcriber",
  "video",
  "notifier",
  "scheduler",
  "auth",
  "storage",
  "step",
  "hook",
] as const;
export type PluginKind = typeof PLUGIN_KINDS[number];

/** What an imported content is. */
export const CONTENT_TYPES = [
  "webpage",
  "document",
  "academic_paper",
  "video",
  "audio",
  "social_media",
  "repository",
  "feed",
] as const;
export type ContentType = typeof CONTENT_TYPES[number];

/** Plain data: what JSON can say, and bytes. Nothing else crosses the sandbox. */
export type Plain =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly Plain[]
  | { readonly [key: string]: Plain | undefined };

/** What a plugin may use while it works. */
export interface PluginContext {
  /** The job's id, for log lines. */
  readonly jobId: string;
  /** Stable over the attempts of one job: send it where the protocol takes one. */
  readonly idempotencyKey: string;
  /** The settings, valid under the manifest's schema, defaults filled in. */
  readonly config: Readonly<Record<string, Plain>>;
  /** The secrets among the settings, by setting; those that are set. Say them to nobody but their server. */
  readonly secrets: Readonly<Record<string, string>>;
  /**
   * The plugin's own directory, which `${data}` stands for in the manifest: an absolute path, without a slash at its
   * end. It is there. Undefined unless a grant to read or write in it was given.
   */
  readonly dataDir: string | undefined;
  /** Aborted when the job is cancelled; two seconds later the runner is killed. */
  readonly signal: AbortSignal;
  /** Says how far the work is. `fraction` 0 to 1. */
  progress(fraction: number, message?: string): void;
  log: Record<
    "debug" | "info" | "warn" | "error",
    (message: string, fields?: Record<string, Plain>) => void
  >;
  /** Calls a host service that the manifest names and the operator granted. */
  service(name: string, input: Plain): Promise<Plain>;
  /**
   * Calls a capability of another plugin that the manifest names under `calls` and the operator granted. It runs
   * with that plugin's grants and is cancelled with this call.
   */
  call(capability: string, input: Plain): Promise<Plain>;
  /** Says what a model's use came to, so that the job's cost is right. */
  usage(usage: import("./capabilities.ts").ModelUsage): void;
}

/** Where an import starts. */
export interface ImportSource {
  /** The URL as given; for an upload `upload:<file name>`. */
  readonly url: string;
}

/** The bytes of a source, as they came. */
export interface RawContent {
  readonly bytes: Uint8Array;
  /** As the server or the uploader said, without trust; with its `charset` parameter when there was one. */
  readonly mediaType: string;
  /** Where the bytes came from in the end, after redirects. */
  readonly url: string;
  /** The name of an uploaded file. */
  readonly filename?: string | undefined;
}

export interface ContentMetadata {
  readonly authors?: readonly string[] | undefined;
  /** ISO 8601 date or time. */
  readonly published?: string | undefined;
  /** BCP 47 tag, for example `en` or `pt-BR`. */
  readonly language?: string | undefined;
  /** One or two sentences that the source itself says about itself. */
  readonly summary?: string | undefined;
  /** The address that the source calls its own. */
  readonly canonicalUrl?: string | undefined;
  readonly siteName?: string | undefined;
  /** As found: an SPDX id, a URL or words. */
  readonly licence?: string | undefined;
  readonly keywords?: readonly string[] | undefined;
  readonly images?:
    | readonly { readonly url: string; readonly alt?: string | undefined }[]
    | undefined;
  /** Whatever else the format says, by the format's own names. */
  readonly [key: string]: Plain | undefined;
}

/** What `extract` returns of most sources: one content. */
export interface ExtractedContent {
  readonly type: ContentType;
  readonly title: string;
  /** The text, as Markdown (CommonMark with tables). Paragraphs are parted by a blank line. */
  readonly markdown: string;
  readonly metadata: ContentMetadata;
  /** For paged sources: where in `markdown` each page begins, ascending. */
  readonly pages?: readonly { readonly page: number; readonly offset: number }[] | undefined;
  /** What a reader should know about the quality of the text, one sentence each. */
  readonly warnings?: readonly string[] | undefined;
}

/** One of the things that a source lists: an entry of a feed, a page of a site map. */
export interface ImportItem {
  /** Absolute, http or https. It is imported on its own, by whichever plugin takes it. */
  readonly url: string;
  /** In place of the title that is found there. */
  readonly title?: string | undefined;
  /** Laid over the metadata that are found there. */
  readonly metadata?: ContentMetadata | undefined;
}

/**
 * What `extract` returns of a source that is a list: at most 10,000 items, each of which becomes an import of its
 * own. Items may be lists in turn, two levels deep.
 */
export interface ExtractedItems {
  readonly items: readonly ImportItem[];
}

export interface ImportPlugin {
  /** Brings the bytes. May be left out by a plugin that takes uploads only. */
  download?(source: ImportSource, ctx: PluginContext): Promise<RawContent> | RawContent;
  /** Makes text of the bytes, or says what they list. */
  extract(
    raw: RawContent,
    ctx: PluginContext,
  ): Promise<ExtractedContent | ExtractedItems> | ExtractedContent | ExtractedItems;
  /** Whether the plugin answers, with this configuration. */
  healthCheck?(ctx: PluginContext): Promise<Health> | Health;
}

export interface Health {
  readonly status: "healthy" | "unhealthy" | "unknown";
  readonly message?: string | undefined;
}

/** A passage of a source. */
export interface SourceChunk {
  readonly id: string;
  readonly start: number;
  readonly end: number;
  readonly page?: number | undefined;
}

/** One source of an export, whole. */
export interface ExportSource {
  readonly id: string;
  readonly revision: string;
  readonly type: ContentType;
  readonly title: string;
  readonly url?: string | undefined;
  /** The name of the file, for a source that was uploaded. */
  readonly filename?: string | undefined;
  readonly authors: readonly string[];
  readonly published?: string | undefined;
  readonly language?: string | undefined;
  readonly licence?: string | undefined;
  /** When it was imported. */
  readonly imported: string;
  readonly markdown: string;
  readonly chunks: readonly SourceChunk[];
}

export interface ExportInput {
  /** The artifact's title, when the request named one. */
  readonly title?: string | undefined;
  readonly sources: readonly ExportSource[];
  /** Now, as the host says it: a plugin that uses nothing else is reproducible. */
  readonly now: string;
}

export interface OutputFile {
  /** A plain file name, no folder. */
  readonly name: string;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** A part of an artifact and the passages that it was made from. */
export interface Attribution {
  readonly part: {
    /** Unique within the artifact, for example `chapter-1`. */
    readonly id: string;
    readonly kind: "chapter" | "scene" | "paragraph" | "slide" | "section";
    readonly title?: string | undefined;
    /** Where in the files it stands, for example `book.epub#OEBPS/chapter-1.xhtml`. */
    readonly location?: string | undefined;
  };
  readonly source: string;
  /** The chunks used; empty means the whole source. */
  readonly chunks: readonly string[];
}

export interface ExportOutput {
  readonly title: string;
  /** The first one is the artifact; the others go with it. */
  readonly files: readonly OutputFile[];
  readonly attributions: readonly Attribution[];
  readonly metadata?: Readonly<Record<string, Plain>> | undefined;
}

export interface ExportPlugin {
  generate(
    input: ExportInput,
    parameters: Readonly<Record<string, Plain>>,
    ctx: PluginContext,
  ): Promise<ExportOutput> | ExportOutput;
  healthCheck?(ctx: PluginContext): Promise<Health> | Health;
}
