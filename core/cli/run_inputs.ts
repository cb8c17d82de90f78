/** The inputs of a run, from `--var name=value` and `--var-file name=path`. */
import { resolve } from "node:path";
import { InvalidArgumentError } from "commander";
import { CliError, EXIT, usageError } from "./errors.ts";
import type { Io } from "./io.ts";
import { clean, cut, fit, widthOf } from "./width.ts";

type Schema = Readonly<Record<string, unknown>>;
/** A JSON Schema by the name of the input. */
export type InputSchemas = Readonly<Record<string, Schema>>;

/** One value as it was written. */
export interface Given {
  readonly name: string;
  readonly text: string;
}

/** Gathers `name=value` options; the last one of a name counts. */
export function gatherVars(text: string, before: readonly Given[] = []): Given[] {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("It must have the form name=value.");
  const name = text.slice(0, at);
  return [...before.filter((one) => one.name !== name), { name, text: text.slice(at + 1) }];
}

/** All values: those of files read. `-` is standard input. */
export async function readGiven(
  io: Io,
  vars: readonly Given[] = [],
  files: readonly Given[] = [],
): Promise<Given[]> {
  const read: Given[] = [];
  for (const { name, text: path } of files) {
    if (vars.some((one) => one.name === name)) {
      throw usageError(
        `Cannot set "${name}" twice: by --var and by --var-file.`,
        "Leave one of them out.",
      );
    }
    try {
      const text = path === "-"
        ? await new Response(io.stdin()).text()
        : await Deno.readTextFile(resolve(io.cwd, path));
      read.push({ name, text });
    } catch (cause) {
      throw new CliError("file_not_found", `Cannot read "${path}" for the input "${name}".`, {
        exit: EXIT.usage,
        cause,
        hint: "--var-file takes name=path, the path from where you are.",
      });
    }
  }
  return [...vars, ...read];
}

/**
 * The values by name: JSON where it is what the input's schema wants, else the text itself. Throws a usage error
 * that lists the inputs when one is unknown, missing or wrong.
 */
export async function inputsOf(
  workflow: string,
  schemas: InputSchemas,
  given: readonly Given[],
): Promise<Record<string, unknown>> {
  const inputs: Record<string, unknown> = {};
  const faults: string[] = [];
  for (const { name, text } of given) {
    const schema = Object.hasOwn(schemas, name) ? schemas[name] : undefined;
    if (schema === undefined) {
      faults.push(`there is no input "${name}"`);
      continue;
    }
    const found = await valueFor(name, schema, text);
    if ("fault" in found) {
      const example = parseJson(text) === undefined ? exampleOf(name, schema) : undefined;
      faults.push(`${found.fault}${example === undefined ? "" : ` (for example: ${example})`}`);
    } else inputs[name] = found.value;
  }
  for (const [name, schema] of Object.entries(schemas)) {
    if (isRequired(schema) && !given.some((one) => one.name === name)) {
      faults.push(`the input "${name}" is missing`);
    }
  }
  if (faults.length === 0) return inputs;
  throw new CliError("invalid_parameters", `Cannot run "${workflow}": ${faults.join("; ")}.`, {
    exit: EXIT.usage,
    hint: inputLines(schemas, 100).join("\n"),
    details: { inputs: schemas },
  });
}

/** The values where the schemas are not known: JSON where it is some, else the text. */
export function looseInputs(given: readonly Given[]): Record<string, unknown> {
  return Object.fromEntries(given.map(({ name, text }) => {
    const parsed = parseJson(text);
    return [name, parsed === undefined ? text : parsed.value];
  }));
}

/** What a text stands for, by a schema; or what is wrong with it. */
export async function valueFor(
  name: string,
  schema: Schema,
  text: string,
): Promise<{ readonly value: unknown } | { readonly fault: string }> {
  const { faultsOf } = await import("../workflows/inputs.ts");
  const { nullable, ...own } = schema;
  const check = (value: unknown) =>
    nullable === true && value === null
      ? []
      : faultsOf(name, own, { [name]: structuredClone(value) });
  const parsed = parseJson(text);
  if (parsed !== undefined && check(parsed.value).length === 0) return parsed;
  const asText = check(text);
  if (asText.length === 0) return { value: text };
  const faults = parsed === undefined || typeof parsed.value === "string"
    ? asText
    : check(parsed.value);
  const [first] = faults;
  return { fault: `${first?.field ?? name}: ${first?.problem}` };
}

function parseJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

function isRequired({ nullable, ...schema }: Schema): boolean {
  return schema["default"] === undefined && nullable !== true;
}

/** How a value that is no text is written for a shell. */
function exampleOf(name: string, schema: Schema): string | undefined {
  const items = schema["items"] as Schema | undefined;
  switch (schema["type"]) {
    case "array":
      return items?.["type"] === "string"
        ? `--var '${name}=["one", "two"]'`
        : `--var '${name}=[1, 2]'`;
    case "object":
      return `--var '${name}={"key": "value"}'`;
    case "boolean":
      return `--var ${name}=true`;
    case "integer":
    case "number":
      return `--var ${name}=3`;
  }
}

/** What an input takes, in a few words. */
export function typeWords(schema: Schema): string {
  const { type } = schema;
  if (Array.isArray(schema["enum"])) {
    return schema["enum"].map((one) => typeof one === "string" ? one : JSON.stringify(one))
      .join(" | ");
  }
  if (type === "array") {
    const items = schema["items"] as Schema | undefined;
    return items?.["type"] === undefined ? "list" : `list of ${typeWords(items)}`;
  }
  return typeof type === "string" ? type : "any value";
}

/** A line for each input: name, type, whether it must be given, what it is. */
export function inputLines(schemas: InputSchemas, width: number): string[] {
  const entries = Object.entries(schemas);
  if (entries.length === 0) return ["It takes no inputs."];
  const words = entries.map(([name, schema]) => {
    const fallback = schema["default"];
    const need = fallback !== undefined
      ? `default ${cut(JSON.stringify(fallback), 30)}`
      : isRequired(schema)
      ? "required"
      : "optional";
    return [clean(name), clean(`${typeWords(schema)}, ${need}`), about(schema)] as const;
  });
  const names = Math.max(...words.map(([name]) => widthOf(name)));
  const types = Math.min(44, Math.max(...words.map(([, type]) => widthOf(type))));
  return [
    "Its inputs:",
    ...words.map(([name, type, text]) =>
      cut(`  ${fit(name, names)}  ${fit(type, types)}  ${text}`.trimEnd(), width)
    ),
  ];
}

function about(schema: Schema): string {
  const text = schema["description"] ?? schema["title"];
  return typeof text === "string" ? clean(text) : "";
}
