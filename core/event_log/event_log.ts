/**
 * What happened in the library, durably and in order: appended in the transaction of the thing itself, read by
 * hooks, feeds (SSE, WebSocket, command line) and runs that wait for an event. A job's own progress is not here but
 * in its own events (`core/jobs/watch.ts`).
 */
import type { Tx } from "../stores/sql.ts";

export const EVENT_NAMES = [
  "content.imported",
  "content.deleted",
  "artifact.created",
  "artifact.changed",
  "artifact.deleted",
  "job.completed",
  "job.failed",
  "job.cancelled",
  "run.waits",
  "notify",
] as const;
export type EventName = typeof EVENT_NAMES[number];

/** What `artifact.created` says, whoever makes it. */
export interface ArtifactCreated extends Readonly<Record<string, unknown>> {
  readonly artifact: string;
  readonly type: string;
  readonly title: string;
  readonly state: string;
  /** The artifact that it follows. */
  readonly parent?: string;
  /** The run, or the job outside of any, that makes it. */
  readonly run?: string;
  readonly job?: string;
}

/** Whose events concern everybody. */
export const HOST_USER = "host";

export interface NewEvent {
  /** One of `EVENT_NAMES`, or `custom.<word>` of a workflow's or an app's own. */
  readonly name: string;
  /** The id of what it happened to. */
  readonly subject?: string | undefined;
  /** Plain JSON, at most 64 KiB. */
  readonly payload: Readonly<Record<string, unknown>>;
  readonly user: string;
}

export interface LoggedEvent {
  /** Ascends; without gaps that mean anything. */
  readonly seq: number;
  readonly name: string;
  readonly subject: string | undefined;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly user: string;
  readonly time: string;
}

export interface EventFilter {
  /** Only these; a name that ends in `.*` means all that begin so. */
  readonly names?: readonly string[] | undefined;
  readonly subject?: string | undefined;
  /** Only what is this user's, or the host's. */
  readonly user?: string | undefined;
}

export interface EventLog {
  /**
   * Appends within the caller's transaction, and resumes runs whose steps wait for an event of this name and may see
   * it: a few in the same transaction, all others soon after it.
   */
  append(tx: Tx, event: NewEvent): Promise<void>;
  /** Tells the listeners that there is something new; call it after the commit. */
  wake(): void;
  /** The events after a number, oldest first, at most `limit` (500). */
  read(afterSeq: number, filter?: EventFilter, limit?: number): Promise<readonly LoggedEvent[]>;
  /** The number of the newest. */
  newest(): Promise<number>;
  /**
   * All after a number, then live ones, until the signal; without a number live ones only. Any number of listeners
   * cost one read.
   */
  watch(
    options: EventFilter & { afterSeq?: number | undefined; signal?: AbortSignal | undefined },
  ): AsyncIterable<LoggedEvent>;
}
