/**
 * Journals of runs that wait, kept as they were written, so that the end of one step of a large run costs no
 * reading of all the others. Only a saving: what is here counts for its version of the rows and no other.
 */
import { WORKFLOW_LIMITS } from "./definition.ts";
import type { Journal } from "./journal.ts";
import type { RunHead } from "./journal_store.ts";

/** A run as it is in hand during one attempt. */
export interface Held {
  readonly head: RunHead;
  readonly journal: Journal;
  /** Of the rows that are as the journal was when it was taken up. */
  readonly version: number;
}

/** Rows of all journals together. */
const MOST_ROWS = 50_000;
/** Characters of JSON, roughly, of all journals together. */
const MOST_CHARS = WORKFLOW_LIMITS.run_chars;

export function createMemory() {
  const kept = new Map<string, { held: Held; rows: number; chars: number }>();
  let rows = 0;
  let chars = 0;

  function drop(id: string): Held | undefined {
    const one = kept.get(id);
    if (one === undefined) return undefined;
    kept.delete(id);
    rows -= one.rows;
    chars -= one.chars;
    return one.held;
  }

  return {
    /** What is there of a run; it is not there any more then. */
    take: drop,
    keep(held: Held): void {
      drop(held.head.id);
      const { journal } = held;
      kept.set(held.head.id, { held, rows: journal.size, chars: journal.chars });
      rows += journal.size;
      chars += journal.chars;
      while (rows > MOST_ROWS || chars > MOST_CHARS) drop(kept.keys().next().value!);
    },
  };
}
