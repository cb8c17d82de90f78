/** The words for beginning a step: what it needs to know is asked for, then its row is there, or ends at once. */
import type { JobError } from "../jobs/job.ts";
import type { Step, Template } from "./definition.ts";
import type { StepRow } from "./journal.ts";
import { type Look, problem, type ScopedList } from "./situation.ts";

export type Begun = StepRow;

export function ask(look: Look, list: ScopedList, step: Step, what: string, template: Template) {
  return look.value(keyOf(look, list, step, what), template, list);
}

export function keyOf(look: Look, list: ScopedList, step: Step, what: string): string {
  const path = list.prefix + step.id;
  return `${path}#${look.nextNumber(path)}:${what}`;
}

export function begin(
  look: Look,
  list: ScopedList,
  step: Step,
  input: unknown,
  more: Partial<StepRow> = {},
): Begun {
  const path = list.prefix + step.id;
  const error = look.noRoom(path, input, `what the step "${path}" is given`);
  if (error !== undefined) return failAtOnce(look, list, step, error);
  const wakeMs = step.timeout === undefined || step.timeout === null
    ? undefined
    : look.nowMs + step.timeout * 1000;
  return look.begin(path, step.kind, { input, wakeMs, ...more });
}

export function failAtOnce(look: Look, list: ScopedList, step: Step, error: JobError): Begun {
  const path = list.prefix + step.id;
  look.fail(look.begin(path, step.kind), error);
  return look.journal.get(path)!;
}

export function skipAtOnce(
  look: Look,
  list: ScopedList,
  step: Step,
  error: JobError | undefined,
): Begun {
  const path = list.prefix + step.id;
  look.skip(look.begin(path, step.kind), error);
  return look.journal.get(path)!;
}

export function noProvider(capability: string, why: string): JobError {
  return problem("no_provider", `no provider for ${capability}`, { capability, why });
}

export function wrong(list: ScopedList, step: Step, why: string): JobError {
  return problem("invalid_parameters", `Cannot begin the step "${list.prefix}${step.id}": ${why}`);
}
