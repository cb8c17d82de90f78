/** How far a run is, and what it is at. */
import type { Step } from "./definition.ts";
import { isEnded, isOpen, type Journal, type StepRow } from "./journal.ts";
import type { ChildJob } from "./situation.ts";
import { branchesOf, stepAt, type StepList } from "./tree.ts";
import type { WorkflowDefinition } from "./definition.ts";

type Jobs = ReadonlyMap<string, Pick<ChildJob, "progress">>;

/** 0 to 100: the share of its steps that have ended, those that run counted by their own progress. */
export function progressOf(definition: WorkflowDefinition, journal: Journal, jobs: Jobs): number {
  return Math.round(listProgress({ prefix: "", steps: definition.steps }, journal, jobs) * 1000) /
    10;
}

/** 0 to 1 */
export function stepProgress(step: Step, row: StepRow, journal: Journal, jobs: Jobs): number {
  if (isEnded(row)) return 1;
  if (step.kind === "foreach") {
    const count = (row.input as { items?: unknown[] } | undefined)?.items?.length ?? 0;
    const items = journal.items(row.path);
    let done = items.ended.size;
    for (const index of items.open) {
      done += listProgress({ prefix: `${row.path}[${index}].`, steps: step.steps }, journal, jobs);
    }
    return count === 0 ? 0 : done / count;
  }
  const branches = branchesOf(step, row.path).filter(({ path }) => journal.get(path));
  if (branches.length > 0) {
    const done = branches.map(({ path, list }) =>
      isEnded(journal.get(path)!) ? 1 : listProgress(list, journal, jobs)
    );
    return done.reduce((sum, share) => sum + share, 0) / done.length;
  }
  return (row.job === undefined ? 0 : jobs.get(row.job)?.progress ?? 0) / 100;
}

/** 0 to 1 */
export function listProgress(list: StepList, journal: Journal, jobs: Jobs): number {
  if (list.steps.length === 0) return 1;
  let done = 0;
  for (const step of list.steps) {
    const row = journal.get(list.prefix + step.id);
    if (row !== undefined && row.state !== "pending") {
      done += stepProgress(step, row, journal, jobs);
    }
  }
  return done / list.steps.length;
}

const CONTAINERS: readonly StepRow["kind"][] = ["foreach", "parallel", "if", "branch", "item"];
const WAITS: Readonly<Record<string, string>> = {
  choice: "waits for a choice",
  approval: "waits for an approval",
  input: "waits for an input",
  timer: "waits for a time",
  event: "waits for an event",
};
/** Steps that a message names. */
const MOST_NAMED = 3;

/** What runs now, and what is waited for, in a line. */
export function messageOf(definition: WorkflowDefinition, journal: Journal): string {
  const leaves = journal.open().filter((row) => isOpen(row) && !CONTAINERS.includes(row.kind));
  const named = leaves.slice(0, MOST_NAMED).map((row) => {
    const title = stepAt(definition, row.path)?.title ?? row.path;
    const waits = row.kind === "wait" ? WAITS[(row.input as { for: string }).for] : undefined;
    return waits === undefined ? title : `${title} (${waits})`;
  });
  const more = leaves.length - named.length;
  return named.join(", ") + (more > 0 ? ` and ${more} more` : "");
}
