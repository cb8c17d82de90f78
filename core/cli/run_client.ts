/** The routes of workflows and runs, as functions; a part of the client. */
import type {
  PageJson,
  PlanJson,
  RunEventJson,
  RunHeadJson,
  RunJson,
  StepJson,
  WorkflowDetailJson,
  WorkflowJson,
} from "./wire.ts";
import type { Transport } from "./transport.ts";
import { watchRun, type WatchRunOptions } from "./watch_run.ts";

/** A workflow by its name, or a definition that is not among the files. */
export type WorkflowRef = { readonly name: string } | { readonly yaml: string };

export interface StartRun {
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly ensure_key?: string | undefined;
  readonly priority?: number | undefined;
}

export type AnswerJson =
  | { readonly choice: number }
  | { readonly approve: boolean; readonly comment?: string | undefined }
  | { readonly value: unknown };

const part = encodeURIComponent;

export function createRunClient(http: Transport) {
  const { json } = http;
  const path = (id: string) => `/api/runs/${part(id)}`;
  const target = (workflow: WorkflowRef, named: string, text: string) =>
    "name" in workflow
      ? { path: `/api/workflows/${part(workflow.name)}/${named}`, more: {} }
      : { path: `/api/workflows/${text}`, more: { yaml: workflow.yaml } };

  return {
    workflows: () => json<{ items: readonly WorkflowJson[] }>("GET", "/api/workflows"),
    workflow: (name: string) => json<WorkflowDetailJson>("GET", `/api/workflows/${part(name)}`),
    plan(workflow: WorkflowRef, inputs: Readonly<Record<string, unknown>>): Promise<PlanJson> {
      const { path, more } = target(workflow, "plan", "plan");
      return json("POST", path, { body: { ...more, inputs } });
    },
    start(workflow: WorkflowRef, run: StartRun, signal?: AbortSignal): Promise<RunJson> {
      const { path, more } = target(workflow, "runs", "run");
      return json("POST", path, {
        body: { ...more, ...run },
        headers: { "idempotency-key": crypto.randomUUID() },
        signal,
      });
    },
    list: (
      filter: {
        readonly workflow?: string | undefined;
        readonly status?: string | undefined;
        readonly limit?: number | undefined;
        readonly cursor?: string | undefined;
      } = {},
    ) => json<PageJson<RunHeadJson>>("GET", "/api/runs", { query: filter }),
    /** Without what its steps were given and what came out of them, unless asked for. */
    get: (id: string, whole = false) =>
      json<RunJson>("GET", path(id), { query: whole ? {} : { brief: true } }),
    step: (id: string, step: string) => json<StepJson>("GET", `${path(id)}/steps/${part(step)}`),
    answer: (id: string, step: string | undefined, answer: AnswerJson) =>
      json<RunJson>("POST", `${path(id)}/interact`, { body: { step, ...answer } }),
    retry: (id: string, from?: string) =>
      json<RunJson>("POST", `${path(id)}/retry`, { body: { from } }),
    fork: (id: string, from: string, inputs: Readonly<Record<string, unknown>>) =>
      json<RunJson>("POST", `${path(id)}/fork`, { body: { from, inputs } }),
    cancel: (id: string) => json<RunJson>("DELETE", path(id)),
    /** How the run and its steps stand, then each change, to its end; goes on over lost connections. */
    watch: (id: string, options: WatchRunOptions = {}): AsyncIterable<RunEventJson> =>
      watchRun(http, id, options),
  };
}
