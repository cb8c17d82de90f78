/**
 * What one look at a run has before it, and what comes of it. No store, no clock, no runner: whatever must be
 * found out first is asked for, and the look is taken again once it has been answered.
 */
import type { Job, JobError, NewJob } from "../jobs/job.ts";
import { jsonBytes } from "../plain_json.ts";
import {
  type Step,
  type Template,
  WORKFLOW_LIMITS,
  type WorkflowDefinition,
} from "./definition.ts";
import type { Scope } from "./expressions.ts";
import { isEnded, type Journal, type StepRow } from "./journal.ts";
import { isPlain } from "./templates.ts";
import { isWithin, type StepList } from "./tree.ts";

/** What a step's job came to so far. */
export type ChildJob = Pick<Job, "id" | "status" | "result" | "error" | "progress">;

/** Something to find out, by its key. */
export type Ask =
  & { readonly key: string }
  & (
    | { readonly what: "value"; readonly template: Template; readonly scope: Scope }
    /** The first event after a number that fits; `where` sees it. */
    | {
      readonly what: "event";
      readonly name: string;
      readonly after: number;
      readonly where: string | undefined;
      readonly scope: Scope;
    }
    /** The number of the newest event. */
    | { readonly what: "newest" }
    /** The job that an import or export step is. */
    | { readonly what: "job"; readonly kind: "import" | "export"; readonly input: unknown }
  );

export type Told = { readonly value: unknown } | { readonly error: JobError };

export interface Situation {
  readonly definition: WorkflowDefinition;
  readonly run: {
    readonly id: string;
    readonly workflow: string;
    readonly user: string;
    readonly created: string;
    readonly inputs: Readonly<Record<string, unknown>>;
    /** When the whole run's time is up, milliseconds since 1970. */
    readonly untilMs: number | undefined;
  };
  /** Changed on the way. */
  readonly journal: Journal;
  /** The jobs of open steps, by id. */
  readonly jobs: ReadonlyMap<string, ChildJob>;
  readonly nowMs: number;
  /** What was asked and answered before. */
  readonly told: ReadonlyMap<string, Told>;
  /** Who would serve a capability now: a plugin, `host`, or why nobody. */
  readonly serves: (
    capability: string,
    provider: string | undefined,
  ) => { readonly plugin: string } | { readonly none: string };
}

/** A job to be added, but for what is the same with all jobs of the run. */
export type StepJob = Pick<NewJob, "kind" | "input" | "plugin" | "site" | "maxAttempts" | "retry">;

/** A list of steps, with what its expressions see beside the steps. */
export interface ScopedList extends StepList {
  readonly outer: ScopedList | undefined;
  readonly item?: { readonly value: unknown; readonly index: number } | undefined;
}

/** A step that failed, and why. */
export interface Failure {
  readonly step: string;
  readonly error: JobError;
}

/** More than these are counted, not named. */
const MOST_NAMED = 20;

export const problem = (
  code: JobError["code"],
  message: string,
  details?: JobError["details"],
): JobError => ({ code, message, retryable: false, ...(details && { details }) });

export function tooLarge(what: string, limit: number = WORKFLOW_LIMITS.json_bytes): JobError {
  return problem("too_large", `Cannot take ${what}: it is larger than ${limit} bytes of JSON`, {
    limit,
  });
}

/** Of a value's JSON; about, for values that need no writing out. */
function bytesOf(value: unknown): number {
  return value === undefined || value === null || typeof value === "number" ? 8 : jsonBytes(value);
}

export function isTooLarge(value: unknown): boolean {
  return bytesOf(value) > WORKFLOW_LIMITS.json_bytes;
}

/** The error of what failed because steps in it did. */
export function stepsFailed(what: string, failures: readonly Failure[]): JobError {
  const [first] = failures as [Failure];
  const more = failures.length === 1 ? "" : `, and ${failures.length - 1} more`;
  return problem(
    "step_failed",
    `Cannot finish ${what}: the step "${first.step}" failed${more}: ${first.error.message}`,
    {
      step: first.step,
      error: brief(first.error),
      failures: failures.slice(0, MOST_NAMED).map(({ step, error }) => ({
        step,
        code: error.code,
        message: error.message.slice(0, 200),
      })),
      failed: failures.length,
    },
  );
}

const brief = ({ code, message }: JobError) => ({ code, message });

/** The failures of single steps that a failed row stands for. */
export function failuresOf(row: StepRow): Failure[] {
  const error = row.error ?? problem("internal", "it failed");
  const named = error.code === "step_failed" ? error.details?.["failures"] : undefined;
  if (!Array.isArray(named)) return [{ step: row.path, error }];
  return named.map(({ step, code, message }) => ({ step, error: problem(code, message) }));
}

/** The changes of one look, and the words for making them. */
export class Look {
  readonly asks = new Map<string, Ask>();
  /** Jobs to be added, by the path of their step. */
  readonly begun: Map<string, StepJob>;
  /** Jobs to be cancelled. */
  readonly cancelled: Set<string>;
  readonly #run: Scope["run"];

  constructor(
    readonly situation: Situation,
    before: { readonly begun: Map<string, StepJob>; readonly cancelled: Set<string> },
  ) {
    this.begun = before.begun;
    this.cancelled = before.cancelled;
    const { id, workflow, user, created } = situation.run;
    this.#run = { id, workflow, user, started: created };
  }

  get journal(): Journal {
    return this.situation.journal;
  }

  get nowMs(): number {
    return this.situation.nowMs;
  }

  row(list: StepList, step: Step | string): StepRow | undefined {
    return this.journal.get(list.prefix + (typeof step === "string" ? step : step.id));
  }

  /** The answer, or undefined: then it has been asked. */
  ask(ask: Ask): Told | undefined {
    const told = this.situation.told.get(ask.key);
    if (told === undefined) this.asks.set(ask.key, ask);
    return told;
  }

  /** The value of a template; one without an expression is its own. */
  value(key: string, template: Template, list: ScopedList): Told | undefined {
    if (isPlain(template)) return { value: template };
    const known = this.situation.told.get(key);
    if (known !== undefined) return known;
    return this.ask({ key, what: "value", template, scope: this.scope(list) });
  }

  /** What an expression of this list sees. What two scopes share is the same object in both. */
  scope(list: ScopedList): Scope {
    const steps: Record<string, unknown> = {};
    let item: ScopedList["item"];
    for (let at: ScopedList | undefined = list; at !== undefined; at = at.outer) {
      item ??= at.item;
      for (const step of at.steps) {
        if (Object.hasOwn(steps, step.id)) continue;
        const row = this.row(at, step);
        // Without a result yet it still hides one of the same id further out.
        steps[step.id] = row !== undefined && isEnded(row) ? row.result ?? null : undefined;
      }
    }
    return {
      inputs: this.situation.run.inputs,
      steps: Object.fromEntries(Object.entries(steps).filter(([, value]) => value !== undefined)),
      ...(item === undefined ? {} : { item: item.value, index: item.index }),
      run: this.#run,
    };
  }

  /** A row for what begins now. */
  begin(path: string, kind: StepRow["kind"], more: Partial<StepRow> = {}): StepRow {
    return this.journal.set({
      path,
      kind,
      state: "running",
      number: this.nextNumber(path),
      job: undefined,
      input: undefined,
      result: undefined,
      error: undefined,
      waitEvent: undefined,
      waitSeq: undefined,
      wakeMs: undefined,
      started: this.#now(),
      ended: undefined,
      ...more,
    });
  }

  nextNumber(path: string): number {
    return (this.journal.get(path)?.number ?? 0) + 1;
  }

  complete(row: StepRow, result: unknown): void {
    const error = this.noRoom(row.path, result, `the result of the step "${row.path}"`);
    if (error !== undefined) return this.fail(row, error);
    this.#end(row, { state: "completed", result });
  }

  /** Makes room for a value in a step's row; why there is none, where there is none. */
  noRoom(path: string, value: unknown, what: string): JobError | undefined {
    const bytes = bytesOf(value);
    if (bytes > WORKFLOW_LIMITS.json_bytes) return tooLarge(what);
    const { journal } = this;
    const limit = WORKFLOW_LIMITS.run_chars;
    if (journal.chars + bytes > limit) {
      const why = `what the steps of the run hold would be larger than ${limit} characters of JSON`;
      return problem("too_large", `Cannot take ${what}: ${why}`, { limit });
    }
    journal.weigh(path, journal.charsOf(path) + bytes);
    return undefined;
  }

  fail(row: StepRow, error: JobError): void {
    this.#end(row, { state: "failed", error });
  }

  skip(row: StepRow, error: JobError | undefined): void {
    this.#end(row, { state: "skipped", error });
  }

  /** Ends what is open at or below a path. */
  cancelWithin(root: string): void {
    for (const row of this.journal.open()) {
      if (root === "" || isWithin(row.path, root)) this.#end(row, { state: "cancelled" });
    }
  }

  #end(row: StepRow, end: Partial<StepRow>): void {
    // A job that is to be added with this look is not; one that runs on, or would, has nobody left to wait for it.
    if (!this.begun.delete(row.path) && row.job !== undefined) {
      const status = this.situation.jobs.get(row.job)?.status;
      if (status !== "completed" && status !== "failed" && status !== "cancelled") {
        this.cancelled.add(row.job);
      }
    }
    this.journal.set({
      ...row,
      ...end,
      waitEvent: undefined,
      wakeMs: undefined,
      ended: this.#now(),
    });
  }

  #now(): string {
    return new Date(this.nowMs).toISOString();
  }
}
