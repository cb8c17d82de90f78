/** A definition while it is read: its lists and steps with where they stand and what their expressions use. */
import type { Step } from "./definition.ts";
import type { Path, Use } from "./parse_reader.ts";

export interface ListDraft {
  readonly path: Path;
  /** The step that the list is part of; undefined for the top one. */
  readonly within: StepDraft | undefined;
  readonly steps: StepDraft[];
}

export interface StepDraft {
  readonly kind: Step["kind"];
  readonly id: string;
  /** Whether the file says the id: only then can others refer to the step. */
  readonly given: boolean;
  readonly path: Path;
  readonly list: ListDraft;
  /** As the file says them. */
  readonly needs: readonly string[] | undefined;
  /** Expressions that see what has ended before the step. */
  readonly uses: Use[];
  /** Those that see an event beside it. */
  readonly eventUses: Use[];
  /** Those that see the results of one round of a foreach. */
  readonly collectUses: Use[];
  readonly lists: ListDraft[];
}
