/** What one check of a value may use up: every part of it takes steps from the same account. */
import { compilePattern, type Pattern } from "./pattern.ts";

/** Steps of one check, about 100 ns each. */
const MAX_STEPS = 1_000_000;
/** A step is worth as many steps of a pattern, or characters of a text. */
const SMALL_STEPS = 16;

/** Thrown when there are no more steps. */
export class TooMuch extends Error {}

export interface Run {
  steps: number;
  /** Compiled for this check only: a pattern keeps the states that it was in, megabytes of them. */
  readonly patterns: Map<string, Pattern>;
}

export function startRun(steps = MAX_STEPS): Run {
  return { steps, patterns: new Map() };
}

/** Throws `TooMuch`. */
export function spend(run: Run, steps: number): void {
  run.steps -= steps;
  if (run.steps < 0) throw new TooMuch();
}

/** For work that looks at each character of a text. */
export function spendOn(run: Run, text: string): void {
  spend(run, text.length / SMALL_STEPS);
}

/** Whether a pattern that was found good matches anywhere in the text. */
export function matches(run: Run, source: string, text: string): boolean {
  let pattern = run.patterns.get(source);
  if (pattern === undefined) {
    const compiled = compilePattern(source);
    if (typeof compiled === "string") throw new TypeError(`not a good pattern: ${source}`);
    run.patterns.set(source, pattern = compiled);
  }
  spend(run, pattern.size * (text.length + 1) / SMALL_STEPS);
  return pattern.test(text);
}

/** JSON with the keys of maps in order: equal for equal values, and for no others. */
export function canonical(run: Run, value: unknown): string {
  spend(run, 1);
  if (typeof value === "string") spendOn(run, value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => canonical(run, item)).join()}]`;
  const fields = value as Record<string, unknown>;
  const parts = Object.keys(fields).sort().map((name) => {
    spendOn(run, name);
    return `${JSON.stringify(name)}:${canonical(run, fields[name])}`;
  });
  return `{${parts.join()}}`;
}

export function equal(run: Run, a: unknown, b: unknown): boolean {
  spend(run, 1);
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  return canonical(run, a) === canonical(run, b);
}
