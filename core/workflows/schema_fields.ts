/**
 * The fields of a pipeline file: the one list of them. `parse.ts` knows by it which keys there are and how often
 * one is missing, `schema.ts` makes the JSON Schema for editors of it.
 */
import { STEP_KINDS, WORKFLOW_LIMITS } from "./definition.ts";
import type { Step } from "./definition.ts";
import { DURATION_PATTERN, MAX_DURATION } from "./durations.ts";

export type JsonSchema = Readonly<Record<string, unknown>>;

export interface Field {
  /** What an editor shows. */
  readonly description: string;
  readonly schema: JsonSchema;
  readonly required?: true;
}

export type Fields = Readonly<Record<string, Field>>;

const field = (description: string, schema: JsonSchema): Field => ({ description, schema });
const needed = (description: string, schema: JsonSchema): Field => ({
  description,
  schema,
  required: true,
});

/** Of ids of steps, names of inputs, outputs and branches: what an expression can say after a dot. */
export const ID_PATTERN = "^[A-Za-z][A-Za-z0-9_]{0,63}$";
export const NAME_PATTERN = "^[a-z0-9][a-z0-9-]{0,63}$";
/** A word before a dot and more behind it; of the host's own, `notify` alone has none. */
export const CAPABILITY_PATTERN = "^(notify|[a-z][a-z0-9_]*(\\.[a-z][a-z0-9_]*)+)$";
export const EVENT_PATTERN = "^[a-z][a-z0-9_]*(\\.[a-z][a-z0-9_]*)*$";
export const MAX_ATTEMPTS = 10;
export const MAX_TEXT = 4_000;

const text: JsonSchema = { type: "string", minLength: 1, maxLength: MAX_TEXT };
const id: JsonSchema = { type: "string", pattern: ID_PATTERN };
const anything: JsonSchema = { $ref: "#/$defs/template" };
const duration: JsonSchema = { $ref: "#/$defs/duration" };
const steps: JsonSchema = { $ref: "#/$defs/steps" };
const condition: JsonSchema = { $ref: "#/$defs/expression" };
/** A map, or an expression that makes one. */
const mapping: JsonSchema = {
  anyOf: [{ type: "object" }, { $ref: "#/$defs/expression" }],
};

/** A map of a name each. */
export const named = (schema: JsonSchema, more: JsonSchema = {}): JsonSchema => ({
  type: "object",
  propertyNames: id,
  additionalProperties: schema,
  ...more,
});

export const DEFINITION_FIELDS: Fields = {
  name: needed("The workflow's name, the same as the file's: lower case letters, digits and -.", {
    type: "string",
    pattern: NAME_PATTERN,
  }),
  title: field("What people are shown.", text),
  description: field("What it is for, in a sentence or two.", text),
  inputs: field(
    "What a run is started with: a JSON Schema by name. One without a default is required unless it is nullable.",
    named({ type: "object" }, { maxProperties: WORKFLOW_LIMITS.inputs }),
  ),
  steps: needed("What is done, one after another unless a step names its needs.", steps),
  outputs: field(
    "The run's result by name; without it the results of the top steps, by id.",
    named(anything, { maxProperties: WORKFLOW_LIMITS.outputs }),
  ),
  fail_fast: field(
    "Whether one failed step ends the run at once. If false, independent steps go on and the run fails at its end.",
    { type: "boolean", default: true },
  ),
  timeout: field("How long the whole run may take, waiting included.", duration),
};

/** Of every step. */
export const STEP_FIELDS: Fields = {
  id: field("What expressions and needs call it; found by itself when left out.", id),
  title: field("What people are shown.", text),
  needs: field("Steps of the same list that must have ended first. Without it: the one above.", {
    anyOf: [id, { type: "array", items: id, maxItems: WORKFLOW_LIMITS.steps }],
  }),
  when: field("The step is skipped unless this is true.", condition),
  optional: field("Whether the run goes on when the step fails; its result is null then.", {
    type: "boolean",
    default: false,
  }),
  timeout: field("How long it may take.", duration),
};

const ATTEMPTS: Fields = {
  attempts: field("Tries in all.", {
    type: "integer",
    minimum: 1,
    maximum: MAX_ATTEMPTS,
    default: 4,
  }),
};

/** Of the steps of one kind, the key that makes the kind among them. */
export const KIND_FIELDS: Readonly<Record<Step["kind"], Fields>> = {
  call: {
    call: needed("Calls this capability of a plugin or of the host, such as text.generate.", {
      type: "string",
      pattern: CAPABILITY_PATTERN,
    }),
    with: field("The capability's input.", anything),
    provider: field("Asks for this plugin.", { type: "string", minLength: 1 }),
    ...ATTEMPTS,
  },
  import: {
    import: needed("Imports {url, plugin?, collection?, metadata?} into the library.", mapping),
    ...ATTEMPTS,
  },
  export: {
    export: needed("Makes an artifact: {source_ids, format, parameters?, plugin?}.", mapping),
    ...ATTEMPTS,
  },
  search: {
    search: needed(
      "Searches the library: {query?, k?, type?, collection?, since?, until?, order?}.",
      mapping,
    ),
    ...ATTEMPTS,
  },
  wait: {
    wait: needed("Waits for a choice, an approval, an input, a time or an event.", {
      $ref: "#/$defs/wait",
    }),
    on_timeout: field("Ends the step with a value at its timeout, instead of failing it.", {
      type: "object",
      properties: { value: anything },
      required: ["value"],
      additionalProperties: false,
    }),
  },
  foreach: {
    foreach: needed("Runs the steps for each item of this list.", {
      anyOf: [
        { type: "array", maxItems: WORKFLOW_LIMITS.items },
        { $ref: "#/$defs/expression" },
      ],
    }),
    parallel: field("How many items at once.", {
      type: "integer",
      minimum: 1,
      maximum: WORKFLOW_LIMITS.parallel,
      default: 4,
    }),
    steps: needed("What is done for each item; expressions see it as item and index.", steps),
    collect: field("What each item's result is; without it that of its last step.", anything),
  },
  parallel: {
    parallel: needed("Runs these lists of steps at the same time, by name.", {
      ...named(steps),
      minProperties: 1,
      maxProperties: WORKFLOW_LIMITS.parallel,
    }),
  },
  if: {
    if: needed("Chooses between two lists of steps.", condition),
    then: needed("What is done if it is true.", steps),
    else: field("What is done otherwise.", steps),
  },
};

const PROMPT: Fields = { prompt: field("What the person who answers is shown.", text) };

/** What a `wait` may hold, by what it waits for. */
export const WAIT_FIELDS = {
  choice: {
    choice: needed("Options to pick from: a list, or an expression that makes one.", {
      anyOf: [{ type: "array", minItems: 1, maxItems: 100 }, { $ref: "#/$defs/expression" }],
    }),
    ...PROMPT,
  },
  approval: {
    approval: needed("Who may say yes: this role, or one above it.", {
      enum: ["reader", "editor", "admin"],
    }),
    ...PROMPT,
  },
  input: {
    input: needed("A JSON Schema of the value that somebody gives.", { type: "object" }),
    ...PROMPT,
  },
  after: {
    after: needed("A time to wait, such as 90s or 2h.", {
      anyOf: [duration, { $ref: "#/$defs/expression" }],
    }),
  },
  until: { until: needed("A point in time to wait for, ISO 8601.", { $ref: "#/$defs/time" }) },
  event: {
    event: needed("The name of an event of the library to wait for.", {
      type: "string",
      pattern: EVENT_PATTERN,
    }),
    where: field("Which of these events: expressions see it as event.", condition),
  },
} as const satisfies Readonly<Record<string, Fields>>;

export const DEFINITIONS: Readonly<Record<string, JsonSchema>> = {
  template: {
    description: "Any value; texts in it may hold ${ expression }, in JSONata.",
  },
  expression: {
    description: "An expression in JSONata: ${ … }.",
    type: "string",
    pattern: "^\\s*\\$\\{[^]*\\}\\s*$",
  },
  duration: {
    description: "Seconds, or a text such as 90s, 15m, 2h, 7d.",
    anyOf: [
      { type: "number", exclusiveMinimum: 0, maximum: MAX_DURATION },
      { type: "string", pattern: DURATION_PATTERN },
    ],
  },
  time: {
    anyOf: [
      { type: "string", pattern: "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]+(Z|[+-][0-9:]+)?)?$" },
      { $ref: "#/$defs/expression" },
    ],
  },
  steps: {
    type: "array",
    minItems: 1,
    maxItems: WORKFLOW_LIMITS.steps,
    items: { $ref: "#/$defs/step" },
  },
};

export { STEP_KINDS };
