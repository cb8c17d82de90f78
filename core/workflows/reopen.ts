/** Puts the journal of an ended run in order for another try: what is to be done again becomes `pending`. */
import { CarrelError } from "../errors.ts";
import type { Job } from "../jobs/job.ts";
import type { Tx } from "../stores/sql.ts";
import type { Step, WorkflowDefinition } from "./definition.ts";
import { isEnded, Journal, type StepRow } from "./journal.ts";
import { readHead, readJobs, readStepHeads } from "./journal_store.ts";
import { neverFilled, writeReopened } from "./reopen_store.ts";
import type { ChildJob } from "./situation.ts";
import {
  childrenOf,
  following,
  isContainer,
  isWithin,
  type Level,
  preceding,
  type StepList,
  subtreesOf,
  wayTo,
} from "./tree.ts";

/** In the transaction that retries the run's job. */
export async function reopen(tx: Tx, job: Job, nowMs: number): Promise<void> {
  const head = await readHead(tx, job.id);
  if (head === undefined) return;
  const { definition } = head;
  const { retry_from } = await tx.selectFrom("workflow_run").select("retry_from")
    .where("id", "=", job.id).executeTakeFirstOrThrow();
  const journal = new Journal(await readStepHeads(tx, job.id));
  const open = journal.open().flatMap((row) => row.job === undefined ? [] : [row.job]);
  reopenJournal(definition, journal, {
    from: retry_from ?? undefined,
    jobs: await readJobs(tx, open),
    neverFilled: await neverFilled(tx, job.id),
    nowMs,
  });
  await writeReopened(tx, job.id, [...journal.changed].map((path) => journal.get(path)!));
  const { timeout } = definition;
  await tx.updateTable("workflow_run").set((update) => ({
    version: update("version", "+", 1),
    retry_from: null,
    until_ms: timeout === undefined || timeout === null ? null : nowMs + timeout * 1000,
  })).where("id", "=", job.id).execute();
}

/** Changes the journal alone. */
export function reopenJournal(
  definition: WorkflowDefinition,
  journal: Journal,
  { from, ...more }: Omit<Reset, "journal" | "within"> & { readonly from?: string | undefined },
): void {
  const within = subtreesOf([...journal.rows()].map(({ path }) => path));
  const parts: Reset = { ...more, journal, within };
  if (from !== undefined) resetFrom(definition, parts, from);
  resetFailed({ prefix: "", steps: definition.steps }, parts);
}

/** The way to a step of a definition. Throws `invalid_parameters`. */
export function wayOrThrow(definition: WorkflowDefinition, path: string): Level[] {
  const way = wayTo(definition, path);
  if (way !== undefined) return way;
  throw new CarrelError(
    "invalid_parameters",
    `Cannot begin at "${path}": "${definition.name}" has no such step`,
    { details: { field: "from" } },
  );
}

/** A step and what follows it, in its list and behind the containers around it. */
function resetFrom(definition: WorkflowDefinition, parts: Reset, path: string): void {
  const { journal, nowMs } = parts;
  const way = wayOrThrow(definition, path);
  for (const root of rootsFrom(way, path)) resetWithin(parts, root);
  for (const container of around(way, path)) {
    const row = journal.get(container);
    if (row !== undefined && isEnded(row)) resume(journal, row, stepOf(way, container), nowMs);
  }
}

/** Paths below which everything is done again. */
function rootsFrom(way: readonly Level[], path: string): string[] {
  return [
    path,
    ...way.flatMap(({ list, step }) =>
      [...following(list.steps, step.id)].map((id) => list.prefix + id)
    ),
  ];
}

/** The containers, items and branches around a path, outermost first. */
function around(way: readonly Level[], path: string): string[] {
  return way.flatMap(({ list, step, child }) => [
    list.prefix + step.id,
    ...(child === undefined ? [] : [child]),
  ]).filter((at) => at !== path);
}

function stepOf(way: readonly Level[], path: string): Step | undefined {
  return way.find(({ list, step }) => list.prefix + step.id === path)?.step;
}

/**
 * The rows that another run takes over when it begins at a path: those of the steps that come before, and the
 * containers around it, as they were when they began.
 */
export function takenOver(
  definition: WorkflowDefinition,
  rows: Iterable<StepRow>,
  path: string,
  nowMs: number,
): StepRow[] {
  const way = wayOrThrow(definition, path);
  const before = way.flatMap(({ list, step }) =>
    [...preceding(list.steps, step.id)].map((id) => list.prefix + id)
  );
  const containers = new Set(around(way, path));
  const journal = new Journal();
  for (const row of rows) {
    if (containers.has(row.path) && row.state !== "pending" && row.state !== "skipped") {
      resume(journal, row, stepOf(way, row.path), nowMs);
    }
  }
  // Without the containers around them the steps within have no place.
  const whole = [...containers].every((container) => journal.get(container) !== undefined);
  for (const row of rows) {
    const root = before.find((one) => isWithin(row.path, one));
    if (root === undefined || !isEnded(row) || row.state === "cancelled") continue;
    const inside = [...containers].some((container) => isWithin(row.path, container));
    if (inside && !whole) continue;
    journal.set(row);
  }
  const within = subtreesOf([...journal.rows()].map(({ path }) => path));
  for (const root of before) {
    const row = journal.get(root);
    if (row?.state === "completed" || row?.state === "skipped") continue;
    // It failed, or did not end: it is done again, with all that is in it.
    resetWithin({ journal, within }, root);
  }
  return [...journal.rows()].filter(({ state }) => state !== "pending");
}

const BADLY_ENDED: readonly string[] = ["failed", "cancelling", "cancelled"];

interface Reset {
  readonly journal: Journal;
  /** What lies at and below a path. */
  readonly within: (root: string) => Iterable<string>;
  readonly jobs: ReadonlyMap<string, ChildJob>;
  /** Containers that ended before they had anything to go on with. */
  readonly neverFilled: ReadonlySet<string>;
  readonly nowMs: number;
}

/** What failed or was cancelled in a list is done again, and what was skipped for it. */
function resetFailed(list: StepList, parts: Reset): void {
  for (const step of list.steps) {
    const row = parts.journal.get(list.prefix + step.id);
    if (row === undefined) continue;
    const spoilt = row.state === "skipped" && row.error?.code === "step_failed";
    // What follows an optional step has been done without it.
    const failed = row.state === "failed" && !step.optional;
    const held = row.state === "running" || row.state === "waiting";
    if (spoilt) reset(parts.journal, row);
    else if (failed || row.state === "cancelled" || held) redo(step, row, parts);
  }
}

function redo(step: Step, row: StepRow, parts: Reset): void {
  const { journal, jobs, nowMs } = parts;
  const begun = !parts.neverFilled.has(row.path);
  const byStep = row.error === undefined || row.error.code === "step_failed" ||
    row.error.code === "timed_out";
  if (!isContainer(step) || !begun || !byStep) {
    const status = row.job === undefined ? undefined : jobs.get(row.job)?.status;
    // Its job goes on, or has ended well, and the run was only not told.
    if (row.state === "running" && status !== undefined && !BADLY_ENDED.includes(status)) return;
    return resetWithin(parts, row.path);
  }
  resume(journal, row, step, nowMs);
  for (const { path, list } of childrenOf(step, row.path, journal)) {
    const child = journal.get(path);
    if (child === undefined || child.state === "completed" || child.state === "skipped") continue;
    if (child.state === "pending") continue;
    resume(journal, child, undefined, nowMs);
    resetFailed(list, parts);
  }
}

function resetWithin({ journal, within }: Pick<Reset, "journal" | "within">, root: string): void {
  for (const path of within(root)) {
    const row = journal.get(path);
    if (row !== undefined) reset(journal, row);
  }
}

function reset(journal: Journal, row: StepRow): void {
  if (row.state === "pending") return;
  journal.set({
    ...row,
    state: "pending",
    job: undefined,
    input: undefined,
    result: undefined,
    error: undefined,
    waitEvent: undefined,
    waitSeq: undefined,
    wakeMs: undefined,
    ended: undefined,
  });
}

/** A container goes on with what it was given; its time begins anew. */
function resume(journal: Journal, row: StepRow, step: Step | undefined, nowMs: number): void {
  const timeout = step?.timeout ?? undefined;
  journal.set({
    ...row,
    state: "running",
    result: undefined,
    error: undefined,
    wakeMs: timeout === undefined ? undefined : nowMs + timeout * 1000,
    ended: undefined,
  });
}
