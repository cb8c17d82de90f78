/**
 * What follows a change of a job, wherever it came from: the one place that tells watchers, dispatchers and
 * parents. Called in the transaction of the change.
 */
import type { Tx } from "../stores/sql.ts";
import type { Changed } from "./attempt_store.ts";
import type { Clock } from "./clock.ts";
import { type After, effectsOf } from "./effects.ts";
import { noteChildEnd } from "./family.ts";
import { isEnded, type Job, type JobEvent } from "./job.ts";
import { rankedOf } from "./row.ts";

export type Announce = (tx: Tx, changed: Changed) => Promise<void>;

export interface AnnounceOptions {
  readonly clock: Clock;
  /** After the commit; for a caller's own transaction once `wake` is called. */
  tell(event: JobEvent, after: After | undefined): void;
  /** A job has become ready. Called in the transaction, so that a claim in the same one finds it. */
  onReady(job: { readonly rank: number; readonly priority: number }): void;
  /** Looks for ready jobs. Called after the commit. */
  kick(): void;
  /** A job will fall due. */
  onDueAt(atMs: number): void;
  /** A job has ended: writes rows about it in the same transaction. It must not fail. */
  readonly onEnd?: ((tx: Tx, job: Job) => Promise<void>) | undefined;
}

export function createAnnounce(options: AnnounceOptions): Announce {
  return async function announce(tx, { job, event }) {
    const after = effectsOf(tx);
    options.tell(event, after);
    if (job.status === "queued") {
      options.onReady(rankedOf(job));
      after?.(options.kick);
    } else if (job.status === "pending" || job.status === "retrying") {
      options.onDueAt(Date.parse(job.runAt));
    } else if (job.wakeAt !== undefined) {
      options.onDueAt(Date.parse(job.wakeAt));
    } else if (isEnded(job.status)) {
      await options.onEnd?.(tx, job);
      if (job.parent === undefined) return;
      const parent = await noteChildEnd(tx, job.parent, options.clock.now());
      if (parent !== undefined) await announce(tx, parent);
    }
  };
}
