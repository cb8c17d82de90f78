/** Decides which job runs when, and cares for the jobs of dispatchers that are gone. */
import type { SqlStore, Tx } from "../stores/sql.ts";
import { type Announce, type AnnounceOptions, createAnnounce } from "./announce.ts";
import { type Attempt, type AttemptContext, startAttempt } from "./attempt.ts";
import { renew } from "./attempt_store.ts";
import type { BackPressure } from "./back_pressure.ts";
import { nextDue, promoteDue, reap } from "./care_store.ts";
import { claim, peek } from "./claim.ts";
import { type Clock, every } from "./clock.ts";
import { type ClassLimits, createSlots, type Slots } from "./dispatch_limits.ts";
import type { GroupCommit } from "./group_commit.ts";
import type { Hub } from "./hub.ts";
import type { JobEvent, JobHandler, JobKind } from "./job.ts";
import type { Queue } from "./queue.ts";
import type { ClassRates } from "./rate_limits.ts";
import { createFloors } from "./ready.ts";
import { type JobRow, toJob } from "./row.ts";
import { writeEvent } from "./store.ts";

export interface DispatchLoopOptions {
  readonly sql: SqlStore;
  readonly queue: Queue;
  readonly commit: GroupCommit;
  readonly hub: Hub;
  readonly clock: Clock;
  readonly handlers: Readonly<Partial<Record<JobKind, JobHandler>>>;
  readonly attempts: Omit<AttemptContext, "onFree" | "announce">;
  readonly owner: string;
  readonly concurrency: number;
  readonly classLimits: ClassLimits | undefined;
  readonly classRates: ClassRates | undefined;
  /** Is told of every job that waits for its turn, and whose turn it is. */
  readonly pressure: BackPressure;
  readonly leaseMs: number;
  readonly beatMs: number;
  readonly sweepMs: number;
  readonly soleHost: boolean;
  readonly report: (error: unknown) => void;
  /** What was done in a transaction of somebody else's, and waits for `wake` to be told. */
  readonly onUntold: (event: JobEvent) => void;
  readonly onEnd: AnnounceOptions["onEnd"];
}

export interface DispatchLoop {
  readonly announce: Announce;
  /** Tells this host's watchers and its attempts. */
  tell(event: JobEvent): void;
  start(): Promise<void>;
  /** Looks for ready jobs. */
  kick(): void;
  /** A job became ready: call it in the transaction or after it, then `kick`. */
  onReady(job: { readonly rank: number; readonly priority: number }): void;
  /** A job will fall due. */
  onDueAt(atMs: number): void;
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
  const slots = createSlots(
    options.concurrency,
    options.classLimits ?? (() => undefined),
    options.classRates,
  );
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
  let takeBackToken = () => {};

  const context: AttemptContext = {
    ...options.attempts,
    onFree(attempt) {
      slots.free(attempt.job);
      if (running.get(attempt.job.id) === attempt) running.delete(attempt.job.id);
      kick();
    },
    announce: (tx, changed) => announce(tx, changed),
  };
  const tellAll = createAnnounce({
    clock,
    tell(event, after) {
      if (after === undefined) options.onUntold(event);
      else after(() => tell(event));
    },
    onReady: (job) => floors.lower(job),
    kick() {
      kick();
      options.queue.wake().catch(report);
    },
    onDueAt,
    onEnd: options.onEnd,
  });

  const announce: Announce = (tx, changed) => {
    const { status, user } = changed.job;
    if (status === "queued" || status === "retrying") options.pressure.enter(user);
    return tellAll(tx, changed);
  };

  function tell(event: JobEvent): void {
    hub.publish(event);
    if (event.status === "cancelling") running.get(event.job_id)?.cancel();
  }

  function start(row: JobRow): void {
    const job = toJob(row);
    slots.take(job);
    options.pressure.leave(job.user);
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
    const plan = slots.copy(nowMs);
    const rows = [
      ...await takeWhatFits(tx, nowMs, plan, false),
      ...await takeWhatFits(tx, nowMs, plan, true),
    ];
    for (const row of rows) {
      const event = await writeEvent(tx, row, nowMs);
      after(() => hub.publish(event));
    }
    after(() => {
      rows.forEach(start);
      kickAt(plan.nextToken());
    });
  }

  /** One timer: the claim that it asks for sets the next, and none while no rate holds anything back. */
  function kickAt(atMs: number | undefined): void {
    takeBackToken();
    if (atMs === undefined || state !== "open") return;
    takeBackToken = clock.after(Math.max(1, atMs - clock.now()), kick);
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
      const isLimited = options.classLimits !== undefined || options.classRates !== undefined;
      const limit = !isLimited || room === 1
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
          after(() => {
            if (job.enters !== undefined) options.pressure.enter(job.enters);
            hub.publish(job.event);
          });
        }
        return ready.length;
      });
      kick();
    } while (count >= PROMOTE_AT_ONCE);
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
    await options.pressure.correct(sql.db);
    kick();
  }

  async function reapLost(lost: Parameters<typeof reap>[1]): Promise<void> {
    await commit.submit(async (tx) => {
      for (const changed of await reap(tx, lost, clock.now())) await announce(tx, changed);
    });
  }

  return {
    running,
    announce,
    tell,
    kick,
    onDueAt,
    onReady: (job) => floors.lower(job),
    async start() {
      if (state !== "new") return;
      state = "open";
      await reapLost(options.soleHost ? { notOwnedBy: owner } : { leaseOver: true });
      await promote();
      await options.pressure.correct(sql.db);
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
      takeBackToken();
      // A claim that is under way may still start jobs.
      await commit.idle();
      while (alive.size > 0) await Promise.all([...alive].map(({ done }) => done));
    },
    async stop() {
      state = "draining";
      listening.abort();
      for (const stop of stops) stop();
      due?.takeBack();
      takeBackToken();
      await commit.idle();
      for (const attempt of alive) attempt.shutDown();
      while (alive.size > 0) await Promise.all([...alive].map(({ done }) => done));
      await commit.idle();
    },
  };
}
