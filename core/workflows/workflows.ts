/** The use cases of workflows: what HTTP, the command line and pipelines call. */
import type { Actor } from "../auth/actor.ts";
import type { ChildCounts, Job, JobError } from "../jobs/job.ts";
import type { Page } from "../jobs/jobs.ts";
import type { DefinitionProblem, Step, WorkflowDefinition } from "./definition.ts";

export const STEP_STATES = [
  "running",
  "waiting",
  "completed",
  "failed",
  "skipped",
  "cancelled",
] as const;
export type StepState = typeof STEP_STATES[number];

/** A workflow that can be started by name. */
export interface Workflow {
  readonly name: string;
  /** SHA-256 of the definition, hex. */
  readonly digest: string;
  /** Undefined where the file is wrong: `problems` says how. */
  readonly definition: WorkflowDefinition | undefined;
  readonly problems: readonly DefinitionProblem[];
  readonly file: string;
}

/** A step as the journal has it. */
export interface RunStep {
  readonly path: string;
  readonly kind: Step["kind"] | "branch" | "item";
  readonly title: string | undefined;
  readonly state: StepState;
  /** 1, 2, …: how often it was begun. */
  readonly number: number;
  readonly job: string | undefined;
  /** 0 to 100. */
  readonly progress: number;
  /** Its job's message; of a skipped one why; of a call that fell back on another provider which, and why. */
  readonly message: string | undefined;
  readonly input: unknown;
  readonly result: unknown;
  readonly error: JobError | undefined;
  /** What somebody may answer, while it waits for a person. */
  readonly question: Question | undefined;
  readonly started: string;
  readonly ended: string | undefined;
}

export interface Question {
  readonly for: "choice" | "approval" | "input";
  readonly prompt: string | undefined;
  readonly options: readonly unknown[] | undefined;
  readonly schema: Readonly<Record<string, unknown>> | undefined;
  readonly role: string | undefined;
  /** ISO 8601; when it counts as not answered. */
  readonly until: string | undefined;
}

/** One execution. Its id is that of its job, whose status, progress, error and events are the run's. */
export interface Run {
  readonly id: string;
  readonly workflow: string;
  readonly digest: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly job: Job;
  readonly children: ChildCounts;
  readonly steps: readonly RunStep[];
  /** Plain JSON; once completed. */
  readonly outputs: unknown;
  readonly ensureKey: string | undefined;
  readonly forkedFrom: string | undefined;
  readonly user: string;
  readonly created: string;
}

export interface StartOptions {
  readonly inputs?: Readonly<Record<string, unknown>> | undefined;
  /** The user's run that has this key, running or completed, is answered instead of a new one. */
  readonly ensureKey?: string | undefined;
  readonly idempotencyKey?: string | undefined;
  readonly priority?: number | undefined;
  /**
   * Whether it is refused while too many jobs wait (`too_many_requests`): for requests from outside.
   * @default false
   */
  readonly refusable?: boolean | undefined;
}

/** What a run would do, without doing it. */
export interface Plan {
  readonly workflow: string;
  readonly steps: readonly PlannedStep[];
  /** Permissions that plugins of the steps lack: `{plugin, key, text}`. */
  readonly missing: readonly {
    readonly plugin: string;
    readonly key: string;
    readonly text: string;
  }[];
}

export interface PlannedStep {
  readonly path: string;
  readonly kind: Step["kind"];
  readonly title: string | undefined;
  readonly needs: readonly string[];
  /** The plugin that would do it; undefined where none would: `skipped` says why. */
  readonly plugin: string | undefined;
  readonly capability: string | undefined;
  readonly skipped: string | undefined;
  /** Of a wait what for, and who may answer, in words: `an approval, by an admin`. */
  readonly waits: string | undefined;
  /** What that plugin may do: its effective permissions, in plain words. */
  readonly permissions: readonly string[];
}

export type Answer =
  | { readonly choice: number }
  | { readonly approve: boolean; readonly comment?: string | undefined }
  | { readonly value: unknown };

export interface Workflows {
  list(): Promise<readonly Workflow[]>;
  /** Throws `not_found`. */
  get(name: string): Promise<Workflow>;
  /** Reads a definition that is not among the files. Throws `invalid_workflow` with `details.problems`. */
  parse(yaml: string): Promise<Workflow>;
  /** Throws `not_found`, `invalid_workflow`, `invalid_parameters` that names the input. */
  start(workflow: string | Workflow, options: StartOptions, actor: Actor): Promise<Run>;
  plan(workflow: string | Workflow, options: StartOptions, actor: Actor): Promise<Plan>;
  runs(
    filter: {
      workflow?: string | undefined;
      status?: string | undefined;
      limit?: number | undefined;
      cursor?: string | undefined;
    },
    actor: Actor,
  ): Promise<Page<Omit<Run, "steps" | "outputs">>>;
  /**
   * Throws `not_found`, as all that follow do, also for a run of somebody else, unless an admin asks.
   *
   * `brief`: without what its steps were given and what came out of them, which is not read then.
   */
  run(id: string, actor: Actor, options?: { readonly brief?: boolean | undefined }): Promise<Run>;
  /** Also for who is asked for his approval by it, while it waits. */
  step(run: string, path: string, actor: Actor): Promise<RunStep>;
  /**
   * Answers a step that waits for a person; `path` may be left out where just one waits. Throws `conflict` when
   * it was answered before, `invalid_parameters` for what was not offered, `forbidden` for another role. A step that
   * asks for an approval is answered by everybody of its role, the others by who may see the run and is an editor.
   * Answers with what the actor may see of the run, its steps in brief.
   */
  interact(run: string, path: string | undefined, answer: Answer, actor: Actor): Promise<Run>;
  /** Ends what runs of it. The run comes back in brief, as it does from those that follow. */
  cancel(run: string, actor: Actor): Promise<Run>;
  /** Runs a failed or cancelled run again, from its failed steps, or from this step and what follows it. Completed steps stay. Throws `conflict` for a completed run. */
  retry(run: string, from: string | undefined, actor: Actor): Promise<Run>;
  /** A new run with other inputs that takes over the results of the steps before `from`. */
  fork(
    run: string,
    options: { from: string; inputs?: Readonly<Record<string, unknown>> | undefined },
    actor: Actor,
  ): Promise<Run>;
}
