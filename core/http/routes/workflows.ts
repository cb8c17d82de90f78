/**
 * Workflows: list, read, check, plan, start. Who may start one may also start a definition that is not among the
 * files: its steps do nothing that the same person could not ask for one by one, and run as that person.
 */
import { z } from "@hono/zod-openapi";
import { CarrelError } from "../../errors.ts";
import type { DefinitionProblem } from "../../workflows/definition.ts";
import type { Api } from "../api.ts";
import { planJson, runJson, workflowDetailJson, workflowJson } from "../run_json.ts";
import {
  planRequestSchema,
  planSchema,
  planTextRequestSchema,
  runSchema,
  startRequestSchema,
  startTextRequestSchema,
  validateRequestSchema,
  validationSchema,
  workflowDetailSchema,
  workflowSchema,
} from "../run_schemas.ts";
import { idempotencyHeader, json } from "./common.ts";

const nameParam = z.object({
  name: z.string().min(1).max(200).openapi({ param: { name: "name", in: "path" } }),
});

const started = {
  202: {
    description: "The run, its steps in brief; `Location` leads to it",
    headers: z.object({ location: z.string() }),
    content: json(runSchema),
  },
};

type Start = z.infer<typeof startRequestSchema>;
type Headers = z.infer<typeof idempotencyHeader>;

export function addWorkflowRoutes(api: Api): void {
  const { workflows } = api.host;
  api.route("reader", {
    method: "get",
    path: "/api/workflows",
    tags: ["workflows"],
    summary: "List the workflows that can be started by name",
    description: "Files that are wrong are listed with their problems.",
    responses: {
      200: {
        description: "All of them, by name",
        content: json(z.object({ items: z.array(workflowSchema) })),
      },
    },
  }, async (c) => c.json({ items: (await workflows.list()).map(workflowJson) }, 200));

  api.route("reader", {
    method: "get",
    path: "/api/workflows/{name}",
    tags: ["workflows"],
    summary: "A workflow: its definition, its inputs, its problems",
    request: { params: nameParam },
    responses: { 200: { description: "The workflow", content: json(workflowDetailSchema) } },
  }, async (c) => {
    const { name } = c.req.valid("param");
    return c.json(workflowDetailJson(await workflows.get(name)), 200);
  });

  api.route("reader", {
    method: "post",
    path: "/api/workflows/validate",
    tags: ["workflows"],
    summary: "Check a definition",
    request: { body: { required: true, content: json(validateRequestSchema) } },
    responses: {
      200: { description: "What is wrong with it, if anything", content: json(validationSchema) },
    },
  }, async (c) => {
    const { yaml } = c.req.valid("json");
    const answer = await workflows.parse(yaml).then(
      (workflow) => ({ valid: true, problems: [], workflow: workflowJson(workflow) }),
      (error) => ({ valid: false, problems: problemsOf(error), workflow: null }),
    );
    return c.json(answer, 200);
  });

  api.route("reader", {
    method: "post",
    path: "/api/workflows/{name}/plan",
    tags: ["workflows"],
    summary: "What a run would do, without doing it",
    request: { params: nameParam, body: { content: json(planRequestSchema) } },
    responses: { 200: { description: "The plan", content: json(planSchema) } },
  }, async (c) => {
    const { name } = c.req.valid("param");
    const { inputs } = c.req.valid("json");
    return c.json(planJson(await workflows.plan(name, { inputs }, c.get("actor"))), 200);
  });

  api.route("reader", {
    method: "post",
    path: "/api/workflows/plan",
    tags: ["workflows"],
    summary: "What a run of a definition that is not among the files would do",
    request: { body: { required: true, content: json(planTextRequestSchema) } },
    responses: { 200: { description: "The plan", content: json(planSchema) } },
  }, async (c) => {
    const { yaml, inputs } = c.req.valid("json");
    const workflow = await workflows.parse(yaml);
    return c.json(planJson(await workflows.plan(workflow, { inputs }, c.get("actor"))), 200);
  });

  api.route("editor", {
    method: "post",
    path: "/api/workflows/{name}/runs",
    tags: ["workflows", "runs"],
    summary: "Start a run",
    request: {
      params: nameParam,
      headers: idempotencyHeader,
      body: { content: json(startRequestSchema) },
    },
    responses: started,
  }, async (c) => {
    const { name } = c.req.valid("param");
    const options = startOptions(c.req.valid("json"), c.req.valid("header"));
    const run = await workflows.start(name, options, c.get("actor"));
    return c.json(runJson(run, true), 202, { location: `/api/runs/${run.id}` });
  });

  api.route("editor", {
    method: "post",
    path: "/api/workflows/run",
    tags: ["workflows", "runs"],
    summary: "Start a run of a definition that is not among the files",
    request: {
      headers: idempotencyHeader,
      body: { required: true, content: json(startTextRequestSchema) },
    },
    responses: started,
  }, async (c) => {
    const { yaml, ...rest } = c.req.valid("json");
    const workflow = await workflows.parse(yaml);
    const options = startOptions(rest, c.req.valid("header"));
    const run = await workflows.start(workflow, options, c.get("actor"));
    return c.json(runJson(run, true), 202, { location: `/api/runs/${run.id}` });
  });
}

function startOptions({ inputs, ensure_key, priority }: Start, headers: Headers) {
  const key = headers["idempotency-key"];
  return {
    inputs,
    ensureKey: ensure_key,
    priority,
    refusable: true,
    idempotencyKey: key === undefined ? undefined : `run:${key}`,
  };
}

/** The problems of a definition that is wrong; other failures are thrown on. */
function problemsOf(error: unknown): DefinitionProblem[] {
  if (!(error instanceof CarrelError) || error.code !== "invalid_workflow") throw error;
  const { problems } = (error.details ?? {}) as { problems?: readonly DefinitionProblem[] };
  return [...problems ?? [{ line: 1, column: 1, message: error.message }]];
}
