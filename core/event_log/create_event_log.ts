/** The log of events, on the sql store. */
import { CarrelError } from "../errors.ts";
import { createFanOut } from "../fan_out.ts";
import { type Clock, DAY_MS, systemClock } from "../jobs/clock.ts";
import type { JobEngine } from "../jobs/dispatcher.ts";
import { effectsOf } from "../jobs/effects.ts";
import type { SqlStore, Tx } from "../stores/sql.ts";
import { type EventFilter, type EventLog, HOST_USER, type LoggedEvent } from "./event_log.ts";
import {
  deleteUpTo,
  insertEvent,
  lastOlderThan,
  newestSeq,
  readEvents,
  sizeOfEvent,
  touchMissedRuns,
  touchWaitingRuns,
} from "./event_rows.ts";
import { checkPatterns, isEventName, matchesFilter } from "./names.ts";

export interface CreateEventLogOptions {
  readonly sql: SqlStore;
  /** The engine whose runs wait for events: it may be made after the log. */
  readonly engine: () => {
    readonly jobs: Pick<JobEngine["jobs"], "wake">;
    readonly waiting: Pick<JobEngine["waiting"], "resumeIn">;
  };
  /** @default the system's */
  readonly clock?: Pick<Clock, "now"> | undefined;
  /** How long events are kept. @default 30 */
  readonly keepDays?: number | undefined;
  /** New events kept in memory for those who watch. @default 1000 */
  readonly keepInMemory?: number | undefined;
  /** For faults of the store. @default console.error */
  readonly report?: ((error: unknown) => void) | undefined;
}

/** Disposing it ends all watching; the store stays open. */
export interface EventLogKeeper extends EventLog, AsyncDisposable {
  /**
   * Deletes what is older than the days that events are kept, in short transactions; answers with how many.
   * `before` is told first up to which number.
   */
  prune(before?: (upToSeq: number) => Promise<void>): Promise<number>;
  /** Lets runs go on that wait for what is in the log: the host may have ended before it had told them all. */
  catchUp(): Promise<void>;
  /** Resolves when nothing is under way here. */
  idle(): Promise<void>;
}

const MOST_PAYLOAD_BYTES = 64 * 1024;
const MOST_SUBJECT = 200;
const MOST_AT_ONCE = 500;
/** Runs that one transaction lets go on: that of the event itself, and each of those after it. */
const RUNS_AT_ONCE = 50;

export function createEventLog(options: CreateEventLogOptions): EventLogKeeper {
  const { sql, engine, keepDays = 30 } = options;
  const clock = options.clock ?? systemClock;
  const feed = createFanOut<LoggedEvent, EventFilter>({
    newest: () => newestSeq(sql.db),
    read: (afterSeq, upToSeq, limit, filter) =>
      readEvents(sql.db, { afterSeq, upToSeq, limit, filter }),
    matches: (event, filter) => matchesFilter(event, filter, HOST_USER),
    keep: options.keepInMemory,
    sizeOf: sizeOfEvent,
  });
  const report = options.report ?? ((error) => console.error(error));
  /** Whom an event concerns and nobody has told yet, beyond those whom its own transaction told. */
  const untold = new Map<string, { readonly name: string; readonly user: string; after: string }>();
  let telling: Promise<void> | undefined;
  let closed = false;
  /** Whether runs were resumed in a transaction that the engine did not begin. */
  let resumed = false;

  function wake(): void {
    feed.wake();
    if (untold.size > 0 && !closed) {
      telling ??= tellRest().catch(report).finally(() => telling = undefined);
    }
    if (!resumed) return;
    resumed = false;
    engine().jobs.wake();
  }

  /** What fails is taken up again with the next event. */
  async function tellRest(): Promise<void> {
    for (;;) {
      const [next] = untold;
      if (next === undefined || closed) return;
      const [key, waiters] = next;
      const { after } = waiters;
      const last = await tellSome((tx) =>
        touchWaitingRuns(tx, { ...waiters, limit: RUNS_AT_ONCE })
      );
      // Another event of the name may have begun anew meanwhile.
      if (waiters.after !== after) continue;
      if (last === undefined) untold.delete(key);
      else waiters.after = last;
    }
  }

  /** Lets some runs go on in a transaction of their own. Answers with the last; undefined when it is all. */
  async function tellSome(
    touch: (tx: Tx) => Promise<readonly string[]>,
  ): Promise<string | undefined> {
    const runs = await sql.transaction(async (tx) => {
      const touched = await touch(tx);
      for (const run of touched) await engine().waiting.resumeIn(tx, run);
      return touched;
    });
    if (runs.length > 0) engine().jobs.wake();
    return runs.length < RUNS_AT_ONCE ? undefined : runs.at(-1);
  }

  function tellLater(name: string, user: string, after: string): void {
    const key = `${name} ${user}`;
    const known = untold.get(key);
    if (known === undefined) untold.set(key, { name, user, after });
    else if (after < known.after) known.after = after;
  }

  return {
    async append(tx, { name, subject, payload, user }) {
      const refuse = (why: string) =>
        new CarrelError(
          "invalid_parameters",
          `Cannot log the event "${name.slice(0, 100)}": ${why}`,
        );
      if (!isEventName(name)) throw refuse("its name is none of ours, nor custom.<word>");
      if (subject !== undefined && subject.length > MOST_SUBJECT) {
        throw refuse("its subject is long");
      }
      const json = JSON.stringify(payload);
      if (new TextEncoder().encode(json).length > MOST_PAYLOAD_BYTES) {
        throw refuse("its payload is larger than 64 KiB");
      }
      await insertEvent(tx, {
        name,
        subject: subject ?? null,
        payload_json: json,
        user_id: user,
        time: new Date(clock.now()).toISOString(),
      });
      const after = effectsOf(tx);
      const limit = RUNS_AT_ONCE;
      const runs = await touchWaitingRuns(tx, { name, user, after: "", limit });
      if (runs.length === limit) tellLater(name, user, runs.at(-1)!);
      for (const run of runs) {
        if (await engine().waiting.resumeIn(tx, run) && after === undefined) resumed = true;
      }
      after?.(wake);
    },

    wake,

    async read(afterSeq, filter, limit = MOST_AT_ONCE) {
      checkPatterns(filter?.names ?? []);
      return await readEvents(sql.db, {
        afterSeq,
        upToSeq: Number.MAX_SAFE_INTEGER,
        limit: Math.min(Math.max(Math.trunc(limit), 1), MOST_AT_ONCE),
        filter,
      });
    },

    newest: () => newestSeq(sql.db),

    async *watch({ afterSeq, signal, ...filter }) {
      checkPatterns(filter.names ?? []);
      const all = Object.values(filter).every((value) => value === undefined);
      yield* feed.follow({ afterSeq, signal, filter: all ? undefined : filter });
    },

    async prune(before) {
      const time = new Date(clock.now() - keepDays * DAY_MS).toISOString();
      let pruned = 0;
      for (;;) {
        const upTo = await lastOlderThan(sql.db, time, MOST_AT_ONCE);
        if (upTo === undefined) return pruned;
        await before?.(upTo);
        pruned += await sql.transaction((tx) => deleteUpTo(tx, upTo));
      }
    },

    async catchUp() {
      let after: string | undefined = "";
      while (after !== undefined && !closed) {
        const from: string = after;
        after = await tellSome((tx) => touchMissedRuns(tx, from, RUNS_AT_ONCE));
      }
    },

    async idle() {
      while (telling !== undefined) await telling;
      await feed.idle();
    },

    async [Symbol.asyncDispose]() {
      closed = true;
      feed.close();
      await telling;
      await feed.idle();
    },
  };
}
