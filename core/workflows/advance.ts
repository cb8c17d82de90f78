/**
 * What happens next in a run: which steps end, which begin, and whether the run does. A function of the definition,
 * the journal, the states of the steps' jobs, the time, and answers to what it asked before; it changes the journal
 * that it is given and says what else must be done about it.
 */
import type { JobError } from "../jobs/job.ts";
import type { Begun } from "./begin.ts";
import { beginStep } from "./begin_step.ts";
import { type Step, WORKFLOW_LIMITS } from "./definition.ts";
import { isEnded, isOpen, type Journal, type StepRow } from "./journal.ts";
import { endJobStep, endWait } from "./open_step.ts";
import {
  type Failure,
  failuresOf,
  isTooLarge,
  Look,
  problem,
  type ScopedList,
  stepsFailed,
  tooLarge,
} from "./situation.ts";
import { branchesOf, needsOf } from "./tree.ts";

export type RunEnd = { readonly completed: unknown } | { readonly failed: JobError };

/** How a list of steps ended. */
interface ListEnd {
  readonly failures: readonly Failure[];
  readonly result: unknown;
  /** Set where its last step was skipped because something is missing. */
  readonly skipped: JobError | undefined;
}

/** After so many changes a look ends, so that what is found so far is written down. */
const MOST_CHANGES = 250;

/** Says how the run ends, if it does; undefined where there is more to do or to wait for, or something was asked. */
export function advance(look: Look): RunEnd | undefined {
  const { definition, run } = look.situation;
  if (run.untilMs !== undefined && run.untilMs <= look.nowMs) {
    look.cancelWithin("");
    const limit = definition.timeout;
    return {
      failed: problem(
        "timed_out",
        `Cannot finish "${run.workflow}": it took longer than ${limit} s`,
      ),
    };
  }
  const top: ScopedList = { prefix: "", steps: definition.steps, outer: undefined };
  const end = walkList(look, top);
  if (end === undefined) return undefined;
  if (end.failures.length > 0) return { failed: stepsFailed(`"${run.workflow}"`, end.failures) };
  return outputsOf(look, top);
}

/** Whether so much has changed that it should be written down before the rest is looked at. */
export function isFull(journal: Journal): boolean {
  return journal.changed.size >= MOST_CHANGES;
}

function outputsOf(look: Look, top: ScopedList): RunEnd | undefined {
  const { outputs } = look.situation.definition;
  if (outputs === undefined || outputs === null) return { completed: resultsOf(look, top) };
  const told = look.value("outputs", outputs, top);
  if (told === undefined) return undefined;
  if ("error" in told) return { failed: told.error };
  return isTooLarge(told.value)
    ? { failed: tooLarge("the outputs of the run") }
    : { completed: told.value };
}

/** The results of the top steps, as many as there is room for: `left_out` names the others. */
function resultsOf(look: Look, top: ScopedList): Record<string, unknown> {
  const results: Record<string, unknown> = {};
  const leftOut: string[] = [];
  for (const step of top.steps) {
    results[step.id] = look.row(top, step)?.result ?? null;
    if (!isTooLarge(results)) continue;
    results[step.id] = null;
    leftOut.push(step.id);
  }
  return leftOut.length === 0 ? results : { ...results, left_out: leftOut };
}

/** Goes on with a list as far as it can. Undefined while there is something open, or to be begun. */
function walkList(look: Look, list: ScopedList): ListEnd | undefined {
  const { failFast } = look.situation.definition;
  const failures = () =>
    list.steps.flatMap((step) => {
      const row = look.row(list, step);
      return row?.state === "failed" && !step.optional ? failuresOf(row) : [];
    });
  let moved = true;
  while (moved && !isFull(look.journal)) {
    moved = false;
    for (const step of list.steps) {
      const row = look.row(list, step);
      if (row !== undefined && isOpen(row)) moved = walkOpen(look, list, step, row) || moved;
    }
    // What has failed is seen before anything new is begun.
    if (failFast && failures().length > 0) {
      for (const step of list.steps) look.cancelWithin(list.prefix + step.id);
      return { failures: failures(), result: null, skipped: undefined };
    }
    for (const step of list.steps) {
      const row = look.row(list, step);
      if (row === undefined || row.state === "pending") moved = tryBegin(look, list, step) || moved;
    }
  }
  const rows = list.steps.map((step) => look.row(list, step));
  if (!rows.every((row) => row !== undefined && isEnded(row))) return undefined;
  const last = rows.at(-1);
  return {
    failures: failures(),
    result: last?.result ?? null,
    skipped: last?.state === "skipped" ? last.error : undefined,
  };
}

/** Begins a step whose turn it is. Says whether anything changed. */
function tryBegin(look: Look, list: ScopedList, step: Step): boolean {
  for (const id of needsOf(list.steps, step)) {
    const row = look.row(list, id);
    if (row === undefined || !isEnded(row)) return false;
    const needed = list.steps.find((other) => other.id === id);
    const reason = needed?.optional ? undefined : whyNot(row, id, step);
    if (reason === undefined) continue;
    look.skip(look.begin(list.prefix + step.id, step.kind), reason);
    return true;
  }
  const begun = beginStep(look, list, step);
  if (begun === undefined) return false;
  fill(look, step, begun);
  return true;
}

/** Why a step cannot begin after one that ended like this. */
function whyNot(row: StepRow, id: string, step: Step): JobError | undefined {
  if (row.state === "failed" || row.state === "cancelled") {
    return problem(
      "step_failed",
      `it needs "${id}", which ${row.state === "failed" ? "failed" : "was cancelled"}`,
    );
  }
  if (row.state !== "skipped" || row.error === undefined) return undefined;
  // One that may fail may also try without what it needs.
  if (row.error.code === "no_provider" && step.optional) return undefined;
  const { code, message, details } = row.error;
  const root = typeof details?.["root"] === "string" ? details["root"] : message;
  return problem(code, `it needs "${id}", which was skipped: ${root}`, { root });
}

/** Begins the branches of a container that has just begun. */
function fill(look: Look, step: Step, row: Begun): void {
  if (isEnded(row)) return;
  if (step.kind === "parallel" || step.kind === "if") {
    const taken = (row.input as { taken?: string } | undefined)?.taken;
    for (const { path } of branchesOf(step, row.path)) {
      if (taken === undefined || path === `${row.path}.${taken}`) look.begin(path, "branch");
    }
  }
}

/** Looks after an open step. Says whether anything changed. */
function walkOpen(look: Look, list: ScopedList, step: Step, row: StepRow): boolean {
  switch (step.kind) {
    case "wait":
      return endWait(look, list, step, row);
    case "foreach":
    case "parallel":
    case "if":
      return walkContainer(look, list, step, row);
    default:
      return endJobStep(look, step, row);
  }
}

type Container = Extract<Step, { kind: "foreach" | "parallel" | "if" }>;

function walkContainer(look: Look, list: ScopedList, step: Container, row: StepRow): boolean {
  if (step.kind === "foreach") walkItems(look, list, step, row);
  else walkBranches(look, list, step, row);
  const after = look.journal.get(row.path)!;
  if (isOpen(after) && after.wakeMs !== undefined && after.wakeMs <= look.nowMs) {
    look.cancelWithin(row.path);
    look.fail(after, timedOut(step, row.path));
    return true;
  }
  return !isOpen(after);
}

function timedOut(step: Step, path: string): JobError {
  return problem(
    "timed_out",
    `Cannot finish the step "${path}": it took longer than ${step.timeout} s`,
  );
}

function walkBranches(
  look: Look,
  list: ScopedList,
  step: Exclude<Container, { kind: "foreach" }>,
  row: StepRow,
): void {
  const branches = branchesOf(step, row.path).filter(({ path }) => look.journal.get(path));
  for (const branch of branches) {
    const inner: ScopedList = { ...branch.list, outer: list };
    walkChild(look, inner, branch.path, undefined);
    if (stopsFor(look, row, () => [branch.path])) return;
  }
  const ends = branches.map(({ path }) => look.journal.get(path)!);
  if (!ends.every(isEnded)) return;
  const failures = ends.filter(({ state }) => state === "failed").flatMap(failuresOf);
  if (failures.length > 0) return look.fail(row, stepsFailed(`the step "${row.path}"`, failures));
  look.complete(
    row,
    step.kind === "if" ? ends[0]?.result ?? null : Object.fromEntries(
      ends.map(({ path, result }) => [path.slice(row.path.length + 1), result ?? null]),
    ),
  );
}

function walkItems(
  look: Look,
  list: ScopedList,
  step: Extract<Step, { kind: "foreach" }>,
  row: StepRow,
): void {
  const values = (row.input as { items: readonly unknown[] }).items;
  const items = look.journal.items(row.path);
  const most = Math.min(Math.max(1, step.parallel), WORKFLOW_LIMITS.parallel);
  const pathOf = (index: number) => `${row.path}[${index}]`;
  const failed = () => [...items.failed].map(pathOf);
  const walk = (index: number) => {
    const inner: ScopedList = {
      prefix: `${pathOf(index)}.`,
      steps: step.steps,
      outer: list,
      item: { value: values[index], index },
    };
    walkChild(look, inner, pathOf(index), step.collect ?? undefined);
  };
  for (const index of [...items.open]) walk(index);
  while (items.next < values.length && items.open.size < most && !isFull(look.journal)) {
    if (stopsFor(look, row, failed)) return;
    const index = items.next++;
    const before = look.journal.get(pathOf(index));
    if (before !== undefined && before.state !== "pending") continue;
    look.begin(pathOf(index), "item");
    walk(index);
  }
  if (stopsFor(look, row, failed)) return;
  if (items.next < values.length || items.open.size > 0) return;
  const ends = values.map((_, index) => look.journal.get(pathOf(index))!);
  const failures = [...items.failed].sort((a, b) => a - b)
    .flatMap((index) => failuresOf(ends[index]!));
  if (failures.length > 0) return look.fail(row, stepsFailed(`the step "${row.path}"`, failures));
  look.complete(row, ends.map(({ result }) => result ?? null));
}

/** With fail_fast, ends a container for the first of its branches that failed. */
function stopsFor(look: Look, row: StepRow, paths: () => readonly string[]): boolean {
  if (!look.situation.definition.failFast) return false;
  const failures = paths().map((path) => look.journal.get(path)!)
    .filter(({ state }) => state === "failed").flatMap(failuresOf);
  if (failures.length === 0) return false;
  look.fail(row, stepsFailed(`the step "${row.path}"`, failures));
  look.cancelWithin(row.path);
  return true;
}

/** Goes on with a branch or an item, and ends it with its list. */
function walkChild(
  look: Look,
  inner: ScopedList,
  path: string,
  collect: Parameters<Look["value"]>[1] | undefined,
): void {
  const row = look.journal.get(path)!;
  if (!isOpen(row)) return;
  const end = walkList(look, inner);
  if (end === undefined) return;
  if (end.failures.length > 0) {
    look.fail(row, stepsFailed(`"${path}"`, end.failures));
  } else if (collect !== undefined) {
    const told = look.value(`${path}#${row.number}:collect`, collect, inner);
    if (told === undefined) return;
    if ("error" in told) look.fail(row, told.error);
    else look.complete(row, told.value ?? null);
  } else if (end.skipped !== undefined) {
    look.skip(row, end.skipped);
  } else {
    look.complete(row, end.result);
  }
}
