/** Reads a pipeline file. All that is wrong with it is said at once, with its line and column. */
import { CarrelError } from "../errors.ts";
import { readYamlFile, type YamlFile, type YamlProblem } from "../plugins/yaml.ts";
import { checkReferences } from "./check.ts";
import {
  type DefinitionProblem,
  type Schema,
  type Template,
  WORKFLOW_LIMITS,
  type WorkflowDefinition,
} from "./definition.ts";
import { startRun } from "../json_schema/run.ts";
import { faultsOf } from "./inputs.ts";
import { createReader, type Reader, type Use } from "./parse_reader.ts";
import { readSteps } from "./parse_step.ts";
import { readSchema } from "./parse_wait.ts";
import { DEFINITION_FIELDS, NAME_PATTERN } from "./schema_fields.ts";

/** Of the check of all defaults, about 100 ns each. */
const DEFAULTS_STEPS = 200_000;

export interface ParsedDefinition {
  /** Undefined where there are problems. */
  readonly definition: WorkflowDefinition | undefined;
  readonly problems: readonly DefinitionProblem[];
}

/** @param file how the file is called in messages */
export function parseDefinition(yaml: string, file = "pipeline.yaml"): ParsedDefinition {
  let read: YamlFile;
  try {
    read = readYamlFile(yaml, {
      file,
      code: "invalid_workflow",
      what: "workflow",
      maxBytes: WORKFLOW_LIMITS.file_bytes,
      maxTokens: WORKFLOW_LIMITS.file_tokens,
    });
  } catch (error) {
    if (!(error instanceof CarrelError)) throw error;
    const errors = (error.details?.["errors"] ?? []) as readonly YamlProblem[];
    const problems = errors.map(({ line, column, message }) => ({ line, column, message }));
    return { definition: undefined, problems };
  }
  const reader = createReader(yaml, read);
  const definition = reader.unlessStopped(() => readDefinition(reader, read.value));
  const problems = reader.problems();
  return { definition: problems.length > 0 ? undefined : definition, problems };
}

/** `pipeline.yaml:3:5: …`, a line each. */
export function problemLines(problems: readonly DefinitionProblem[], file: string): string[] {
  return problems.map(({ line, column, message }) => `${file}:${line}:${column}: ${message}`);
}

/** Throws `invalid_workflow` with `details.problems` unless there are none. */
export function requireDefinition(
  { definition, problems }: ParsedDefinition,
  file = "pipeline.yaml",
): WorkflowDefinition {
  if (definition !== undefined) return definition;
  const lines = problemLines(problems, file);
  const list = lines.length === 1 ? ` ${lines[0]}` : lines.map((line) => `\n  ${line}`).join("");
  throw new CarrelError("invalid_workflow", `Cannot use the workflow "${file}":${list}`, {
    details: { problems },
  });
}

function readDefinition(reader: Reader, value: unknown): WorkflowDefinition | undefined {
  const values = reader.map(value, [], DEFINITION_FIELDS, "a pipeline");
  if (values === undefined) return undefined;
  const { name: called } = values;
  const name = called === undefined
    ? ""
    : reader.matching(called, ["name"], NAME_PATTERN, "up to 64 lower case letters, digits and -");
  const inputs = readInputs(reader, values["inputs"]);
  const { steps, draft } = readSteps(reader, values["steps"], ["steps"], { steps: 0 });
  const outputUses: Use[] = [];
  const outputs = readOutputs(reader, values["outputs"], outputUses);
  checkReferences(reader, draft, { inputs: Object.keys(inputs), outputUses });
  return {
    name: name ?? "",
    title: reader.text(values["title"], ["title"]),
    description: reader.text(values["description"], ["description"]),
    inputs,
    steps,
    outputs,
    failFast: reader.flag(values["fail_fast"], ["fail_fast"], true),
    timeout: reader.duration(values["timeout"], ["timeout"]),
  };
}

function readInputs(reader: Reader, value: unknown): Readonly<Record<string, Schema>> {
  if (value === undefined) return {};
  const inputs: Record<string, Schema> = {};
  const run = startRun(DEFAULTS_STEPS);
  for (
    const [name, given] of Object.entries(reader.named(value, ["inputs"], WORKFLOW_LIMITS.inputs))
  ) {
    const path = ["inputs", name];
    const before = reader.problems().length;
    const schema = inputs[name] = readSchema(reader, given, path);
    const { default: value, nullable, ...rest } = schema;
    if (value === undefined || (value === null && nullable === true)) continue;
    // Of a schema that is wrong itself there is nothing more to say.
    if (reader.problems().length > before) continue;
    for (
      const { problem } of faultsOf(name, rest, { [name]: structuredClone(value) }, run).slice(0, 1)
    ) {
      reader.say([...path, "default"], `it does not fit its own schema: ${problem}`);
    }
  }
  return inputs;
}

function readOutputs(
  reader: Reader,
  value: unknown,
  uses: Use[],
): Readonly<Record<string, Template>> | undefined {
  if (value === undefined) return undefined;
  return Object.fromEntries(
    Object.entries(reader.named(value, ["outputs"], WORKFLOW_LIMITS.outputs)).map((
      [name, template],
    ) => [name, reader.template(template, ["outputs", name], uses)]),
  );
}
