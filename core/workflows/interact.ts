/** The answers of people to steps that wait for one, and who may give them. */
import type { Kysely } from "kysely";
import { type Actor, ROLES } from "../auth/actor.ts";
import { CarrelError } from "../errors.ts";
import { isEnded as jobEnded, type JobError } from "../jobs/job.ts";
import { jsonBytes } from "../plain_json.ts";
import type { Database } from "../stores/sql.ts";
import { WORKFLOW_LIMITS } from "./definition.ts";
import { faultsOf } from "./inputs.ts";
import type { StepRow } from "./journal.ts";
import { journalChars, readStep, readWaits, type RunHead } from "./journal_store.ts";
import type { RunParts } from "./parts.ts";
import { problem } from "./situation.ts";
import type { WaitInput } from "./wait_step.ts";
import type { Answer } from "./workflows.ts";

type Outcome = { readonly result: unknown } | { readonly error: JobError };
type Asked = Extract<WaitInput, { for: "choice" | "approval" | "input" }>;

/** Characters of a comment. */
const MOST_COMMENT = 4_000;

/** Whether a run is an actor's to see. */
export function maySee(owner: string, { user, role }: Actor): boolean {
  return role === "admin" || user === owner;
}

/** Whether a step waits for an approval that the actor may give, whosever run it is. */
export function mayApprove(row: StepRow, actor: Actor): boolean {
  const input = row.input as WaitInput | undefined;
  return row.kind === "wait" && row.state === "waiting" && input?.for === "approval" &&
    isOfRole(actor, input.role);
}

/** A higher role counts as a lower one. */
export function isOfRole(actor: Actor, role: string): boolean {
  return ROLES.indexOf(actor.role) >= ROLES.findIndex((known) => known === role);
}

/** Also of a run that is another's. */
export function unknownRun(id: string): CarrelError {
  return new CarrelError("not_found", `Cannot find the run "${id}": there is none of that id`);
}

/** Says which step was answered. */
export async function interact(
  { sql, engine }: RunParts,
  nowMs: number,
  { id, user }: Pick<RunHead, "id" | "user">,
  path: string | undefined,
  answer: Answer,
  actor: Actor,
): Promise<string> {
  const { status } = await engine().jobs.get(id);
  const mine = maySee(user, actor);
  const over = jobEnded(status) || status === "cancelling";
  if (mine && over && path === undefined) {
    throw new CarrelError("conflict", `Cannot answer "${id}": the run is ${status}`);
  }
  const row = await chosenRow(sql.db, { id, path, mine }, actor);
  const refuse = (why: string) =>
    new CarrelError("conflict", `Cannot answer "${row.path}": ${why}`, {
      details: { path: row.path },
    });
  if (row.state !== "waiting") {
    throw refuse(
      row.state === "completed" || row.state === "failed"
        ? "it was answered before, or its time was up"
        : `it is ${row.state} and waits for nobody`,
    );
  }
  if (over) throw refuse(`the run is ${status}`);
  if (row.wakeMs !== undefined && row.wakeMs <= nowMs) throw refuse("its time is up");
  const input = row.input as Asked;
  const role = input.for === "approval" ? input.role : "editor";
  if (!isOfRole(actor, role)) {
    throw new CarrelError("forbidden", `Cannot answer "${row.path}": it takes the role ${role}`, {
      details: { role },
    });
  }
  const outcome = outcomeOf(row, input, answer, actor);
  const given = JSON.stringify("result" in outcome ? outcome.result : outcome.error);
  await engine().waiting.resume(id, async (tx) => {
    if (await journalChars(tx, id) + given.length > WORKFLOW_LIMITS.run_chars) {
      throw new CarrelError(
        "too_large",
        `Cannot answer "${row.path}": the run holds ${WORKFLOW_LIMITS.run_chars} characters of JSON already`,
      );
    }
    const changed = await tx.updateTable("run_step").set({
      ...("result" in outcome
        ? { state: "completed", result_json: given }
        : { state: "failed", error_json: given }),
      wake_ms: null,
      ended: new Date(nowMs).toISOString(),
    }).where("run_id", "=", id).where("path", "=", row.path).where("number", "=", row.number)
      .where("state", "=", "waiting").returning("path").execute();
    if (changed.length === 0) throw refuse("it was answered before");
    const run = await tx.selectFrom("job").select("status").where("id", "=", id)
      .executeTakeFirstOrThrow();
    if (["completed", "failed", "cancelled", "cancelling"].includes(run.status)) {
      throw refuse(`the run is ${run.status}`);
    }
    await tx.updateTable("workflow_run").set((update) => ({ version: update("version", "+", 1) }))
      .where("id", "=", id).execute();
  });
  return row.path;
}

function asksSomebody(row: StepRow): boolean {
  const kind = (row.input as WaitInput | undefined)?.for;
  return row.kind === "wait" && (kind === "choice" || kind === "approval" || kind === "input");
}

async function chosenRow(
  db: Kysely<Database>,
  { id, path, mine }: {
    readonly id: string;
    readonly path: string | undefined;
    readonly mine: boolean;
  },
  actor: Actor,
): Promise<StepRow> {
  const found = path === undefined ? await readWaits(db, id) : await readStep(db, id, path);
  const rows = [found ?? []].flat().filter((row) => mine || mayApprove(row, actor));
  if (!mine && rows.length === 0) {
    throw unknownRun(id);
  }
  if (path !== undefined) {
    const [row] = rows;
    if (row !== undefined && asksSomebody(row)) return row;
    throw new CarrelError(
      "not_found",
      `Cannot answer "${path}": "${id}" has no such step that asks somebody`,
    );
  }
  const [first, ...more] = rows.filter(asksSomebody);
  if (first === undefined) {
    throw new CarrelError(
      "conflict",
      `Cannot answer "${id}": none of its steps waits for somebody`,
    );
  }
  if (more.length === 0) return first;
  const paths = [first, ...more].map((row) => row.path);
  throw new CarrelError(
    "invalid_parameters",
    `Cannot answer "${id}": ${paths.length} of its steps wait for somebody, say which: ${
      paths.slice(0, 20).join(", ")
    }`,
    { details: { field: "path", paths: paths.slice(0, 20) } },
  );
}

function outcomeOf(row: StepRow, input: Asked, answer: Answer, actor: Actor): Outcome {
  const by = actor.user;
  const refuse = (field: string, why: string) =>
    new CarrelError("invalid_parameters", `Cannot answer "${row.path}": ${why}`, {
      details: { field },
    });
  switch (input.for) {
    case "choice": {
      const index = "choice" in answer ? answer.choice : undefined;
      const { length } = input.options;
      if (index === undefined) throw refuse("choice", `it waits for a choice, 0 to ${length - 1}`);
      if (!Number.isInteger(index) || index < 0 || index >= length) {
        throw refuse("choice", `${index} was not offered, 0 to ${length - 1} were`);
      }
      return { result: { index, option: input.options[index], by } };
    }
    case "approval": {
      if (!("approve" in answer) || typeof answer.approve !== "boolean") {
        throw refuse("approve", "it waits for an approval, yes or no");
      }
      const comment = answer.comment?.slice(0, MOST_COMMENT).toWellFormed() ?? null;
      if (answer.approve) return { result: { approved: true, by, comment } };
      const because = comment === null || comment === "" ? "" : `: ${comment}`;
      const error = problem("denied", `"${row.path}" was not approved${because}`, { by, comment });
      return { error };
    }
    case "input": {
      if (!("value" in answer) || answer.value === undefined) {
        throw refuse("value", "it waits for a value");
      }
      const held: Record<string, unknown> = { value: structuredClone(answer.value) };
      if (jsonBytes(held["value"]) > WORKFLOW_LIMITS.json_bytes) {
        throw new CarrelError(
          "too_large",
          `Cannot answer "${row.path}": the value is larger than ${WORKFLOW_LIMITS.json_bytes} bytes of JSON`,
        );
      }
      const faults = faultsOf("value", input.schema, held);
      if (faults.length > 0) {
        const list = faults.map(({ field, problem }) => `${field}: ${problem}`).join("; ");
        throw new CarrelError("invalid_parameters", `Cannot answer "${row.path}": ${list}`, {
          details: { errors: faults },
        });
      }
      return { result: { value: held["value"], by } };
    }
  }
}
