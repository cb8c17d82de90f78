/** The use cases of workflows, on top of the jobs. `run_handler.ts` does the work. */
import type { Actor } from "../auth/actor.ts";
import { CarrelError } from "../errors.ts";
import { systemClock } from "../jobs/clock.ts";
import { type Job, JOB_STATUSES } from "../jobs/job.ts";
import type { Kysely } from "kysely";
import type { Database, Tx } from "../stores/sql.ts";
import type { WorkflowDefinition } from "./definition.ts";
import { checkInputs } from "./inputs.ts";
import { interact, isOfRole, mayApprove, maySee, unknownRun } from "./interact.ts";
import { isOpen, type StepRow } from "./journal.ts";
import { readHead, readStep, readStepHeads, type RunHead } from "./journal_store.ts";
import { workflowOf } from "./load.ts";
import type { WorkflowsParts } from "./parts.ts";
import { planOf } from "./plan.ts";
import { takenOver, wayOrThrow } from "./reopen.ts";
import { copySteps, writeReopened } from "./reopen_store.ts";
import type { RunInput } from "./run_handler.ts";
import { glimpse, listRuns, viewRun } from "./run_rows.ts";
import { FORMAT } from "./stored_definition.ts";
import type { StartOptions, Workflow, Workflows } from "./workflows.ts";

/** Characters of an ensure key. */
const MOST_KEY = 200;

/** What a new run is made of. */
interface NewRun {
  readonly workflow: string;
  readonly digest: string;
  readonly definition: WorkflowDefinition;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly forkedFrom?: string | undefined;
  /** Gives it the steps that it begins with. */
  readonly fill?: ((tx: Tx, id: string) => Promise<void>) | undefined;
}

export function createWorkflows(parts: WorkflowsParts): Workflows {
  const { sql, engine } = parts;
  const clock = parts.clock ?? systemClock;

  async function get(name: string): Promise<Workflow> {
    const found = (await parts.loadWorkflows()).find((workflow) => workflow.name === name);
    if (found !== undefined) return found;
    throw new CarrelError("not_found", `Cannot find the workflow "${name}": there is none`);
  }

  /** Throws `invalid_workflow` where it is wrong. */
  async function sound(workflow: string | Workflow) {
    const found = typeof workflow === "string" ? await get(workflow) : workflow;
    const { name, digest, definition, problems, file } = found;
    if (definition !== undefined) return { workflow: name, digest, definition };
    const [first] = problems;
    const where = first === undefined ? "" : `: ${file}:${first.line}: ${first.message}`;
    throw new CarrelError("invalid_workflow", `Cannot use the workflow "${name}"${where}`, {
      details: { problems },
    });
  }

  async function anyHead(id: string): Promise<RunHead> {
    const found = await readHead(sql.db, id);
    if (found !== undefined) return found;
    throw unknownRun(id);
  }

  /** Throws `not_found`, also for what is another's. */
  async function head(id: string, actor: Actor): Promise<RunHead> {
    const found = await anyHead(id);
    if (maySee(found.user, actor)) return found;
    throw unknownRun(id);
  }

  async function view(id: string, actor: Actor) {
    return await viewRun(parts, await head(id, actor), true);
  }

  /** Adds a run and its job; answers with its id, or with that of the run that stands for it. */
  async function add(run: NewRun, options: StartOptions, actor: Actor): Promise<string> {
    if (options.refusable && (await holder(sql.db, actor, options.ensureKey))?.open !== true) {
      const { idempotencyKey } = options;
      await engine().jobs.admit({ user: actor.user, idempotencyKey });
    }
    const id = await sql.transaction(async (tx) => {
      const standing = await ensured(tx, actor, options.ensureKey);
      if (standing !== undefined) return standing;
      const input: RunInput = { workflow: run.workflow };
      const job = await engine().jobs.addIn(tx, {
        kind: "run",
        input,
        user: actor.user,
        priority: options.priority,
        idempotencyKey: options.idempotencyKey,
      });
      await addRun(tx, job, run, options.ensureKey);
      return job.id;
    });
    engine().jobs.wake();
    return id;
  }

  /** The run that has the key. One that failed or was cancelled lets it go. */
  async function ensured(
    tx: Tx,
    actor: Actor,
    key: string | undefined,
  ): Promise<string | undefined> {
    const held = await holder(tx, actor, key);
    if (held === undefined || held.open) return held?.id;
    await tx.updateTable("workflow_run").set({ ensure_key: null }).where("id", "=", held.id)
      .execute();
    return undefined;
  }

  async function addRun(tx: Tx, job: Job, run: NewRun, key: string | undefined): Promise<void> {
    if (job.kind !== "run") {
      throw new CarrelError(
        "conflict",
        `Cannot start the run: "${job.id}" has its idempotency key`,
      );
    }
    const { timeout } = run.definition;
    const { numInsertedOrUpdatedRows } = await tx.insertInto("workflow_run").values({
      id: job.id,
      workflow: run.workflow,
      digest: run.digest,
      definition_json: JSON.stringify(run.definition),
      format: FORMAT,
      inputs_json: JSON.stringify(run.inputs),
      until_ms: timeout === undefined || timeout === null ? null : clock.now() + timeout * 1000,
      retry_from: null,
      ensure_key: key ?? null,
      forked_from: run.forkedFrom ?? null,
      user_id: job.user,
      created: job.created,
      // The same request again is answered with the run that it made.
    }).onConflict((conflict) => conflict.column("id").doNothing()).executeTakeFirst();
    if (Number(numInsertedOrUpdatedRows) === 0) return await checkSame(tx, job.id, run);
    await run.fill?.(tx, job.id);
  }

  async function checkSame(tx: Tx, id: string, run: NewRun): Promise<void> {
    const before = await tx.selectFrom("workflow_run").select(["digest", "inputs_json"])
      .where("id", "=", id).executeTakeFirstOrThrow();
    if (before.digest === run.digest && before.inputs_json === JSON.stringify(run.inputs)) return;
    throw new CarrelError(
      "conflict",
      `Cannot start the run: "${id}" was started with the same idempotency key, and by another request`,
      { details: { job: id } },
    );
  }

  return {
    list: () => parts.loadWorkflows(),
    get,

    async parse(yaml) {
      const workflow = await workflowOf(yaml);
      await sound(workflow);
      return workflow;
    },

    async start(workflow, options, actor) {
      checkKey(options.ensureKey);
      const found = await sound(workflow);
      const inputs = checkInputs(found.definition, options.inputs ?? {});
      return await view(await add({ ...found, inputs }, options, actor), actor);
    },

    async plan(workflow, options, actor) {
      const { definition } = await sound(workflow);
      const inputs = checkInputs(definition, options.inputs ?? {});
      return await planOf(parts, definition, inputs, actor.user);
    },

    async runs(filter, actor) {
      if (filter.status !== undefined && !JOB_STATUSES.some((one) => one === filter.status)) {
        throw new CarrelError(
          "invalid_parameters",
          `Cannot list runs: "${filter.status}" is no status`,
          { details: { field: "status" } },
        );
      }
      return await listRuns(parts, filter, actor);
    },

    run: async (id, actor, { brief } = {}) => await viewRun(parts, await head(id, actor), brief),

    async step(id, path, actor) {
      const found = await anyHead(id);
      const row = await readStep(sql.db, id, path);
      if (!maySee(found.user, actor) && (row === undefined || !mayApprove(row, actor))) {
        throw unknownRun(id);
      }
      const { steps } = await viewRun(parts, found, true);
      const step = steps.find((one) => one.path === path);
      if (step !== undefined) return { ...step, input: row?.input, result: row?.result };
      throw new CarrelError(
        "not_found",
        `Cannot find the step "${path}": "${id}" has not begun one of that path`,
      );
    },

    async interact(id, path, answer, actor) {
      const found = await anyHead(id);
      const answered = await interact(parts, clock.now(), found, path, answer, actor);
      const run = await viewRun(parts, found, true);
      return maySee(run.user, actor) ? run : glimpse(run, answered);
    },

    async cancel(id, actor) {
      await head(id, actor);
      await engine().jobs.cancel(id);
      return await view(id, actor);
    },

    async retry(id, from, actor) {
      const { definition } = await head(id, actor);
      if (from !== undefined) wayOrThrow(definition, from);
      const { status } = await engine().jobs.get(id);
      if (status === "completed") {
        const again = `carrel run fork ${id} --from ${from ?? "STEP"}`;
        throw new CarrelError(
          "conflict",
          `Cannot retry "${id}": it has completed; a fork of it does steps again: ${again}`,
        );
      }
      await sql.transaction(async (tx) => {
        await tx.updateTable("workflow_run").set({ retry_from: from ?? null }).where("id", "=", id)
          .execute();
        await engine().jobs.retryIn(tx, id);
      });
      engine().jobs.wake();
      return await view(id, actor);
    },

    async fork(id, { from, inputs }, actor) {
      const { workflow, digest, definition, inputs: before } = await head(id, actor);
      wayOrThrow(definition, from);
      const now = checkInputs(definition, { ...before, ...inputs });
      const isSame = JSON.stringify(now) === JSON.stringify(before);
      const run = {
        workflow,
        digest,
        definition,
        inputs: now,
        forkedFrom: id,
        fill: async (tx: Tx, to: string) => {
          const rows = takenOver(definition, await readStepHeads(tx, id), from, clock.now());
          if (!isSame) checkApprovals(definition, rows, actor);
          await copySteps(tx, { from: id, to, paths: rows.map(({ path }) => path) });
          // The containers around the step go on.
          await writeReopened(tx, to, rows.filter(isOpen));
        },
      };
      return await view(await add(run, {}, actor), actor);
    },
  };
}

/**
 * What somebody approved was approved for the inputs of that time: only who may approve it himself takes it along
 * to others. Throws `forbidden`.
 */
function checkApprovals(
  definition: WorkflowDefinition,
  rows: readonly StepRow[],
  actor: Actor,
): void {
  for (const { path, kind, state } of rows) {
    if (kind !== "wait" || state !== "completed") continue;
    const step = wayOrThrow(definition, path).at(-1)?.step;
    if (step?.kind !== "wait" || step.wait.for !== "approval") continue;
    if (isOfRole(actor, step.wait.role)) continue;
    throw new CarrelError(
      "forbidden",
      `Cannot take the approval "${path}" along to other inputs: it takes the role ${step.wait.role}; fork from "${path}"`,
      { details: { step: path, role: step.wait.role } },
    );
  }
}

function checkKey(key: string | undefined): void {
  if (key === undefined || (key.length > 0 && key.length <= MOST_KEY)) return;
  throw new CarrelError(
    "invalid_parameters",
    `Cannot start the run: its ensure key must have 1 to ${MOST_KEY} characters`,
    { details: { field: "ensure_key" } },
  );
}

/** The user's run that has a key of `ensure`, and whether it still stands for it. */
async function holder(
  db: Kysely<Database>,
  { user }: Actor,
  key: string | undefined,
): Promise<{ readonly id: string; readonly open: boolean } | undefined> {
  if (key === undefined) return undefined;
  const row = await db.selectFrom("workflow_run").innerJoin("job", "job.id", "workflow_run.id")
    .select(["workflow_run.id", "job.status"])
    .where("workflow_run.user_id", "=", user).where("ensure_key", "=", key).executeTakeFirst();
  return row && {
    id: row.id,
    open: !["failed", "cancelled", "cancelling"].includes(row.status),
  };
}
