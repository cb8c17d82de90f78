/**
 * The journal of a run: a row for each step that was begun, and nothing beside it that counts. In memory it knows
 * what is open, so that a step of a foreach over thousands of items costs no look at those that have ended.
 */
import type { JobError } from "../jobs/job.ts";
import type { RunStep, StepState } from "./workflows.ts";

/** `pending`: to be begun again; what it was before is forgotten but for its number. */
export type RowState = StepState | "pending";

export interface StepRow {
  readonly path: string;
  readonly kind: RunStep["kind"];
  readonly state: RowState;
  /** 1, 2, …: how often it was begun. */
  readonly number: number;
  readonly job: string | undefined;
  readonly input: unknown;
  readonly result: unknown;
  /** Of a skipped step why it was, unless its condition was not true. */
  readonly error: JobError | undefined;
  readonly waitEvent: string | undefined;
  readonly waitSeq: number | undefined;
  /** When it is over, or its time is up; milliseconds since 1970. */
  readonly wakeMs: number | undefined;
  readonly started: string;
  readonly ended: string | undefined;
}

/** The items of a foreach. */
interface Items {
  readonly open: Set<number>;
  readonly ended: Set<number>;
  readonly failed: Set<number>;
  /** No item below it is left to be begun. */
  next: number;
}

export function isOpen(row: StepRow): boolean {
  return row.state === "running" || row.state === "waiting";
}

export function isEnded(row: StepRow): boolean {
  return !isOpen(row) && row.state !== "pending";
}

export class Journal {
  readonly #rows = new Map<string, StepRow>();
  readonly #open = new Set<string>();
  readonly #items = new Map<string, Items>();
  readonly #sizes = new Map<string, number>();
  #size = 0;
  /** Paths of rows that are not on disk as they are here. */
  readonly changed = new Set<string>();

  /** @param sizes Characters of JSON in a row, by path. @default none */
  constructor(rows: Iterable<StepRow> = [], sizes: ReadonlyMap<string, number> = new Map()) {
    for (const row of rows) this.#keep(row);
    for (const [path, chars] of sizes) this.weigh(path, chars);
  }

  /** Characters of JSON in all rows. */
  get chars(): number {
    return this.#size;
  }

  /** Characters of JSON in a row. */
  charsOf(path: string): number {
    return this.#sizes.get(path) ?? 0;
  }

  /** Says how large a row is now. */
  weigh(path: string, chars: number): void {
    this.#size += chars - this.charsOf(path);
    this.#sizes.set(path, chars);
  }

  get(path: string): StepRow | undefined {
    return this.#rows.get(path);
  }

  set(row: StepRow): StepRow {
    this.#keep(row);
    this.changed.add(row.path);
    return row;
  }

  rows(): IterableIterator<StepRow> {
    return this.#rows.values();
  }

  get size(): number {
    return this.#rows.size;
  }

  /** Those that run or wait, at this moment. */
  open(): StepRow[] {
    return [...this.#open].map((path) => this.#rows.get(path)!);
  }

  items(foreach: string): Items {
    let items = this.#items.get(foreach);
    if (items === undefined) {
      items = { open: new Set(), ended: new Set(), failed: new Set(), next: 0 };
      this.#items.set(foreach, items);
    }
    return items;
  }

  #keep(row: StepRow): void {
    this.#rows.set(row.path, row);
    if (isOpen(row)) this.#open.add(row.path);
    else this.#open.delete(row.path);
    if (row.kind !== "item") return;
    const at = row.path.lastIndexOf("[");
    const index = Number(row.path.slice(at + 1, -1));
    const items = this.items(row.path.slice(0, at));
    for (const set of [items.open, items.ended, items.failed]) set.delete(index);
    if (isOpen(row)) items.open.add(index);
    else if (isEnded(row)) items.ended.add(index);
    else items.next = Math.min(items.next, index);
    if (row.state === "failed") items.failed.add(index);
  }
}
