/**
 * What must follow a commit. Work that is handed a bare transaction, several calls deep, finds here where to
 * leave what is to be done once that is on disk.
 */
import type { Tx } from "../stores/sql.ts";

export type After = (run: () => void) => void;

const known = new WeakMap<Tx, After>();

/** @param after calls what it is given after the commit, in order, and not at all when there is none. */
export function setEffects(tx: Tx, after: After): void {
  known.set(tx, after);
}

/** Undefined for a transaction that the job engine did not begin. */
export function effectsOf(tx: Tx): After | undefined {
  return known.get(tx);
}
