/** A job's story without a gap: what is on disk first, then what comes live. */
import type { Kysely } from "kysely";
import { CarrelError } from "../errors.ts";
import type { Database } from "../stores/sql.ts";
import type { Hub } from "./hub.ts";
import { isEnded, type Job, type JobEvent, type JobStatus } from "./job.ts";
import { toJob } from "./row.ts";
import { readEvents, readRow } from "./store.ts";

export interface WatchOptions {
  /** Only what comes after this. @default 0 */
  readonly afterSeq?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Events in order, until the job has ended, the signal is aborted or the hub is closed. Throws `not_found`.
 */
export async function* watch(
  db: Kysely<Database>,
  hub: Hub,
  id: string,
  { afterSeq = 0, signal }: WatchOptions,
): AsyncGenerator<JobEvent, void, void> {
  const inbox = createInbox(hub, id, signal);
  try {
    // Subscribed before reading, so that nothing falls in between; what comes twice is dropped by its number.
    const row = await readRow(db, id);
    let last = Math.min(afterSeq, row.seq);
    let backlog = await readEvents(db, id, last);
    if (backlog.length === 0 && isEnded(row.status as JobStatus)) return;
    for (;;) {
      for (const event of backlog) {
        if (signal?.aborted) return;
        last = event.seq;
        yield event;
      }
      // An end within the backlog may have been followed by a retry by hand.
      const newest = backlog.at(-1);
      if (newest !== undefined && isEnded(newest.status)) return;

      backlog = [];
      while (backlog.length === 0) {
        const event = await inbox.next();
        if (event === undefined) return;
        if (event.seq <= last) continue;
        backlog = event.seq === last + 1 ? [event] : await readEvents(db, id, last);
      }
    }
  } finally {
    inbox.close();
  }
}

/** Resolves with the job once it has ended. Throws `not_found`, the signal's reason, or `shutting_down`. */
export async function finished(
  db: Kysely<Database>,
  hub: Hub,
  id: string,
  signal: AbortSignal | undefined,
): Promise<Job> {
  const inbox = createInbox(hub, id, signal);
  try {
    for (;;) {
      const job = toJob(await readRow(db, id));
      if (isEnded(job.status)) return job;
      let event: JobEvent | undefined;
      do {
        event = await inbox.next();
        signal?.throwIfAborted();
        if (event === undefined) {
          throw new CarrelError("shutting_down", `Cannot wait for "${id}": the host shuts down`);
        }
      } while (!isEnded(event.status));
    }
  } finally {
    inbox.close();
  }
}

/** Live events of one job, kept until they are asked for. */
function createInbox(hub: Hub, id: string, signal: AbortSignal | undefined) {
  const events: JobEvent[] = [];
  let over = signal?.aborted ?? false;
  let notify = () => {};
  const finish = () => {
    over = true;
    notify();
  };
  const unsubscribe = hub.subscribe(id, (event) => {
    events.push(event);
    notify();
  }, finish);
  signal?.addEventListener("abort", finish, { once: true });
  return {
    /** `undefined` once no more can come. */
    async next(): Promise<JobEvent | undefined> {
      while (events.length === 0 && !over) {
        await new Promise<void>((resolve) => notify = resolve);
      }
      return signal?.aborted ? undefined : events.shift();
    },
    close(): void {
      unsubscribe();
      signal?.removeEventListener("abort", finish);
    },
  };
}
