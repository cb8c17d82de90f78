/**
 * Checks a value against a schema that `schemaProblems` found nothing wrong with. It walks the schema and
 * generates no code of it: a schema is a plugin author's word, and no such word is run in the host.
 */
import { definition, type JsonSchema } from "./inspect.ts";
import { canonical, equal, matches, type Run, spend, spendOn, startRun, TooMuch } from "./run.ts";

/** One thing that is wrong with a value. */
export interface Fault {
  /** `list.0.name`; empty for the whole. */
  readonly field: string;
  readonly problem: string;
}

type Fields = Record<string, unknown>;

const MAX_FAULTS = 20;

/** Where a check stands. */
interface Place {
  readonly root: JsonSchema;
  readonly run: Run;
  readonly at: string;
  /** Absent where only yes or no counts, as below `anyOf`. */
  readonly faults: Fault[] | undefined;
}

type Rule = (schema: JsonSchema, value: unknown, place: Place) => boolean;

/**
 * What is wrong with the value; it is given the defaults of the schema's properties. Twenty faults at most, and
 * one for the whole where the check would take too long. `run`: the account, where several checks share one.
 */
export function validate(root: JsonSchema, value: Fields, run = startRun()): readonly Fault[] {
  const faults: Fault[] = [];
  try {
    visit(root, value, { root, run, at: "", faults });
  } catch (error) {
    if (!(error instanceof TooMuch)) throw error;
    return [{ field: "", problem: "it takes too long to check against the plugin's schema" }];
  }
  return faults;
}

function fault(place: Place, problem: string | (() => string), field = place.at): false {
  const { faults } = place;
  if (faults !== undefined && faults.length < MAX_FAULTS) {
    faults.push({ field, problem: typeof problem === "string" ? problem : problem() });
  }
  return false;
}

const quiet = (place: Place): Place => ({ ...place, faults: undefined });
const below = (place: Place, name: string | number): Place => ({
  ...place,
  at: place.faults === undefined ? "" : place.at === "" ? String(name) : `${place.at}.${name}`,
});

const RULES: readonly Rule[] = [reference, numbers, strings, arrays, objects, values, combined];

function visit(schema: unknown, value: unknown, place: Place): boolean {
  spend(place.run, 1);
  if (typeof schema === "boolean") return schema || fault(place, "is not allowed");
  const rules = schema as JsonSchema;
  // What else is wrong with a value of another type is no news.
  if (!hasType(rules, value)) {
    return fault(place, `expected ${[rules.type].flat().join(" or ")}`);
  }
  let good = true;
  for (const rule of RULES) {
    if (rule(rules, value, place)) continue;
    good = false;
    if (place.faults === undefined || place.faults.length >= MAX_FAULTS) break;
  }
  return good;
}

function hasType({ type }: JsonSchema, value: unknown): boolean {
  if (type === undefined) return true;
  const kind = kindOf(value);
  return [type].flat().some((wanted) =>
    wanted === kind || (wanted === "integer" && Number.isInteger(value))
  );
}

function kindOf(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
}

function reference(schema: JsonSchema, value: unknown, place: Place): boolean {
  return schema.$ref === undefined ||
    visit(definition(place.root, schema.$ref), value, place);
}

function values(schema: JsonSchema, value: unknown, place: Place): boolean {
  const { run } = place;
  const choice = schema.enum as unknown[] | undefined;
  if (choice !== undefined && !choice.some((one) => equal(run, one, value))) {
    return fault(place, () => `expected one of ${choice.slice(0, 20).map(shown).join(", ")}`);
  }
  if (Object.hasOwn(schema, "const") && !equal(run, schema.const, value)) {
    return fault(place, () => `expected ${shown(schema.const)}`);
  }
  return true;
}

function shown(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > 50 ? `${text.slice(0, 49)}…` : text;
}

const COMPARISONS: readonly [string, (value: number, bound: number) => boolean, string][] = [
  ["minimum", (value, bound) => value >= bound, "at least"],
  ["maximum", (value, bound) => value <= bound, "at most"],
  ["exclusiveMinimum", (value, bound) => value > bound, "more than"],
  ["exclusiveMaximum", (value, bound) => value < bound, "less than"],
  ["multipleOf", (value, bound) => Number.isInteger(value / bound), "a multiple of"],
];

function numbers(schema: JsonSchema, value: unknown, place: Place): boolean {
  if (typeof value !== "number") return true;
  for (const [keyword, holds, words] of COMPARISONS) {
    const bound = schema[keyword];
    if (typeof bound === "number" && !holds(value, bound)) {
      return fault(place, `expected ${words} ${bound}`);
    }
  }
  return true;
}

/** Checks a count against `min…` and `max…`. */
function within(schema: JsonSchema, what: string, count: number, place: Place, unit: string) {
  const least = schema[`min${what}`];
  const most = schema[`max${what}`];
  if (typeof least === "number" && count < least) {
    return fault(place, `expected at least ${least} ${unit}`);
  }
  if (typeof most === "number" && count > most) {
    return fault(place, `expected at most ${most} ${unit}`);
  }
  return true;
}

function strings(schema: JsonSchema, value: unknown, place: Place): boolean {
  if (typeof value !== "string") return true;
  const { minLength, maxLength, pattern } = schema;
  if (minLength !== undefined || maxLength !== undefined) {
    spendOn(place.run, value);
    if (!within(schema, "Length", characters(value), place, "characters")) return false;
  }
  if (typeof pattern !== "string" || matches(place.run, pattern, value)) return true;
  return fault(place, `expected what the pattern ${pattern} matches`);
}

/** Of Unicode, not of UTF-16. */
function characters(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

function arrays(schema: JsonSchema, value: unknown, place: Place): boolean {
  if (!Array.isArray(value)) return true;
  if (!within(schema, "Items", value.length, place, "entries")) return false;
  const first = Array.isArray(schema.prefixItems) ? schema.prefixItems : [];
  let good = true;
  for (const [i, item] of value.entries()) {
    const rule = i < first.length ? first[i] : schema.items;
    if (rule === undefined || visit(rule, item, below(place, i))) continue;
    good = false;
    if (place.faults === undefined || place.faults.length >= MAX_FAULTS) return false;
  }
  if (schema.contains !== undefined) {
    const inside = quiet(place);
    const found = value.filter((item) => visit(schema.contains, item, inside)).length;
    const counts = { minContains: schema.minContains ?? 1, maxContains: schema.maxContains };
    good = within(counts, "Contains", found, place, "entries of a certain kind") && good;
  }
  if (schema.uniqueItems === true) {
    const seen = new Set(value.map((item) => canonical(place.run, item)));
    if (seen.size < value.length) good = fault(place, "expected no entry twice");
  }
  return good;
}

function objects(schema: JsonSchema, value: unknown, place: Place): boolean {
  if (kindOf(value) !== "object") return true;
  const fields = value as Fields;
  const { run } = place;
  const properties = (schema.properties ?? {}) as JsonSchema;
  // Not where the answer is only yes or no: of the branches that are tried, one may not be taken.
  if (place.faults !== undefined) fillIn(run, properties, fields);
  let good = true;
  const missing = (name: string) => {
    spend(run, 1);
    if (Object.hasOwn(fields, name)) return;
    good = fault(place, "missing", below(place, name).at);
  };
  ((schema.required ?? []) as string[]).forEach(missing);
  for (const [name, others] of Object.entries((schema.dependentRequired ?? {}) as JsonSchema)) {
    spend(run, 1);
    if (Object.hasOwn(fields, name)) (others as string[]).forEach(missing);
  }
  const names = Object.keys(fields);
  good = within(schema, "Properties", names.length, place, "fields") && good;
  const patterns = Object.entries((schema.patternProperties ?? {}) as JsonSchema);
  for (const name of names) {
    if (!good && (place.faults === undefined || place.faults.length >= MAX_FAULTS)) return false;
    spend(run, 1);
    const rules = patterns.filter(([source]) => matches(run, source, name)).map(([, rule]) => rule);
    if (Object.hasOwn(properties, name)) rules.push(properties[name]);
    const inside = below(place, name);
    if (schema.propertyNames !== undefined && !visit(schema.propertyNames, name, quiet(place))) {
      good = fault(inside, "expected another name");
    }
    if (rules.length === 0 && schema.additionalProperties === false) {
      good = fault(inside, "there is no such field");
    } else if (rules.length === 0 && schema.additionalProperties !== undefined) {
      rules.push(schema.additionalProperties);
    }
    for (const rule of rules) good = visit(rule, fields[name], inside) && good;
  }
  return good;
}

function fillIn(run: Run, properties: JsonSchema, fields: Fields): void {
  for (const [name, property] of Object.entries(properties)) {
    spend(run, 1);
    if (typeof property !== "object" || property === null) continue;
    if (Object.hasOwn(fields, name) || !Object.hasOwn(property, "default")) continue;
    const value = structuredClone((property as JsonSchema).default);
    // What it costs to copy: a list of many maps gets a default for each.
    spendOn(run, canonical(run, value));
    // Not by assignment, which would set the prototype for the name `__proto__`.
    Object.defineProperty(fields, name, {
      value,
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
}

function combined(schema: JsonSchema, value: unknown, place: Place): boolean {
  const inside = quiet(place);
  const list = (keyword: string) => (schema[keyword] ?? []) as unknown[];
  let good = true;
  for (const part of list("allOf")) good = visit(part, value, place) && good;
  if (schema.anyOf !== undefined && !list("anyOf").some((part) => visit(part, value, inside))) {
    good = fault(place, "expected one of the forms that the schema allows");
  }
  if (schema.oneOf !== undefined) {
    const fitting = list("oneOf").filter((part) => visit(part, value, inside)).length;
    if (fitting !== 1) {
      good = fault(place, "expected exactly one of the forms that the schema allows");
    }
  }
  if (schema.not !== undefined && visit(schema.not, value, inside)) {
    good = fault(place, "expected another form: the schema forbids this one");
  }
  if (schema.if !== undefined) {
    const branch = visit(schema.if, value, inside) ? schema.then : schema.else;
    if (branch !== undefined) good = visit(branch, value, place) && good;
  }
  return good;
}
