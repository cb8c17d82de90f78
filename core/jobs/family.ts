/** Statements between parents and children. */
import { type Kysely, sql } from "kysely";
import { prepared } from "../stores/prepared.ts";
import type { Database, Tx } from "../stores/sql.ts";
import type { Changed } from "./attempt_store.ts";
import { resumeWaiting } from "./care_store.ts";
import { type ChildCounts, END_STATUSES, type WaitsFor } from "./job.ts";
import type { JobRow } from "./row.ts";

/** Statuses that the partial index is made of: spelled out, else it is not used. */
const ended = END_STATUSES.map((status) => sql.lit(status));

/** A parent that waits may go on; one that runs must not miss it when it begins to wait. */
const countEnd = prepared<{ id: string }, Pick<JobRow, "status" | "waits_for">>((db, slot) =>
  db.updateTable("job").set((update) => ({ child_ends: update("child_ends", "+", 1) }))
    .where("id", "=", slot("id")).where("status", "in", ["running", "waiting"])
    .returning(["status", "waits_for"])
);

const openChild = prepared<{ parent: string }, { row: number }>((db, slot) =>
  db.selectFrom("job").select("row").where("parent", "=", slot("parent"))
    .where("status", "not in", ended).limit(1)
);

const childEnds = prepared<{ id: string }, { child_ends: number }>((db, slot) =>
  db.selectFrom("job").select("child_ends").where("id", "=", slot("id"))
);

/** Notes that a child has ended. Answers with the parent if that is what it waited for: it is queued then. */
export async function noteChildEnd(
  tx: Tx,
  parent: string,
  nowMs: number,
): Promise<Changed | undefined> {
  const { rows: [row] } = await countEnd(tx, { id: parent });
  if (row?.status !== "waiting") return undefined;
  const goesOn = row.waits_for === "child" ||
    (row.waits_for === "children" && !await hasOpenChild(tx, parent));
  return goesOn ? await resumeWaiting(tx, parent, nowMs) : undefined;
}

/** Whether what a job is about to wait for has happened since its attempt began, or cannot happen any more. */
export async function hasHappened(tx: Tx, id: string, waitsFor: WaitsFor): Promise<boolean> {
  if (waitsFor !== "child" && waitsFor !== "children") return false;
  if (!await hasOpenChild(tx, id)) return true;
  if (waitsFor === "children") return false;
  const { rows: [row] } = await childEnds(tx, { id });
  return row !== undefined && row.child_ends > 0;
}

async function hasOpenChild(tx: Tx, parent: string): Promise<boolean> {
  return (await openChild(tx, { parent })).rows.length > 0;
}

/** Children of a job, its grandchildren not counted. */
export async function countChildren(db: Kysely<Database>, parent: string): Promise<ChildCounts> {
  const rows = await db.selectFrom("job").where("parent", "=", parent).groupBy("status")
    .select((select) => ["status", select.fn.countAll<number>().as("count")]).execute();
  const of = (status: string) => Number(rows.find((row) => row.status === status)?.count ?? 0);
  return {
    total: rows.reduce((sum, { count }) => sum + Number(count), 0),
    completed: of("completed"),
    failed: of("failed"),
    cancelled: of("cancelled"),
  };
}
