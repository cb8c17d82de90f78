/**
 * The jobs of plugins that are off: they are held, not failed. Whether a plugin was set aside because it goes on
 * crashing, was disabled, or is off in safe mode, its jobs become `waiting` as they come up, say why, and take no
 * slot. They go on when the plugin is on again, by whatever way: enabled, rolled back, in a new version, after a
 * restart. New work is not held but refused: who asks is there to choose.
 *
 * Jobs of a plugin that is gone fail, all that have not ended: the next one that has the id may be anybody's, and gets
 * nothing that was handed to the one before. A job whose runner the host has ended begins that stage again.
 *
 * What holds a job stands in its row, as its error; nothing of it is in this process alone.
 */
import type { Kysely } from "kysely";
import { sql as raw } from "kysely";
import { CarrelError } from "../errors.ts";
import type { EventBus } from "../events.ts";
import type { JobEngine } from "../jobs/dispatcher.ts";
import { END_STATUSES, isEnded, type JobError, type JobHandler, JobWaits } from "../jobs/job.ts";
import type { Database, SqlStore } from "../stores/sql.ts";
import { SandboxError } from "../../sandbox/types.ts";
import type { Gone, Plugin, Plugins } from "./plugins.ts";

export interface HoldsOptions {
  readonly sql: SqlStore;
  readonly plugins: Pick<Plugins, "find" | "onGone">;
  readonly events: EventBus;
  /** Whether installed plugins are off whatever was decided about them. @default false */
  readonly safeMode?: boolean | undefined;
  /** @default console.error */
  readonly report?: ((error: unknown) => void) | undefined;
}

export interface Holds extends AsyncDisposable {
  /** Lets go what was held when the host ended and need not be held any more. */
  start(): Promise<void>;
  /** The same handler, whose jobs wait while a plugin that they need is off. */
  holding<T>(handler: JobHandler<T>): JobHandler<T>;
}

/** @param engine The jobs; they are there only after their handlers, which need the holds. */
export function createHolds(
  options: HoldsOptions,
  engine: () => Pick<JobEngine, "jobs" | "waiting">,
): Holds {
  const { sql, plugins, events, safeMode = false, report = console.error } = options;
  /** By job: the plugin for which an attempt waits that has not given its slot back yet. */
  const asked = new Map<string, string>();
  const working = new Set<Promise<void>>();

  function background(work: Promise<unknown>): void {
    const settled: Promise<void> = work.then(() => {}, report).finally(() =>
      working.delete(settled)
    );
    working.add(settled);
  }

  /** Lets a job go on if its plugin is on, ends it if the plugin is gone. */
  async function settle(job: string, id: string): Promise<void> {
    const plugin = plugins.find(id);
    const { waiting } = engine();
    if (plugin === undefined) await waiting.fail(job, goneError({ plugin: id }));
    else if (plugin.enabled) await waiting.resume(job);
  }

  async function settleAll(which: (plugin: string) => boolean): Promise<void> {
    for (const { job, plugin } of await heldJobs(sql.db)) {
      if (which(plugin)) await settle(job, plugin);
    }
  }

  const stops = [
    plugins.onGone(async (tx, gone) => {
      const error = goneError(gone);
      for (const job of await jobsOf(tx, gone.plugin)) {
        await engine().waiting.failIn(tx, job, error);
      }
    }),
    events.on("plugin.changed", ({ plugin }) => {
      // For those that have just failed.
      engine().jobs.wake();
      if (plugins.find(plugin)?.enabled === false) return;
      background(settleAll((id) => id === plugin));
    }),
    events.on("job.event", ({ job_id, status }) => {
      const plugin = asked.get(job_id);
      if (plugin === undefined || status !== "waiting" && !isEnded(status)) return;
      asked.delete(job_id);
      // Somebody may have been quicker than the attempt.
      if (status === "waiting") background(settle(job_id, plugin));
    }),
  ];

  function hold(job: string, plugin: Plugin): JobWaits {
    asked.set(job, plugin.id);
    const { message, code } = wordsOf(plugin, safeMode);
    const error = { code, message, retryable: true, details: { held: plugin.id } } as const;
    return new JobWaits(message, () => Promise.resolve(), { for: "plugin", error });
  }

  return {
    start: () => settleAll(() => true),
    holding: (handler) => ({
      ...handler,
      async run(run) {
        const { id, plugin } = run.job;
        const own = plugin === undefined ? undefined : plugins.find(plugin);
        if (own?.enabled === false) throw hold(id, own);
        try {
          return await handler.run(run);
        } catch (error) {
          // It may need others too, and they may be switched off on the way.
          const off = plugins.find(offPlugin(error) ?? "");
          if (off?.enabled === false) throw hold(id, off);
          throw wasClosed(error) ? again() : error;
        }
      },
    }),
    async [Symbol.asyncDispose]() {
      for (const stop of stops) stop();
      while (working.size > 0) await Promise.all(working);
    },
  };
}

/** Whether the host has ended the runner: because its plugin was switched off or changed, or a grant taken back. */
function wasClosed(error: unknown): boolean {
  return error instanceof SandboxError && error.code === "lost" && error.data["closed"] === true;
}

/** Back to the queue at once, and no try is lost: whether the plugin may still do it shows then. */
function again(): JobWaits {
  const unless = () => Promise.resolve(true);
  return new JobWaits("begins again: its runner was ended", () => Promise.resolve(), {
    for: "plugin",
    unless,
  });
}

/** The plugin that could not be started because it is off: see `checkStartable`. */
function offPlugin(error: unknown): string | undefined {
  if (!(error instanceof CarrelError) || error.details?.["state"] === undefined) return undefined;
  const { plugin } = error.details;
  return typeof plugin === "string" ? plugin : undefined;
}

function wordsOf({ id, state, error, builtin }: Plugin, safeMode: boolean) {
  const words = (why: string, until: string) => `is held: the plugin "${id}" ${why}. ${until}`;
  const enable = `It goes on after: carrel plugin enable ${id}`;
  if (state === "quarantined") {
    return {
      code: "quarantined",
      message: words(`was set aside (${error ?? "it crashed again and again"})`, enable),
    } as const;
  }
  const message = safeMode && !builtin
    ? words(
      "is off, for this Carrel runs in safe mode",
      "It goes on when Carrel is started without --safe-mode",
    )
    : words("is disabled", enable);
  return { code: "conflict", message } as const;
}

function goneError({ plugin, replacedBy }: Pick<Gone, "plugin"> & Partial<Gone>): JobError {
  const common = { retryable: false, details: { plugin } };
  return replacedBy === undefined
    ? {
      ...common,
      code: "not_found",
      message: `Cannot go on: the plugin "${plugin}" was uninstalled`,
    }
    : {
      ...common,
      code: "conflict",
      message:
        `Cannot go on: another plugin has taken the id "${plugin}" (from ${replacedBy}), and gets nothing that was handed to the one before`,
    };
}

/** All that were handed to a plugin and have not ended: its own, those held for it, those that ask for it. */
async function jobsOf(tx: Kysely<Database>, plugin: string): Promise<readonly string[]> {
  const own = await tx.selectFrom("job").select("id")
    .where("status", "not in", END_STATUSES)
    .where((where) =>
      where.or([
        where("plugin", "=", plugin),
        where.and([
          where("kind", "=", "call"),
          where(raw<string>`json_extract(input_json, '$.provider')`, "=", plugin),
        ]),
        where("id", "in", (db) =>
          db.selectFrom("prompt").select("job_id").where("plugin", "=", plugin)
            .where("state", "=", "waiting")),
      ])
    ).orderBy("row").execute();
  const held = (await heldJobs(tx)).filter((one) => one.plugin === plugin);
  return [...new Set([...own.map(({ id }) => id), ...held.map(({ job }) => job)])];
}

/** In the order in which they were added. */
async function heldJobs(db: Kysely<Database>): Promise<{ job: string; plugin: string }[]> {
  const rows = await db.selectFrom("job").select(["id", "error_json"])
    .where("status", "=", "waiting")
    // Implied, but the index is used only where it is said.
    .where("status", "<>", raw.lit("queued"))
    .where("error_json", "is not", null).orderBy("row").execute();
  return rows.flatMap(({ id, error_json }) => {
    const held = (JSON.parse(error_json!) as JobError).details?.["held"];
    return typeof held === "string" ? [{ job: id, plugin: held }] : [];
  });
}
