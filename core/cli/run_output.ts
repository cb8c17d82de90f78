/** What came out of a run, for a person. */
import { count } from "./format.ts";
import type { Session } from "./session.ts";
import { clean, wrap } from "./width.ts";
import type { RunJson } from "./wire.ts";

/** Lines of one value that a terminal is shown. */
const MOST_LINES = 12;

/** `name: value` for each output: texts as they are, the rest as JSON. On a terminal long ones are cut. */
export function outputLines(
  outputs: unknown,
  { style, width, io }: Pick<Session, "style" | "width" | "io">,
): string[] {
  if (outputs === null || outputs === undefined) return [];
  const entries = typeof outputs === "object" && !Array.isArray(outputs)
    ? Object.entries(outputs)
    : [["result", outputs] as const];
  const most = io.terminal.out ? MOST_LINES : Infinity;
  const room = Math.min(width, 100) - 2;
  return entries.flatMap(([name, value]) => {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    const lines = text.trimEnd().split(/\r\n|\r|\n/).flatMap((line) => {
      const wrapped = io.terminal.out ? wrap(clean(line), room) : [clean(line)];
      return wrapped.length === 0 ? [""] : wrapped;
    });
    const shown = lines.length > most ? lines.slice(0, most - 1) : lines;
    const left = lines.length - shown.length;
    const head = style.dim(`${clean(name)}:`);
    if (lines.length === 1 && lines[0]!.length + name.length + 2 <= room) {
      return [`${head} ${lines[0]}`];
    }
    return [
      head,
      ...shown.map((line) => `  ${line}`.trimEnd()),
      ...(left > 0 ? [style.dim(`  … ${count(left, "more line")}: --json shows all`)] : []),
    ];
  });
}

const WITHIN: readonly string[] = ["item", "branch", "foreach", "parallel", "if"];

/** What was left out because nobody provides it, and what needed that: `2 steps skipped: no provider for …`. */
export function skippedLines({ steps }: Pick<RunJson, "steps">): string[] {
  const counts = new Map<string, number>();
  for (const { kind, state, message } of steps) {
    if (state !== "skipped" || WITHIN.includes(kind)) continue;
    const why = /^(?:it needs ".*?", which was skipped: )*(no provider for .*)$/.exec(
      message ?? "",
    );
    if (why !== null) counts.set(why[1]!, (counts.get(why[1]!) ?? 0) + 1);
  }
  return [...counts].map(([why, number]) => clean(`${count(number, "step")} skipped: ${why}`));
}
