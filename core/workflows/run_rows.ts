/** Runs out of the store. */
import type { Kysely } from "kysely";
import { CarrelError } from "../errors.ts";
import { toJob } from "../jobs/row.ts";
import type { ChildCounts } from "../jobs/job.ts";
import type { Actor } from "../auth/actor.ts";
import type { Page } from "../jobs/jobs.ts";
import { readStepHeads, readSteps, type RunHead } from "./journal_store.ts";
import type { Database } from "../stores/sql.ts";
import type { WorkflowsParts } from "./parts.ts";
import { viewSteps } from "./view.ts";
import type { Run, Workflows } from "./workflows.ts";

type Listed = Omit<Run, "steps" | "outputs">;

/** @param brief Leaves out what the steps were given and what came out of them, and does not read it. */
export async function viewRun(
  parts: WorkflowsParts,
  head: RunHead,
  brief = false,
): Promise<Run> {
  const { sql, engine } = parts;
  const job = await engine().jobs.get(head.id);
  const rows = brief
    ? await readStepHeads(sql.db, head.id)
    : (await readSteps(sql.db, head.id)).rows;
  const row = await sql.db.selectFrom("workflow_run").select(["ensure_key", "forked_from"])
    .where("id", "=", head.id).executeTakeFirstOrThrow();
  return {
    id: head.id,
    workflow: head.workflow,
    digest: head.digest,
    inputs: head.inputs,
    job,
    children: await engine().jobs.children(head.id),
    steps: await viewSteps(sql.db, head.definition, rows, job),
    outputs: job.status === "completed" ? job.result ?? null : undefined,
    ensureKey: row.ensure_key ?? undefined,
    forkedFrom: row.forked_from ?? undefined,
    user: head.user,
    created: head.created,
  };
}

const MOST_LISTED = 200;

/** What somebody sees of another's run who has answered a step of it. */
export function glimpse(run: Run, path: string): Run {
  const { job } = run;
  return {
    ...run,
    inputs: {},
    job: { ...job, input: null, message: undefined, error: undefined, result: undefined },
    steps: run.steps.filter((step) => step.path === path),
    outputs: undefined,
    ensureKey: undefined,
  };
}

/** Newest first. Throws `invalid_parameters` for a cursor that is none of these. */
export async function listRuns(
  { sql }: WorkflowsParts,
  { workflow, status, limit, cursor }: Parameters<Workflows["runs"]>[0],
  actor: Actor,
): Promise<Page<Listed>> {
  const count = Math.min(Math.max(Math.trunc(limit ?? 50), 1), MOST_LISTED);
  let query = sql.db.selectFrom("workflow_run").innerJoin("job", "job.id", "workflow_run.id")
    .selectAll("job").select([
      "workflow_run.workflow",
      "workflow_run.digest",
      "workflow_run.inputs_json",
      "workflow_run.ensure_key",
      "workflow_run.forked_from",
    ]);
  if (actor.role !== "admin") query = query.where("workflow_run.user_id", "=", actor.user);
  if (workflow !== undefined) query = query.where("workflow_run.workflow", "=", workflow);
  if (status !== undefined) query = query.where("job.status", "=", status);
  if (cursor !== undefined) {
    if (!/^run_[0-9a-z]{26}$/.test(cursor)) {
      throw new CarrelError(
        "invalid_parameters",
        "Cannot list runs: the cursor is not one of this list",
        { details: { field: "cursor" } },
      );
    }
    query = query.where("workflow_run.id", "<", cursor);
  }
  // An id ascends with the time at which it was made.
  const rows = await query.orderBy("workflow_run.id", "desc").limit(count + 1).execute();
  const shown = rows.slice(0, count);
  const children = await childrenOf(sql.db, shown.map(({ id }) => id));
  return {
    items: shown.map((row) => ({
      id: row.id,
      workflow: row.workflow,
      digest: row.digest,
      inputs: JSON.parse(row.inputs_json),
      job: toJob(row),
      children: children.get(row.id) ?? NO_CHILDREN,
      ensureKey: row.ensure_key ?? undefined,
      forkedFrom: row.forked_from ?? undefined,
      user: row.user_id,
      created: row.created,
    })),
    cursor: rows.length > count ? shown.at(-1)!.id : undefined,
  };
}

const NO_CHILDREN: ChildCounts = { total: 0, completed: 0, failed: 0, cancelled: 0 };

/** The children of many jobs by how they stand, by parent. */
async function childrenOf(
  db: Kysely<Database>,
  parents: readonly string[],
): Promise<Map<string, ChildCounts>> {
  const found = new Map<string, ChildCounts>();
  if (parents.length === 0) return found;
  const rows = await db.selectFrom("job").where("parent", "in", parents)
    .groupBy(["parent", "status"])
    .select((select) => ["parent", "status", select.fn.countAll<number>().as("count")]).execute();
  for (const { parent, status, count } of rows) {
    const before = found.get(parent!) ?? NO_CHILDREN;
    const total = before.total + Number(count);
    const counted = Object.hasOwn(before, status) ? { [status]: Number(count) } : {};
    found.set(parent!, { ...before, total, ...counted });
  }
  return found;
}
