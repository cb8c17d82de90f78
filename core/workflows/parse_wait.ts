/** Reads what a `wait` step waits for. */
import { schemaProblems } from "../json_schema/inspect.ts";
import { didYouMean } from "./check_names.ts";
import type { Schema, Template, Wait } from "./definition.ts";
import { DURATION_EXPECTED, parseDuration } from "./durations.ts";
import { eventNameProblem } from "./host_names.ts";
import { isMap, type Path, type Reader, type Use } from "./parse_reader.ts";
import { EVENT_PATTERN, WAIT_FIELDS } from "./schema_fields.ts";
import { soleExpression } from "./templates.ts";

const KINDS = Object.keys(WAIT_FIELDS) as (keyof typeof WAIT_FIELDS)[];
const ROLES = ["reader", "editor", "admin"] as const;

/** `eventUses` takes the expressions that see the event. */
export function readWait(
  reader: Reader,
  value: unknown,
  path: Path,
  uses: Use[],
  eventUses: Use[],
): Wait | undefined {
  const kinds = isMap(value) ? KINDS.filter((kind) => Object.hasOwn(value, kind)) : [];
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1) {
    const [odd = ""] = isMap(value) ? Object.keys(value) : [];
    reader.say(
      path,
      kinds.length > 1
        ? `expected one thing to wait for, not ${kinds.join(" and ")}`
        : `expected a map with one of ${KINDS.join(", ")}${didYouMean(odd, KINDS)}`,
    );
    return undefined;
  }
  const values = reader.map(value, path, WAIT_FIELDS[kind], `a wait for ${kind}`)!;
  const asked = values[kind];
  const here = [...path, kind];
  const prompt = (): Template | undefined => {
    const text = reader.text(values["prompt"], [...path, "prompt"]);
    return text === undefined ? undefined : reader.template(text, [...path, "prompt"], uses);
  };
  switch (kind) {
    case "choice":
      if (!isListOrExpression(asked) || (Array.isArray(asked) && asked.length > 100)) {
        reader.say(here, "expected a list of 1 to 100 options, or an expression that makes one");
      }
      return { for: "choice", options: reader.template(asked, here, uses), prompt: prompt() };
    case "approval": {
      const role = ROLES.find((known) => known === asked);
      if (role === undefined) reader.say(here, `expected one of ${ROLES.join(", ")}`);
      return { for: "approval", role: role ?? "admin", prompt: prompt() };
    }
    case "input":
      return { for: "input", schema: readSchema(reader, asked, here), prompt: prompt() };
    case "after":
      if (parseDuration(asked) === undefined && !isExpression(asked)) {
        reader.say(here, `${DURATION_EXPECTED}, or an expression`);
      }
      return { for: "timer", after: reader.template(asked, here, uses), until: undefined };
    case "until":
      if (!isTime(asked) && !isExpression(asked)) {
        reader.say(here, "expected a time such as 2030-01-31T09:00:00Z, or an expression");
      }
      return { for: "timer", after: undefined, until: reader.template(asked, here, uses) };
    case "event": {
      const name = reader.matching(
        asked,
        here,
        EVENT_PATTERN,
        "the name of an event, such as content.imported",
      );
      const wrong = name === undefined ? undefined : eventNameProblem(name);
      if (wrong !== undefined) reader.say(here, wrong);
      const { where } = values;
      return {
        for: "event",
        name: name ?? "",
        where: where === undefined
          ? undefined
          : reader.expression(where, [...path, "where"], eventUses),
      };
    }
  }
}

const isExpression = (value: unknown) =>
  typeof value === "string" && soleExpression(value) !== undefined;
export const isListOrExpression = (value: unknown) =>
  Array.isArray(value) ? value.length > 0 : isExpression(value);
const isTime = (value: unknown) =>
  typeof value === "string" && /^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-][\d:]+)?)?$/.test(value) &&
  Number.isFinite(Date.parse(value));

/** A JSON Schema of any value. */
export function readSchema(reader: Reader, value: unknown, path: Path): Schema {
  if (!isMap(value)) {
    reader.say(path, "expected a JSON Schema: a map such as {type: string}");
    return {};
  }
  reader.countPatterns(value, path);
  const { nullable, $defs, definitions, ...schema } = value;
  if (nullable !== undefined && typeof nullable !== "boolean") {
    reader.say([...path, "nullable"], "expected true or false");
  }
  // The checker takes schemas of maps: this one stands in one.
  const whole = {
    properties: { value: schema },
    ...($defs === undefined ? {} : { $defs }),
    ...(definitions === undefined ? {} : { definitions }),
  };
  for (const { path: inner, message } of schemaProblems(whole)) {
    reader.say([...path, ...inner.slice(inner[0] === "properties" ? 2 : 0)], message);
  }
  return value;
}
