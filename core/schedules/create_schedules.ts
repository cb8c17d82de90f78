/**
 * Schedules on the sql store. A schedule is one row with the next time that it is due. When that has come, the job
 * is added and the row moves on to the first time after now, in one transaction: a crash begins neither none nor
 * two, and what was missed while nobody ran is done once.
 */
import type { Actor } from "../auth/actor.ts";
import { actorOfUser } from "../auth/actor_of_user.ts";
import { CarrelError } from "../errors.ts";
import { newId } from "../ids.ts";
import { type Clock, systemClock } from "../jobs/clock.ts";
import type { NewJob } from "../jobs/job.ts";
import type { Jobs } from "../jobs/jobs.ts";
import type { SqlStore } from "../stores/sql.ts";
import { type AskPlugin, checkSpec, nextTime, wrong } from "./next_time.ts";
import {
  aheadOfTime,
  countSchedules,
  dueSchedules,
  isOpen,
  listSchedules,
  moveOn,
  nextDueMs,
  readSchedule,
  type ScheduleRow,
  toSchedule,
} from "./schedule_rows.ts";
import type { NewSchedule, ScheduledWork, Schedules, ScheduleSpec } from "./schedules.ts";
import { FORMAT, readStored } from "./stored.ts";

export interface CreateSchedulesOptions {
  readonly sql: SqlStore;
  readonly jobs: Pick<Jobs, "addIn" | "add" | "wake">;
  /** The job of an import, to be added here; throws when the URL is refused. */
  readonly importJob: (
    url: string,
    options: { plugin?: string | undefined; collection?: string | undefined },
    actor: Actor,
  ) => Promise<NewJob>;
  /**
   * Starts a run, and answers with its id; the same one for the same key. It is asked again with the key when the
   * host ended in between.
   */
  readonly startRun: (
    workflow: string,
    options: { inputs?: Readonly<Record<string, unknown>> | undefined; idempotencyKey: string },
    actor: Actor,
  ) => Promise<{ readonly id: string }>;
  /** Throws for a run that could not be started. @default nothing is checked before */
  readonly checkRun?:
    | ((
      workflow: string,
      inputs: Readonly<Record<string, unknown>> | undefined,
      actor: Actor,
    ) => Promise<unknown>)
    | undefined;
  readonly askPlugin: AskPlugin;
  /** @default the system's */
  readonly clock?: Clock | undefined;
  /** For faults that are no schedule's own. @default console.error */
  readonly report?: ((error: unknown) => void) | undefined;
}

/** Disposing it begins nothing more; schedules stay. */
export interface ScheduleKeeper extends Schedules, AsyncDisposable {
  /** Begins what is due, from now on. Without it schedules can be changed and read. */
  start(): void;
  /** Resolves when nothing is being begun. */
  idle(): Promise<void>;
}

/** The clock is looked at this often: it may be set, and a machine may sleep. */
const LOOK_MS = 60_000;
/** Begun in one go. */
const AT_ONCE = 20;
/** A plugin that did not say when is asked again after this time. */
const ASK_AGAIN_MS = 10 * 60_000;
/** A single time whose work cannot begin for now is put off so often, a minute each. */
const PUT_OFF_MS = 24 * 60 * 60_000;
const MOST_SCHEDULES = 1_000;
const MOST_JSON = 64 * 1024;

export function createSchedules(options: CreateSchedulesOptions): ScheduleKeeper {
  const { sql, jobs, askPlugin } = options;
  const clock = options.clock ?? systemClock;
  const report = options.report ?? ((error) => console.error(error));
  const busy = new Map<string, Promise<void>>();
  /** Until when rows are left alone that could not even be moved on: else they would be due all the time. */
  const held = new Map<string, number>();
  let looking: Promise<void> | undefined;
  let again = false;
  let takeBack = () => {};
  let state: "new" | "open" | "closed" = "new";

  const seenBy = ({ role, user }: Actor) => role === "admin" ? undefined : user;

  function wake(): void {
    if (state !== "open") return;
    again = true;
    looking ??= look().catch(report).finally(() => {
      looking = undefined;
      if (again) wake();
    });
  }

  async function look(): Promise<void> {
    let waitMs = LOOK_MS;
    try {
      while (again && state === "open") {
        again = false;
        const nowMs = clock.now();
        for (const row of await aheadOfTime(sql.db, nowMs)) {
          await comeBack(row, nowMs).catch(report);
        }
        // A hold that is further off than its length is of a clock that was put back.
        for (const [id, untilMs] of held) {
          if (untilMs <= nowMs || untilMs > nowMs + LOOK_MS) held.delete(id);
        }
        const due = await dueSchedules(sql.db, nowMs, AT_ONCE + busy.size + held.size);
        const free = due.filter(({ id }) => !busy.has(id) && !held.has(id));
        for (const row of free.slice(0, AT_ONCE - busy.size)) busy.set(row.id, work(row));
        const next = await nextDueMs(sql.db);
        // What was due is at work, or comes when that has ended.
        waitMs = next === undefined || next <= nowMs ? LOOK_MS : Math.min(next - nowMs, LOOK_MS);
        if (next !== undefined && next > nowMs && next <= clock.now()) again = true;
      }
    } finally {
      takeBack();
      if (state === "open") takeBack = clock.after(waitMs, wake);
    }
  }

  /** Begins it, and makes room for the next one. Where the store refuses, the next look comes by time. */
  async function work(row: ScheduleRow): Promise<void> {
    try {
      await begin(row);
      busy.delete(row.id);
      wake();
    } catch (error) {
      busy.delete(row.id);
      held.set(row.id, clock.now() + LOOK_MS);
      report(error);
    }
  }

  /** The clock was put back: what is due before the time that stands there is not passed over. */
  async function comeBack(row: ScheduleRow, nowMs: number): Promise<void> {
    const { spec } = readStored(row);
    if (!("cron" in spec || "every_s" in spec)) return;
    const lastMs = row.next_ms ?? undefined;
    const next = await nextTime(spec, { afterMs: nowMs, lastMs, ask: askPlugin });
    if (next === undefined || next >= row.next_ms!) return;
    await moveOn(sql.db, row, { next_ms: next, error: row.error });
  }

  /** Begins the work of a schedule that is due, or says in its row why not; either way it goes on. */
  async function begin(row: ScheduleRow): Promise<void> {
    const { spec, work } = readStored(row);
    const tickMs = row.next_ms!;
    const nowMs = clock.now();
    const after = await following(spec, tickMs, nowMs);
    const tick = { next_ms: after.next ?? null, last_ms: nowMs };
    if (row.overlap === "skip" && await isOpen(sql.db, row.last_job)) {
      const error = `skipped: ${row.last_job} has not ended`;
      await moveOn(sql.db, row, { next_ms: tick.next_ms, error });
      return;
    }
    try {
      await add(row, work, `schedule:${row.id}:${tickMs}`, { ...tick, error: after.error ?? null });
    } catch (error) {
      if (!(error instanceof CarrelError)) report(error);
      const late = nowMs - tickMs > PUT_OFF_MS;
      const putOff = "at" in spec && error instanceof CarrelError && error.retryable && !late;
      await moveOn(sql.db, row, {
        ...tick,
        ...(putOff ? { next_ms: nowMs + LOOK_MS } : {}),
        error: messageOf(error),
      });
    }
  }

  /** The first time after now; a plugin that fails is asked again later. */
  async function following(spec: ScheduleSpec, tickMs: number, nowMs: number) {
    try {
      // Not before what has just come: the clock may have been put back meanwhile.
      const afterMs = Math.max(nowMs, tickMs);
      return { next: await nextTime(spec, { afterMs, lastMs: tickMs, ask: askPlugin }) };
    } catch (error) {
      if (!("plugin" in spec)) report(error);
      return { next: nowMs + ASK_AGAIN_MS, error: messageOf(error) };
    }
  }

  async function add(
    row: ScheduleRow,
    work: ScheduledWork,
    idempotencyKey: string,
    tick: { next_ms: number | null; last_ms: number; error: string | null },
  ): Promise<void> {
    const actor = await actorOfUser(sql.db, row.user_id);
    if (actor === undefined) {
      throw new CarrelError("forbidden", "Cannot begin it: its owner is no user any more");
    }
    if ("workflow" in work) {
      // Its own transaction; the key makes a repeat the same run.
      const { name, inputs } = work.workflow;
      const { id } = await options.startRun(name, { inputs, idempotencyKey }, actor);
      await moveOn(sql.db, row, { ...tick, last_job: id });
      return;
    }
    const { url, plugin, collection } = work.import;
    const job = await options.importJob(url, { plugin, collection }, actor);
    await sql.transaction(async (tx) => {
      // Whoever changed it meanwhile meant something else.
      if (!await moveOn(tx, row, tick)) return;
      const { id } = await jobs.addIn(tx, { ...job, idempotencyKey });
      await tx.updateTable("schedule").set({ last_job: id }).where("id", "=", row.id).execute();
    });
    jobs.wake();
  }

  function checkShape({ name, spec, work }: NewSchedule): void {
    if (name.trim() === "" || name.length > 200) {
      throw wrong("name", "expected 1 to 200 characters");
    }
    if (JSON.stringify({ spec, work }).length > MOST_JSON) throw wrong("work", "it is too large");
  }

  /** Throws whatever the work would be refused with now. */
  async function checkWork(work: ScheduledWork, actor: Actor): Promise<void> {
    if ("import" in work) {
      const { url, plugin, collection } = work.import;
      await options.importJob(url, { plugin, collection }, actor);
    } else {
      await options.checkRun?.(work.workflow.name, work.workflow.inputs, actor);
    }
  }

  /** The first time of a new schedule. Throws when there is none. */
  async function firstTime(spec: ScheduleSpec): Promise<number> {
    const afterMs = clock.now();
    const next = await nextTime(spec, { afterMs, lastMs: undefined, ask: askPlugin });
    if (next === undefined) throw wrong("spec", "it never comes");
    return next;
  }

  return {
    async add(given, actor) {
      checkShape(given);
      checkSpec(given.spec, clock.now());
      await checkWork(given.work, actor);
      if (await countSchedules(sql.db, actor.user) >= MOST_SCHEDULES) {
        throw new CarrelError("conflict", `Cannot schedule it: you have ${MOST_SCHEDULES} already`);
      }
      const enabled = given.enabled ?? true;
      const first = await firstTime(given.spec);
      const id = newId("schedule");
      await sql.db.insertInto("schedule").values({
        id,
        name: given.name.trim(),
        format: FORMAT,
        spec_json: JSON.stringify(given.spec),
        work_json: JSON.stringify(given.work),
        enabled: enabled ? 1 : 0,
        next_ms: enabled ? first : null,
        last_ms: null,
        last_job: null,
        error: null,
        overlap: given.overlap ?? "skip",
        user_id: actor.user,
        created: new Date(clock.now()).toISOString(),
      }).execute();
      wake();
      return toSchedule(await readSchedule(sql.db, id, undefined));
    },

    list: (filter, actor) => listSchedules(sql.db, { ...filter, user: seenBy(actor) }, report),

    get: async (id, actor) => toSchedule(await readSchedule(sql.db, id, seenBy(actor))),

    async change(id, change, actor) {
      const row = await readSchedule(sql.db, id, seenBy(actor));
      const before = toSchedule(row);
      const name = change.name ?? before.name;
      const spec = change.spec ?? before.spec;
      const work = change.work ?? before.work;
      const enabled = change.enabled ?? before.enabled;
      const begins = enabled && (!before.enabled || change.spec !== undefined);
      checkShape({ name, spec, work });
      if (begins || change.spec !== undefined) checkSpec(spec, clock.now());
      // What was fine when it was made is looked at again only where it is to begin anew.
      if (begins || change.work !== undefined) {
        await checkWork(work, await actorOfUser(sql.db, row.user_id) ?? actor);
      }
      const next = begins ? await firstTime(spec) : undefined;
      await sql.db.updateTable("schedule").set({
        name: name.trim(),
        format: FORMAT,
        spec_json: JSON.stringify(spec),
        work_json: JSON.stringify(work),
        overlap: change.overlap ?? before.overlap,
        enabled: enabled ? 1 : 0,
        ...(begins ? { next_ms: next!, error: null } : enabled ? {} : { next_ms: null }),
      }).where("id", "=", id).execute();
      wake();
      return toSchedule(await readSchedule(sql.db, id, undefined));
    },

    async remove(id, actor) {
      await readSchedule(sql.db, id, seenBy(actor));
      await sql.db.deleteFrom("schedule").where("id", "=", id).execute();
    },

    async runNow(id, actor) {
      const row = await readSchedule(sql.db, id, seenBy(actor));
      const { work } = readStored(row);
      const owner = await actorOfUser(sql.db, row.user_id) ?? actor;
      let job: string;
      if ("workflow" in work) {
        const { name, inputs } = work.workflow;
        const idempotencyKey = `schedule:${id}:${crypto.randomUUID()}`;
        job = (await options.startRun(name, { inputs, idempotencyKey }, owner)).id;
      } else {
        const { url, plugin, collection } = work.import;
        job = (await jobs.add(await options.importJob(url, { plugin, collection }, owner))).id;
      }
      await sql.db.updateTable("schedule")
        .set({ last_ms: clock.now(), last_job: job, error: null }).where("id", "=", id).execute();
      return { job };
    },

    start() {
      if (state !== "new") return;
      state = "open";
      wake();
    },

    async idle() {
      while (looking !== undefined || busy.size > 0) {
        await Promise.all([looking, ...busy.values()]);
      }
    },

    async [Symbol.asyncDispose]() {
      state = "closed";
      takeBack();
      while (looking !== undefined || busy.size > 0) {
        await Promise.all([looking, ...busy.values()]);
      }
    },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error && (error as { code?: unknown }).code !== undefined
    ? error.message.slice(0, 1_000)
    : "Cannot begin it: something failed inside";
}
