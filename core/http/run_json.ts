/** Workflows and runs as the API says them. */
import type { JobError } from "../jobs/job.ts";
import type { Step, WorkflowDefinition } from "../workflows/definition.ts";
import type { Plan, Question, Run, RunStep, Workflow } from "../workflows/workflows.ts";
import type {
  PlanJson,
  QuestionJson,
  RunHeadJson,
  RunJson,
  StepHeadJson,
  StepJson,
  WorkflowDetailJson,
  WorkflowJson,
} from "./run_schemas.ts";

export function workflowJson(workflow: Workflow): WorkflowJson {
  const { name, file, digest, definition, problems } = workflow;
  return {
    name,
    title: definition?.title ?? null,
    description: definition?.description ?? null,
    file,
    digest,
    inputs: definition === undefined ? null : inputsJson(definition),
    problems: problems.map(({ line, column, message }) => ({ line, column, message })),
  };
}

function inputsJson({ inputs }: WorkflowDefinition): NonNullable<WorkflowJson["inputs"]> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, schema]) => [name, structuredClone({ ...schema })]),
  );
}

export function workflowDetailJson(workflow: Workflow): WorkflowDetailJson {
  const { definition } = workflow;
  return {
    ...workflowJson(workflow),
    definition: definition === undefined ? null : definitionJson(definition),
  };
}

function definitionJson(definition: WorkflowDefinition): Record<string, unknown> {
  const { steps, failFast, ...rest } = definition;
  return { ...rest, steps: steps.map(stepOfDefinition), fail_fast: failFast };
}

/** A step in the words of its file, but for its kind, which it says itself. */
function stepOfDefinition(step: Step): Record<string, unknown> {
  switch (step.kind) {
    case "foreach":
      return { ...step, steps: step.steps.map(stepOfDefinition) };
    case "if":
      return {
        ...step,
        then: step.then.map(stepOfDefinition),
        else: step.else.map(stepOfDefinition),
      };
    case "parallel": {
      const branches = Object.entries(step.branches)
        .map(([name, steps]) => [name, steps.map(stepOfDefinition)]);
      return { ...step, branches: Object.fromEntries(branches) };
    }
    case "wait": {
      const { onTimeout, ...rest } = step;
      return { ...rest, on_timeout: onTimeout };
    }
    default:
      return { ...step };
  }
}

function errorJson(error: JobError | undefined): RunHeadJson["error"] {
  if (error === undefined) return null;
  const { code, message, retryable, details, log } = error;
  return {
    code,
    message,
    retryable,
    ...(details === undefined ? {} : { details: { ...details } }),
    ...(log === undefined ? {} : { log: [...log] }),
  };
}

function questionJson(question: Question | undefined): QuestionJson | null {
  if (question === undefined) return null;
  return {
    for: question.for,
    prompt: question.prompt ?? null,
    options: question.options === undefined ? null : [...question.options],
    schema: question.schema === undefined ? null : { ...question.schema },
    role: question.role ?? null,
    until: question.until ?? null,
  };
}

export function stepHeadJson(step: RunStep): StepHeadJson {
  return {
    path: step.path,
    kind: step.kind,
    title: step.title ?? null,
    state: step.state,
    number: step.number,
    job: step.job ?? null,
    progress: step.progress,
    message: step.message ?? null,
    error: errorJson(step.error),
    question: questionJson(step.question),
    started: step.started,
    ended: step.ended ?? null,
  };
}

export function stepJson(step: RunStep): StepJson {
  return { ...stepHeadJson(step), input: step.input ?? null, result: step.result ?? null };
}

export function runHeadJson(run: Omit<Run, "steps" | "outputs">): RunHeadJson {
  const { job } = run;
  return {
    id: run.id,
    workflow: run.workflow,
    digest: run.digest,
    status: job.status,
    progress: job.progress,
    message: job.message ?? null,
    priority: job.priority,
    inputs: { ...run.inputs },
    error: errorJson(job.error),
    children: { ...run.children },
    wake_at: job.wakeAt ?? null,
    ensure_key: run.ensureKey ?? null,
    forked_from: run.forkedFrom ?? null,
    user: run.user,
    created: run.created,
    started: job.started ?? null,
    completed: job.completed ?? null,
  };
}

/** @param brief Leaves out what the steps were given and what came out of them. */
export function runJson(run: Run, brief = false): RunJson {
  return {
    ...runHeadJson(run),
    outputs: run.outputs ?? null,
    steps: run.steps.map((step) => brief ? stepHeadJson(step) : stepJson(step)),
  };
}

export function planJson(plan: Plan): PlanJson {
  return {
    workflow: plan.workflow,
    steps: plan.steps.map((step) => ({
      path: step.path,
      kind: step.kind,
      title: step.title ?? null,
      needs: [...step.needs],
      plugin: step.plugin ?? null,
      capability: step.capability ?? null,
      skipped: step.skipped ?? null,
      waits: step.waits ?? null,
      permissions: [...step.permissions],
    })),
    missing: plan.missing.map(({ plugin, key, text }) => ({ plugin, key, text })),
  };
}
