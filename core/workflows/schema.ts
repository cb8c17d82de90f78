/** The JSON Schema of pipeline files, draft 2020-12, for editors; `tools/pipeline_schema.ts` writes it to a file. */
import {
  DEFINITION_FIELDS,
  DEFINITIONS,
  type Fields,
  type JsonSchema,
  KIND_FIELDS,
  STEP_FIELDS,
  STEP_KINDS,
  WAIT_FIELDS,
} from "./schema_fields.ts";

export const SCHEMA_FILE = "pipeline.schema.json";

/** A pipeline's first line, by which editors that know `yaml-language-server` find the schema beside it. */
export const SCHEMA_LINE = `# yaml-language-server: $schema=./${SCHEMA_FILE}`;

export function pipelineSchema(): JsonSchema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Pipeline",
    description: "A workflow of Carrel: steps, what they need, and what they come to.",
    ...object(DEFINITION_FIELDS),
    $defs: {
      ...DEFINITIONS,
      step: {
        type: "object",
        oneOf: STEP_KINDS.map((kind) => ({ $ref: `#/$defs/${kind}_step` })),
      },
      ...Object.fromEntries(
        STEP_KINDS.map((kind) => [
          `${kind}_step`,
          { title: kind, ...object({ ...STEP_FIELDS, ...KIND_FIELDS[kind] }) },
        ]),
      ),
      wait: {
        type: "object",
        oneOf: Object.entries(WAIT_FIELDS).map(([title, fields]) => ({ title, ...object(fields) })),
      },
    },
  };
}

function object(fields: Fields): JsonSchema {
  const required = Object.entries(fields).filter(([, { required }]) => required);
  return {
    type: "object",
    properties: Object.fromEntries(
      Object.entries(fields).map(([name, { description, schema }]) => [
        name,
        { description, ...schema },
      ]),
    ),
    required: required.map(([name]) => name),
    additionalProperties: false,
  };
}

/** The file's text. */
export function pipelineSchemaText(): string {
  return `${JSON.stringify(pipelineSchema(), null, 2)}\n`;
}
