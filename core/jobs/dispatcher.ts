/** Jobs, put together: the use cases of `jobs.ts` and the loop that runs them. */
import { EventBus } from "../events.ts";
import type { BlobKeeper } from "../stores/blobs.ts";
import type { SqlStore, Tx } from "../stores/sql.ts";
import { cancelTree, failWaiting, resumeWaiting, retryByHand } from "./care_store.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { ClassLimits } from "./dispatch_limits.ts";
import { createDispatchLoop, type DispatchLoop } from "./dispatch_loop.ts";
import { createGroupCommit } from "./group_commit.ts";
import { createHub } from "./hub.ts";
import type { Job, JobError, JobHandler, JobKind } from "./job.ts";
import type { Jobs } from "./jobs.ts";
import type { Queue } from "./queue.ts";
import { rankOf, toJob } from "./row.ts";
import { type Added, addJob, countJobs, listJobs, readRow } from "./store.ts";
import { finished, watch } from "./watch.ts";

export interface CreateJobsOptions {
  readonly sql: SqlStore;
  readonly blobs: BlobKeeper;
  readonly queue: Queue;
  /** Receives `job.event`. @default a bus of its own */
  readonly events?: EventBus | undefined;
  readonly handlers: Readonly<Partial<Record<JobKind, JobHandler>>>;
  /** Jobs at once; one slot is kept for priority 8 and more. @default 8 */
  readonly concurrency?: number | undefined;
  /** Jobs at once of a class. @default no limits */
  readonly classLimits?: ClassLimits | undefined;
  /** For tests. @default the system's */
  readonly clock?: Clock | undefined;
  /** How long an attempt is safe from the reaper without a beat. @default 15 000 */
  readonly leaseMs?: number | undefined;
  /** @default 5 000 */
  readonly beatMs?: number | undefined;
  /** @default 5 000 */
  readonly sweepMs?: number | undefined;
  /** Time that a handler has to stop after a cancel; it is fenced off a second later. @default 2 000 */
  readonly graceMs?: number | undefined;
  /**
   * Whether the caller holds the lock of the data folder: then nobody else can be running anything, and what
   * the last host left is taken back at once, without waiting for its leases. @default true
   */
  readonly soleHost?: boolean | undefined;
  /** 0 to 1, for the jitter of retries. @default Math.random */
  readonly random?: (() => number) | undefined;
  /** For faults of handlers and stores. @default console.error */
  readonly report?: ((error: unknown) => void) | undefined;
}

/** What becomes of jobs that wait for a person. `alongside` is written in the same transaction. */
export interface WaitingJobs {
  /** Lets it go on. Says whether it waited. */
  resume(id: string, alongside?: (tx: Tx) => Promise<void>): Promise<boolean>;
  /** Ends it. Says whether it waited. */
  fail(id: string, error: JobError, alongside?: (tx: Tx) => Promise<void>): Promise<boolean>;
}

export interface JobEngine extends AsyncDisposable {
  readonly jobs: Jobs;
  readonly waiting: WaitingJobs;
  /** Takes back what a dead host left, then runs jobs. Without it jobs can be added and read. */
  start(): Promise<void>;
  /** Takes no more jobs and lets those that run end. */
  drain(): Promise<void>;
  /** Jobs that run here now. */
  readonly running: number;
}

/** Disposing it stops running jobs and gives them back to the queue; the stores stay open. */
export function createJobs(options: CreateJobsOptions): JobEngine {
  const { sql, blobs, queue } = options;
  const clock = options.clock ?? systemClock;
  const report = options.report ?? ((error) => console.error(error));
  const hub = createHub(options.events ?? new EventBus(report));
  const commit = createGroupCommit(sql, { report });
  const loop = createDispatchLoop({
    sql,
    queue,
    commit,
    hub,
    clock,
    handlers: options.handlers,
    attempts: {
      blobs,
      commit,
      hub,
      clock,
      graceMs: options.graceMs ?? 2_000,
      random: options.random ?? Math.random,
      report,
    },
    owner: `host_${crypto.randomUUID()}`,
    concurrency: options.concurrency ?? 8,
    classLimits: options.classLimits,
    leaseMs: options.leaseMs ?? 15_000,
    beatMs: options.beatMs ?? 5_000,
    sweepMs: options.sweepMs ?? 5_000,
    soleHost: options.soleHost ?? true,
    report,
  });

  /** Tells the other processes; this one has been told by `kick`. */
  const wakeOthers = (atMs?: number) => void queue.wake(atMs).catch(report);

  const jobs: Jobs = {
    async add(job) {
      const adding = commit.submit(async (tx, after) => {
        const added = await addJob(tx, job, clock.now());
        noteNew(loop, added);
        after(() => {
          if (added.event === undefined) return;
          hub.publish(added.event);
          wakeOthers(dueAt(added.job));
        });
        return added.job;
      });
      // Asked for now, the claim shares the transaction that adds the job.
      loop.kick();
      return await adding;
    },
    // Its first event is not published live, since the caller's transaction may yet fail: watchers of the job
    // find it in the table.
    async addIn(tx, job) {
      const added = await addJob(tx, job, clock.now());
      noteNew(loop, added);
      return added.job;
    },
    wake() {
      loop.kick();
      wakeOthers();
    },
    get: async (id) => toJob(await readRow(sql.db, id)),
    list: (filter) => listJobs(sql.db, filter),
    async cancel(id) {
      await commit.submit(async (tx, after) => {
        for (const { job, event } of await cancelTree(tx, id, clock.now())) {
          after(() => {
            hub.publish(event);
            if (job.status === "cancelling") loop.cancel(job.id);
          });
        }
      });
      return await jobs.get(id);
    },
    async retry(id) {
      const retrying = commit.submit(async (tx, after) => {
        const { job, event } = await retryByHand(tx, id, clock.now());
        loop.onReady(rankedOf(job));
        after(() => {
          hub.publish(event);
          wakeOthers();
        });
        return job;
      });
      loop.kick();
      return await retrying;
    },
    watch: (id, watchOptions) => watch(sql.db, hub, id, watchOptions),
    finished: (id, signal) => finished(sql.db, hub, id, signal),
    counts: () => countJobs(sql.db),
  };

  const waiting: WaitingJobs = {
    async resume(id, alongside) {
      const resumed = await commit.submit(async (tx, after) => {
        const changed = await resumeWaiting(tx, id, clock.now());
        await alongside?.(tx);
        if (changed === undefined) return false;
        loop.onReady(rankedOf(changed.job));
        after(() => {
          hub.publish(changed.event);
          wakeOthers();
        });
        return true;
      }, { alone: true });
      loop.kick();
      return resumed;
    },
    fail: (id, error, alongside) =>
      commit.submit(async (tx, after) => {
        const changed = await failWaiting(tx, id, error, clock.now());
        await alongside?.(tx);
        if (changed !== undefined) after(() => hub.publish(changed.event));
        return changed !== undefined;
      }, { alone: true }),
  };

  let disposed: Promise<void> | undefined;
  return {
    jobs,
    waiting,
    start: () => loop.start(),
    drain: () => loop.drain(),
    get running() {
      return loop.running.size;
    },
    [Symbol.asyncDispose]: () => disposed ??= loop.stop().finally(() => hub.close()),
  };
}

function noteNew(loop: DispatchLoop, { job, event, raised }: Added): void {
  if (event === undefined && !raised) return;
  const atMs = dueAt(job);
  if (atMs === undefined) loop.onReady(rankedOf(job));
  else loop.onDueAt(atMs);
}

function dueAt(job: Job): number | undefined {
  return job.status === "pending" ? Date.parse(job.runAt) : undefined;
}

function rankedOf(job: Job): { rank: number; priority: number } {
  return { priority: job.priority, rank: rankOf(job.priority, Date.parse(job.runAt)) };
}
