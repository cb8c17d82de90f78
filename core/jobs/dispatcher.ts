/** Jobs, put together: the use cases of `jobs.ts` and the loop that runs them. */
import { EventBus } from "../events.ts";
import type { BlobKeeper } from "../stores/blobs.ts";
import type { SqlStore, Tx } from "../stores/sql.ts";
import { createBackPressure, type QueueLimits } from "./back_pressure.ts";
import { cancelTree, failOpen, failWaiting, resumeWaiting, retryByHand } from "./care_store.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { ClassLimits } from "./dispatch_limits.ts";
import { createDispatchLoop } from "./dispatch_loop.ts";
import { createGroupCommit } from "./group_commit.ts";
import { createHub } from "./hub.ts";
import type { JobLog } from "./attempt.ts";
import { type After, effectsOf } from "./effects.ts";
import { countChildren } from "./family.ts";
import type { Job, JobError, JobEvent, JobHandler, JobKind } from "./job.ts";
import type { Jobs } from "./jobs.ts";
import type { Queue } from "./queue.ts";
import type { ClassRates } from "./rate_limits.ts";
import { rankedOf, toJob } from "./row.ts";
import { type Added, addJob, countJobs, isKnown, listJobs, readEvents, readRow } from "./store.ts";
import { createWatch, finished } from "./watch.ts";

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
  /** How often jobs of a class may begin. @default as often as they can */
  readonly classRates?: ClassRates | undefined;
  /** How many jobs may wait for their turn before requests from outside are refused. */
  readonly queueLimits?: QueueLimits | undefined;
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
  /** Keeps what handlers and plugins say while a job runs. @default nowhere */
  readonly log?: JobLog | undefined;
  /**
   * Called with each job that has ended, in the transaction that ended it. It must not fail: the end would not be
   * written either.
   */
  readonly onEnd?: ((tx: Tx, job: Job) => Promise<void>) | undefined;
  /** For faults of handlers and stores. @default console.error */
  readonly report?: ((error: unknown) => void) | undefined;
}

/** What becomes of jobs that wait. `alongside` is written in the same transaction, whether it waited or not. */
export interface WaitingJobs {
  /** Lets it go on, whatever it waits for. Says whether it waited. */
  resume(id: string, alongside?: (tx: Tx) => Promise<void>): Promise<boolean>;
  /** The same within a transaction of the caller, who calls `Jobs.wake` after it. */
  resumeIn(tx: Tx, id: string): Promise<boolean>;
  /** Ends it. Says whether it waited. */
  fail(id: string, error: JobError, alongside?: (tx: Tx) => Promise<void>): Promise<boolean>;
  /**
   * Ends it whatever it does, unless it has ended or is being cancelled, within a transaction of the caller, who calls
   * `Jobs.wake` after it. What runs is told to stop at once, and writes nothing more.
   */
  failIn(tx: Tx, id: string, error: JobError): Promise<boolean>;
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
  const pressure = createBackPressure(clock, options.queueLimits);
  let untold: JobEvent[] = [];
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
      log: options.log,
    },
    onUntold: (event) => void untold.push(event),
    async onEnd(tx, job) {
      if (job.status !== "completed") await options.handlers[job.kind]?.onBadEnd?.(tx, job);
      await options.onEnd?.(tx, job);
    },
    owner: `host_${crypto.randomUUID()}`,
    concurrency: options.concurrency ?? 8,
    classLimits: options.classLimits,
    classRates: options.classRates,
    pressure,
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
      if (pressure.refusal(job.user) !== undefined) await jobs.admit(job);
      const adding = commit.submit(async (tx, after) => {
        const added = await addJob(tx, job, clock.now());
        noteNew(added);
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
    async admit(request) {
      const refusal = pressure.refusal(request.user);
      if (refusal !== undefined && !await isKnown(sql.db, request)) throw refusal;
    },
    async addIn(tx, job) {
      const added = await addJob(tx, job, clock.now());
      noteNew(added);
      const after = effectsOf(tx);
      after?.(jobs.wake);
      if (added.event !== undefined) noteEvent(added.event, after);
      return added.job;
    },
    wake() {
      loop.kick();
      wakeOthers();
      if (untold.length > 0) tellUntold().catch(report);
    },
    get: async (id) => toJob(await readRow(sql.db, id)),
    list: (filter) => listJobs(sql.db, filter),
    children: (id) => countChildren(sql.db, id),
    async cancel(id) {
      await commit.submit((tx) => jobs.cancelIn(tx, id));
      return await jobs.get(id);
    },
    async cancelIn(tx, id) {
      for (const changed of await cancelTree(tx, id, clock.now())) await loop.announce(tx, changed);
    },
    retry: (id, retryOptions) =>
      // Alone, since it may write rows of the kind's own.
      commit.submit((tx) => jobs.retryIn(tx, id, retryOptions), { alone: true }),
    async retryIn(tx, id, retryOptions = {}) {
      const changed = await retryByHand(tx, id, retryOptions, clock.now());
      await options.handlers[changed.job.kind]?.onRetry?.(tx, changed.job);
      await loop.announce(tx, changed);
      return changed.job;
    },
    watch: createWatch(sql.db, hub),
    finished: (id, signal) => finished(sql.db, hub, id, signal),
    counts: () => countJobs(sql.db),
  };

  function noteNew({ job, event, raised }: Added): void {
    if (event === undefined && !raised) return;
    if (event !== undefined) pressure.enter(job.user);
    const atMs = dueAt(job);
    if (atMs === undefined) loop.onReady(rankedOf(job));
    else loop.onDueAt(atMs);
  }

  /** Of a caller's own transaction, which may have failed: only what is on disk is told. */
  async function tellUntold(): Promise<void> {
    const events = untold;
    untold = [];
    for (const event of events) {
      const [written] = await readEvents(sql.db, event.job_id, event.seq - 1, 1);
      const isSame = written?.status === event.status && written.timestamp === event.timestamp;
      if (isSame) loop.tell(written);
    }
  }

  function noteEvent(event: JobEvent, after: After | undefined): void {
    if (after === undefined) untold.push(event);
    else after(() => hub.publish(event));
  }

  const waiting: WaitingJobs = {
    resume: (id, alongside) =>
      commit.submit(async (tx) => {
        const resumed = await waiting.resumeIn(tx, id);
        await alongside?.(tx);
        return resumed;
      }, { alone: true }),
    async resumeIn(tx, id) {
      const changed = await resumeWaiting(tx, id, clock.now());
      if (changed !== undefined) await loop.announce(tx, changed);
      return changed !== undefined;
    },
    fail: (id, error, alongside) =>
      commit.submit(async (tx) => {
        const changed = await failWaiting(tx, id, error, clock.now());
        await alongside?.(tx);
        if (changed !== undefined) await loop.announce(tx, changed);
        return changed !== undefined;
      }, { alone: true }),
    async failIn(tx, id, error) {
      const changed = await failOpen(tx, id, error, clock.now());
      if (changed === undefined) return false;
      // Before the commit: after it, the attempt could already begin something else.
      loop.running.get(id)?.lose();
      await loop.announce(tx, changed);
      return true;
    },
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

function dueAt(job: Job): number | undefined {
  return job.status === "pending" ? Date.parse(job.runAt) : undefined;
}
