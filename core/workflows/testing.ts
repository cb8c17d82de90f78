/** For tests of runs: definitions by hand, expressions that are JavaScript, and a workshop with an engine of runs. */
import { createEventLog } from "../event_log/create_event_log.ts";
import type { EventLog } from "../event_log/event_log.ts";
import type { Actor } from "../auth/actor.ts";
import { CarrelError } from "../errors.ts";
import type { CreateJobsOptions, JobEngine } from "../jobs/dispatcher.ts";
import type { Job, JobHandler, JobKind } from "../jobs/job.ts";
import { openWorkshop, within, type Workshop } from "../jobs/testing.ts";
import type { SqlStore } from "../stores/sql.ts";
import { createWorkflows } from "./create_workflows.ts";
import type { Step, WorkflowDefinition } from "./definition.ts";
import type { Expressions } from "./expressions.ts";
import type { RunParts, WorkflowsParts } from "./parts.ts";
import { runHandler } from "./run_handler.ts";
import { fillTemplate } from "./templates.ts";
import type { Workflow, Workflows } from "./workflows.ts";

export const ACTOR: Actor = { user: "user_1", role: "editor" };

type Loose<S> = S extends Step
  ? Omit<Partial<S>, "steps" | "branches" | "then" | "else"> & { id: string; kind: S["kind"] }
  : never;
type LooseStep = Loose<Step> & {
  readonly steps?: readonly Step[];
  readonly branches?: Readonly<Record<string, readonly Step[]>>;
  readonly then?: readonly Step[];
  readonly else?: readonly Step[];
};

/** A step with what it has to have. */
export function step(given: LooseStep): Step {
  return {
    line: 1,
    title: undefined,
    needs: undefined,
    when: undefined,
    optional: false,
    attempts: undefined,
    timeout: undefined,
    ...(given.kind === "call" ? { capability: "test.echo", with: null, provider: undefined } : {}),
    ...(given.kind === "foreach" ? { parallel: 4, collect: undefined } : {}),
    ...(given.kind === "if" ? { then: [], else: [] } : {}),
    ...(given.kind === "wait" ? { onTimeout: undefined } : {}),
    ...given,
  } as Step;
}

/** A call of `test.echo`: its result is what it is given. */
export const echo = (id: string, given: unknown = id, more: Partial<LooseStep> = {}): Step =>
  step({ ...more, id, kind: "call", with: given as never } as LooseStep);

export function workflow(
  steps: readonly Step[],
  more: Partial<WorkflowDefinition> = {},
): Workflow {
  const definition: WorkflowDefinition = {
    name: "test",
    title: undefined,
    description: undefined,
    inputs: {},
    steps,
    outputs: undefined,
    failFast: true,
    timeout: undefined,
    ...more,
  };
  return { name: definition.name, digest: "d", definition, problems: [], file: "test.yaml" };
}

/** Expressions are JavaScript here, so that the engine of runs is tested without a runner. */
export const scriptExpressions: Expressions = {
  resolve: (asked) =>
    Promise.resolve(asked.map(({ template, scope }) =>
      fillTemplate(template, (source) => {
        try {
          return new Function(...Object.keys(scope), `return (${source})`)(...Object.values(scope));
        } catch (error) {
          throw new CarrelError("invalid_expression", `Cannot evaluate "${source}": ${error}`);
        }
      })
    )),
};

/** What a call does: answers with the value of its result. */
export type Act = (
  capability: string,
  input: unknown,
  job: Job,
  signal: AbortSignal,
) => unknown;

export interface RunShop extends AsyncDisposable {
  readonly shop: Workshop;
  readonly engine: JobEngine;
  readonly workflows: Workflows;
  readonly log: EventLog;
  readonly parts: WorkflowsParts;
  /** Starts the workflow and waits for its end. */
  finish(workflow: Workflow, inputs?: Record<string, unknown>): Promise<Job>;
  ended(id: string): Promise<Job>;
  /** Resolves once the run's job waits for nothing but a signal. */
  settled(id: string): Promise<void>;
}

export interface RunShopOptions {
  readonly act?: Act | undefined;
  /** Capabilities that nobody provides. */
  readonly missing?: readonly string[] | undefined;
  readonly library?: RunParts["library"] | undefined;
  readonly handlers?: Partial<Record<JobKind, JobHandler>> | undefined;
  readonly expressions?: Expressions | undefined;
  readonly files?: readonly Workflow[] | undefined;
  readonly jobs?: Partial<CreateJobsOptions> | undefined;
  readonly start?: boolean | undefined;
  /** Instead of the workshop's. */
  readonly sql?: SqlStore | undefined;
}

export async function openRuns(options: RunShopOptions = {}): Promise<RunShop> {
  return await runsOver(await openWorkshop(), options);
}

/** An engine of runs over stores that are there already. */
export async function runsOver(shop: Workshop, options: RunShopOptions = {}): Promise<RunShop> {
  const { clock } = shop;
  const sql = options.sql ?? shop.sql;
  await shop.sql.db.insertInto("user").values({
    id: ACTOR.user,
    name: "one",
    role: ACTOR.role,
    created: new Date(clock.now()).toISOString(),
  }).onConflict((conflict) => conflict.column("id").doNothing()).execute();
  const made: { engine?: JobEngine } = {};
  const engine = () => made.engine!;
  const log = createEventLog({ sql, engine, clock });
  const none = () => {
    throw new CarrelError("no_plugin", "Cannot do it: there is no plugin");
  };
  const parts: WorkflowsParts = {
    sql,
    engine,
    clock,
    eventLog: log,
    expressions: options.expressions ?? scriptExpressions,
    library: options.library ?? { importJob: none, exportJob: none },
    capabilities: {
      choose: (name) =>
        options.missing?.includes(name) ? { none: "nobody has it" } : { plugin: "step.test" },
      host: () => undefined,
    },
    plugins: {
      find: () => undefined,
      permissions: () => [],
      matchUrl: () => [],
      matchFormat: () => [],
    },
    loadWorkflows: () => Promise.resolve(options.files ?? []),
  };
  const act = options.act ?? ((_capability, input) => input);
  const call: JobHandler = {
    async run({ job, signal }) {
      const { capability, input } = job.input as { capability: string; input: unknown };
      const value = await act(capability, input, job, signal);
      return { value, provider: { id: "step.test" }, usage: [], skipped: [] };
    },
  };
  made.engine = shop.engine({
    sql,
    handlers: { run: runHandler(parts), call, ...options.handlers },
    ...options.jobs,
  });
  if (options.start !== false) await made.engine.start();
  const workflows = createWorkflows(parts);
  const runs: RunShop = {
    shop,
    engine: made.engine,
    workflows,
    log,
    parts,
    async finish(what, inputs = {}) {
      const { id } = await workflows.start(what, { inputs }, ACTOR);
      return await runs.ended(id);
    },
    ended: (id) => within(made.engine!.jobs.finished(id), `the end of ${id}`),
    async settled(id) {
      for await (const { status } of made.engine!.jobs.watch(id, {})) {
        if (status !== "waiting") continue;
        const job = await made.engine!.jobs.get(id);
        if (job.status === "waiting" && job.waitsFor === "signal") return;
      }
      throw new Error(`${id} has ended`);
    },
    async [Symbol.asyncDispose]() {
      await log[Symbol.asyncDispose]();
      await shop[Symbol.asyncDispose]();
    },
  };
  return runs;
}
