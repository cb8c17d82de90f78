/**
 * Group commit: what is handed in while one transaction runs shares the next one, and so one fsync. With
 * thousands of jobs a second, an fsync each would be most of the cost.
 */
import { setImmediate } from "node:timers";
import type { SqlStore, Tx } from "../stores/sql.ts";
import { setEffects } from "./effects.ts";

/**
 * Work within the shared transaction. It may run twice (when another operation of the same group fails), so
 * it changes nothing outside `tx`; what must follow the commit goes to `after`, which is called in order
 * before anyone's promise resolves.
 */
export type Operation<T> = (tx: Tx, after: (run: () => void) => void) => Promise<T>;

/** Ends come first, since they free slots; the claim comes last, since it takes what the others brought. */
export type Lane = "end" | "change" | "claim";

export interface SubmitOptions {
  /** @default "change" */
  readonly lane?: Lane | undefined;
  /**
   * In a transaction of its own, which it shares with the claim at most: for work of others, which may be long or
   * fail. @default false
   */
  readonly alone?: boolean | undefined;
}

export interface GroupCommit {
  /** Resolves once the operation is on disk. */
  submit<T>(operation: Operation<T>, options?: SubmitOptions): Promise<T>;
  /** Resolves once everything that was handed in is settled. */
  idle(): Promise<void>;
}

export interface GroupCommitOptions {
  /** A group is closed after this time, milliseconds, so that the event loop stays quick. @default 4 */
  readonly budgetMs?: number | undefined;
  /** For what a listener throws. @default console.error */
  readonly report?: ((error: unknown) => void) | undefined;
}

interface Entry {
  readonly operation: Operation<unknown>;
  readonly alone: boolean;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export function createGroupCommit(sql: SqlStore, options: GroupCommitOptions = {}): GroupCommit {
  const budgetMs = options.budgetMs ?? 4;
  const report = options.report ?? ((error) => console.error(error));
  const lanes: Record<Lane, Fifo> = { end: new Fifo(), change: new Fifo(), claim: new Fifo() };
  let running: Promise<void> | undefined;

  const isEmpty = () => lanes.end.length + lanes.change.length + lanes.claim.length === 0;

  async function run(): Promise<void> {
    // A turn of the event loop: whatever happens in this one comes along, and I/O gets its share.
    do {
      await new Promise((resolve) => setImmediate(resolve));
      await commitNext();
    } while (!isEmpty());
    running = undefined;
  }

  async function commitNext(): Promise<void> {
    const group: Entry[] = [];
    const take = nextOf(lanes);
    try {
      const end = performance.now() + budgetMs;
      await settle(group, async (tx, after) => {
        const values: unknown[] = [];
        for (let entry = take(false); entry; entry = take(performance.now() >= end)) {
          group.push(entry);
          values.push(await entry.operation(tx, after));
        }
        return values;
      });
    } catch (error) {
      // It did not even begin: none of those that wait can be done, and trying again might go on for ever.
      if (group.length === 0) return rejectAll(error);
      if (group.length === 1) return group[0]!.reject(error);
      for (const entry of group) await retryAlone(entry);
    }
  }

  function rejectAll(error: unknown): void {
    for (const lane of Object.values(lanes)) {
      for (let entry = lane.first(); entry; entry = lane.first()) {
        lane.drop();
        entry.reject(error);
      }
    }
  }

  /** One bad operation must not fail the others: each gets a transaction of its own. */
  async function retryAlone(entry: Entry): Promise<void> {
    try {
      await settle([entry], async (tx, after) => [await entry.operation(tx, after)]);
    } catch (error) {
      entry.reject(error);
    }
  }

  async function settle(group: readonly Entry[], work: Operation<unknown[]>): Promise<void> {
    const effects: (() => void)[] = [];
    const after = (effect: () => void) => void effects.push(effect);
    const values = await sql.transaction((tx) => {
      setEffects(tx, after);
      return work(tx, after);
    });
    for (const effect of effects) {
      try {
        effect();
      } catch (error) {
        report(error);
      }
    }
    group.forEach((entry, index) => entry.resolve(values[index]));
  }

  return {
    submit<T>(operation: Operation<T>, { lane = "change", alone = false }: SubmitOptions = {}) {
      return new Promise<T>((resolve, reject) => {
        lanes[lane].push({
          operation,
          alone,
          resolve: resolve as (value: unknown) => void,
          reject,
        });
        running ??= run();
      });
    },
    async idle() {
      while (running !== undefined) await running;
    },
  };
}

/** Takes the entries of one group, lane by lane; when time is up, or one is to be alone, it skips to the claims. */
function nextOf(lanes: Record<Lane, Fifo>): (timeIsUp: boolean) => Entry | undefined {
  let taken = 0;
  let isAlone = false;
  return (timeIsUp) => {
    const only = timeIsUp || isAlone;
    for (const name of only ? ["claim"] as const : ["end", "change", "claim"] as const) {
      const lane = lanes[name];
      const first = lane.first();
      // One that wants to be alone waits for a group without others.
      if (first === undefined || (first.alone && taken > 0)) continue;
      taken++;
      isAlone ||= first.alone;
      lane.drop();
      return first;
    }
    return undefined;
  };
}

/** First in, first out; `Array.shift` moves everything behind the first one, and there may be 100,000. */
class Fifo {
  #entries: Entry[] = [];
  #head = 0;

  get length(): number {
    return this.#entries.length - this.#head;
  }

  push(entry: Entry): void {
    this.#entries.push(entry);
  }

  first(): Entry | undefined {
    return this.#entries[this.#head];
  }

  drop(): void {
    this.#head++;
    if (this.length > 0 && this.#head * 2 < this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#head);
    this.#head = 0;
  }
}
