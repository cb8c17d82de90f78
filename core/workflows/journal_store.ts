/** Statements on runs and their journals. */
import { type Kysely, sql } from "kysely";
import type { Job, JobError } from "../jobs/job.ts";
import { prepared } from "../stores/prepared.ts";
import type { Database, RunStepTable, Tx } from "../stores/sql.ts";
import type { WorkflowDefinition } from "./definition.ts";
import type { RowState, StepRow } from "./journal.ts";
import type { ChildJob } from "./situation.ts";
import { readDefinition } from "./stored_definition.ts";

type Db = Kysely<Database>;
type Plain<T> = { [K in keyof T]: T[K] extends { readonly __select__: infer S } ? S : T[K] };

/** The part of a run that never changes. */
export interface RunHead {
  readonly id: string;
  readonly workflow: string;
  readonly digest: string;
  readonly definition: WorkflowDefinition;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly user: string;
  readonly created: string;
}

export interface RunState {
  /** Goes up with every change of the journal. */
  readonly version: number;
  readonly untilMs: number | undefined;
}

const stateOf = prepared<{ id: string }, { version: number; until_ms: number | null }>((db, slot) =>
  db.selectFrom("workflow_run").select(["version", "until_ms"]).where("id", "=", slot("id"))
);

/** Undefined for a run that is not there. */
export async function readState(db: Db, id: string): Promise<RunState | undefined> {
  const { rows: [row] } = await stateOf(db, { id });
  return row && { version: Number(row.version), untilMs: row.until_ms ?? undefined };
}

/** Throws `conflict` for a definition that cannot be read. */
export async function readHead(db: Db, id: string): Promise<RunHead | undefined> {
  const row = await db.selectFrom("workflow_run").selectAll().where("id", "=", id)
    .executeTakeFirst();
  return row && {
    id: row.id,
    workflow: row.workflow,
    digest: row.digest,
    definition: readDefinition(row),
    inputs: JSON.parse(row.inputs_json),
    user: row.user_id,
    created: row.created,
  };
}

/** The journal's rows, and the characters of JSON in each, by path. */
export async function readSteps(
  db: Db,
  run: string,
): Promise<{ readonly rows: StepRow[]; readonly chars: ReadonlyMap<string, number> }> {
  const rows = await db.selectFrom("run_step").selectAll().where("run_id", "=", run).execute();
  return {
    rows: rows.map(toStep),
    chars: new Map(rows.map((row) => [row.path, charsOf(row)])),
  };
}

export const headColumns = [
  "run_id",
  "path",
  "kind",
  "state",
  "number",
  "job_id",
  "error_json",
  "wait_event",
  "wait_seq",
  "wake_ms",
  "started",
  "ended",
] as const;

/** The same without results, and with what steps were given for those alone that are open. */
export async function readStepHeads(db: Db, run: string): Promise<StepRow[]> {
  const rows = await db.selectFrom("run_step").select(headColumns).select(
    sql<string | null>`case when state in ('running', 'waiting') then input_json end`
      .as("input_json"),
  ).where("run_id", "=", run).execute();
  return rows.map((row) => toStep({ ...row, result_json: null }));
}

/** One row of the journal. */
export async function readStep(db: Db, run: string, path: string): Promise<StepRow | undefined> {
  const row = await db.selectFrom("run_step").selectAll()
    .where("run_id", "=", run).where("path", "=", path).executeTakeFirst();
  return row && toStep(row);
}

/** The rows that wait for something. */
export async function readWaits(db: Db, run: string): Promise<StepRow[]> {
  const rows = await db.selectFrom("run_step").selectAll()
    .where("run_id", "=", run).where("state", "=", "waiting").execute();
  return rows.map(toStep);
}

/** Characters of JSON in all rows of a run. */
export async function journalChars(db: Db, run: string): Promise<number> {
  const row = await db.selectFrom("run_step").where("run_id", "=", run).select(
    sql<number | null>`sum(
      length(coalesce(input_json, '')) + length(coalesce(result_json, '')) + length(coalesce(error_json, ''))
    )`.as("chars"),
  ).executeTakeFirst();
  return Number(row?.chars ?? 0);
}

type JsonColumns = Pick<RunStepTable, "input_json" | "result_json" | "error_json">;

function charsOf({ input_json, result_json, error_json }: JsonColumns): number {
  return (input_json?.length ?? 0) + (result_json?.length ?? 0) + (error_json?.length ?? 0);
}

export function toStep(row: Plain<RunStepTable>): StepRow {
  return {
    path: row.path,
    kind: row.kind as StepRow["kind"],
    state: row.state as RowState,
    number: Number(row.number),
    job: row.job_id ?? undefined,
    input: parse(row.input_json),
    result: parse(row.result_json),
    error: parse(row.error_json) as JobError | undefined,
    waitEvent: row.wait_event ?? undefined,
    waitSeq: row.wait_seq ?? undefined,
    wakeMs: row.wake_ms ?? undefined,
    started: row.started,
    ended: row.ended ?? undefined,
  };
}

const parse = (json: string | null) => json === null ? undefined : JSON.parse(json);
const text = (value: unknown) => value === undefined ? null : JSON.stringify(value);

const jobColumns = ["id", "status", "result_json", "error_json", "progress"] as const;
/** Bound at once; SQLite takes many more, PostgreSQL too. */
const IDS_AT_ONCE = 500;

/** The jobs of open steps, by id. */
export async function readJobs(
  db: Db,
  ids: readonly string[],
): Promise<Map<string, ChildJob>> {
  const jobs = new Map<string, ChildJob>();
  for (let start = 0; start < ids.length; start += IDS_AT_ONCE) {
    const rows = await db.selectFrom("job").select(jobColumns)
      .where("id", "in", ids.slice(start, start + IDS_AT_ONCE)).execute();
    for (const row of rows) {
      jobs.set(row.id, {
        id: row.id,
        status: row.status as Job["status"],
        result: parse(row.result_json),
        error: parse(row.error_json) as JobError | undefined,
        progress: row.progress,
      });
    }
  }
  return jobs;
}

type RowValues = {
  [K in keyof Plain<RunStepTable>]: K extends "number" ? number : Plain<RunStepTable>[K];
};

// A step that has ended stays so, whoever comes late: only a retry begins it again, by `pending`.
const upsert = prepared<RowValues, unknown>((db, slot) =>
  db.insertInto("run_step").values({
    run_id: slot("run_id"),
    path: slot("path"),
    kind: slot("kind"),
    state: slot("state"),
    number: slot("number"),
    job_id: slot("job_id"),
    input_json: slot("input_json"),
    result_json: slot("result_json"),
    error_json: slot("error_json"),
    wait_event: slot("wait_event"),
    wait_seq: slot("wait_seq"),
    wake_ms: slot("wake_ms"),
    started: slot("started"),
    ended: slot("ended"),
  }).onConflict((conflict) =>
    conflict.columns(["run_id", "path"]).doUpdateSet((update) => ({
      state: update.ref("excluded.state"),
      number: update.ref("excluded.number"),
      job_id: update.ref("excluded.job_id"),
      input_json: update.ref("excluded.input_json"),
      result_json: update.ref("excluded.result_json"),
      error_json: update.ref("excluded.error_json"),
      wait_event: update.ref("excluded.wait_event"),
      wait_seq: update.ref("excluded.wait_seq"),
      wake_ms: update.ref("excluded.wake_ms"),
      started: update.ref("excluded.started"),
      ended: update.ref("excluded.ended"),
    })).where("run_step.state", "in", [
      sql.lit("running"),
      sql.lit("waiting"),
      sql.lit("pending"),
    ])
  )
);

/** Answers with the characters of JSON in it. */
export async function writeStep(tx: Tx, run: string, row: StepRow): Promise<number> {
  const values = {
    run_id: run,
    path: row.path,
    kind: row.kind,
    state: row.state,
    number: row.number,
    job_id: row.job ?? null,
    input_json: text(row.input),
    result_json: text(row.result),
    error_json: text(row.error),
    wait_event: row.waitEvent ?? null,
    wait_seq: row.waitSeq ?? null,
    wake_ms: row.wakeMs ?? null,
    started: row.started,
    ended: row.ended ?? null,
  };
  await upsert(tx, values);
  return charsOf(values);
}

/** Raises the version, unless it is not the expected one any more: then it says false. */
export async function raiseVersion(tx: Tx, id: string, expected: number): Promise<boolean> {
  const { rows } = await raise(tx, { id, expected });
  return rows.length > 0;
}

const raise = prepared<{ id: string; expected: number }, { id: string }>((db, slot) =>
  db.updateTable("workflow_run").set((update) => ({ version: update("version", "+", 1) }))
    .where("id", "=", slot("id")).where("version", "=", slot("expected")).returning("id")
);

/**
 * Of a run that has failed or was cancelled: nothing of it runs or waits any more, whoever asks for it next starts it
 * anew, and nobody goes on with what memory has of it.
 */
export async function closeRun(tx: Tx, id: string, nowMs: number): Promise<void> {
  await tx.updateTable("run_step").set({
    state: "cancelled",
    wait_event: null,
    wait_seq: null,
    wake_ms: null,
    ended: new Date(nowMs).toISOString(),
  }).where("run_id", "=", id).where("state", "in", ["running", "waiting"])
    // What has been done the run was only not told: a retry takes it.
    .where(({ not, exists, selectFrom }) =>
      not(exists(
        selectFrom("job").select("job.id").whereRef("job.id", "=", "run_step.job_id")
          .where("job.status", "=", "completed"),
      ))
    ).execute();
  await tx.updateTable("workflow_run")
    .set((update) => ({ ensure_key: null, version: update("version", "+", 1) }))
    .where("id", "=", id).execute();
}

const progress = prepared<{ id: string; progress: number }, unknown>((db, slot) =>
  db.updateTable("job").set({ progress: slot("progress") }).where("id", "=", slot("id"))
);

export async function writeProgress(tx: Tx, id: string, percent: number): Promise<void> {
  await progress(tx, { id, progress: percent });
}

const anyEvent = prepared<{ name: string; seq: number }, { seq: number }>((db, slot) =>
  db.selectFrom("event").select("seq").where("name", "=", slot("name"))
    .where("seq", ">", slot("seq")).limit(1)
);

/** Whether something of this name was logged after a number. */
export async function hasEventAfter(tx: Tx, name: string, seq: number): Promise<boolean> {
  return (await anyEvent(tx, { name, seq })).rows.length > 0;
}
