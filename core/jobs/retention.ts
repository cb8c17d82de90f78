/**
 * Old jobs go, so that the rows do not grow for ever: an ended job that is below no other, with its events, its log,
 * its prompts and its checkpoints, and so the jobs below it.
 *
 * What stays: revisions, artifacts and lineage, which say themselves which plugin of which digest made them, of
 * what, and when; the job's id in them leads nowhere afterwards. A run of a workflow keeps its rows (its inputs,
 * steps and artifacts explain themselves by them) and loses only the events and logs of the jobs below it. A tree
 * goes only when all of it has ended, the last of it long enough ago.
 *
 * Everything is done in small transactions, bottom up: whatever moment it is broken off at, the next sweep goes on.
 */
import { type Kysely, sql } from "kysely";
import type { Database, SqlStore, Tx } from "../stores/sql.ts";
import { type Clock, DAY_MS, every } from "./clock.ts";
import { END_STATUSES, type JobStatus } from "./job.ts";
import { isoTime } from "./row.ts";

export type EndStatus = typeof END_STATUSES[number];

export interface PruneOptions {
  /** What ended before. Milliseconds. */
  readonly olderThanMs: number;
  /** Of the job at the top. @default all three */
  readonly statuses?: readonly EndStatus[] | undefined;
  /** Only counts. @default false */
  readonly dryRun?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Pruned {
  /** Jobs that went, those below others among them. */
  readonly jobs: number;
  /** Runs that lost the events and logs of their jobs. */
  readonly runs: number;
}

/** How long ended jobs are kept, days; 0 keeps them for ever. */
export interface KeepDays {
  /** @default 30 */
  readonly completed?: number | undefined;
  /** Failed and cancelled ones, which may be run again by hand. @default 90 */
  readonly failed?: number | undefined;
}

export interface RetentionOptions {
  readonly sql: SqlStore;
  readonly clock: Clock;
  readonly keepDays?: KeepDays | undefined;
  /** @default console.error */
  readonly report?: ((error: unknown) => void) | undefined;
}

export interface Retention extends AsyncDisposable {
  /** Sweeps now and once a day. */
  start(): void;
  /** What the settings say, now. */
  sweep(): Promise<Pruned>;
  prune(options: PruneOptions): Promise<Pruned>;
}

/** Trees that are looked at in one query. */
const TREES_AT_ONCE = 50;
/** Jobs, and rows of events and logs, that one transaction deletes. */
const JOBS_AT_ONCE = 50;
const LINES_AT_ONCE = 2_000;

export function createRetention(options: RetentionOptions): Retention {
  const { clock } = options;
  const report = options.report ?? ((error) => console.error(error));
  const keepCompleted = options.keepDays?.completed ?? 30;
  const keepFailed = options.keepDays?.failed ?? 90;
  const closing = new AbortController();
  let stop = () => {};
  let working: Promise<unknown> = Promise.resolve();

  /** One after another. */
  function prune(wanted: PruneOptions): Promise<Pruned> {
    const next = working.then(() => pruneNow(wanted));
    working = next.catch(() => {});
    return next;
  }

  async function pruneNow(wanted: PruneOptions): Promise<Pruned> {
    const { olderThanMs, statuses = END_STATUSES, dryRun = false } = wanted;
    const before = isoTime(clock.now() - olderThanMs);
    const signal = AbortSignal.any([closing.signal, ...(wanted.signal ? [wanted.signal] : [])]);
    const pruned = { jobs: 0, runs: 0 };
    let last: Top | undefined;
    for (;;) {
      const tops = await readTops(options.sql.db, before, statuses, last);
      for (const top of tops) {
        if (signal.aborted) return pruned;
        const tree = await readTree(options.sql.db, top.id, before);
        if (tree === undefined) continue;
        const isRun = top.kind === "run";
        const isNew = !isRun || await hasLines(options.sql.db, tree);
        if (!dryRun && isNew) await drop(options.sql, tree, before, isRun, signal);
        if (!dryRun && isRun && !signal.aborted) await markPruned(options.sql, top.id);
        if (!isNew) continue;
        if (isRun) pruned.runs++;
        else pruned.jobs += tree.length;
      }
      last = tops.at(-1);
      if (tops.length < TREES_AT_ONCE) return pruned;
    }
  }

  async function sweep(): Promise<Pruned> {
    const sum = { jobs: 0, runs: 0 };
    for (
      const [days, statuses] of [
        [keepCompleted, ["completed"]],
        [keepFailed, ["failed", "cancelled"]],
      ] as const
    ) {
      if (days === 0) continue;
      const { jobs, runs } = await prune({ olderThanMs: days * DAY_MS, statuses });
      sum.jobs += jobs;
      sum.runs += runs;
    }
    return sum;
  }

  return {
    prune,
    sweep,
    start() {
      const run = () => void sweep().catch(report);
      stop = every(clock, DAY_MS, run);
      run();
    },
    async [Symbol.asyncDispose]() {
      stop();
      closing.abort();
      await working;
    },
  };
}

interface Top {
  readonly row: number;
  readonly id: string;
  readonly kind: string;
  readonly completed: string | null;
}

/** Ended jobs that are below no other, the oldest first. */
async function readTops(
  db: Kysely<Database>,
  before: string,
  statuses: readonly EndStatus[],
  after: Top | undefined,
): Promise<Top[]> {
  let query = db.selectFrom("job").select(["row", "id", "kind", "completed"])
    .where("completed", "is not", null).where("completed", "<=", before)
    .where("parent", "is", null).where("status", "in", statuses)
    .where("pruned", "=", sql.lit(0));
  if (after !== undefined) {
    query = query.where("completed", ">=", after.completed).where((where) =>
      where.or([where("completed", ">", after.completed), where("row", ">", after.row)])
    );
  }
  return await query.orderBy("completed").orderBy("row").limit(TREES_AT_ONCE).execute();
}

/** It is not looked at again, unless it is run again. */
async function markPruned(store: SqlStore, run: string): Promise<void> {
  await store.transaction((tx) =>
    tx.updateTable("job").set({ pruned: 1 }).where("id", "=", run)
      .where("status", "in", END_STATUSES).execute()
  );
}

/** The ids of a tree, the deepest first; undefined when some of it has not ended, or not long enough ago. */
async function readTree(
  db: Kysely<Database>,
  top: string,
  before: string,
): Promise<string[] | undefined> {
  const { rows } = await sql<{ id: string; status: JobStatus; completed: string | null }>`
    with recursive tree (id, depth) as (
      select ${top}, 0 union all
      select job.id, tree.depth + 1 from tree join job on job.parent = tree.id
    )
    select job.id, job.status, job.completed from tree join job on job.id = tree.id
    order by tree.depth desc`.execute(db);
  const isOld = ({ status, completed }: typeof rows[number]) =>
    (END_STATUSES as readonly string[]).includes(status) && completed !== null &&
    completed <= before;
  return rows.every(isOld) ? rows.map(({ id }) => id) : undefined;
}

async function hasLines(db: Kysely<Database>, tree: readonly string[]): Promise<boolean> {
  for (const table of ["job_event", "job_log"] as const) {
    for (const ids of parts(tree)) {
      const row = await db.selectFrom(table).select("seq").where("job_id", "in", ids).limit(1)
        .executeTakeFirst();
      if (row !== undefined) return true;
    }
  }
  return false;
}

async function drop(
  store: SqlStore,
  tree: readonly string[],
  before: string,
  onlyLines: boolean,
  signal: AbortSignal,
): Promise<void> {
  for (const ids of parts(tree)) {
    for (const table of ["job_event", "job_log"] as const) {
      while (!signal.aborted && await dropLines(store, table, ids) === LINES_AT_ONCE);
    }
    if (signal.aborted) return;
    if (!onlyLines) await store.transaction((tx) => dropJobs(tx, ids, before));
  }
}

async function dropLines(
  store: SqlStore,
  table: "job_event" | "job_log",
  ids: readonly string[],
): Promise<number> {
  return await store.transaction(async (tx) => {
    const { numAffectedRows } = await sql`
      delete from ${sql.table(table)} where (job_id, seq) in (
        select job_id, seq from ${sql.table(table)} where job_id in (${sql.join(ids)})
        limit ${LINES_AT_ONCE}
      )`.execute(tx);
    return Number(numAffectedRows ?? 0);
  });
}

/** One that was run again meanwhile stays, and what is above it. */
async function dropJobs(tx: Tx, ids: readonly string[], before: string): Promise<void> {
  // The deepest come first: row by row, so that a parent sees what is left below it.
  for (const id of ids) {
    const { numDeletedRows } = await tx.deleteFrom("job").where("id", "=", id)
      .where("status", "in", END_STATUSES).where("completed", "<=", before)
      .where((where) =>
        where.not(where.exists(
          where.selectFrom("job as child").select("child.row").where("child.parent", "=", id),
        ))
      ).executeTakeFirst();
    if (numDeletedRows === 0n) continue;
    await tx.deleteFrom("blob_lease").where("owner", "=", id).execute();
    await tx.deleteFrom("prompt").where("job_id", "=", id).execute();
  }
}

function* parts(tree: readonly string[]): Generator<readonly string[]> {
  for (let start = 0; start < tree.length; start += JOBS_AT_ONCE) {
    yield tree.slice(start, start + JOBS_AT_ONCE);
  }
}
