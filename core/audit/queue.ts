/** Events on their way to the table: bounded, in order, many to a commit. */
import type { Clock } from "../jobs/clock.ts";

export interface Lost {
  readonly count: number;
  /** ISO 8601 times of the first and the last one that was dropped. */
  readonly first: string;
  readonly last: string;
}

export interface AuditQueueOptions<T> {
  /** Commits a batch, whole or not at all. */
  readonly write: (batch: readonly T[]) => Promise<void>;
  /** Follows each batch. */
  readonly after: () => Promise<void>;
  /** What is written in place of those that were dropped. */
  readonly lost: (lost: Lost) => T;
  readonly timestamp: () => string;
  readonly flushMs: number;
  /** Events that wait. */
  readonly max: number;
  readonly clock: Clock;
  readonly report: (error: unknown) => void;
}

export interface AuditQueue<T> {
  add(event: T): void;
  /** Sees to it that `after` runs soon. */
  wake(): void;
  /** Resolves when what was added is written, or could not be, which is reported. */
  flush(): Promise<void>;
  /** Writes what is there; later events are dropped. */
  close(): Promise<void>;
}

/** So that a transaction holds the event loop for a few milliseconds only. */
const BATCH = 50;
/** After a failure. */
const RETRY_MS = 1000;

export function createAuditQueue<T>(options: AuditQueueOptions<T>): AuditQueue<T> {
  const { write, after, clock, report, max, flushMs } = options;
  let waiting: T[] = [];
  let lost: Lost | undefined;
  let cancelTimer: (() => void) | undefined;
  let closed = false;
  let last: Promise<void> = Promise.resolve();

  function wake(ms = flushMs): void {
    if (closed) return;
    cancelTimer ??= clock.after(ms, () => {
      cancelTimer = undefined;
      void run();
    });
  }

  /** One after another. */
  function run(): Promise<void> {
    return last = last.then(step);
  }

  async function step(): Promise<void> {
    try {
      while (waiting.length > 0 || lost !== undefined) await writeBatch();
      await after();
    } catch (error) {
      report(error);
      wake(RETRY_MS);
    }
  }

  async function writeBatch(): Promise<void> {
    // They stay in the queue until they are on disk.
    const batch = waiting.slice(0, BATCH);
    const gap = batch.length < BATCH ? lost : undefined;
    if (gap !== undefined) batch.push(options.lost(gap));
    await write(batch);
    waiting = waiting.slice(gap === undefined ? batch.length : batch.length - 1);
    if (gap !== undefined) lost = lost === gap ? undefined : without(lost!, gap);
    await after();
  }

  return {
    add(event) {
      if (closed) return;
      if (waiting.length >= max) {
        const time = options.timestamp();
        lost = { count: (lost?.count ?? 0) + 1, first: lost?.first ?? time, last: time };
      } else {
        waiting.push(event);
      }
      wake();
    },
    wake: () => wake(),
    flush() {
      cancelTimer?.();
      cancelTimer = undefined;
      return run();
    },
    async close() {
      if (closed) return await last;
      const done = this.flush();
      closed = true;
      await done;
      cancelTimer?.();
    },
  };
}

/** What was dropped while the others were being written. */
function without(lost: Lost, written: Lost): Lost {
  return { ...lost, count: lost.count - written.count, first: written.last };
}
