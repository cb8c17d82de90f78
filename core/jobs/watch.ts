/** A job's story without a gap: what is on disk first, then what comes live. */
import type { Kysely } from "kysely";
import { CarrelError } from "../errors.ts";
import { createFanOut, type FanOut } from "../fan_out.ts";
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
export type Watch = (id: string, options: WatchOptions) => AsyncGenerator<JobEvent, void, void>;

/** However many watch a job, its row and its events are read once for all of them. */
export function createWatch(db: Kysely<Database>, hub: Hub): Watch {
  const stories = new Map<string, FanOut<JobEvent, never>>();

  function storyOf(id: string): FanOut<JobEvent, never> {
    const known = stories.get(id);
    if (known !== undefined) return known;
    let endedBefore = false;
    const story = createFanOut<JobEvent>({
      async newest() {
        const row = await readRow(db, id);
        endedBefore = isEnded(row.status as JobStatus);
        return row.seq;
      },
      async read(afterSeq, upToSeq, limit) {
        const events = await readEvents(db, id, afterSeq, limit);
        return events.filter(({ seq }) => seq <= upToSeq);
      },
      // Of the newest only: an end further back was followed by a retry by hand.
      isOver: (last) => last === undefined ? endedBefore : isEnded(last.status),
      onEmpty() {
        unsubscribe();
        stories.delete(id);
      },
    });
    // Before anything is read, so that nothing falls in between.
    const unsubscribe = hub.subscribe(id, story.offer, story.close);
    stories.set(id, story);
    return story;
  }

  return async function* watch(id, { afterSeq = 0, signal }) {
    yield* storyOf(id).follow({ afterSeq, signal });
  };
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
