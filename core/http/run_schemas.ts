/** The shapes of workflows and their runs. */
import { z } from "@hono/zod-openapi";
import { JOB_STATUSES } from "../jobs/job.ts";
import { boundProblem } from "../json_schema/bounds.ts";
import { STEP_KINDS, WORKFLOW_LIMITS } from "../workflows/definition.ts";
import { STEP_STATES } from "../workflows/workflows.ts";

const plain = z.record(z.string(), z.unknown());

export const definitionProblemSchema = z.object({
  line: z.number().int(),
  column: z.number().int(),
  message: z.string(),
}).openapi("DefinitionProblem");

/** `inputs`: a JSON Schema by name; null where the definition is wrong, as `problems` says. */
export const workflowSchema = z.object({
  name: z.string(),
  title: z.string().nullable(),
  description: z.string().nullable(),
  file: z.string(),
  digest: z.string(),
  inputs: z.record(z.string(), plain).nullable(),
  problems: z.array(definitionProblemSchema),
}).openapi("Workflow");

/** `definition`: as its file says it, in the words of the file. */
export const workflowDetailSchema = workflowSchema.extend({
  definition: plain.nullable(),
}).openapi("WorkflowDetail");

export const validationSchema = z.object({
  valid: z.boolean(),
  problems: z.array(definitionProblemSchema),
  workflow: workflowSchema.nullable(),
}).openapi("WorkflowValidation");

const errorSchema = z.object({
  code: z.string(),
  message: z.string(),
  retryable: z.boolean(),
  details: plain.optional(),
  log: z.array(z.string()).optional(),
});

export const questionSchema = z.object({
  for: z.enum(["choice", "approval", "input"]),
  prompt: z.string().nullable().describe(
    "What is asked; its first line asks, the others show what about",
  ),
  options: z.array(z.unknown()).nullable().describe(
    "Of a choice: what can be picked, by its number from 0",
  ),
  schema: plain.nullable().describe("Of an input: the JSON Schema of the value"),
  role: z.string().nullable().describe("Of an approval: who may give it"),
  until: z.string().nullable().describe("When it counts as not answered"),
}).openapi("Question");

/** A step without what it was given and what came out. */
export const stepHeadSchema = z.object({
  path: z.string().describe(
    "Where it is in the run: `texts[0].write`; `interact`, `retry` and `fork` take it",
  ),
  kind: z.enum([...STEP_KINDS, "branch", "item"]),
  title: z.string().nullable(),
  state: z.enum(STEP_STATES).describe(
    "`skipped`: its condition is not true, or nobody provides what it calls; `message` says which",
  ),
  number: z.number().int().describe("1, 2, …: how often it was begun"),
  job: z.string().nullable().describe("The job that does it, for its log and its cost"),
  progress: z.number().describe("0 to 100"),
  message: z.string().nullable().describe(
    "What its job says; of a skipped step why; of a call which provider served instead of another, and why",
  ),
  error: errorSchema.nullable(),
  question: questionSchema.nullable().describe(
    "What somebody may answer, while it waits for a person",
  ),
  started: z.string(),
  ended: z.string().nullable(),
}).openapi("RunStepHead");

export const stepSchema = stepHeadSchema.extend({ input: z.unknown(), result: z.unknown() })
  .openapi("RunStep");

/** A run without its steps. Its id is also that of its job. */
export const runHeadSchema = z.object({
  id: z.string(),
  workflow: z.string(),
  digest: z.string(),
  status: z.enum(JOB_STATUSES),
  progress: z.number(),
  message: z.string().nullable(),
  priority: z.number().int(),
  inputs: plain,
  error: errorSchema.nullable(),
  children: z.object({
    total: z.number().int(),
    completed: z.number().int(),
    failed: z.number().int(),
    cancelled: z.number().int(),
  }).describe("Its jobs, by how they stand"),
  wake_at: z.string().nullable().describe("When it goes on by itself"),
  ensure_key: z.string().nullable().describe("The key that it was started with"),
  forked_from: z.string().nullable().describe("The run whose results it took over"),
  user: z.string(),
  created: z.string(),
  started: z.string().nullable(),
  completed: z.string().nullable(),
}).openapi("RunHead");

/** `outputs`: once it is completed. */
export const runSchema = runHeadSchema.extend({
  outputs: z.unknown().describe("What its definition gives as `outputs`, once it is completed"),
  steps: z.array(z.union([stepSchema, stepHeadSchema])),
}).openapi("Run");

/** One message of a run's stream: how the run, or one of its steps, stands now. `at`: when that was. */
export const runEventSchema = z.union([
  z.object({ type: z.literal("run"), at: z.string(), run: runHeadSchema }),
  z.object({ type: z.literal("step"), at: z.string(), run_id: z.string(), step: stepHeadSchema }),
]).openapi("RunEvent");

export const planSchema = z.object({
  workflow: z.string(),
  steps: z.array(z.object({
    path: z.string(),
    kind: z.enum(STEP_KINDS),
    title: z.string().nullable(),
    needs: z.array(z.string()),
    plugin: z.string().nullable().describe("Who would do it; `host` for the host itself"),
    capability: z.string().nullable(),
    skipped: z.string().nullable().describe("Why nobody would"),
    waits: z.string().nullable().describe("Of a wait what for, and who may answer, in words"),
    permissions: z.array(z.string()),
  })),
  missing: z.array(z.object({ plugin: z.string(), key: z.string(), text: z.string() })).describe(
    "Permissions that plugins of the steps lack",
  ),
}).openapi("Plan");

/** Characters of YAML; the parser counts the bytes. */
const yaml = z.string().min(1).max(WORKFLOW_LIMITS.file_bytes).openapi({
  description: "The definition, as a file would hold it",
});
/** How large and how deep they may be is checked with the definition's own schemas. */
const inputs = plain.optional().describe("By name, as the definition declares them");
const startFields = {
  inputs,
  ensure_key: z.string().min(1).max(200).optional().openapi({
    description:
      "The run that has this key, running or completed, is answered instead of a new one",
  }),
  priority: z.number().int().min(1).max(10).optional().describe("10 goes first; 5 unless said"),
};

export const validateRequestSchema = z.object({ yaml }).strict().openapi("WorkflowText");
export const planRequestSchema = z.object({ inputs }).strict().openapi("PlanRequest");
export const planTextRequestSchema = z.object({ yaml, inputs }).strict()
  .openapi("PlanTextRequest");
export const startRequestSchema = z.object(startFields).strict().openapi("StartRequest");
export const startTextRequestSchema = z.object({ yaml, ...startFields }).strict()
  .openapi("StartTextRequest");

const ANSWERS = ["choice", "approve", "value"] as const;
const MOST_VALUE = { maxDepth: 32, maxChars: WORKFLOW_LIMITS.json_bytes };

export const interactRequestSchema = z.object({
  step: z.string().min(1).max(1000).optional().describe(
    "Its path; may be left out where one step alone waits",
  ),
  choice: z.number().int().min(0).max(1_000_000).optional().describe(
    "The number of an option, from 0",
  ),
  approve: z.boolean().optional().describe("Yes, or no: then the step fails"),
  value: z.unknown().optional().describe("Any JSON that fits the schema of the question"),
  comment: z.string().max(4000).optional().describe("Goes with `approve`"),
}).strict().superRefine((body, ctx) => {
  const given = ANSWERS.filter((name) => body[name] !== undefined);
  const wrong = given.length === 1
    ? body.value === undefined ? undefined : boundProblem({ value: body.value }, MOST_VALUE)
    : "expected one of choice, approve, value";
  if (wrong !== undefined) {
    ctx.addIssue({ code: "custom", path: given.length === 1 ? ["value"] : [], message: wrong });
  }
}).openapi("Interaction");

const stepPath = z.string().min(1).max(1000).describe(
  "The path of a step: what comes before it stays, it and what follows is done anew",
);
export const retryRunRequestSchema = z.object({ from: stepPath.optional() }).strict()
  .openapi("RetryRunRequest");
export const forkRequestSchema = z.object({ from: stepPath, inputs }).strict()
  .openapi("ForkRequest", {
    description: "Inputs that are not given stay those of the first run; so does the definition",
  });

export type WorkflowJson = z.infer<typeof workflowSchema>;
export type WorkflowDetailJson = z.infer<typeof workflowDetailSchema>;
export type WorkflowValidationJson = z.infer<typeof validationSchema>;
export type DefinitionProblemJson = z.infer<typeof definitionProblemSchema>;
export type QuestionJson = z.infer<typeof questionSchema>;
export type StepHeadJson = z.infer<typeof stepHeadSchema>;
export type StepJson = z.infer<typeof stepSchema>;
export type RunHeadJson = z.infer<typeof runHeadSchema>;
export type RunJson = z.infer<typeof runSchema>;
export type RunEventJson = z.infer<typeof runEventSchema>;
export type PlanJson = z.infer<typeof planSchema>;
