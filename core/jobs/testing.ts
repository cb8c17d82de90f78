/** For tests of jobs: real stores in memory or in a folder, and a clock that is turned by hand. */
import { DatabaseSync } from "node:sqlite";
import { EventBus } from "../events.ts";
import { type BlobKeeper, createBlobKeeper } from "../stores/blobs.ts";
import { openObjectsFs } from "../stores/objects_fs.ts";
import { openSqlite } from "../stores/sqlite.ts";
import type { SqlStore } from "../stores/sql.ts";
import type { Clock } from "./clock.ts";
import { createJobs, type CreateJobsOptions, type JobEngine } from "./dispatcher.ts";
import type { NewJob } from "./job.ts";
import { openQueueKv } from "./queue_kv.ts";
import type { Queue } from "./queue.ts";

export const MIGRATIONS = new URL("../../migrations/sql", import.meta.url).pathname;

export interface FakeClock extends Clock {
  /** Runs every timer that falls due on the way, in order. */
  advance(ms: number): void;
  readonly timers: number;
}

export function createFakeClock(startMs = Date.parse("2026-01-01T00:00:00Z")): FakeClock {
  let nowMs = startMs;
  let timers: { readonly atMs: number; readonly run: () => void }[] = [];
  return {
    now: () => nowMs,
    after(ms, run) {
      const timer = { atMs: nowMs + ms, run };
      timers.push(timer);
      return () => timers = timers.filter((other) => other !== timer);
    },
    advance(ms) {
      const end = nowMs + ms;
      for (;;) {
        const due = timers.filter(({ atMs }) => atMs <= end).sort((a, b) => a.atMs - b.atMs)[0];
        if (due === undefined) break;
        timers = timers.filter((other) => other !== due);
        nowMs = due.atMs;
        due.run();
      }
      nowMs = end;
    },
    get timers() {
      return timers.length;
    },
  };
}

export interface Workshop extends AsyncDisposable {
  readonly dir: string;
  readonly sql: SqlStore;
  readonly blobs: BlobKeeper;
  readonly queue: Queue;
  readonly clock: FakeClock;
  readonly events: EventBus;
  /** An engine over these stores; disposed with the workshop, if not before. */
  engine(options: Partial<CreateJobsOptions>): JobEngine;
  /** Lets a disposed engine's faults be looked at: what was reported. */
  readonly reports: unknown[];
}

export async function openWorkshop(): Promise<Workshop> {
  const dir = await Deno.makeTempDir({ prefix: "carrel-jobs-" });
  const clock = createFakeClock();
  const sql = await openSqlite(`${dir}/carrel.db`, { migrationsDir: MIGRATIONS });
  const blobs = createBlobKeeper(sql, await openObjectsFs(`${dir}/objects`), clock.now);
  const queue = await openQueueKv(":memory:", clock);
  const reports: unknown[] = [];
  const report = (error: unknown) => void reports.push(error);
  const events = new EventBus(report);
  const engines: JobEngine[] = [];
  return {
    dir,
    sql,
    blobs,
    queue,
    clock,
    events,
    reports,
    engine(options) {
      const engine = createJobs({
        sql,
        blobs,
        queue,
        events,
        clock,
        report,
        random: () => 0.5,
        handlers: {},
        ...options,
      });
      engines.push(engine);
      return engine;
    },
    async [Symbol.asyncDispose]() {
      for (const engine of engines) await engine[Symbol.asyncDispose]();
      await queue[Symbol.asyncDispose]();
      await sql[Symbol.asyncDispose]();
      await Deno.remove(dir, { recursive: true });
    },
  };
}

export const noop = (more: Partial<NewJob> = {}): NewJob => ({
  kind: "noop",
  input: null,
  user: "user_1",
  ...more,
});

/** Rejects when a condition takes longer than any healthy machine needs. */
export async function within<T>(
  promise: PromiseLike<T>,
  what = "condition",
  ms = 30_000,
): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`timed out: ${what}`)), ms);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits for a condition that nothing tells of. Rejects when that takes longer than any healthy machine needs. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what = "condition",
  ms = 30_000,
): Promise<void> {
  const end = performance.now() + ms;
  while (!await condition()) {
    if (performance.now() > end) throw new Error(`timed out: ${what}`);
    await new Promise((resolve) => setTimeout(resolve));
  }
}

/** A handler's door: it says when someone stands before it, and lets him through when told. */
export function createDoor() {
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
  return {
    reached,
    open,
    async pass(): Promise<void> {
      reach();
      await opened;
    },
  };
}

/** The plans of the statements on jobs that are prepared for the first time while `work` runs. */
export async function plansOf(shop: Workshop, work: () => Promise<unknown>): Promise<string[]> {
  const { prepare } = DatabaseSync.prototype;
  const statements: string[] = [];
  DatabaseSync.prototype.prepare = function (statement, ...rest) {
    if (/(from|update) "job"/.test(statement)) statements.push(statement);
    return prepare.call(this, statement, ...rest);
  };
  try {
    await work();
  } finally {
    DatabaseSync.prototype.prepare = prepare;
  }
  using db = new DatabaseSync(`${shop.dir}/carrel.db`, { readOnly: true });
  return statements.map((statement) =>
    db.prepare(`explain query plan ${statement}`).all().map(({ detail }) => detail).join("\n")
  );
}

/** A store that counts the statements outside of transactions. */
export function counting(sql: SqlStore): { readonly sql: SqlStore; statements(): number } {
  let statements = 0;
  const db = sql.db.withPlugin({
    transformQuery: ({ node }) => node,
    async transformResult({ result }) {
      statements++;
      return result;
    },
  });
  return { sql: { ...sql, db }, statements: () => statements };
}
