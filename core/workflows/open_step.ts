/** How an open step ends: with its job, with an answer, with time. */
import type { CapabilityResult } from "../capabilities/capabilities.ts";
import type { Step, WaitStep } from "./definition.ts";
import type { StepRow } from "./journal.ts";
import { noProvider } from "./begin.ts";
import type { WaitInput } from "./wait_step.ts";
import { type Look, problem, type ScopedList } from "./situation.ts";

/** What is left of an event that a step waited for. */
export interface FoundEvent {
  /** Undefined where none fits so far. */
  readonly event: unknown;
  /** The last one that was looked at. */
  readonly seq: number;
}

/** Says whether anything changed. */
export function endJobStep(look: Look, step: Step, row: StepRow): boolean {
  // It begins with this very look.
  if (row.job === undefined) return false;
  const job = look.situation.jobs.get(row.job);
  switch (job?.status) {
    case undefined:
      look.fail(row, problem("lost", `Cannot finish the step "${row.path}": its job is gone`));
      return true;
    case "completed":
      look.complete(
        row,
        (step.kind === "call" ? (job!.result as CapabilityResult | null)?.value : job!.result) ??
          null,
      );
      return true;
    case "failed": {
      const error = job!.error ?? problem("internal", `the job "${row.job}" failed`);
      // Its provider went away before the job had its turn.
      if (step.kind === "call" && error.code === "no_provider") {
        look.skip(row, noProvider(step.capability, error.message));
      } else {
        look.fail(row, error);
      }
      return true;
    }
    case "cancelled":
      look.fail(
        row,
        problem("cancelled", `Cannot finish the step "${row.path}": its job was cancelled`),
      );
      return true;
  }
  if (row.wakeMs === undefined || row.wakeMs > look.nowMs) return false;
  look.fail(row, tookTooLong(step, row));
  return true;
}

/** Says whether anything changed. */
export function endWait(look: Look, list: ScopedList, step: WaitStep, row: StepRow): boolean {
  const input = row.input as WaitInput;
  if (input.for === "timer" && input.due <= look.nowMs) {
    look.complete(row, null);
    return true;
  }
  if (input.for === "event" && endWithEvent(look, list, step, row)) return true;
  const now = look.journal.get(row.path)!;
  if (now.wakeMs === undefined || now.wakeMs > look.nowMs) return false;
  const { onTimeout } = step;
  if (onTimeout === undefined || onTimeout === null) {
    look.fail(now, tookTooLong(step, now));
    return true;
  }
  const told = look.value(`${row.path}#${row.number}:timeout`, onTimeout.value, list);
  if (told === undefined) return false;
  if ("error" in told) look.fail(now, told.error);
  else look.complete(now, told.value ?? null);
  return true;
}

function endWithEvent(look: Look, list: ScopedList, step: WaitStep, row: StepRow): boolean {
  if (step.wait.for !== "event") return false;
  const { name, where } = step.wait;
  const told = look.ask({
    key: `${row.path}#${row.number}:event`,
    what: "event",
    name,
    after: row.waitSeq ?? 0,
    where: where ?? undefined,
    scope: look.scope(list),
  });
  if (told === undefined) return false;
  if ("error" in told) {
    look.fail(row, told.error);
    return true;
  }
  const { event, seq } = told.value as FoundEvent;
  if (event !== undefined) {
    look.complete(row, event);
    return true;
  }
  if (seq > (row.waitSeq ?? 0)) look.journal.set({ ...row, waitSeq: seq });
  return false;
}

function tookTooLong(step: Step, row: StepRow) {
  const why = step.kind === "wait"
    ? `nothing came within ${step.timeout} s`
    : `it took longer than ${step.timeout} s`;
  return problem("timed_out", `Cannot finish the step "${row.path}": ${why}`);
}
