/**
 * What an artifact is: a thing that was made of others, by an export or by the steps of a workflow.
 *
 * - **state**: how far its maker is. `placeholder`: announced, nothing of it is there · `generating`: being made ·
 *   `ready` · `failed`: its maker ended before it was ready · `deleted`.
 * - **variant**: one of several artifacts with the same parent of which somebody chooses one; it has a
 *   `variantIndex`. Its **siblings** are the other variants of that parent.
 * - **format**: a rendition that an artifact has or will have, such as a language: `de`.
 */
import type { StoredFile } from "./library.ts";

export const ARTIFACT_STATES = [
  "placeholder",
  "generating",
  "ready",
  "failed",
  "deleted",
] as const;
export type ArtifactState = typeof ARTIFACT_STATES[number];

export interface Artifact {
  readonly id: string;
  readonly type: string;
  readonly title: string;
  readonly sources: readonly { readonly content: string; readonly revision: string }[];
  /** The first is the artifact; the others go with it. */
  readonly files: readonly StoredFile[];
  readonly size: number;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** What made its first file; `host` for one without a file, or whose text came from a person or a template. */
  readonly plugin: string;
  /** Empty for `host`. */
  readonly pluginDigest: string;
  readonly job: string;
  readonly user: string;
  readonly versionOf: string | undefined;
  /** The artifact that this one follows. */
  readonly parent: string | undefined;
  /** 0, 1, … among the variants of its parent. */
  readonly variantIndex: number | undefined;
  /** Undefined until somebody has chosen among the variants. */
  readonly chosen: boolean | undefined;
  readonly state: ArtifactState;
  /** The run of a workflow that makes it. */
  readonly run: string | undefined;
  readonly created: string;
  readonly updated: string;
}

export const READER_EVENTS = ["opened", "read", "shared"] as const;
/** What a reader does with an artifact. */
export type ReaderEvent = typeof READER_EVENTS[number];

export const READING_STATES = [
  "none",
  "generating",
  "content_ready",
  "fully_ready",
  "opened",
  "read",
] as const;

/** What a reader's app needs to know of an artifact; `reading.ts` finds it out. */
export interface Reading {
  readonly state: typeof READING_STATES[number];
  /** By format: `missing` for one that was promised and is not being made any more. */
  readonly formats: Readonly<Record<string, "ready" | "generating" | "missing">>;
  /** The other variants of its parent, as long as nobody has chosen among them. */
  readonly waitingSiblings: number;
}

/** An artifact as one reader sees it. */
export interface ArtifactView extends Artifact {
  readonly reading: Reading;
}

/** Another variant of the same parent. */
export interface Sibling {
  readonly id: string;
  readonly title: string;
  readonly variantIndex: number;
  readonly chosen: boolean | undefined;
  readonly state: ArtifactState;
}

export interface ArtifactFilter {
  readonly parent?: string | undefined;
  readonly chosen?: boolean | undefined;
  /** @default all but `deleted` */
  readonly state?: ArtifactState | undefined;
  readonly run?: string | undefined;
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}
