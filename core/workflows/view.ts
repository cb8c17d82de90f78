/** Runs as they are shown. */
import type { Kysely } from "kysely";
import type { CapabilityResult } from "../capabilities/capabilities.ts";
import { isEnded as jobEnded, type Job } from "../jobs/job.ts";
import type { Database } from "../stores/sql.ts";
import type { WorkflowDefinition } from "./definition.ts";
import { isOpen, Journal, type StepRow } from "./journal.ts";
import { readJobs } from "./journal_store.ts";
import { listProgress, stepProgress } from "./progress.ts";
import type { ChildJob } from "./situation.ts";
import { childrenOf, type StepList } from "./tree.ts";
import type { WaitInput } from "./wait_step.ts";
import type { Question, RunStep } from "./workflows.ts";

/** What a waiting step asks a person; undefined for one that waits for something else. */
export function questionOf(row: StepRow): Question | undefined {
  const input = row.input as WaitInput | undefined;
  if (input === undefined || input.for === "timer" || input.for === "event") return undefined;
  return {
    for: input.for,
    prompt: input.prompt ?? undefined,
    options: input.for === "choice" ? input.options : undefined,
    schema: input.for === "input" ? input.schema : undefined,
    role: input.for === "approval" ? input.role : undefined,
    until: row.wakeMs === undefined ? undefined : new Date(row.wakeMs).toISOString(),
  };
}

/** The steps of a run in the order of its definition, what is in a container behind it. */
export async function viewSteps(
  db: Kysely<Database>,
  definition: WorkflowDefinition,
  rows: readonly StepRow[],
  run: Job,
): Promise<RunStep[]> {
  const journal = new Journal(rows);
  const open = rows.filter(isOpen).flatMap(({ job }) => job === undefined ? [] : [job]);
  const seen: Seen = {
    journal,
    jobs: await readJobs(db, open),
    messages: new Map([...await messagesOf(db, open), ...await fallBacksOf(db, rows)]),
    over: jobEnded(run.status),
  };
  const steps: RunStep[] = [];
  const show = (row: StepRow | undefined, title: string | undefined, progress: () => number) => {
    if (row === undefined || row.state === "pending") return;
    steps.push(viewStep(row, title, isOpen(row) ? Math.round(100 * progress()) : 100, seen));
  };
  const showList = (list: StepList) => {
    for (const step of list.steps) {
      const row = journal.get(list.prefix + step.id);
      if (row === undefined) continue;
      const { jobs } = seen;
      show(row, step.title ?? undefined, () => stepProgress(step, row, journal, jobs));
      for (const { path, list } of childrenOf(step, row.path, journal)) {
        show(journal.get(path), undefined, () => listProgress(list, journal, jobs));
        showList(list);
      }
    }
  };
  showList({ prefix: "", steps: definition.steps });
  return steps;
}

interface Seen {
  readonly journal: Journal;
  readonly jobs: ReadonlyMap<string, ChildJob>;
  readonly messages: ReadonlyMap<string, string>;
  /** Whether the run has ended: then nothing of it runs. */
  readonly over: boolean;
}

function viewStep(
  row: StepRow,
  title: string | undefined,
  progress: number,
  { messages, over }: Seen,
): RunStep {
  const state = over && isOpen(row) ? "cancelled" : row.state as RunStep["state"];
  const skipped = row.error?.message ?? "its condition is not true";
  return {
    path: row.path,
    kind: row.kind,
    title,
    state,
    number: row.number,
    job: row.job,
    progress,
    message: state === "skipped"
      ? skipped
      : row.job === undefined
      ? undefined
      : messages.get(row.job),
    input: row.input,
    result: row.result,
    error: state === "skipped" ? undefined : row.error,
    question: state === "waiting" ? questionOf(row) : undefined,
    started: row.started,
    ended: row.ended,
  };
}

/** Calls whose results are looked into: those begun last. */
const MOST_LOOKED_INTO = 500;

/** By job, of calls that another provider served than the one that should have: who did, and why. */
async function fallBacksOf(db: Kysely<Database>, rows: readonly StepRow[]) {
  const jobs = rows.flatMap(({ kind, state, job }) =>
    kind === "call" && state === "completed" && job !== undefined ? [job] : []
  );
  if (jobs.length === 0) return [];
  const found = await db.selectFrom("job").select(["id", "result_json"])
    .where("id", "in", jobs.sort().slice(-MOST_LOOKED_INTO))
    .where("result_json", "like", '%"skipped":[{%').execute();
  return found.flatMap(({ id, result_json }): [string, string][] => {
    const result = JSON.parse(result_json ?? "null") as Partial<CapabilityResult> | null;
    const skipped = result?.skipped ?? [];
    if (skipped.length === 0 || result?.provider === undefined) return [];
    const why = skipped.map(({ plugin, why }) => `${plugin} did not serve: ${why}`).join("; ");
    return [[id, `by ${result.provider.id}; ${why}`]];
  });
}

async function messagesOf(db: Kysely<Database>, ids: readonly string[]) {
  const messages = new Map<string, string>();
  for (let start = 0; start < ids.length; start += 500) {
    const rows = await db.selectFrom("job").select(["id", "message"])
      .where("id", "in", ids.slice(start, start + 500)).where("message", "is not", null).execute();
    for (const { id, message } of rows) messages.set(id, message!);
  }
  return messages;
}
