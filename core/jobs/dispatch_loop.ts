/** Decides which job runs when, and cares for the jobs of dispatchers that are gone. */
import type { SqlStore, Tx } from "../stores/sql.ts";
import { type Attempt, type AttemptContext, startAttempt } from "./attempt.ts";
import { renew } from "./attempt_store.ts";
import { nextDue, promoteDue, reap } from "./care_store.ts";
import { claim, peek } from "./claim.ts";
import { type Clock, every } from "./clock.ts";
import { type ClassLimits, createSlots, type Slots } from "./dispatch_limits.ts";
import type { GroupCommit } from "./group_commit.ts";
import type { Hub } from "./hub.ts";
import type { JobHandler, JobKind } from "./job.ts";
import type { Queue } from "./queue.ts";
import { createFloors } from "./ready.ts";
import { type JobRow, rankOf, toJob } from "./row.ts";
import { writeEvent } from "./store.ts";

export interface DispatchLoopOptions {
  readonly sql: SqlStore;
  readonly queue: Queue;
  readonly commit: GroupCommit;
  readonly hub: Hub;
  readonly clock: Clock;
  readonly handlers: Readonly<Partial<Record<JobKind, JobHandler>>>;
  readonly attempts: Omit<AttemptContext, "onFree" | "onRetryAt">;
  readonly owner: string;
  readonly concurrency: number;
  readonly classLimits: ClassLimits | undefined;
  readonly leaseMs: number;
  readonly beatMs: number;
  readonly sweepMs: number;
  readonly soleHost: boolean;
  readonly report: (error: unknown) => void;
}

export interface DispatchLoop {
  start(): Promise<void>;
  /** Looks for ready jobs. */
  kick(): void;
  /** A job became ready: call it in the transaction or after it, then `kick`. */
  onReady(job: { readonly rank: number; readonly priority: number }): void;
  /** A job will fall due. */
  onDueAt(atMs: number): void;
  /** The job's attempt here is told to stop. */
  cancel(id: string): void;
  /** Takes no more jobs; resolves when those that run have ended. */
  drain(): Promise<void>;
  /** Takes no more jobs, stops those that run, and gives them back. */
  stop(): Promise<void>;
  readonly running: ReadonlyMap<string, Attempt>;
}

/** Jobs made ready in one transaction. */
const PROMOTE_AT_ONCE = 200;

export function createDispatchLoop(options: DispatchLoopOptions): DispatchLoop {
  const { sql, commit, hub, clock, owner, report } = options;
  const slots = createSlots(options.concurrency, options.classLimits ?? (() => undefined));
  const floors = createFloors();
  const running = new Map<string, Attempt>();
  /** Those that run, and those whose end is not on disk yet. */
  const alive = new Set<Attempt>();
  const listening = new AbortController();
  const stops: (() => void)[] = [];
  let state: "new" | "open" | "draining" = "new";
  let claiming: "no" | "asked" | "taking" = "no";
  let again = false;
  let due: { readonly atMs: number; readonly takeBack: () => void } | undefined;

  const context: AttemptContext = {
    ...options.attempts,
    onFree(attempt) {
      slots.free(attempt.job);
      if (running.get(attempt.job.id) === attempt) running.delete(attempt.job.id);
      kick();
    },
    onRetryAt: onDueAt,
  };

  function start(row: JobRow): void {
    const job = toJob(row);
    slots.take(job);
    const attempt = startAttempt(context, options.handlers[job.kind], job);
    running.set(job.id, attempt);
    alive.add(attempt);
    attempt.done.then(() => alive.delete(attempt));
  }

  function kick(): void {
    if (state !== "open" || slots.urgent === 0) return;
    // One that was asked for and not begun yet will see what this one would have seen.
    if (claiming === "taking") again = true;
    if (claiming !== "no") return;
    claiming = "asked";
    let tries = 0;
    commit.submit((tx, after) => {
      claiming = "taking";
      again = false;
      // A group that was rolled back gave jobs back below the floors that it had raised.
      if (tries++ > 0) floors.clear();
      return take(tx, after);
    }, { lane: "claim" }).catch((error) => {
      floors.clear();
      report(error);
    }).then(() => {
      claiming = "no";
      if (!again) return;
      again = false;
      kick();
    });
  }

  async function take(tx: Tx, after: (run: () => void) => void): Promise<void> {
    if (state !== "open") return;
    const nowMs = clock.now();
    const plan = slots.copy();
    const rows = [
      ...await takeWhatFits(tx, nowMs, plan, false),
      ...await takeWhatFits(tx, nowMs, plan, true),
    ];
    for (const row of rows) {
      const event = await writeEvent(tx, row, nowMs);
      after(() => hub.publish(event));
    }
    after(() => rows.forEach(start));
  }

  async function takeWhatFits(tx: Tx, nowMs: number, plan: Slots, urgent: boolean) {
    const { leaseMs } = options;
    const rows: JobRow[] = [];
    for (;;) {
      const room = urgent ? plan.urgent : plan.normal;
      const saturated = plan.saturated();
      const fromRank = floors.get(saturated, urgent);
      if (room === 0 || fromRank === Infinity) return rows;
      const claimOptions = { owner, nowMs, leaseMs, saturated, urgent, fromRank };
      // Each job taken may fill a class: no more at once than fit together.
      const limit = options.classLimits === undefined || room === 1
        ? room
        : plan.fitting(await peek(tx, { ...claimOptions, limit: room }));
      const taken = limit === 0 ? [] : await claim(tx, { ...claimOptions, limit });
      for (const row of taken) plan.take(row);
      rows.push(...taken);
      const last = taken.length < Math.max(limit, 1) ? Infinity : taken.at(-1)!.rank;
      floors.raise(saturated, urgent, last);
    }
  }

  function onDueAt(atMs: number): void {
    if (state !== "open" || (due !== undefined && due.atMs <= atMs)) return;
    due?.takeBack();
    const takeBack = clock.after(Math.min(Math.max(0, atMs - clock.now()), 2 ** 31 - 1), () => {
      due = undefined;
      promote().catch(report);
    });
    due = { atMs, takeBack };
  }

  async function promote(): Promise<void> {
    let count: number;
    do {
      count = await commit.submit(async (tx, after) => {
        const ready = await promoteDue(tx, clock.now(), PROMOTE_AT_ONCE);
        for (const job of ready) {
          floors.lower(job);
          after(() => hub.publish(job.event));
        }
        return ready.length;
      });
      kick();
    } while (count === PROMOTE_AT_ONCE);
    const next = await nextDue(sql.db);
    if (next !== undefined) onDueAt(next);
  }

  async function beat(): Promise<void> {
    if (running.size === 0) return;
    const ids = [...running.keys()];
    const held = await commit.submit(
      (tx) => renew(tx, owner, ids, clock.now() + options.leaseMs),
    );
    for (const id of ids) {
      const attempt = running.get(id);
      const still = held.get(id);
      if (attempt === undefined) continue;
      if (still === undefined || still.attempt !== attempt.job.attempt) attempt.lose();
      else if (still.cancelling) attempt.cancel();
    }
  }

  async function sweep(): Promise<void> {
    // Its own leases first: after a suspended laptop wakes up they may all be over.
    await beat();
    await reapLost({ leaseOver: true });
    floors.clear();
    await promote();
    kick();
  }

  async function reapLost(lost: Parameters<typeof reap>[1]): Promise<void> {
    await commit.submit(async (tx, after) => {
      for (const { job, event } of await reap(tx, lost, clock.now())) {
        floors.lower({ priority: job.priority, rank: rankOf(job.priority, Date.parse(job.runAt)) });
        after(() => hub.publish(event));
      }
    });
  }

  return {
    running,
    kick,
    onDueAt,
    onReady: (job) => floors.lower(job),
    cancel: (id) => running.get(id)?.cancel(),
    async start() {
      if (state !== "new") return;
      state = "open";
      await reapLost(options.soleHost ? { notOwnedBy: owner } : { leaseOver: true });
      await promote();
      options.queue.listen(() => {
        // What this process adds it knows of; another one's jobs may stand anywhere.
        if (!options.soleHost) floors.clear();
        kick();
      }, listening.signal);
      stops.push(every(clock, options.beatMs, () => beat().catch(report)));
      stops.push(every(clock, options.sweepMs, () => sweep().catch(report)));
      kick();
    },
    async drain() {
      state = "draining";
      // A claim that is under way may still start jobs.
      await commit.idle();
      while (alive.size > 0) await Promise.all([...alive].map(({ done }) => done));
    },
    async stop() {
      state = "draining";
      listening.abort();
      for (const stop of stops) stop();
      due?.takeBack();
      await commit.idle();
      for (const attempt of alive) attempt.shutDown();
      while (alive.size > 0) await Promise.all([...alive].map(({ done }) => done));
      await commit.idle();
    },
  };
}
