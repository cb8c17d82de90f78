/**
 * Expressions that are a mere path, `steps.text.text`: most of them. The host looks them up itself, where that
 * comes to what JSONata would come to; all others go to a runner.
 */
import type { Scope } from "./expressions.ts";

const PATH = /^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*){0,15}$/;
/** Words that mean something else to JSONata. */
const WORDS = new Set(["and", "or", "in", "true", "false", "null", "function"]);
const paths = new Map<string, readonly string[] | undefined>();

function pathOf(source: string): readonly string[] | undefined {
  if (source.length > 200 || !PATH.test(source)) return undefined;
  const before = paths.get(source);
  if (before !== undefined) return before;
  const names = source.split(".");
  if (names.some((name) => WORDS.has(name))) return undefined;
  if (paths.size >= 2_000) paths.delete(paths.keys().next().value!);
  paths.set(source, names);
  return names;
}

/** The value, null for a missing one; undefined where JSONata has to say. */
export function lookUpPath(source: string, scope: Scope): { readonly value: unknown } | undefined {
  const names = pathOf(source);
  if (names === undefined) return undefined;
  let at: unknown = scope;
  for (const name of names) {
    // JSONata maps over lists.
    if (Array.isArray(at)) return undefined;
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, name)) return { value: null };
    at = (at as Record<string, unknown>)[name];
  }
  return { value: at ?? null };
}
