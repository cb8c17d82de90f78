/**
 * The sql port: the truth. Statements are written once with Kysely; what differs by dialect sits in
 * the adapter (`sqlite.ts`). Times are ISO 8601 strings in UTC except where a number says `_ms`
 * (milliseconds since 1970). Columns that end in `_json` hold JSON text.
 */
import type { ColumnType, Generated, Kysely, Transaction } from "kysely";
import type {
  ConsentTable,
  GrantTable,
  PluginConfigTable,
  PluginTable,
  PluginVersionTable,
  PromptTable,
} from "./plugin_tables.ts";
import type {
  ArtifactEventTable,
  EventCursorTable,
  EventTable,
  JobLogTable,
  RunStepTable,
  ScheduleTable,
  WorkflowRunTable,
} from "./work_tables.ts";

export interface ContentTable {
  id: string;
  /** The URL it was imported from; `upload:<sha256>` for an upload. Unique in its collection. */
  url: string;
  type: string;
  title: string;
  authors_json: string;
  published: string | null;
  language: string | null;
  summary: string | null;
  tier: ColumnType<string, string | undefined, string>;
  licence: string | null;
  /** `ready`, or `deleted` for a soft delete. */
  status: string;
  metadata_json: string;
  collection: string;
  user_id: string;
  /** The current revision's id. */
  revision: string;
  created: string;
  updated: string;
}

/** One state of a content's bytes. Never changed once written. */
export interface RevisionTable {
  id: string;
  content_id: string;
  /** 1, 2, … within the content. */
  number: number;
  /** SHA-256 of the original bytes: names the blob. */
  original_digest: string;
  original_media_type: string;
  original_name: string;
  original_size: number;
  /** SHA-256 of the extracted text (UTF-8 Markdown): names the blob. */
  text_digest: string;
  text_size: number;
  title: string;
  metadata_json: string;
  warnings_json: string;
  plugin: string;
  plugin_digest: string;
  job_id: string;
  created: string;
}

/** A passage of the current revision: offsets in UTF-16 code units into the text, end exclusive. */
export interface ChunkTable {
  /** Ties the chunk to its entry in the full text. */
  row: Generated<number>;
  id: string;
  content_id: string;
  revision_id: string;
  position: number;
  start: number;
  end: number;
  page: number | null;
  /** The nearest heading above. */
  heading: string | null;
  text: string;
}

export interface ArtifactTable {
  id: string;
  /** The format: `ebook`, … */
  type: string;
  title: string;
  /** `[{content, revision}]` */
  sources_json: string;
  /** `[{name, media_type, digest, size}]`, the first is the artifact. */
  files_json: string;
  size: number;
  parameters_json: string;
  metadata_json: string;
  plugin: string;
  plugin_digest: string;
  job_id: string;
  user_id: string;
  /** The artifact that this one is a new version of. */
  version_of: string | null;
  created: string;
  /** The artifact that this one follows, as a variant or a chapter. */
  parent: ColumnType<string | null, string | null | undefined, string | null>;
  /** 0, 1, … among the variants of one parent. */
  variant_index: ColumnType<number | null, number | null | undefined, number | null>;
  /** 0 or 1 once somebody picked among the variants; null before. */
  chosen: ColumnType<number | null, number | null | undefined, number | null>;
  /** `placeholder`, `generating`, `ready`, `failed`, `deleted`. */
  state: ColumnType<string, string | undefined, string>;
  /** The run of a workflow that makes it. */
  run_id: ColumnType<string | null, string | null | undefined, string | null>;
  updated: ColumnType<string | null, string | null | undefined, string | null>;
}

export interface JobTable {
  /** Order of insertion; cursors of lists hold it. */
  row: Generated<number>;
  id: string;
  kind: string;
  plugin: string | null;
  /** The registrable domain that the job speaks to; a class with a limit of its own. */
  site: string | null;
  input_json: string;
  status: string;
  stage: string | null;
  /** `StageRecord[]` */
  stages_json: string;
  progress: number;
  message: string | null;
  priority: number;
  /**
   * Ready order, ascending: `run_at_ms − priority · 60 000`, so that each minute of waiting counts as
   * one point of priority without a row being touched.
   */
  rank: number;
  attempt: number;
  max_attempts: number;
  run_at_ms: number;
  lease_owner: string | null;
  lease_until_ms: number | null;
  parent: string | null;
  user_id: string;
  /** Requests with the same key get the same job. */
  idempotency_key: string | null;
  /** Single flight: equal work that is not ended yet shares one job. */
  flight_key: string | null;
  error_json: string | null;
  result_json: string | null;
  /** The sequence number of the last event. */
  seq: number;
  created: string;
  started: string | null;
  completed: string | null;
  /** What a `waiting` job waits for: `person`, `plugin`, `child` (any), `children` (all), `signal`. */
  waits_for: ColumnType<string | null, string | null | undefined, string | null>;
  /** A `waiting` job goes on by itself at this time. */
  wake_ms: ColumnType<number | null, number | null | undefined, number | null>;
  /** How many of its attempts were no tries: they ended by waiting, or together with their host. */
  waits: Generated<number>;
  /** How many attempts in a row ended together with their host. */
  losses: Generated<number>;
  /** How many of its children have ended since its attempt began. */
  child_ends: Generated<number>;
  /** How far its handler has come, by kind; null for most. */
  place_json: ColumnType<string | null, string | null | undefined, string | null>;
  /** 1 for a run whose tree has lost its events and logs. */
  pruned: Generated<number>;
  /** `RetryPolicy` of its own. */
  retry_json: ColumnType<string | null, string | null | undefined, string | null>;
  /** `StageCost[]`, the attempts one after another. */
  costs_json: Generated<string>;
}

export interface JobEventTable {
  job_id: string;
  seq: number;
  status: string;
  stage: string | null;
  progress: number;
  message: string | null;
  time: string;
}

export interface LineageNodeTable {
  /** The id of the thing itself where it has one. */
  id: string;
  /** `Content`, `Artifact`, `Chunk`, `PluginVersion`, `Job`, `User`, `Scene`, … */
  type: string;
  label: string;
  properties_json: string;
  created: string;
}

/** `from` was made by, of or with `to`. */
export interface LineageEdgeTable {
  from_id: string;
  to_id: string;
  type: string;
  /** Who says so: `host`, or the id of the plugin that claims it. */
  claimed_by: string;
  properties_json: string;
  created: string;
}

export interface CollectionTable {
  id: string;
  name: string;
  user_id: string;
  /** 0 or 1 */
  shared: number;
  created: string;
}

export interface UserTable {
  id: string;
  name: string;
  role: string;
  created: string;
}

export interface TokenTable {
  id: string;
  user_id: string;
  name: string;
  /** SHA-256 of the token, hex. */
  hash: string;
  created: string;
  last_used: string | null;
  expires: string | null;
}

/** Every blob that the rows refer to; what has no row may be swept. */
export interface BlobTable {
  digest: string;
  size: number;
  media_type: string;
  created: string;
}

/** Keeps blobs that are written before their rows from being swept. */
export interface BlobLeaseTable {
  digest: string;
  owner: string;
  until_ms: number;
}

/** One thing that was done; written by `core/audit` only, never changed. Null where it does not apply. */
export interface AuditTable {
  /** Whose chain. */
  host: string;
  /** 1, 2, … in the chain, without a gap. */
  seq: number;
  time: string;
  /** `noun.verb` */
  event: string;
  plugin: string | null;
  /** SHA-256 of the plugin's bundle, hex. */
  digest: string | null;
  /** User id, or `host`. */
  actor: string | null;
  job: string | null;
  /** An object; ASCII, keys sorted, 4 KiB at most. */
  details_json: string;
  /** `hash` of the row before; 64 zeros for the first. */
  previous: string;
  /** HMAC-SHA-256 of all the above, hex. */
  hash: string;
}

export interface MigrationTable {
  number: number;
  name: string;
  /** SHA-256 of the migration's text, hex: one that was applied is never edited. */
  checksum: string;
  applied: string;
}

export interface Database {
  content: ContentTable;
  revision: RevisionTable;
  chunk: ChunkTable;
  artifact: ArtifactTable;
  job: JobTable;
  job_event: JobEventTable;
  job_log: JobLogTable;
  schedule: ScheduleTable;
  event: EventTable;
  event_cursor: EventCursorTable;
  workflow_run: WorkflowRunTable;
  run_step: RunStepTable;
  artifact_event: ArtifactEventTable;
  plugin: PluginTable;
  plugin_version: PluginVersionTable;
  grant: GrantTable;
  plugin_config: PluginConfigTable;
  consent: ConsentTable;
  prompt: PromptTable;
  lineage_node: LineageNodeTable;
  lineage_edge: LineageEdgeTable;
  collection: CollectionTable;
  user: UserTable;
  token: TokenTable;
  blob: BlobTable;
  blob_lease: BlobLeaseTable;
  audit: AuditTable;
  migration: MigrationTable;
}

export type * from "./plugin_tables.ts";
export type * from "./work_tables.ts";

export type Tx = Transaction<Database>;
export type { Generated };

/** One hit of the full text: a chunk and how well it matched. */
export interface TextHit {
  readonly chunkId: string;
  /** Higher is better; comparable within one answer only. */
  readonly score: number;
}

/** The sql store. */
export interface SqlStore extends AsyncDisposable {
  /** For reads and single statements. */
  readonly db: Kysely<Database>;
  /**
   * Runs `work` in one transaction and commits it durably before it resolves. Short ones only: the
   * embedded store has one writer.
   */
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /** Full text: the best chunks of current revisions for a user's words, best first. Never throws on odd input. */
  searchText(query: string, options: TextSearchOptions): Promise<TextHit[]>;
  /** Full text: makes sure that nothing is left of the words of deleted chunks. May take long; blocks nobody. */
  forgetText(): Promise<void>;
}

export interface TextSearchOptions {
  readonly limit: number;
  readonly collection?: string | undefined;
  readonly type?: string | undefined;
  readonly language?: string | undefined;
}
