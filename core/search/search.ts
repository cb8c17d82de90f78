/** Search: passages of the library, best first. */
import type { Actor } from "../auth/actor.ts";

export interface SearchQuery {
  readonly q: string;
  /** Hits wanted, 1 to 100. @default 10 */
  readonly k?: number | undefined;
  readonly collection?: string | undefined;
  readonly type?: string | undefined;
  readonly language?: string | undefined;
}

export interface SearchHit {
  readonly chunk: string;
  readonly content: {
    readonly id: string;
    readonly title: string;
    readonly type: string;
    readonly url: string;
  };
  readonly revision: string;
  /** Offsets into `extracted.txt`, UTF-16 code units, end exclusive. */
  readonly start: number;
  readonly end: number;
  readonly page: number | undefined;
  readonly heading: string | undefined;
  readonly text: string;
  /** Ranges within `text` that matched a word of the query. */
  readonly highlights: readonly (readonly [start: number, end: number])[];
  readonly score: number;
}

export interface Search {
  search(query: SearchQuery, actor: Actor): Promise<readonly SearchHit[]>;
}
