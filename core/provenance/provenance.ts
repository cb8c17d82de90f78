/** Provenance: where a thing came from, and what was made of it. */
import type { Actor } from "../auth/actor.ts";

export interface LineageNode {
  readonly id: string;
  readonly type: string;
  readonly label: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

/** `from` was made by, of or with `to`. */
export interface LineageEdge {
  readonly from: string;
  readonly to: string;
  readonly type: string;
  /** `host` for what the host saw, else the plugin that claims it. */
  readonly claimedBy: string;
}

export interface Genealogy {
  readonly root: string;
  readonly nodes: readonly LineageNode[];
  readonly edges: readonly LineageEdge[];
  /** Whether `depth` or the bound on nodes cut something off. */
  readonly truncated: boolean;
}

/** One part of an artifact, for example a chapter, and the passages it was made from. */
export interface AttributedPart {
  readonly id: string;
  readonly kind: string;
  readonly title: string | undefined;
  readonly location: string | undefined;
  readonly claimedBy: string;
  readonly sources: readonly {
    readonly content: string;
    readonly title: string;
    readonly url: string | undefined;
    readonly revision: string | undefined;
    readonly passages: readonly {
      readonly chunk: string;
      readonly start: number;
      readonly end: number;
      readonly page: number | undefined;
    }[];
  }[];
}

export interface AttributionReport {
  readonly artifact: string;
  /** Ready to print below the work: one line a source. */
  readonly text: string;
  readonly parts: readonly AttributedPart[];
  /** Whether the bound on passages of one answer left some out. */
  readonly truncated: boolean;
}

export interface Provenance {
  /** Ancestors of a node, at most `depth` edges away. @default depth 10, at most 50 */
  genealogy(id: string, options: { depth?: number | undefined }, actor: Actor): Promise<Genealogy>;
  attribution(artifact: string, actor: Actor): Promise<AttributionReport>;
  /** Artifacts that were made from a content. */
  generatedFrom(
    content: string,
    actor: Actor,
  ): Promise<readonly { artifact: string; title: string; created: string }[]>;
}
