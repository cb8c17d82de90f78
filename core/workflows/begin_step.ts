/** How a step begins: what it is given is found out, then it becomes a job, a wait or a container. */
import {
  ask,
  begin,
  type Begun,
  failAtOnce,
  keyOf,
  noProvider,
  skipAtOnce,
  wrong,
} from "./begin.ts";
import { type Step, WORKFLOW_LIMITS } from "./definition.ts";
import { type Look, problem, type ScopedList, type StepJob } from "./situation.ts";
import { templateOf } from "./templates.ts";
import { beginWait } from "./wait_step.ts";

/** How often a job is tried at most. */
const MOST_ATTEMPTS = 10;

/** The step's row as it began, or ended at once; undefined where something was asked. */
export function beginStep(look: Look, list: ScopedList, step: Step): Begun | undefined {
  if (step.when !== undefined && step.when !== null) {
    const told = ask(look, list, step, "when", templateOf(step.when));
    if (told === undefined) return undefined;
    if ("error" in told) return failAtOnce(look, list, step, told.error);
    if (told.value !== true) return skipAtOnce(look, list, step, undefined);
  }
  switch (step.kind) {
    case "call":
      return beginCall(look, list, step);
    case "import":
    case "export":
      return beginLibraryJob(look, list, step);
    case "search":
      return beginSearch(look, list, step);
    case "wait":
      return beginWait(look, list, step);
    case "foreach":
      return beginForeach(look, list, step);
    case "parallel":
      return begin(look, list, step, undefined);
    case "if": {
      const told = ask(look, list, step, "if", templateOf(step.condition));
      if (told === undefined) return undefined;
      if ("error" in told) return failAtOnce(look, list, step, told.error);
      return begin(look, list, step, { taken: told.value === true ? "then" : "else" });
    }
  }
}

function beginJob(
  look: Look,
  list: ScopedList,
  step: Step,
  input: unknown,
  job: Omit<StepJob, "maxAttempts">,
): Begun {
  const row = begin(look, list, step, input);
  if (row.state !== "running") return row;
  const maxAttempts = step.attempts ?? undefined;
  look.begun.set(row.path, {
    ...job,
    ...(maxAttempts === undefined ? {} : { maxAttempts: Math.min(maxAttempts, MOST_ATTEMPTS) }),
  });
  return row;
}

function beginCall(
  look: Look,
  list: ScopedList,
  step: Extract<Step, { kind: "call" }>,
): Begun | undefined {
  const provider = ask(look, list, step, "provider", step.provider ?? null);
  if (provider === undefined) return undefined;
  if ("error" in provider) return failAtOnce(look, list, step, provider.error);
  const named = provider.value ?? undefined;
  if (named !== undefined && typeof named !== "string") {
    return failAtOnce(look, list, step, wrong(list, step, "provider must be the id of a plugin"));
  }
  const { capability } = step;
  // Before its input: where nobody serves, nothing need be found out.
  const served = look.situation.serves(capability, named);
  if ("none" in served) {
    return skipAtOnce(look, list, step, noProvider(capability, served.none));
  }
  const given = ask(look, list, step, "with", step.with ?? {});
  if (given === undefined) return undefined;
  if ("error" in given) return failAtOnce(look, list, step, given.error);
  const path = list.prefix + step.id;
  return beginJob(look, list, step, given.value, {
    kind: "call",
    // The plugin's limit of jobs at once holds for calls of it too.
    plugin: served.plugin === "host" ? undefined : served.plugin,
    input: {
      capability,
      input: given.value,
      ...(named === undefined ? {} : { provider: named }),
      run: look.situation.run.id,
      path,
    },
  });
}

function beginLibraryJob(
  look: Look,
  list: ScopedList,
  step: Extract<Step, { kind: "import" | "export" }>,
): Begun | undefined {
  const given = ask(look, list, step, "with", step.with ?? {});
  if (given === undefined) return undefined;
  if ("error" in given) return failAtOnce(look, list, step, given.error);
  const job = look.ask({
    key: keyOf(look, list, step, "job"),
    what: "job",
    kind: step.kind,
    input: given.value,
  });
  if (job === undefined) return undefined;
  if ("error" in job) return failAtOnce(look, list, step, job.error);
  return beginJob(look, list, step, given.value, job.value as StepJob);
}

function beginSearch(
  look: Look,
  list: ScopedList,
  step: Extract<Step, { kind: "search" }>,
): Begun | undefined {
  const given = ask(look, list, step, "with", step.with ?? {});
  if (given === undefined) return undefined;
  if ("error" in given) return failAtOnce(look, list, step, given.error);
  const input = withoutNulls(given.value);
  return beginJob(look, list, step, input, { kind: "search", input });
}

function beginForeach(
  look: Look,
  list: ScopedList,
  step: Extract<Step, { kind: "foreach" }>,
): Begun | undefined {
  const told = ask(look, list, step, "items", step.items);
  if (told === undefined) return undefined;
  if ("error" in told) return failAtOnce(look, list, step, told.error);
  // JSONata gives a list of one as the one, and an empty list as nothing.
  const { value } = told;
  const items = Array.isArray(value) ? value : value === undefined || value === null ? [] : [value];
  if (items.length > WORKFLOW_LIMITS.items) {
    const path = list.prefix + step.id;
    return failAtOnce(
      look,
      list,
      step,
      problem(
        "too_large",
        `Cannot begin the step "${path}": it has ${items.length} items, at most ${WORKFLOW_LIMITS.items} are taken`,
        { limit: WORKFLOW_LIMITS.items },
      ),
    );
  }
  // Each item is a row, and has one at least within.
  const steps = look.journal.size + 2 * items.length;
  if (steps > WORKFLOW_LIMITS.run_steps) {
    const path = list.prefix + step.id;
    return failAtOnce(
      look,
      list,
      step,
      problem(
        "too_large",
        `Cannot begin the step "${path}": with its ${items.length} items the run has ${steps} steps, at most ${WORKFLOW_LIMITS.run_steps} are taken`,
        { limit: WORKFLOW_LIMITS.run_steps },
      ),
    );
  }
  return begin(look, list, step, { items });
}

/** What an expression found nothing for is left out. */
function withoutNulls(given: unknown): unknown {
  if (typeof given !== "object" || given === null || Array.isArray(given)) return given;
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
}
