/**
 * Puts together whatever works by jobs: the engine and its handlers, what they need of each other, and what begins
 * jobs by itself. Which stores, runners and plugins they work on is `app.ts`'s choice.
 */
import type { Pool } from "../sandbox/types.ts";
import type { Audit } from "./audit/audit.ts";
import { callHandler } from "./capabilities/call_handler.ts";
import type { Capabilities } from "./capabilities/capabilities.ts";
import { createCapabilities } from "./capabilities/create_capabilities.ts";
import { hostServices } from "./capabilities/host_services.ts";
import { searchHandler } from "./capabilities/search_handler.ts";
import { createEventLog, type EventLogKeeper } from "./event_log/create_event_log.ts";
import { logJobEnds } from "./event_log/job_ends.ts";
import type { EventBus } from "./events.ts";
import { createHooks, type Hooks } from "./hooks/create_hooks.ts";
import { hookHandler } from "./hooks/hook_handler.ts";
import { DAY_MS, every, systemClock } from "./jobs/clock.ts";
import type { JobCare } from "./jobs/job_care.ts";
import { classRates } from "./jobs/class_rates.ts";
import { retryAll } from "./jobs/dead.ts";
import { createJobs, type JobEngine } from "./jobs/dispatcher.ts";
import { createJobLogs } from "./jobs/job_log.ts";
import { createRetention } from "./jobs/retention.ts";
import type { Queue } from "./jobs/queue.ts";
import { artifactCapabilities } from "./library/artifact_capabilities.ts";
import { failUnfinished } from "./library/artifact_ends.ts";
import { createLibrary } from "./library/create_library.ts";
import { exportHandler } from "./library/export_pipeline.ts";
import { importHandler } from "./library/import_pipeline.ts";
import type { Library } from "./library/library.ts";
import type { Redirects } from "./library/redirects.ts";
import type { Network } from "./network/private.ts";
import { createHolds } from "./plugins/holds.ts";
import type { Plugins } from "./plugins/plugins.ts";
import { createPrompts } from "./prompts/create_prompts.ts";
import type { Prompts } from "./prompts/prompts.ts";
import { createSchedules } from "./schedules/create_schedules.ts";
import { askScheduler } from "./schedules/scheduler_plugin.ts";
import type { Schedules } from "./schedules/schedules.ts";
import type { Search } from "./search/search.ts";
import type { Settings } from "./settings.ts";
import type { BlobKeeper } from "./stores/blobs.ts";
import type { SqlStore } from "./stores/sql.ts";
import { createWorkflows } from "./workflows/create_workflows.ts";
import { createExpressions } from "./workflows/evaluate.ts";
import { createWorkflowFiles } from "./workflows/load.ts";
import { runHandler } from "./workflows/run_handler.ts";
import type { Workflows } from "./workflows/workflows.ts";

export interface WorkParts {
  readonly sql: SqlStore;
  readonly blobs: BlobKeeper;
  readonly queue: Queue;
  readonly events: EventBus;
  readonly plugins: Plugins;
  readonly pool: Pool;
  readonly network: Network;
  readonly audit: Audit;
  readonly redirects: Redirects;
  readonly search: Search;
  readonly settings: Settings;
  /** The data folder, real. */
  readonly dataDir: string;
  /** The folder of pipeline files. */
  readonly pipelinesDir: string;
  readonly safeMode?: boolean | undefined;
  /** Tells the operator. */
  readonly log: (line: string) => void;
}

/** Disposing it stops what runs and gives it back to the queue; the parts stay open. */
export interface Work extends AsyncDisposable {
  readonly engine: JobEngine;
  readonly library: Library;
  readonly prompts: Prompts;
  readonly capabilities: Capabilities;
  readonly workflows: Workflows;
  readonly eventLog: EventLogKeeper;
  readonly schedules: Schedules;
  readonly jobCare: JobCare;
  /** Takes up what the last host left, then works. */
  start(): Promise<void>;
}

export function createWork(given: WorkParts): Work {
  const { sql, blobs, queue, events, plugins, pool, network, audit, search, settings } = given;
  const { log, safeMode } = given;
  const stack = new AsyncDisposableStack();
  const prompts = stack.use(createPrompts({
    sql,
    plugins,
    network,
    events,
    dataDir: given.dataDir,
    timeoutMs: settings.jobs.prompt_s * 1000,
  }, () => engine));
  const holds = stack.use(createHolds({ sql, plugins, events, safeMode }, () => engine));
  const eventLog = stack.use(
    createEventLog({ sql, engine: () => engine, keepDays: settings.events.keep_days }),
  );
  const hooks: Hooks = stack.use(
    createHooks({ sql, eventLog, plugins, events, engine: () => engine, log }),
  );
  const services = hostServices({ library: () => library, search, sql, eventLog });
  const capabilities = createCapabilities({
    plugins,
    pool,
    order: settings.capabilities,
    audit,
    prompts,
    host: artifactCapabilities({ sql, blobs, eventLog }),
    services,
  });
  const runs = {
    sql,
    engine: () => engine,
    capabilities,
    expressions: createExpressions({ plugins, pool }),
    eventLog,
    // It is made after the handlers that need it.
    library: {
      importJob: (...args) => library.importJob(...args),
      exportJob: (...args) => library.exportJob(...args),
    } satisfies Pick<Library, "importJob" | "exportJob">,
  };
  const ends = [
    logJobEnds(eventLog),
    failUnfinished(eventLog),
    hooks.onEnd,
  ];
  const jobLogs = stack.use(createJobLogs({ sql, clock: systemClock }));
  const guests = { capabilities, services, prompts, sql };
  const parts = { sql, blobs, plugins, pool, prompts, eventLog, guests };
  const engine: JobEngine = stack.use(createJobs({
    sql,
    blobs,
    queue,
    events,
    handlers: {
      import: holds.holding(
        importHandler({ ...parts, jobs: () => engine.jobs, redirects: given.redirects }),
      ),
      export: holds.holding(exportHandler(parts)),
      run: runHandler(runs),
      // Without `holds`: where one provider is off, the next one serves.
      call: callHandler({ capabilities, sql }),
      search: searchHandler({ sql, search }),
      hook: hookHandler({ eventLog, plugins, pool, prompts, audit }),
      noop: { run: () => Promise.resolve(null) },
    },
    onEnd: async (tx, job) => {
      for (const end of ends) await end(tx, job);
    },
    concurrency: settings.jobs.concurrency,
    classLimits: (name) => {
      if (name.startsWith("site:")) return settings.jobs.per_site;
      // While one evaluates expressions it holds its slot: other work keeps the other half.
      if (name === "kind:run") return Math.max(1, Math.floor(settings.jobs.concurrency / 2));
      const id = name.startsWith("plugin:") ? name.slice("plugin:".length) : undefined;
      return id === undefined ? undefined : plugins.find(id)?.limits.concurrency;
    },
    classRates: classRates(settings.jobs.rates, (id) => plugins.find(id)?.manifest.rate),
    queueLimits: { total: settings.jobs.max_queued, perUser: settings.jobs.max_queued_per_user },
    log: jobLogs.write,
  }));
  const { jobs } = engine;
  const library = createLibrary({ sql, blobs, jobs, plugins, network, events, eventLog });
  const workflows = createWorkflows({
    ...runs,
    plugins,
    loadWorkflows: createWorkflowFiles(given.pipelinesDir).load,
  });
  const asking = new AbortController();
  const schedules = stack.use(createSchedules({
    sql,
    jobs,
    importJob: library.importJob,
    startRun: (name, options, actor) => workflows.start(name, options, actor),
    checkRun: (name, inputs, actor) => workflows.plan(name, { inputs }, actor),
    askPlugin: askScheduler({ plugins, pool }, asking.signal),
  }));
  stack.defer(() => asking.abort());

  const retention = stack.use(createRetention({
    sql,
    clock: systemClock,
    keepDays: settings.jobs.keep_days,
    report: (error) => log(`cannot delete old jobs: ${error}`),
  }));

  let tidying: Promise<void> = Promise.resolve();
  function tidy(): void {
    tidying = tidying.then(() => eventLog.prune(hooks.beforePrune)).then(
      () => {},
      (error) => log(`cannot delete old events: ${error}`),
    );
  }

  return {
    engine,
    library,
    prompts,
    capabilities,
    workflows,
    eventLog,
    schedules,
    jobCare: {
      log: jobLogs,
      retention,
      retryAll: (filter, options) => retryAll({ sql, jobs }, filter, options),
    },
    async start() {
      await prompts.start();
      await holds.start();
      await engine.start();
      await eventLog.catchUp();
      await hooks.start();
      schedules.start();
      retention.start();
      stack.defer(() => tidying);
      stack.defer(every(systemClock, DAY_MS, tidy));
      tidy();
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
