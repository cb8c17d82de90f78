/**
 * YAML that people write by hand: parsed with bounds, checked against a schema, every error with file,
 * line and field, and all of them at once.
 */
import { isNode, LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import { CarrelError, type ErrorCode } from "../errors.ts";
import { brokenBound, keyProblems } from "./yaml_bounds.ts";
import { createPlaces } from "./yaml_places.ts";

/** One thing that is wrong with a file. */
export interface YamlProblem {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** `permissions.net[0].value`; empty when it is the whole file. */
  readonly field: string;
  /** What is expected there. */
  readonly message: string;
}

export interface ReadYamlOptions<S extends z.ZodType> {
  /** How the file is called in errors. */
  readonly file: string;
  readonly schema: S;
  /** The code of the error that is thrown. */
  readonly code: ErrorCode;
  /** The word for what is read, in the error's sentence: `Cannot read the manifest "carrel.yaml": …`. */
  readonly what: string;
  /** @default 262144 (256 KiB) */
  readonly maxBytes?: number | undefined;
  /**
   * Keys, values, marks and lines of the text, and values once its aliases are written out.
   * @default as many as the bytes allow
   */
  readonly maxTokens?: number | undefined;
}

type Asked = Omit<ReadYamlOptions<never>, "schema">;

/** Aliases may multiply what a file says by this much, not more: the bound on "billion laughs". */
const MAX_ALIASES = 50;
/** Anchors and aliases of one file. */
const MAX_ALIAS_MARKS = 200;
const MAX_DEPTH = 32;
const MAX_PROBLEMS = 20;
const TOO_DEEP = `it is nested more than ${MAX_DEPTH} levels deep`;

/** A file's plain value, and where in the file its parts stand. Paths as in the value, offsets in characters. */
export interface YamlFile {
  readonly value: unknown;
  /** Where the value at a path begins, at its key if it has one; that of the nearest thing around a missing one. */
  offsetOf(path: readonly PropertyKey[]): number;
  /** From where to where the value at a path stands, without its key; undefined for a missing one. */
  rangeOf(path: readonly PropertyKey[]): readonly [number, number] | undefined;
  /** From 1. */
  position(offset: number): { readonly line: number; readonly column: number };
}

/** Parses and checks; throws `CarrelError` with `details.errors: YamlProblem[]`. */
export function readYaml<S extends z.ZodType>(
  text: string,
  options: ReadYamlOptions<S>,
): z.output<S> {
  const file = readYamlFile(text, options);
  const result = options.schema.safeParse(file.value, { error: describeIssue });
  if (result.success) return result.data;
  throw failure(options, ...describe(result.error.issues, file, options.file));
}

/** Parses within the bounds; throws `CarrelError` with `details.errors: YamlProblem[]`. */
export function readYamlFile(text: string, options: Asked): YamlFile {
  const { file } = options;
  const maxBytes = options.maxBytes ?? 256 * 1024;
  // A UTF-16 unit is at least one byte in UTF-8: what is far too long is not encoded at all.
  if (text.length > maxBytes || new TextEncoder().encode(text).length > maxBytes) {
    throw failure(options, [problem(file, 1, 1, "", `the file is larger than ${maxBytes} bytes`)]);
  }
  const lines = new LineCounter();
  const document = parse(text, lines, options);
  const placeOf = createPlaces(document.contents);
  return {
    value: toPlain(document, options),
    offsetOf: (path) => placeOf(path).offset,
    rangeOf(path) {
      const { node } = placeOf(path);
      const range = isNode(node) ? node.range : undefined;
      return range ? [range[0], range[1]] : undefined;
    },
    position(offset) {
      const { line, col } = lines.linePos(offset);
      return { line, column: col };
    },
  };
}

/** The first problems with their places, and how many there are: one a field, what follows from it is no news. */
function describe(
  issues: readonly z.core.$ZodIssue[],
  document: YamlFile,
  file: string,
): [YamlProblem[], number] {
  const fields = new Set<string>();
  const problems: YamlProblem[] = [];
  for (const issue of issues) {
    const unknown = issue.code === "unrecognized_keys" ? issue.keys : [undefined];
    for (const key of unknown) {
      const path = key === undefined ? issue.path : [...issue.path, key];
      const field = fieldName(path);
      if (fields.has(field)) continue;
      fields.add(field);
      // To find a place is a walk through the file: not for thousands that nobody is shown.
      if (problems.length >= MAX_PROBLEMS) continue;
      const { line, column } = document.position(document.offsetOf(path));
      problems.push(problem(file, line, column, field, issue.message));
    }
  }
  problems.sort((a, b) => a.line - b.line || a.column - b.column);
  return [problems, fields.size];
}

function parse(text: string, lines: LineCounter, options: Asked) {
  const refused = (why: string, cause?: unknown) =>
    failure(options, [problem(options.file, 1, 1, "", why)], 1, cause);
  const tooDeep = (cause?: unknown) => refused(TOO_DEEP, cause);
  const maxTokens = options.maxTokens ?? Infinity;
  const bounds = { maxDepth: MAX_DEPTH, maxTokens, maxAliases: MAX_ALIAS_MARKS };
  switch (brokenBound(text, bounds)) {
    case "depth":
      throw tooDeep();
    case "tokens":
      throw refused(tooMany(maxTokens));
    case "aliases":
      throw refused(`it has more than ${MAX_ALIAS_MARKS} anchors (&name) and aliases (*name)`);
  }
  let document;
  try {
    document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      version: "1.2",
      // It compares each key with all before it; `keyProblems` does not.
      uniqueKeys: false,
    });
  } catch (cause) {
    // The parser is recursive, and what is nested by indentation is not counted above.
    throw tooDeep(cause);
  }
  if (document.errors.some(({ message }) => /call stack/i.test(message))) throw tooDeep();
  const wrong = [...document.errors, ...document.warnings].map((error) => ({
    offset: error.pos[0],
    message: lowerFirst(error.message),
  }));
  if (wrong.length === 0) wrong.push(...keyProblems(document.contents, MAX_PROBLEMS));
  if (wrong.length === 0) return document;
  const shown = wrong.slice(0, MAX_PROBLEMS).map(({ offset, message }) => {
    const { line, col } = lines.linePos(offset);
    return problem(options.file, line, col, "", `not valid YAML: ${message}`);
  });
  throw failure(options, shown, wrong.length);
}

const tooMany = (most: number) => `it has more than ${most} keys, values, marks and lines`;

function toPlain(document: ReturnType<typeof parseDocument>, options: Asked): unknown {
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (cause) {
    const why = cause instanceof ReferenceError
      ? "its aliases (*name) name nothing or expand to too much; write the values out"
      : TOO_DEEP;
    throw failure(options, [problem(options.file, 1, 1, "", why)], 1, cause);
  }
  const maxValues = options.maxTokens ?? Infinity;
  const broken = brokenByValue(value, maxValues);
  if (broken === undefined) return value;
  const why = broken === "depth" ? TOO_DEEP : `${tooMany(maxValues)}, its aliases written out`;
  throw failure(options, [problem(options.file, 1, 1, "", why)]);
}

/** What a value has too much of; looks no further than to there. An alias makes one object of many places. */
function brokenByValue(root: unknown, maxValues: number): "depth" | "values" | undefined {
  let values = 0;
  function walk(value: unknown, depth: number): "depth" | "values" | undefined {
    if (++values > maxValues) return "values";
    if (typeof value !== "object" || value === null) return undefined;
    if (depth >= MAX_DEPTH) return "depth";
    for (const part of Object.values(value)) {
      const broken = walk(part, depth + 1);
      if (broken !== undefined) return broken;
    }
    return undefined;
  }
  return walk(root, 0);
}

function fieldName(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (name, step) =>
      typeof step === "number"
        ? `${name}[${step}]`
        : name === ""
        ? String(step)
        : `${name}.${String(step)}`,
    "",
  );
}

/** What a schema expects, in words, where the schema itself has none. */
function describeIssue(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      return issue.input === undefined
        ? `missing: expected ${kindName(issue.expected)}`
        : `expected ${kindName(issue.expected)}, not ${kindName(typeOf(issue.input))}`;
    case "invalid_value":
      return `expected ${issue.values.length === 1 ? "" : "one of "}${
        issue.values.map((value) => String(value)).join(", ")
      }`;
    case "too_small":
      return `expected at least ${issue.minimum}${unit(issue.origin)}`;
    case "too_big":
      return `expected at most ${issue.maximum}${unit(issue.origin)}`;
    default:
      return undefined;
  }
}

function unit(origin: string): string {
  return origin === "string" ? " characters" : origin === "array" ? " entries" : "";
}

function typeOf(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
}

function kindName(type: string): string {
  const names: Record<string, string> = {
    string: "a text",
    number: "a number",
    int: "a whole number",
    boolean: "true or false",
    array: "a list",
    object: "a map",
    record: "a map",
    null: "nothing",
  };
  return names[type] ?? type;
}

function problem(
  file: string,
  line: number,
  column: number,
  field: string,
  message: string,
): YamlProblem {
  return { file, line, column, field, message };
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/** `carrel.yaml:12: permissions.net[0].value: expected …` */
export function problemLine(problem: YamlProblem): string {
  const field = problem.field === "" ? "" : ` ${problem.field}:`;
  return `${problem.file}:${problem.line}:${field} ${problem.message}`;
}

/** @param count of all problems, those that are not shown included */
function failure(
  options: { file: string; code: ErrorCode; what: string },
  shown: readonly YamlProblem[],
  count = shown.length,
  cause?: unknown,
): CarrelError {
  const more = count > shown.length ? [`… and ${count - shown.length} more`] : [];
  const lines = [...shown.map(problemLine), ...more];
  const list = lines.length === 1 ? ` ${lines[0]}` : lines.map((line) => `\n  ${line}`).join("");
  return new CarrelError(
    options.code,
    `Cannot read the ${options.what} "${options.file}":${list}`,
    {
      details: { errors: shown },
      ...(cause === undefined ? {} : { cause }),
    },
  );
}
