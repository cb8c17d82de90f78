/** Statements on schedules. */
import { type Kysely, type Selectable, sql } from "kysely";
import { CarrelError } from "../errors.ts";
import type { Page } from "../jobs/jobs.ts";
import { isEnded, type JobStatus } from "../jobs/job.ts";
import { checkCursor } from "../library/cursor.ts";
import type { Database, ScheduleTable, Tx } from "../stores/sql.ts";
import type { Overlap, Schedule } from "./schedules.ts";
import { readStored } from "./stored.ts";

type Db = Kysely<Database>;
export type ScheduleRow = Selectable<ScheduleTable>;

export function toSchedule(row: ScheduleRow): Schedule {
  const enabled = row.enabled === 1;
  return {
    id: row.id,
    name: row.name,
    ...readStored(row),
    overlap: row.overlap as Overlap,
    enabled,
    next: enabled ? timeOf(row.next_ms) : undefined,
    last: timeOf(row.last_ms),
    lastJob: row.last_job ?? undefined,
    error: row.error ?? undefined,
    user: row.user_id,
    created: row.created,
  };
}

const timeOf = (ms: number | null) => ms === null ? undefined : new Date(ms).toISOString();

/** Throws `not_found`; with a user also for what is another's. */
export async function readSchedule(
  db: Db,
  id: string,
  user: string | undefined,
): Promise<ScheduleRow> {
  const row = await db.selectFrom("schedule").selectAll().where("id", "=", id).executeTakeFirst();
  if (row !== undefined && (user === undefined || row.user_id === user)) return row;
  throw new CarrelError("not_found", `Cannot find the schedule "${id}": there is none of that id`);
}

/** Newest first; `report` is told of rows that cannot be read, which are left out. */
export async function listSchedules(
  db: Db,
  { limit = 50, cursor, user }: {
    limit?: number | undefined;
    cursor?: string | undefined;
    user: string | undefined;
  },
  report: (error: unknown) => void,
): Promise<Page<Schedule>> {
  const most = Math.min(Math.max(Math.trunc(limit), 1), 200);
  let query = db.selectFrom("schedule").selectAll();
  if (user !== undefined) query = query.where("user_id", "=", user);
  if (cursor !== undefined) {
    query = query.where("id", "<", checkCursor("schedule", cursor));
  }
  const rows = await query.orderBy("id", "desc").limit(most + 1).execute();
  const items = rows.slice(0, most);
  return {
    items: items.flatMap((row) => {
      try {
        return [toSchedule(row)];
      } catch (error) {
        report(error);
        return [];
      }
    }),
    cursor: rows.length > most ? items.at(-1)!.id : undefined,
  };
}

export async function countSchedules(db: Db, user: string): Promise<number> {
  const row = await db.selectFrom("schedule").where("user_id", "=", user)
    .select((select) => select.fn.countAll<number>().as("count")).executeTakeFirstOrThrow();
  return Number(row.count);
}

/** In the words of the partial index. */
function due(db: Db) {
  return db.selectFrom("schedule").where("enabled", "=", sql.lit(1)).where(
    "next_ms",
    "is not",
    null,
  );
}

/** Those that are due, the longest overdue first. */
export async function dueSchedules(db: Db, nowMs: number, limit: number): Promise<ScheduleRow[]> {
  return await due(db).selectAll().where("next_ms", "<=", nowMs).orderBy("next_ms").limit(limit)
    .execute();
}

export async function nextDueMs(db: Db): Promise<number | undefined> {
  const row = await due(db).select("next_ms").orderBy("next_ms").limit(1).executeTakeFirst();
  return row?.next_ms ?? undefined;
}

/** Those whose last time lies ahead: the clock was put back. */
export async function aheadOfTime(db: Db, nowMs: number): Promise<ScheduleRow[]> {
  return await due(db).selectAll().where("last_ms", ">", nowMs).execute();
}

/** What a time that has come leaves behind. What is left out stays. */
export interface Tick {
  readonly next_ms: number | null;
  readonly last_ms?: number;
  readonly last_job?: string;
  readonly error: string | null;
}

/** Moves a schedule on from a time; says false when somebody else has, or has changed it. */
export async function moveOn(tx: Db | Tx, row: ScheduleRow, tick: Tick): Promise<boolean> {
  const moved = await tx.updateTable("schedule").set(tick)
    .where("id", "=", row.id).where("enabled", "=", 1).where("next_ms", "=", row.next_ms)
    .where("spec_json", "=", row.spec_json).where("work_json", "=", row.work_json)
    .returning("id").executeTakeFirst();
  return moved !== undefined;
}

/** Whether a job that may be gone has not ended. */
export async function isOpen(db: Db, job: string | null): Promise<boolean> {
  if (job === null) return false;
  const row = await db.selectFrom("job").select("status").where("id", "=", job).executeTakeFirst();
  return row !== undefined && !isEnded(row.status as JobStatus);
}
