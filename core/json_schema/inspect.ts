/**
 * Which JSON Schemas are taken from a plugin's manifest: a part of draft 2020-12 that can be checked in bounded
 * time, every keyword known, so that a slip of the pen is found at install and not in use.
 */
import { boundProblem } from "./bounds.ts";
import { compilePattern } from "./pattern.ts";

export type JsonSchema = Readonly<Record<string, unknown>>;

/** One thing that is wrong with a schema. */
export interface SchemaProblem {
  /** The way to it: `["properties", "title", "type"]`; empty for the whole. */
  readonly path: readonly (string | number)[];
  /** What is expected there. */
  readonly message: string;
}

const BOUNDS = { maxDepth: 16, maxChars: 64 * 1024 };
const MAX_PATTERNS = 32;
const MAX_PROBLEMS = 20;
/** Schemas inside the whole once every reference is written out, and how deep they then lie. */
const MAX_WRITTEN_OUT = 10_000;
const MAX_WRITTEN_OUT_DEPTH = 64;

const DIALECTS = [
  "https://json-schema.org/draft/2020-12/schema",
  "http://json-schema.org/draft-07/schema#",
];
const TYPES = ["null", "boolean", "integer", "number", "string", "array", "object"];

/** Says what is expected, or nothing. */
type Check = (value: unknown) => string | undefined;

const isMap = (value: unknown): value is JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isStringList = (value: unknown) =>
  Array.isArray(value) && value.every((item) => typeof item === "string");
const expect = (is: (value: unknown) => boolean, what: string): Check => (value) =>
  is(value) ? undefined : `expected ${what}`;

const anything: Check = () => undefined;
const text = expect((value) => typeof value === "string", "a text");
const flag = expect((value) => typeof value === "boolean", "true or false");
const number = expect((value) => Number.isFinite(value), "a number");
const count = expect((value) => Number.isSafeInteger(value) && Number(value) >= 0, "a count");
const names = expect(isStringList, "a list of names");
const types: Check = (value) => {
  const wanted: unknown[] = Array.isArray(value) ? value : [value];
  const few = wanted.length > 0 && wanted.length <= TYPES.length;
  return few && wanted.every((type) => (TYPES as unknown[]).includes(type))
    ? undefined
    : `expected one of ${TYPES.join(", ")}, or a list of them`;
};

const CHECKS: Readonly<Record<string, Check>> = {
  $schema: expect((value) => DIALECTS.includes(value as string), DIALECTS.join(" or ")),
  type: types,
  enum: expect((value) => Array.isArray(value) && value.length > 0, "a list of values"),
  const: anything,
  multipleOf: expect((value) => Number.isFinite(value) && Number(value) > 0, "a number above 0"),
  minimum: number,
  maximum: number,
  exclusiveMinimum: number,
  exclusiveMaximum: number,
  minLength: count,
  maxLength: count,
  pattern: text,
  minItems: count,
  maxItems: count,
  uniqueItems: flag,
  minContains: count,
  maxContains: count,
  minProperties: count,
  maxProperties: count,
  required: names,
  dependentRequired: expect(
    (value) => isMap(value) && Object.values(value).every(isStringList),
    "a map of lists of names",
  ),
  // These say something to people, and change nothing.
  title: text,
  description: text,
  $comment: text,
  format: text,
  contentMediaType: text,
  contentEncoding: text,
  default: anything,
  examples: expect(Array.isArray, "a list of values"),
  deprecated: flag,
  readOnly: flag,
  writeOnly: flag,
};

/** What the value of a keyword holds: one schema, a list or a map of them. */
const HOLDS: Readonly<Record<string, "one" | "list" | "map">> = {
  items: "one",
  contains: "one",
  additionalProperties: "one",
  propertyNames: "one",
  not: "one",
  if: "one",
  then: "one",
  else: "one",
  prefixItems: "list",
  allOf: "list",
  anyOf: "list",
  oneOf: "list",
  properties: "map",
  patternProperties: "map",
};
const DEFINITIONS = ["$defs", "definitions"];

type Path = readonly (string | number)[];

/** The schema that `#/$defs/name` or `#/definitions/name` stands for. */
export function definition(root: JsonSchema, reference: unknown): unknown {
  const [, place, name] = /^#\/(\$defs|definitions)\/([\w.-]+)$/.exec(String(reference)) ?? [];
  const places = place !== undefined && Object.hasOwn(root, place) ? root[place] : undefined;
  return name !== undefined && isMap(places) && Object.hasOwn(places, name)
    ? places[name]
    : undefined;
}

const inspected = new WeakMap<JsonSchema, readonly SchemaProblem[]>();

/** What keeps a schema of an object from being used; empty for a good one. Remembered by schema. */
export function schemaProblems(root: JsonSchema): readonly SchemaProblem[] {
  let found = inspected.get(root);
  if (found === undefined) inspected.set(root, found = inspect(root));
  return found;
}

function inspect(root: JsonSchema): SchemaProblem[] {
  const tooMuch = boundProblem(root, BOUNDS);
  if (tooMuch !== undefined) return [{ path: [], message: `expected less: ${tooMuch}` }];
  const problems: SchemaProblem[] = [];
  let patterns = 0;
  const say = (path: Path, message: string) => {
    if (problems.length < MAX_PROBLEMS) problems.push({ path, message });
  };

  function checkPattern(source: unknown, path: Path): void {
    if (typeof source !== "string") return;
    if (++patterns === MAX_PATTERNS + 1) say(path, `expected at most ${MAX_PATTERNS} patterns`);
    if (patterns > MAX_PATTERNS) return;
    const pattern = compilePattern(source);
    if (typeof pattern === "string") say(path, pattern);
  }

  function checkSchema(schema: unknown, path: Path): void {
    if (typeof schema === "boolean") return;
    if (!isMap(schema)) return say(path, "expected a schema: a map, true or false");
    for (const [keyword, value] of Object.entries(schema)) checkKeyword(keyword, value, path);
  }

  function checkKeyword(keyword: string, value: unknown, path: Path): void {
    const here = [...path, keyword];
    const check = Object.hasOwn(CHECKS, keyword) ? CHECKS[keyword] : undefined;
    const isPlace = DEFINITIONS.includes(keyword);
    const holds = isPlace ? "map" : Object.hasOwn(HOLDS, keyword) ? HOLDS[keyword] : undefined;
    if (keyword === "$ref") {
      if (definition(root, value) === undefined) {
        say(here, 'expected "#/$defs/<name>", the name of a schema that stands there');
      }
    } else if (isPlace && path.length > 0) {
      say(here, "expected definitions at the top of the schema only");
    } else if (check !== undefined) {
      const wrong = check(value);
      if (wrong !== undefined) say(here, wrong);
      if (keyword === "pattern") checkPattern(value, here);
    } else if (holds === "one") {
      checkSchema(value, here);
    } else if (holds === "list") {
      if (!Array.isArray(value)) return say(here, "expected a list of schemas");
      value.forEach((item, i) => checkSchema(item, [...here, i]));
    } else if (holds === "map") {
      if (!isMap(value)) return say(here, "expected a map of schemas");
      for (const [name, item] of Object.entries(value)) {
        if (keyword === "patternProperties") checkPattern(name, [...here, name]);
        checkSchema(item, [...here, name]);
      }
    } else if (!keyword.startsWith("x-")) {
      say(here, "unknown or unsupported keyword of JSON Schema");
    }
  }

  checkSchema(root, []);
  if (root.type !== undefined && root.type !== "object") say(["type"], "expected object");
  if (problems.length > 0) return problems;
  const wrong = writtenOut(root);
  return wrong === undefined ? [] : [{ path: [], message: wrong }];
}

/** Why a schema of sound parts cannot be walked through in bounded time, if that is so. */
function writtenOut(root: JsonSchema): string | undefined {
  const sizes = new Map<unknown, { size: number; depth: number }>();
  const open = new Set<unknown>();
  const circle = "expected no reference that leads back to itself";

  function measure(schema: unknown): { size: number; depth: number } {
    if (!isMap(schema)) return { size: 1, depth: 1 };
    const known = sizes.get(schema);
    if (known !== undefined) return known;
    if (open.has(schema)) throw new RangeError(circle);
    open.add(schema);
    let size = 1;
    let depth = 0;
    for (const part of partsOf(root, schema)) {
      const inner = measure(part);
      size += inner.size;
      depth = Math.max(depth, inner.depth);
    }
    open.delete(schema);
    const all = { size, depth: depth + 1 };
    if (size > MAX_WRITTEN_OUT || all.depth > MAX_WRITTEN_OUT_DEPTH) {
      throw new RangeError(
        `expected at most ${MAX_WRITTEN_OUT} schemas, ${MAX_WRITTEN_OUT_DEPTH} levels deep, with every $ref written out`,
      );
    }
    sizes.set(schema, all);
    return all;
  }

  try {
    // Also those that nothing refers to, so that a circle of them is found.
    for (const place of DEFINITIONS) Object.values(root[place] ?? {}).forEach(measure);
    measure(root);
  } catch (error) {
    // A circle of thousands of definitions exhausts the stack before it closes.
    if (!(error instanceof RangeError)) throw error;
    return error.message.startsWith("expected") ? error.message : circle;
  }
}

function partsOf(root: JsonSchema, schema: JsonSchema): unknown[] {
  const parts: unknown[] = [];
  for (const [keyword, value] of Object.entries(schema)) {
    if (keyword === "$ref") parts.push(definition(root, value));
    else if (HOLDS[keyword] === "one") parts.push(value);
    else if (Object.hasOwn(HOLDS, keyword)) parts.push(...Object.values(value as object));
  }
  return parts;
}
