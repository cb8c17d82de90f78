/**
 * The audit: what was done with plugins and by them, append-only.
 *
 * - **row**: one thing that was done, `noun.verb`, by whom, to which plugin, for which job.
 * - **chain**: the rows of one host, numbered from 1, each sealed by an HMAC over itself and the seal of the
 *   row before, with a key that is not in the database.
 * - **head**: number and seal of the last row, signed, in a file outside the database: what it vouches for
 *   cannot be cut off unseen. An operator who keeps it on another disk is told of a full rewrite too.
 */
import type { Tx } from "../stores/sql.ts";

export const AUDIT_EVENTS = [
  "host.started",
  "host.stopped",
  "plugin.installed",
  "plugin.updated",
  "plugin.enabled",
  "plugin.disabled",
  "plugin.rolled_back",
  "plugin.uninstalled",
  "plugin.quarantined",
  "consent.granted",
  "consent.denied",
  "config.changed",
  "runner.started",
  "runner.killed",
  "permission.used",
  "permission.denied",
  "capability.called",
  /** More happened than the host could write down; `count` rows are missing. */
  "audit.overflow",
  /** The audit's own files were not as the host had left them. */
  "audit.anomaly",
] as const;

export type AuditEventName = typeof AUDIT_EVENTS[number];

/** What a caller hands in. */
export interface AuditEvent {
  readonly event: AuditEventName;
  readonly plugin?: string | undefined;
  /** SHA-256 of the plugin's bundle, hex. */
  readonly digest?: string | undefined;
  /** User id. @default "host" */
  readonly actor?: string | undefined;
  readonly job?: string | undefined;
  /**
   * Plain JSON, cut to 4 KiB. `config.changed` keeps `fields`, a list of names, and nothing else: a setting's
   * value is nobody's business here.
   */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  /** Keys, at any depth of `details`, whose values must not be written down. */
  readonly secret?: readonly string[] | undefined;
}

export interface AuditRow {
  readonly host: string;
  readonly seq: number;
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly event: string;
  readonly plugin: string | undefined;
  readonly digest: string | undefined;
  readonly actor: string | undefined;
  readonly job: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;
}

export interface AuditFilter {
  readonly plugin?: string | undefined;
  readonly event?: string | undefined;
  /** ISO 8601; rows of this time and later. */
  readonly since?: string | undefined;
  readonly cursor?: string | undefined;
  /** @default 100, at most 500 */
  readonly limit?: number | undefined;
}

/** Newest first; `cursor` asks for the next page. */
export interface AuditPage {
  readonly items: readonly AuditRow[];
  readonly cursor: string | undefined;
}

export type ProblemCode =
  /** The row's seal does not fit: it was changed, or another wrote it. */
  | "changed"
  /** Rows are missing before this one. */
  | "missing"
  /** Rows that the head vouches for are missing at the end. */
  | "tail_missing"
  /** The row is sealed, but not for this place in the chain. */
  | "out_of_chain"
  /** Rows under the name of a host that does not write here. */
  | "foreign"
  | "key_missing"
  | "head_missing"
  /** The head is damaged, or signed by another key. */
  | "head_invalid"
  /** The head vouches for another row under this number. */
  | "head_differs"
  /** The head is an older one than this host has written. */
  | "head_stale"
  /** The host itself found something wrong when it started, and wrote it down. */
  | "anomaly";

export interface Problem {
  /** Null where it is about no one row. */
  readonly seq: number | null;
  readonly code: ProblemCode;
  /** For people. */
  readonly what: string;
}

export interface Verification {
  readonly ok: boolean;
  /** Rows looked at. */
  readonly rows: number;
  /** The first 100. */
  readonly problems: readonly Problem[];
  readonly problemCount: number;
  /** Rows behind the head: sealed, but they could be cut off unseen. A crash leaves a few; none while a host runs. */
  readonly unvouched: number;
}

export interface VerifyFilter {
  /** Trusts all up to this row and begins behind it: for what is known and was looked into. @default 0 */
  readonly after?: number | undefined;
}

/** Where events go. */
export interface AuditSink {
  /**
   * Takes an event down soon (100 ms by default). Never throws and never waits; when more comes than can be
   * written, the surplus is counted in one `audit.overflow` row.
   */
  append(event: AuditEvent): void;
  /** Writes the event in the caller's transaction: both are there or neither. Throws what the store throws. */
  appendIn(tx: Tx, event: AuditEvent): Promise<void>;
}

export interface Audit extends AuditSink, AsyncDisposable {
  /** Resolves when all that was appended is on disk, head included. Never within a transaction: it waits for it. */
  flush(): Promise<void>;
  list(filter?: AuditFilter): Promise<AuditPage>;
  /** Checks this host's chain, from its files, in bounded memory. */
  verify(filter?: VerifyFilter): Promise<Verification>;
}

/** Keeps nothing: for tests, and for parts that are used without a host. */
export const NO_AUDIT: AuditSink = { append: () => {}, appendIn: () => Promise.resolve() };
