/** Statements that change many rows of a journal at once: for a retry, and for a run that takes over another's. */
import type { Kysely } from "kysely";
import type { Database, Tx } from "../stores/sql.ts";
import type { StepRow } from "./journal.ts";
import { headColumns } from "./journal_store.ts";

/** The containers that ended before they had anything to go on with. */
export async function neverFilled(db: Kysely<Database>, run: string): Promise<Set<string>> {
  const rows = await db.selectFrom("run_step").select("path").where("run_id", "=", run)
    .where("kind", "in", ["foreach", "if"]).where("input_json", "is", null).execute();
  return new Set(rows.map(({ path }) => path));
}

/** Rows of one statement. */
const PATHS_AT_ONCE = 500;

async function inPieces(
  paths: readonly string[],
  work: (some: string[]) => Promise<unknown>,
): Promise<void> {
  for (let start = 0; start < paths.length; start += PATHS_AT_ONCE) {
    await work(paths.slice(start, start + PATHS_AT_ONCE));
  }
}

/** What is left of a row that is to be begun again. */
const RESET = {
  state: "pending",
  job_id: null,
  input_json: null,
  result_json: null,
  error_json: null,
  wait_event: null,
  wait_seq: null,
  wake_ms: null,
  ended: null,
} as const;

/**
 * Writes rows that a retry has changed: they are `pending` now, or go on with what they were given. Many at once,
 * and past the guard of steps that have ended.
 */
export async function writeReopened(
  tx: Tx,
  run: string,
  rows: readonly StepRow[],
): Promise<void> {
  const pathsOf = (some: readonly StepRow[] | undefined) => (some ?? []).map(({ path }) => path);
  const byState = Map.groupBy(rows, ({ state }) => state === "pending" ? "pending" : "running");
  await inPieces(pathsOf(byState.get("pending")), (paths) =>
    tx.updateTable("run_step").set(RESET)
      .where("run_id", "=", run).where("path", "in", paths).execute());
  const byTime = Map.groupBy(byState.get("running") ?? [], ({ wakeMs }) => wakeMs);
  for (const [wakeMs, some] of byTime) {
    await inPieces(pathsOf(some), (paths) =>
      tx.updateTable("run_step").set({
        state: "running",
        result_json: null,
        error_json: null,
        wake_ms: wakeMs ?? null,
        ended: null,
      }).where("run_id", "=", run).where("path", "in", paths).execute());
  }
}

/** Gives a run rows of another. */
export async function copySteps(
  tx: Tx,
  { from, to, paths }: { readonly from: string; readonly to: string; readonly paths: string[] },
): Promise<void> {
  const columns = [...headColumns, "input_json", "result_json"] as const;
  await inPieces(paths, (some) =>
    tx.insertInto("run_step").columns([...columns]).expression(
      tx.selectFrom("run_step").select((select) => [
        select.val(to).as("run_id"),
        ...columns.slice(1),
      ]).where("run_id", "=", from).where("path", "in", some),
    ).execute());
}
