/** What the host saw and writes into the lineage. */
import type { Attribution, ContentType } from "../../sdk/types.ts";
import type { Job } from "../jobs/job.ts";

export interface PluginVersion {
  readonly id: string;
  readonly version: string;
  readonly digest: string;
}

export interface ImportedFact {
  readonly content: {
    readonly id: string;
    readonly type: ContentType;
    readonly title: string;
    readonly url: string;
    readonly filename: string | undefined;
    readonly licence: string | undefined;
  };
  readonly revision: string;
  readonly plugin: PluginVersion;
  readonly job: Job;
}

export interface GeneratedFact {
  readonly artifact: { readonly id: string; readonly type: string; readonly title: string };
  readonly sources: readonly {
    readonly content: string;
    readonly revision: string;
    readonly chunks: number;
  }[];
  readonly attributions: readonly Attribution[];
  readonly plugin: PluginVersion;
  readonly job: Job;
  readonly versionOf: string | undefined;
  readonly reason: string | undefined;
}

/** The job that did something. */
export type Maker = Pick<Job, "id" | "kind" | "attempt" | "user">;

/** An artifact that is announced: nothing of it is there yet. */
export interface AnnouncedFact {
  readonly artifact: GeneratedFact["artifact"];
  readonly sources: readonly { readonly content: string; readonly revision: string }[];
  /** The artifact that it follows. */
  readonly parent: string | undefined;
  /** The run that makes it, or the job outside of any. */
  readonly job: Maker;
}

/** A file of an artifact that is written piece by piece. */
export interface WrittenFact {
  readonly artifact: string;
  readonly file: {
    readonly name: string;
    readonly digest: string;
    readonly language: string | undefined;
    /** Its place among the files, from 0. */
    readonly position: number;
  };
  /** The calls whose results it holds; none for a text of a person or a template. */
  readonly makers: readonly {
    readonly plugin: PluginVersion;
    readonly job: Maker;
    /** As the plugin says. */
    readonly models: readonly { readonly name: string; readonly usage: object }[];
    /** Whether the text stands in what the call returned as it is. */
    readonly verbatim: boolean;
    /** What the call was given to work from. */
    readonly given: readonly UsedSource[];
    /** Which of these it used, as the plugin says. */
    readonly used: readonly UsedSource[] | undefined;
    /** Files of the artifact that it was given, for example to translate. */
    readonly from: readonly string[];
  }[];
  /** The users who gave it. */
  readonly givers: readonly string[];
}

export interface UsedSource {
  /** A content, or an artifact. */
  readonly id: string;
  readonly revision: string | undefined;
  /** Passages; none means the whole. */
  readonly chunks: readonly string[];
}
