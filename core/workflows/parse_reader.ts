/** Reads values of a definition's file one by one; each that is wrong becomes a problem with its place. */
import type { YamlFile } from "../plugins/yaml.ts";
import { type ExpressionUses, readExpression } from "./check_expression.ts";
import { didYouMean } from "./check_names.ts";
import { type DefinitionProblem, type Template, WORKFLOW_LIMITS } from "./definition.ts";
import { DURATION_EXPECTED, parseDuration } from "./durations.ts";
import { type Fields, ID_PATTERN, MAX_TEXT } from "./schema_fields.ts";
import { eachText, type Embedded, soleExpression, splitText } from "./templates.ts";

export type Path = readonly (string | number)[];
export type Values = Readonly<Record<string, unknown>>;

/** An expression of the file. */
export interface Use {
  readonly uses: ExpressionUses;
  /** Where a character of it stands in the file. */
  offsetOf(at: number): number;
}

export interface Reader {
  /** Sorted by place, a bounded number of them. */
  problems(): DefinitionProblem[];
  /** What `read` comes to; undefined where there is more wrong than is said, and the rest is not read. */
  unlessStopped<T>(read: () => T): T | undefined;
  /** Says it, and stops: what is too much is not looked at. */
  stop(path: Path, message: string): never;
  /** `path` ends with the field that the message is about. */
  say(path: Path, message: string): void;
  sayAt(offset: number, message: string): void;
  lineOf(path: Path): number;
  /** A map with these fields and no others. */
  map(value: unknown, path: Path, fields: Fields, what: string): Values | undefined;
  /** A map of names that expressions can say, `most` of them. */
  named(value: unknown, path: Path, most: number): Values;
  text(value: unknown, path: Path): string | undefined;
  flag(value: unknown, path: Path, otherwise: boolean): boolean;
  count(value: unknown, path: Path, most: number): number | undefined;
  duration(value: unknown, path: Path): number | undefined;
  matching(value: unknown, path: Path, pattern: string, expected: string): string | undefined;
  /** A name that expressions can say. */
  id(value: unknown, path: Path): string | undefined;
  template(value: unknown, path: Path, uses: Use[]): Template;
  /** Counts the patterns of a JSON Schema: to compile one takes milliseconds. */
  countPatterns(schema: Values, path: Path): void;
  /** The source of a text that is one expression. */
  expression(value: unknown, path: Path, uses: Use[]): string | undefined;
}

const MAX_PROBLEMS = 50;
/** Of what is said, the same things again included. */
const MAX_SAID = 100;
const MAX_MESSAGE = 1_000;
/** How far from where it would stand an expression is looked for in a text that is written with escapes or folds. */
const SEARCHED = 10_000;
/** Characters of an expression that it is looked for by. */
const SEARCHED_BY = 64;
const EXPRESSION_EXPECTED = 'expected one expression, such as "${ inputs.count > 1 }"';

export const isMap = (value: unknown): value is Values =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export function createReader(source: string, file: YamlFile): Reader {
  const found: { offset: number; message: string }[] = [];
  const stopped = new Error("stopped");
  let said = 0;
  let expressions = 0;
  let expressionChars = 0;
  let patterns = 0;

  function sayAt(offset: number, whole: string): void {
    const message = short(whole, MAX_MESSAGE);
    const known = found.some((one) => one.offset === offset && one.message === message);
    if (!known) found.push({ offset, message });
    if (++said >= MAX_SAID || found.length >= MAX_PROBLEMS) throw stopped;
  }

  function stop(path: Path, message: string): never {
    say(path, message);
    throw stopped;
  }

  function unlessStopped<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (error !== stopped) throw error;
      return undefined;
    }
  }

  function say(path: Path, message: string): void {
    const field = path.findLast((part) => typeof part === "string");
    sayAt(file.offsetOf(path), field === undefined ? message : `${field}: ${message}`);
  }

  function problems(): DefinitionProblem[] {
    return found.sort((a, b) => a.offset - b.offset)
      .map(({ offset, message }) => ({ ...file.position(offset), message }));
  }

  function map(value: unknown, path: Path, fields: Fields, what: string): Values | undefined {
    if (!isMap(value)) {
      say(path, `expected ${what}: a map of ${Object.keys(fields).join(", ")}`);
      return undefined;
    }
    for (const key of Object.keys(value)) {
      if (Object.hasOwn(fields, key)) continue;
      const hint = didYouMean(key, Object.keys(fields)) ||
        `; ${what} has ${Object.keys(fields).join(", ")}`;
      sayAt(file.offsetOf([...path, key]), `unknown key "${key}"${hint}`);
    }
    for (const [key, field] of Object.entries(fields)) {
      if (field.required && !Object.hasOwn(value, key)) {
        sayAt(file.offsetOf(path), `${what} lacks "${key}"`);
      }
    }
    return value;
  }

  function named(value: unknown, path: Path, most: number): Values {
    if (!isMap(value)) {
      say(path, "expected a map");
      return {};
    }
    if (Object.keys(value).length > most) stop(path, `expected at most ${most} names`);
    return Object.fromEntries(
      Object.entries(value).filter(([name]) => id(name, [...path, name]) !== undefined),
    );
  }

  function text(value: unknown, path: Path): string | undefined {
    if (value === undefined) return undefined;
    if (typeof value === "string" && value.trim() !== "" && value.length <= MAX_TEXT) return value;
    say(path, `expected a text of up to ${MAX_TEXT} characters`);
    return undefined;
  }

  function flag(value: unknown, path: Path, otherwise: boolean): boolean {
    if (typeof value === "boolean") return value;
    if (value !== undefined) say(path, "expected true or false");
    return otherwise;
  }

  function count(value: unknown, path: Path, most: number): number | undefined {
    if (value === undefined) return undefined;
    if (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= most) {
      return Number(value);
    }
    say(path, `expected a whole number from 1 to ${most}`);
    return undefined;
  }

  function duration(value: unknown, path: Path): number | undefined {
    if (value === undefined) return undefined;
    const seconds = parseDuration(value);
    if (seconds === undefined) say(path, DURATION_EXPECTED);
    return seconds;
  }

  function matching(value: unknown, path: Path, pattern: string, expected: string) {
    if (typeof value === "string" && new RegExp(pattern).test(value)) return value;
    say(path, `expected ${expected}`);
    return undefined;
  }

  function id(value: unknown, path: Path): string | undefined {
    const expected = 'up to 64 letters, digits and "_", a letter first';
    const good = matching(value, path, ID_PATTERN, expected);
    if (good === undefined || !(good in Object.prototype)) return good;
    say(path, `expected another name: "${good}" is reserved`);
    return undefined;
  }

  function template(value: unknown, path: Path, uses: Use[]): Template {
    plainAt(value, path);
    eachText(value as Template, (part, inner) => {
      const here = [...path, ...inner];
      const { parts, unclosed } = splitText(part);
      const embedded = parts.filter((piece) => typeof piece === "object");
      if (embedded.length > WORKFLOW_LIMITS.text_expressions) {
        stop(here, `expected at most ${WORKFLOW_LIMITS.text_expressions} expressions in one text`);
      }
      for (const piece of embedded) take(piece, part, here, uses);
      if (unclosed !== undefined) {
        sayAt(
          offsetIn(here, part, unclosed, "${"),
          'an expression begins with "${" here and has no "}"; for the characters themselves write "$${"',
        );
      }
    });
    return value as Template;
  }

  function countPatterns(schema: Values, path: Path): void {
    for (const [key, part] of Object.entries(schema)) {
      if (key === "pattern" && typeof part === "string") patterns++;
      if (typeof part !== "object" || part === null) continue;
      if (key === "patternProperties") patterns += Object.keys(part).length;
      countPatterns(part as Values, path);
    }
    if (patterns <= WORKFLOW_LIMITS.patterns) return;
    stop(path, `expected schemas with at most ${WORKFLOW_LIMITS.patterns} patterns in all`);
  }

  /** Only what JSON can say. */
  function plainAt(value: unknown, path: Path): void {
    if (typeof value === "number" && !Number.isFinite(value)) {
      say(path, "expected a number of JSON");
    }
    if (typeof value !== "object" || value === null) return;
    const entries = Object.entries(value);
    if (!Array.isArray(value) && entries.length > WORKFLOW_LIMITS.keys) {
      stop(path, `expected at most ${WORKFLOW_LIMITS.keys} keys in one map`);
    }
    for (const [key, part] of entries) {
      const here = [...path, Array.isArray(value) ? Number(key) : key];
      if (key === "__proto__") say(here, "expected another key");
      else plainAt(part, here);
    }
  }

  function expression(value: unknown, path: Path, uses: Use[]): string | undefined {
    const sole = typeof value === "string" ? soleExpression(value) : undefined;
    if (sole === undefined) {
      say(path, EXPRESSION_EXPECTED);
      return undefined;
    }
    take(sole, String(value), path, uses);
    return sole.source;
  }

  function take({ source: code, at }: Embedded, whole: string, path: Path, uses: Use[]): void {
    const offsetOf = (inner: number) => offsetIn(path, whole, at, code, inner);
    if (code.length > WORKFLOW_LIMITS.expression) {
      const most = WORKFLOW_LIMITS.expression;
      return sayAt(offsetOf(0), `expected an expression of at most ${most} characters`);
    }
    if (
      code.split(".", WORKFLOW_LIMITS.expression_dots + 2).length >
        WORKFLOW_LIMITS.expression_dots + 1
    ) {
      const most = WORKFLOW_LIMITS.expression_dots;
      return sayAt(offsetOf(0), `expected an expression of at most ${most} dots`);
    }
    expressionChars += code.length;
    if (++expressions > WORKFLOW_LIMITS.expressions) {
      stop(path, `expected at most ${WORKFLOW_LIMITS.expressions} expressions in all`);
    }
    if (expressionChars > WORKFLOW_LIMITS.expression_chars) {
      const most = WORKFLOW_LIMITS.expression_chars;
      stop(path, `expected expressions of at most ${most} characters in all`);
    }
    const read = readExpression(code);
    if ("uses" in read) uses.push({ uses: read.uses, offsetOf });
    else {sayAt(
        offsetOf(read.problem.at),
        `in the expression "${short(code)}": ${read.problem.message}`,
      );}
  }

  /** Where a part of a text stands in the file, as near as escapes and folded lines let it be told. */
  function offsetIn(path: Path, whole: string, at: number, part: string, inner = 0): number {
    const range = file.rangeOf(path);
    if (range === undefined) return file.offsetOf(path);
    const [from, end] = range;
    // Most texts stand as they are, the quotation mark before them apart.
    const before = whole.slice(0, at + part.length);
    for (const own of [from, from + 1]) {
      if (source.startsWith(before, own)) return own + at + inner;
    }
    // Escapes and folds only make it longer. Looked for within a little and by a little: whoever writes the text
    // can make any search slow.
    const first = Math.min(from + at, end);
    const written = source.slice(first, Math.min(end, first + SEARCHED));
    const own = written.indexOf(part.slice(0, SEARCHED_BY));
    return own >= 0 ? first + own + inner : from;
  }

  return {
    problems,
    unlessStopped,
    stop,
    say,
    sayAt,
    lineOf: (path) => file.position(file.offsetOf(path)).line,
    map,
    named,
    text,
    flag,
    count,
    duration,
    matching,
    id,
    template,
    countPatterns,
    expression,
  };
}

const short = (text: string, most = 80) =>
  text.length > most ? `${text.slice(0, most - 1)}…` : text;
