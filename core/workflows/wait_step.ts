/** How a step begins to wait, for a person, a time or an event. */
import type { WaitStep } from "./definition.ts";
import { parseDuration } from "./durations.ts";
import { ask, begin, type Begun, failAtOnce, keyOf, wrong } from "./begin.ts";
import type { Look, ScopedList } from "./situation.ts";

/** What a waiting row keeps of its step. */
export type WaitInput =
  | { readonly for: "choice"; readonly prompt: string | null; readonly options: readonly unknown[] }
  | { readonly for: "approval"; readonly prompt: string | null; readonly role: string }
  | {
    readonly for: "input";
    readonly prompt: string | null;
    readonly schema: Readonly<Record<string, unknown>>;
  }
  /** `due`: milliseconds since 1970. */
  | { readonly for: "timer"; readonly due: number }
  | { readonly for: "event"; readonly name: string };

export function beginWait(look: Look, list: ScopedList, step: WaitStep): Begun | undefined {
  const { wait } = step;
  const waiting = (input: WaitInput, more: Parameters<typeof begin>[4] = {}) =>
    begin(look, list, step, input, { state: "waiting", ...more });
  const refuse = (why: string) => failAtOnce(look, list, step, wrong(list, step, why));
  switch (wait.for) {
    case "choice":
    case "approval":
    case "input": {
      const asked = wait.for === "choice"
        ? { prompt: wait.prompt ?? null, options: wait.options }
        : { prompt: wait.prompt ?? null };
      const told = ask(look, list, step, "wait", asked);
      if (told === undefined) return undefined;
      if ("error" in told) return failAtOnce(look, list, step, told.error);
      const found = told.value as { prompt?: unknown; options?: unknown };
      const prompt = toPrompt(found.prompt);
      if (wait.for === "approval") return waiting({ for: "approval", prompt, role: wait.role });
      if (wait.for === "input") return waiting({ for: "input", prompt, schema: wait.schema });
      const options = Array.isArray(found.options)
        ? found.options
        : found.options === undefined || found.options === null
        ? []
        : [found.options];
      if (options.length === 0) return refuse("there is no option to choose from");
      return waiting({ for: "choice", prompt, options });
    }
    case "timer": {
      const told = ask(look, list, step, "wait", [wait.after ?? null, wait.until ?? null]);
      if (told === undefined) return undefined;
      if ("error" in told) return failAtOnce(look, list, step, told.error);
      const [after, until] = told.value as [unknown, unknown];
      const due = dueAt(after ?? null, until ?? null, look.nowMs);
      if (typeof due === "string") return refuse(due);
      const row = waiting({ for: "timer", due });
      if (row.state !== "waiting") return row;
      return look.journal.set({ ...row, wakeMs: Math.min(due, row.wakeMs ?? due) });
    }
    case "event": {
      const told = look.ask({ key: keyOf(look, list, step, "newest"), what: "newest" });
      if (told === undefined) return undefined;
      if ("error" in told) return failAtOnce(look, list, step, told.error);
      return waiting(
        { for: "event", name: wait.name },
        { waitEvent: wait.name, waitSeq: told.value as number },
      );
    }
  }
}

function toPrompt(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** When a timer is over, milliseconds since 1970; or what is wrong with it. */
function dueAt(after: unknown, until: unknown, nowMs: number): number | string {
  if (until !== null) {
    const due = typeof until === "string" ? Date.parse(until) : NaN;
    return Number.isNaN(due) ? `"until" is no time: ${JSON.stringify(until)}` : due;
  }
  const seconds = after === 0 ? 0 : parseDuration(after);
  return seconds === undefined
    ? `"after" is no number of seconds, and no time such as 90s, 15m, 2h, 7d: ${
      JSON.stringify(after)
    }`
    : nowMs + seconds * 1000;
}
