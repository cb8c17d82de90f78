/**
 * What a workflow is, as its file says it. `parse.ts` makes it of YAML, `check.ts` says what is wrong with it.
 *
 * - **step**: one node. A step begins when those it needs have ended; it needs the one above it in its list
 *   unless it names its `needs`.
 * - **path**: names a step within a run: `translate`, `languages[2].translate`, `both.left`.
 * - **template**: any JSON value whose strings may hold `${ expression }`. A string that is one expression and
 *   nothing else becomes the expression's value; otherwise the values are put into the text.
 * - **expression**: JSONata over the scope `{inputs, steps, item, index, run: {id, workflow, user, started}}`;
 *   `steps.<id>` is the result of a step, of the innermost list that has one of this id.
 */

/** Any JSON value, with `${…}` in its strings. */
export type Template =
  | null
  | boolean
  | number
  | string
  | readonly Template[]
  | { readonly [key: string]: Template };

/** A JSON Schema, of the subset of `core/json_schema`. */
export type Schema = Readonly<Record<string, unknown>>;

/** Seconds. In the file a number of seconds, or `90s`, `15m`, `2h`, `7d`. */
export type Seconds = number;

export interface WorkflowDefinition {
  /** Lower case letters, digits and `-`. */
  readonly name: string;
  readonly title: string | undefined;
  readonly description: string | undefined;
  /** By name; one without a `default` is required unless its schema says `nullable`. */
  readonly inputs: Readonly<Record<string, Schema>>;
  readonly steps: readonly Step[];
  /** What the run's result is, by name. @default the results of the top steps, by id */
  readonly outputs: Readonly<Record<string, Template>> | undefined;
  /** Whether one failed step ends the run at once; else independent steps go on, and the run fails at its end. */
  readonly failFast: boolean;
  /** Of the whole run, waiting included. @default none */
  readonly timeout: Seconds | undefined;
}

interface StepBase {
  readonly id: string;
  /** Line in the file, from 1. */
  readonly line: number;
  readonly title: string | undefined;
  /** Ids of steps of the same list. Undefined: the one above. */
  readonly needs: readonly string[] | undefined;
  /** An expression; the step is skipped when it is not true. In the file `when: ${…}`. */
  readonly when: string | undefined;
  /** Whether the run goes on when it fails: its result is null then. */
  readonly optional: boolean;
  /** Tries in all. @default 4 for steps that are jobs */
  readonly attempts: number | undefined;
  /** @default that of the kind of job */
  readonly timeout: Seconds | undefined;
}

/**
 * Calls a capability of a plugin or of the host. Where no plugin provides it, the step ends `skipped`
 * (`no provider`), and so do steps that need it.
 */
export interface CallStep extends StepBase {
  readonly kind: "call";
  readonly capability: string;
  readonly with: Template;
  /** Asks for this plugin. */
  readonly provider: Template | undefined;
}

/** `with`: `{url, plugin?, collection?, metadata?}`. Result: `{content, revision, …}` of the import job. */
export interface ImportStep extends StepBase {
  readonly kind: "import";
  readonly with: Template;
}

/** `with`: `{source_ids, format, parameters?, plugin?}`. Result: `{artifact}`. */
export interface ExportStep extends StepBase {
  readonly kind: "export";
  readonly with: Template;
}

/** `with`: `{query?, k?, type?, collection?, since?, until?, order?}`. Result: `{hits, content_ids}`. */
export interface SearchStep extends StepBase {
  readonly kind: "search";
  readonly with: Template;
}

export type Wait =
  /** Somebody picks one of the options. Result: `{index, option, by}`. */
  | { readonly for: "choice"; readonly options: Template; readonly prompt: Template | undefined }
  /** Somebody of this role says yes; a no fails the step. Result: `{approved: true, by, comment}`. */
  | {
    readonly for: "approval";
    readonly role: "reader" | "editor" | "admin";
    readonly prompt: Template | undefined;
  }
  /** Somebody gives a value. Result: `{value, by}`. */
  | { readonly for: "input"; readonly schema: Schema; readonly prompt: Template | undefined }
  /** Time passes. `after`: seconds, or `2h` …; `until`: a time, ISO 8601. Result: null. */
  | {
    readonly for: "timer";
    readonly after: Template | undefined;
    readonly until: Template | undefined;
  }
  /** Something happens (`core/event_log`); `where` sees it as `event`. Result: the event. */
  | { readonly for: "event"; readonly name: string; readonly where: string | undefined };

export interface WaitStep extends StepBase {
  readonly kind: "wait";
  readonly wait: Wait;
  /** What `timeout` does: fails the step, or ends it with this value as its result. */
  readonly onTimeout: { readonly value: Template } | undefined;
}

/** Runs its steps for each item, `parallel` items at once. Result: of each item, the result of its last step. */
export interface ForeachStep extends StepBase {
  readonly kind: "foreach";
  readonly items: Template;
  /** @default 4 */
  readonly parallel: number;
  readonly steps: readonly Step[];
  /** What each item's result is. @default the result of its last step */
  readonly collect: Template | undefined;
}

/** Runs its branches at the same time. Result: by branch, the result of its last step. */
export interface ParallelStep extends StepBase {
  readonly kind: "parallel";
  readonly branches: Readonly<Record<string, readonly Step[]>>;
}

/** Result: of the branch taken, that of its last step; null where there was none. */
export interface IfStep extends StepBase {
  readonly kind: "if";
  readonly condition: string;
  readonly then: readonly Step[];
  readonly else: readonly Step[];
}

export type Step =
  | CallStep
  | ImportStep
  | ExportStep
  | SearchStep
  | WaitStep
  | ForeachStep
  | ParallelStep
  | IfStep;

export const STEP_KINDS = [
  "call",
  "import",
  "export",
  "search",
  "wait",
  "foreach",
  "parallel",
  "if",
] as const satisfies readonly Step["kind"][];

/** The most of each that one definition or run may have. */
export const WORKFLOW_LIMITS = {
  /** Steps of a definition, nested ones included. */
  steps: 200,
  depth: 8,
  /** Items of one foreach. */
  items: 10_000,
  /** Items at once. */
  parallel: 32,
  inputs: 100,
  outputs: 100,
  /** Keys of one map that is given to a step. */
  keys: 1_000,
  /** Patterns in the schemas of a definition. */
  patterns: 20,
  /** Characters of one expression. */
  expression: 4_000,
  /** Dots in one expression: to read a path takes time by the square of its length. */
  expression_dots: 500,
  /** Expressions in one text. */
  text_expressions: 100,
  /** Expressions of a definition, and their characters together. */
  expressions: 1_000,
  expression_chars: 32_000,
  /** Bytes of JSON: of the inputs, of what a step is given, of a step's result. */
  json_bytes: 1024 * 1024,
  /** Steps of a run, the items and branches of containers among them. */
  run_steps: 40_000,
  /** Of all steps of a run together, what they were given and what came out, characters of JSON. */
  run_chars: 64 * 1024 * 1024,
  /** Bytes of the file. */
  file_bytes: 256 * 1024,
  /** Keys, values, marks and lines of the file; values with its aliases written out. */
  file_tokens: 25_000,
} as const;

/** Something wrong with a definition, where it stands. Lines and columns from 1. */
export interface DefinitionProblem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}
