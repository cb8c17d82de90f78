/**
 * Templates: JSON whose strings hold `${ expression }`. This finds the expressions and puts their values in; it
 * evaluates none. `$${` stands for the characters `${`.
 */
import type { Template } from "./definition.ts";

/** An expression within a string. */
export interface Embedded {
  /** Without `${`, `}` and the space around it. */
  readonly source: string;
  /** Where `source` begins in the string. */
  readonly at: number;
}

export interface SplitText {
  /** Texts and expressions in turn, as they stand in the string. */
  readonly parts: readonly (string | Embedded)[];
  /** Where a `${` has no end. */
  readonly unclosed: number | undefined;
}

export function splitText(text: string): SplitText {
  const parts: (string | Embedded)[] = [];
  let plain = "";
  let at = 0;
  for (;;) {
    const start = text.indexOf("${", at);
    if (start < 0) break;
    if (text[start - 1] === "$" && start - 1 >= at) {
      plain += text.slice(at, start - 1) + "${";
      at = start + 2;
      continue;
    }
    const end = endOfExpression(text, start + 2);
    if (end === undefined) return { parts, unclosed: start };
    plain += text.slice(at, start);
    if (plain !== "") parts.push(plain);
    plain = "";
    const inside = text.slice(start + 2, end);
    const source = inside.trim();
    parts.push({ source, at: start + 2 + inside.length - inside.trimStart().length });
    at = end + 1;
  }
  plain += text.slice(at);
  if (plain !== "") parts.push(plain);
  return { parts, unclosed: undefined };
}

/** Where the `}` is that ends an expression: braces, quotes, comments and regular expressions in it are its own. */
function endOfExpression(text: string, from: number): number | undefined {
  let depth = 0;
  for (let i = from; i < text.length; i++) {
    const char = text[i]!;
    if (char === "{") depth++;
    else if (char === "}") {
      if (depth === 0) return i;
      depth--;
    } else if (char === '"' || char === "'" || char === "`") {
      i = skip(text, i, char, char !== "`");
    } else if (char === "/" && text[i + 1] === "*") {
      const end = text.indexOf("*/", i + 2);
      i = end < 0 ? text.length : end + 1;
    } else if (char === "/" && beginsPattern(text, from, i)) {
      i = skip(text, i, "/", true);
    }
  }
  return undefined;
}

function skip(text: string, from: number, quote: string, escapes: boolean): number {
  let i = from + 1;
  while (i < text.length && text[i] !== quote) i += escapes && text[i] === "\\" ? 2 : 1;
  return i;
}

/** Whether a slash begins a regular expression: after a value it divides. */
function beginsPattern(text: string, from: number, at: number): boolean {
  let before = at - 1;
  while (before >= from && /\s/.test(text[before]!)) before--;
  return before < from || "([{,;:?=<>&~|+-".includes(text[before]!);
}

/** The one expression of a string that holds nothing else. */
export function soleExpression(text: string): Embedded | undefined {
  const { parts, unclosed } = splitText(text.trim());
  const [only] = parts;
  if (unclosed !== undefined || parts.length !== 1 || typeof only !== "object") return undefined;
  return { source: only.source, at: only.at + text.length - text.trimStart().length };
}

/** A template whose value is that of the expression: `when`, `condition` and `where` of a definition are such. */
export function templateOf(expression: string): Template {
  return `\${ ${expression} }`;
}

/** Whether there is anything to evaluate. */
export function isPlain(template: Template): boolean {
  if (typeof template === "string") return !template.includes("${");
  if (typeof template !== "object" || template === null) return true;
  return Object.values(template).every(isPlain);
}

/** Calls `visit` for each string of a template with the way to it. */
export function eachText(
  template: Template,
  visit: (text: string, path: readonly (string | number)[]) => void,
  path: readonly (string | number)[] = [],
): void {
  if (typeof template === "string") visit(template, path);
  else if (Array.isArray(template)) {
    template.forEach((part, index) => eachText(part, visit, [...path, index]));
  } else if (typeof template === "object" && template !== null) {
    for (const [key, part] of Object.entries(template)) eachText(part, visit, [...path, key]);
  }
}

/** The template with the values of its expressions. In a text, a map or a list stands as JSON, null as nothing. */
export function fillTemplate(
  template: Template,
  valueOf: (source: string) => unknown,
  spend: (chars: number) => void = () => {},
): unknown {
  if (typeof template === "string") return fillText(template, valueOf, spend);
  if (typeof template !== "object" || template === null) return template;
  if (Array.isArray(template)) return template.map((part) => fillTemplate(part, valueOf, spend));
  return Object.fromEntries(
    Object.entries(template).map(([key, part]) => [key, fillTemplate(part, valueOf, spend)]),
  );
}

function fillText(
  text: string,
  valueOf: (source: string) => unknown,
  spend: (chars: number) => void,
): unknown {
  if (!text.includes("${")) return text;
  const sole = soleExpression(text);
  if (sole !== undefined) return valueOf(sole.source);
  let filled = "";
  for (const part of splitText(text).parts) {
    const piece = typeof part === "string" ? part : asText(valueOf(part.source));
    spend(piece.length);
    filled += piece;
  }
  return filled;
}

function asText(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
