/** One attempt at one job, from its claim to its end. */
import { CarrelError } from "../errors.ts";
import type { BlobKeeper } from "../stores/blobs.ts";
import type { Tx } from "../stores/sql.ts";
import type { Announce } from "./announce.ts";
import {
  type Changed,
  complete,
  endCancelled,
  type Ending,
  fail,
  giveBack,
  holds,
  recordStages,
  report,
  retryLater,
  wait,
} from "./attempt_store.ts";
import { CHECKPOINT_TYPE, decodeCheckpoint, encodeCheckpoint } from "./checkpoint.ts";
import type { Clock } from "./clock.ts";
import { hasHappened } from "./family.ts";
import type { GroupCommit } from "./group_commit.ts";
import type { Hub } from "./hub.ts";
import {
  type Job,
  type JobError,
  JobFails,
  type JobHandler,
  type JobRun,
  JobWaits,
  type StageOptions,
  type StageRecord,
} from "./job.ts";
import { toJobError } from "./job_error.ts";
import { createMeter } from "./meter.ts";
import { createProgress } from "./progress.ts";
import { retryDelayMs } from "./retry_delay.ts";

/** What all attempts of one dispatcher share. */
export interface AttemptContext {
  readonly blobs: BlobKeeper;
  readonly commit: GroupCommit;
  readonly hub: Hub;
  readonly clock: Clock;
  /** Time that a handler has to stop, milliseconds. */
  readonly graceMs: number;
  /** 0 to 1, for the jitter. */
  readonly random: () => number;
  readonly report: (error: unknown) => void;
  /** Called as soon as the slot is free, before the end is on disk. */
  readonly onFree: (attempt: Attempt) => void;
  /** Called in the transaction with what became of the job. */
  readonly announce: Announce;
  /** Receives the lines of `JobRun.log`. */
  readonly log: JobLog | undefined;
}

/** Keeps what is said while jobs run. Called often, by strangers: it bounds what it keeps. */
export type JobLog = (job: string, level: LogLevel, message: string) => void;
type LogLevel = Parameters<JobRun["log"]>[0];

export interface Attempt {
  readonly job: Job;
  /** Tells the handler to stop; fences it off when it does not. */
  cancel(): void;
  /** The same, and the job goes back to the queue. */
  shutDown(): void;
  /** The job belongs to someone else by now: tells the handler to stop, writes nothing more. */
  lose(): void;
  /** Resolves once the end is on disk. Never rejects. */
  readonly done: Promise<void>;
}

/** Beyond the grace: a killed runner needs a moment to be seen as gone. */
const MARGIN_MS = 1_000;

type Outcome = { readonly value: unknown } | { readonly thrown: unknown };
type Why = "cancel" | "shutDown" | "lost";

export function startAttempt(
  context: AttemptContext,
  handler: JobHandler | undefined,
  job: Job,
): Attempt {
  const { commit, clock, hub } = context;
  const controller = new AbortController();
  const { promise: done, resolve: finish } = Promise.withResolvers<void>();
  let why: Why | undefined;
  let over = false;
  let stages = job.stages;
  let takeBackTimer: (() => void) | undefined;
  const meter = createMeter(job, clock);
  const progress = createProgress(clock, (change) => {
    commit.submit(async (tx, after) => {
      const event = await report(tx, job, change, clock.now());
      if (event !== undefined) after(() => hub.publish(event));
    }).catch(context.report);
  });

  function stop(reason: Why, error: CarrelError): void {
    // A cancel is the stronger word than a shutdown, a loss the strongest.
    if (over || why === "lost" || why === reason || (why === "cancel" && reason !== "lost")) return;
    why = reason;
    controller.abort(error);
    if (reason === "lost") return settle({ thrown: error });
    takeBackTimer ??= clock.after(context.graceMs + MARGIN_MS, () => settle({ thrown: error }));
  }

  /** The first outcome counts; whatever the handler does later meets the fence. */
  function settle(outcome: Outcome): void {
    if (over) return;
    over = true;
    takeBackTimer?.();
    progress.stop();
    const ended = why === "lost" ? Promise.resolve() : end(outcome);
    context.onFree(attempt);
    ended.catch(context.report).then(finish);
  }

  async function end(outcome: Outcome): Promise<void> {
    if ("value" in outcome) {
      try {
        return await succeed(outcome.value);
      } catch (error) {
        return await endBadly(error);
      }
    }
    await endBadly(outcome.thrown);
  }

  /** Writes the end, unless the job was being cancelled: then it ends so. */
  function write(
    change: (tx: Tx, ending: Ending) => Promise<Changed | undefined>,
    alone = false,
  ): Promise<void> {
    const ending = { id: job.id, attempt: job.attempt, costs: meter.json() };
    return commit.submit(async (tx) => {
      const changed = await change(tx, ending) ?? await endCancelled(tx, ending, clock.now());
      if (changed !== undefined) await context.announce(tx, changed);
    }, { lane: "end", alone });
  }

  function succeed(value: unknown): Promise<void> {
    // Without rows or checkpoints of its own there are no leases to end, and nothing that may fail.
    const plain = handler?.commit === undefined || handler.isPlain?.(value) === true;
    const resultOf = async (tx: Tx) =>
      handler?.commit ? await handler.commit(tx, value, job) : value;
    if (plain && stages.length === 0) {
      return write(async (tx, ending) =>
        await complete(tx, ending, await resultOf(tx), stages, clock.now())
      );
    }
    return write(async (tx, ending) => {
      if (!await holds(tx, job)) return undefined;
      const result = await resultOf(tx);
      await context.blobs.release(job.id, tx);
      return await complete(tx, ending, result, stages, clock.now());
    }, true);
  }

  function letWait({ message, alongside, options }: JobWaits): Promise<void> {
    const waitsFor = options.for ?? "person";
    const wakeAtMs = Number.isFinite(options.wakeAtMs) ? Math.ceil(options.wakeAtMs!) : undefined;
    return write(async (tx, ending) => {
      if (!await holds(tx, job)) return undefined;
      await alongside(tx);
      const now = clock.now();
      const goesOn = (wakeAtMs !== undefined && wakeAtMs <= now) ||
        await hasHappened(tx, job.id, waitsFor) || await options.unless?.(tx) === true;
      const waiting = goesOn
        ? undefined
        : { for: waitsFor, wakeAtMs, message, error: options.error };
      return await wait(tx, ending, waiting, now);
    }, true);
  }

  function failWith(error: JobError, alongside?: JobFails["alongside"]): Promise<void> {
    return write(async (tx, ending) => {
      const changed = await fail(tx, ending, error, clock.now());
      if (changed !== undefined) await alongside?.(tx);
      return changed;
    }, alongside !== undefined);
  }

  async function endBadly(thrown: unknown): Promise<void> {
    if (why === "cancel") return await write(async () => undefined);
    if (why === "shutDown") return await write((tx, ending) => giveBack(tx, ending, clock.now()));
    try {
      if (thrown instanceof JobWaits) return await letWait(thrown);
      if (thrown instanceof JobFails) {
        return await failWith(toJobError(thrown.cause, context.report), thrown.alongside);
      }
    } catch (error) {
      return await endBadly(error);
    }
    const error = toJobError(thrown, context.report);
    if (!error.retryable || job.tries >= job.maxAttempts) return await failWith(error);
    const delayMs = retryDelayMs(job.tries, context.random(), job.retry, error);
    await write((tx, ending) => {
      const { priority } = job;
      const nowMs = clock.now();
      return retryLater(tx, { ...ending, priority }, error, nowMs + delayMs, nowMs);
    });
  }

  async function metered<T>(name: StageOptions<T>["name"], work: () => Promise<T>): Promise<T> {
    const end = meter.begin(name);
    try {
      return await work();
    } finally {
      end();
    }
  }

  async function stage<T>(options: StageOptions<T>, work: () => Promise<T>): Promise<T> {
    controller.signal.throwIfAborted();
    progress.now({ stage: options.name, progress: percent(options.from), message: null });
    const same = ({ name, digest }: StageRecord) =>
      name === options.name && digest === options.digest;
    const checkpoint = stages.find(same)?.checkpoint;
    if (checkpoint !== undefined && options.parse !== undefined) {
      const kept = await readCheckpoint(context.blobs, checkpoint, options.parse);
      if (kept !== undefined) return kept.output;
    }
    const output = await metered(options.name, work);
    controller.signal.throwIfAborted();
    const blob = options.parse === undefined
      ? undefined
      : await context.blobs.put(job.id, encodeCheckpoint(output), CHECKPOINT_TYPE);
    const { name, executor, digest } = options;
    const record = { name, executor, digest, ...(blob && { checkpoint: blob.digest }) };
    stages = [...stages.filter((other) => !same(other)), record];
    const held = await commit.submit((tx) => recordStages(tx, job, stages));
    controller.signal.throwIfAborted();
    if (!held) {
      throw new CarrelError("lost", `Cannot go on with "${job.id}": another attempt has it`);
    }
    return output;
  }

  const run: JobRun = {
    job,
    signal: controller.signal,
    progress: (value, message) =>
      progress.merge({ progress: percent(value), ...(message === undefined ? {} : { message }) }),
    stage,
    log: (level, message) => context.log?.(job.id, level, message),
    spend: meter.spend,
  };
  const attempt: Attempt = {
    job,
    cancel: () => stop("cancel", new CarrelError("cancelled", `"${job.id}" was cancelled`)),
    shutDown: () => stop("shutDown", new CarrelError("shutting_down", "The host shuts down")),
    lose: () => stop("lost", new CarrelError("lost", `"${job.id}" was given to another attempt`)),
    done,
  };
  call(handler, run).then((value) => settle({ value }), (thrown) => settle({ thrown }));
  return attempt;
}

async function call(handler: JobHandler | undefined, run: JobRun): Promise<unknown> {
  if (handler === undefined) {
    throw new CarrelError(
      "internal",
      `Cannot run "${run.job.id}": nothing handles "${run.job.kind}"`,
    );
  }
  return await handler.run(run);
}

function percent(value: number): number {
  return Number.isFinite(value) ? Math.min(100, Math.max(0, value)) : 0;
}

/** `undefined` when the blob is gone or unreadable: then the stage runs again. */
async function readCheckpoint<T>(
  blobs: BlobKeeper,
  digest: string,
  parse: (stored: unknown) => T,
): Promise<{ readonly output: T } | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await blobs.get(digest);
  } catch (error) {
    if (error instanceof CarrelError && error.code === "not_found") return undefined;
    throw error;
  }
  try {
    return { output: parse(decodeCheckpoint(bytes)) };
  } catch {
    // Whatever is wrong with it, the stage can make it anew.
    return undefined;
  }
}
