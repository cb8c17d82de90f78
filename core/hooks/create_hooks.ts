/**
 * Hooks: plugins that are told what happened. Each has a cursor on disk, the number of the last event that it is
 * done with, and at most one open job, for the next one: so they are told in order, at least once each, and one
 * that is slow, broken or off holds up nobody but itself.
 */
import type { EventBus } from "../events.ts";
import type { EventLog } from "../event_log/event_log.ts";
import { matchesName } from "../event_log/names.ts";
import { type Clock, systemClock } from "../jobs/clock.ts";
import { effectsOf } from "../jobs/effects.ts";
import type { JobEngine } from "../jobs/dispatcher.ts";
import { isEnded, type Job } from "../jobs/job.ts";
import type { Plugin, Plugins } from "../plugins/plugins.ts";
import type { SqlStore, Tx } from "../stores/sql.ts";
import {
  countMatching,
  cursorsOfHooks,
  deleteCursor,
  openHookJobs,
  readCursor,
  setCursor,
} from "./cursor_rows.ts";
import type { HookInput } from "./hook_handler.ts";

export interface CreateHooksOptions {
  readonly sql: SqlStore;
  readonly eventLog: Pick<EventLog, "read" | "newest" | "watch">;
  readonly plugins: Pick<Plugins, "list" | "find">;
  /** Tells of `plugin.changed`. */
  readonly events: EventBus;
  readonly engine: () => {
    readonly jobs: Pick<JobEngine["jobs"], "add" | "cancel">;
    readonly waiting: Pick<JobEngine["waiting"], "resume">;
  };
  /** Tells the operator. */
  readonly log: (line: string) => void;
  /** @default the system's */
  readonly clock?: Clock | undefined;
  /** For faults of the stores. @default console.error */
  readonly report?: ((error: unknown) => void) | undefined;
}

/** Disposing it tells nobody any more; the jobs that are there stay. */
export interface Hooks extends AsyncDisposable {
  /** Begins to tell. Call it before the jobs are started or after. */
  start(): Promise<void>;
  /** To be called with each job that has ended, in the transaction that ended it. */
  onEnd(tx: Tx, job: Job): Promise<void>;
  /** To be told before events up to a number are deleted: who was not told of them never will be. */
  beforePrune(upToSeq: number): Promise<void>;
  /** Resolves when nothing is under way here. */
  idle(): Promise<void>;
}

/** Behind what people wait for. */
const PRIORITY = 3;
const RETRY_MS = 5_000;

export function createHooks(options: CreateHooksOptions): Hooks {
  const { sql, eventLog, plugins, engine, log } = options;
  const clock = options.clock ?? systemClock;
  const report = options.report ?? ((error) => console.error(error));
  /** Hooks with an open job: its end brings the next one. */
  const busy = new Set<string>();
  /** What is under way for a hook, and whether it is to be looked at once more. */
  const pumping = new Map<string, { again: boolean; readonly done: Promise<void> }>();
  const working = new Set<Promise<void>>();
  let watching: { readonly stop: AbortController; readonly done: Promise<void> } | undefined;
  let stopListening = () => {};
  /** Timers of what is to be tried again. */
  const retries = new Map<string, () => void>();
  let stopped = false;

  const hooks = () => plugins.list({ kind: "hook", enabled: true }).filter(isTold);
  const isTold = ({ granted }: Plugin) => granted.events.length > 0;
  const isLive = (id: string) => hooks().some((plugin) => plugin.id === id);

  /** Does it again in a while; once, however often that is asked for meanwhile. */
  function later(what: string, run: () => void): void {
    if (stopped || retries.has(what)) return;
    retries.set(
      what,
      clock.after(RETRY_MS, () => {
        retries.delete(what);
        run();
      }),
    );
  }

  function background(work: Promise<unknown>): void {
    const done: Promise<void> = work.then(() => {}, report).finally(() => working.delete(done));
    working.add(done);
  }

  /** Adds the job for the next event that a hook is to be told of, if there is one and no job is open. */
  function pump(id: string): void {
    if (stopped || busy.has(id)) return;
    const current = pumping.get(id);
    if (current !== undefined) {
      current.again = true;
      return;
    }
    const state = { again: false, done: Promise.resolve() };
    pumping.set(id, state);
    background(
      (async () => {
        try {
          do {
            state.again = false;
            await addNext(id);
          } while (state.again && !busy.has(id) && !stopped);
        } catch (error) {
          // Else it would stand still until something else happens.
          later(`pump ${id}`, () => pump(id));
          throw error;
        } finally {
          pumping.delete(id);
        }
      })(),
    );
  }

  async function addNext(id: string): Promise<void> {
    const plugin = plugins.find(id);
    if (plugin === undefined || !isLive(id)) return;
    const cursor = await cursorOf(id);
    const [next] = await eventLog.read(cursor, { names: plugin.granted.events }, 1);
    if (next === undefined) return;
    const input: HookInput = { event: next.seq };
    busy.add(id);
    try {
      const job = await engine().jobs.add({
        kind: "hook",
        plugin: id,
        input,
        user: "host",
        priority: PRIORITY,
        idempotencyKey: `hook:${id}:${next.seq}`,
        flightKey: `hook:${id}`,
      });
      if (!isEnded(job.status)) return;
      await sql.transaction((tx) => setCursor(tx, id, next.seq));
      busy.delete(id);
      pump(id);
    } catch (error) {
      busy.delete(id);
      throw error;
    }
  }

  /** A hook that is new begins with what comes next. */
  async function cursorOf(id: string): Promise<number> {
    const known = await readCursor(sql.db, id);
    if (known !== undefined) return known;
    const newest = await eventLog.newest();
    await sql.transaction((tx) => setCursor(tx, id, newest));
    return newest;
  }

  /** Plugins have changed: who is on is told of what it has missed, who is gone is forgotten. */
  async function refresh(): Promise<void> {
    const on = hooks();
    if (on.length === 0) {
      watching?.stop.abort();
      watching = undefined;
    } else if (watching === undefined && !stopped) {
      // From before the cursors are read, so that nothing falls in between.
      const stop = new AbortController();
      const done = watch(await eventLog.newest(), stop.signal).catch(report);
      watching = { stop, done };
    }
    for (const job of await openHookJobs(sql.db)) {
      const plugin = plugins.find(job.plugin);
      if (plugin === undefined) await engine().jobs.cancel(job.id);
      else if (plugin.enabled && job.waitsForPlugin) await engine().waiting.resume(job.id);
    }
    for (const { hook } of await cursorsOfHooks(sql.db)) {
      if (plugins.find(hook) === undefined) {
        await sql.transaction((tx) => deleteCursor(tx, hook));
      }
    }
    for (const { id } of on) {
      await cursorOf(id);
      pump(id);
    }
  }

  async function watch(afterSeq: number, signal: AbortSignal): Promise<void> {
    try {
      for await (const event of eventLog.watch({ afterSeq, signal })) {
        for (const { id, granted } of hooks()) {
          if (granted.events.some((pattern) => matchesName(pattern, event.name))) pump(id);
        }
      }
    } finally {
      // A store that failed may answer again.
      if (!signal.aborted && !stopped) {
        watching = undefined;
        later("refresh", changed);
      }
    }
  }

  let refreshing = Promise.resolve();
  function changed(): void {
    if (stopped) return;
    refreshing = refreshing.catch(() => {}).then(refresh);
    background(refreshing.catch((error) => {
      later("refresh", changed);
      throw error;
    }));
  }

  return {
    async start() {
      for (const job of await openHookJobs(sql.db)) busy.add(job.plugin);
      stopListening = options.events.on("plugin.changed", changed);
      await (refreshing = refreshing.then(refresh));
    },

    async onEnd(tx, job) {
      if (job.kind !== "hook" || job.plugin === undefined) return;
      const id = job.plugin;
      await setCursor(tx, id, (job.input as HookInput).event);
      const goOn = () => {
        busy.delete(id);
        pump(id);
      };
      // In somebody else's transaction at once: what is read then waits for its end, and a job that is open after
      // all stands for the next one.
      (effectsOf(tx) ?? ((run) => run()))(goOn);
    },

    async beforePrune(upToSeq) {
      for (const { hook, seq } of await cursorsOfHooks(sql.db)) {
        if (seq >= upToSeq) continue;
        const patterns = plugins.find(hook)?.granted.events ?? [];
        const missed = await countMatching(sql.db, seq, upToSeq, patterns);
        await sql.transaction((tx) => setCursor(tx, hook, upToSeq));
        if (missed === 0) continue;
        log(`${hook} will not be told of ${missed} events: they are older than events are kept`);
      }
    },

    async idle() {
      while (working.size > 0) await Promise.all(working);
    },

    async [Symbol.asyncDispose]() {
      stopped = true;
      stopListening();
      for (const takeBack of retries.values()) takeBack();
      watching?.stop.abort();
      await watching?.done;
      while (working.size > 0) await Promise.all(working);
    },
  };
}
