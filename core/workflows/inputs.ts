/** Checks what a run is started with. */
import { CarrelError } from "../errors.ts";
import { schemaProblems } from "../json_schema/inspect.ts";
import { type Run, startRun } from "../json_schema/run.ts";
import { validate } from "../json_schema/validate.ts";
import { jsonBytes, plainJson, PlainJsonError } from "../plain_json.ts";
import { type Schema, WORKFLOW_LIMITS, type WorkflowDefinition } from "./definition.ts";

const MAX_DEPTH = 32;

/**
 * The inputs with their defaults; null for a nullable one that is left out. Throws `invalid_parameters` that names
 * the inputs, and `too_large`.
 */
export function checkInputs(
  definition: WorkflowDefinition,
  given: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const limit = WORKFLOW_LIMITS.json_bytes;
  const inputs = copyOf(definition.name, given);
  const names = Object.keys(definition.inputs ?? {});
  const faults: { field: string; problem: string }[] = [];
  for (const name of Object.keys(inputs)) {
    if (names.includes(name)) continue;
    const known = names.length === 0 ? "it takes none" : `its inputs are ${names.join(", ")}`;
    faults.push({ field: name, problem: `there is no such input: ${known}` });
  }
  const checked: Record<string, unknown> = {};
  const run = startRun();
  for (const name of names) {
    const { nullable, ...schema } = definition.inputs[name]!;
    if (!Object.hasOwn(inputs, name)) {
      if (schema["default"] !== undefined) inputs[name] = structuredClone(schema["default"]);
      else if (nullable === true) inputs[name] = null;
      else faults.push({ field: name, problem: "it is required" });
    }
    if (!Object.hasOwn(inputs, name)) continue;
    checked[name] = inputs[name];
    if (nullable === true && inputs[name] === null) continue;
    faults.push(...faultsOf(name, schema, checked, run));
  }
  if (faults.length > 0) {
    const list = faults.map(({ field, problem }) => `${field}: ${problem}`).join("; ");
    throw new CarrelError(
      "invalid_parameters",
      `Cannot start "${definition.name}" with these inputs: ${list}`,
      { details: { errors: faults } },
    );
  }
  if (jsonBytes(checked) > limit) throw tooLarge(definition.name);
  return checked;
}

function copyOf(workflow: string, given: Readonly<Record<string, unknown>>) {
  try {
    return plainJson(given, {
      maxBytes: WORKFLOW_LIMITS.json_bytes,
      maxDepth: MAX_DEPTH,
    }) as Record<string, unknown>;
  } catch (error) {
    if (!(error instanceof PlainJsonError)) throw error;
    if (error.reason.startsWith("larger")) throw tooLarge(workflow);
    throw new CarrelError(
      "invalid_parameters",
      `Cannot start "${workflow}" with these inputs: ${error.message}`,
    );
  }
}

function tooLarge(workflow: string): CarrelError {
  const limit = WORKFLOW_LIMITS.json_bytes;
  return new CarrelError(
    "too_large",
    `Cannot start "${workflow}": its inputs are larger than ${limit} bytes of JSON`,
    { details: { limit } },
  );
}

/** What is wrong with one value; it is given the defaults within its schema. `run`: what all checks together use up. */
export function faultsOf(
  name: string,
  schema: Schema,
  values: Record<string, unknown>,
  run?: Run,
): { field: string; problem: string }[] {
  // The checker takes schemas of objects: the value stands in one.
  const { $defs, definitions, ...own } = schema;
  const root = {
    type: "object",
    properties: { [name]: own },
    ...($defs === undefined ? {} : { $defs }),
    ...(definitions === undefined ? {} : { definitions }),
  };
  const [unfit] = schemaProblems(root);
  if (unfit !== undefined) {
    return [{ field: name, problem: `its schema cannot be used: ${unfit.message}` }];
  }
  const held = { [name]: values[name] };
  const faults = validate(root, held, run);
  values[name] = held[name];
  return [...faults];
}
