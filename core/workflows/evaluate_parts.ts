/**
 * Scopes in parts: each input of an expression (a root of its scope, the result of a step) is known by identity, so
 * that what many scopes share is written out once, and told apart without a look at its text.
 */
import type { Scope } from "./expressions.ts";

export interface Part {
  readonly value: unknown;
  readonly number: number;
  /** JSON, while a task needs it. */
  text: string | undefined;
  /** Tasks to come that need it. */
  uses: number;
}

/** A scope whose values are parts, or the numbers of parts. */
export interface ScopeParts<P> {
  readonly roots: Readonly<Record<string, P>>;
  /** Results by id. */
  readonly steps: Readonly<Record<string, P>>;
}

/** One part for each value, of all the scopes of one call. */
export function createParts() {
  const parts = new Map<unknown, Part>();
  const partOf = (value: unknown): Part => {
    let part = parts.get(value);
    if (part === undefined) {
      parts.set(value, part = { value, number: parts.size, text: undefined, uses: 0 });
    }
    return part;
  };
  const each = (values: object) =>
    Object.fromEntries(
      Object.entries(values).filter(([, value]) => value !== undefined)
        .map(([name, value]) => [name, partOf(value)]),
    );
  return {
    of({ steps = {}, ...roots }: Partial<Scope>): ScopeParts<Part> {
      return { roots: each(roots), steps: each(steps) };
    },
  };
}

export function partsOf({ roots, steps }: ScopeParts<Part>): Part[] {
  return [...Object.values(roots), ...Object.values(steps)];
}

export function keyOf(scope: ScopeParts<Part>): string {
  const each = (parts: Readonly<Record<string, Part>>) =>
    Object.entries(parts).map(([name, { number }]) => [name, number]);
  return JSON.stringify([each(scope.roots), each(scope.steps)]);
}

export function numbered(
  { roots, steps }: ScopeParts<Part>,
  numbers: ReadonlyMap<Part, number>,
): ScopeParts<number> {
  const each = (parts: Readonly<Record<string, Part>>) =>
    Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, numbers.get(part)!]));
  return { roots: each(roots), steps: each(steps) };
}

export function textOf(part: Part): string {
  return part.text ??= JSON.stringify(part.value);
}

/** One task that needed it is done. */
export function release(part: Part): void {
  if (--part.uses === 0) part.text = undefined;
}
