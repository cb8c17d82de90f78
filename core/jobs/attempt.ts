/** One attempt at one job, from its claim to its end. */
import { CarrelError } from "../errors.ts";
import type { BlobKeeper } from "../stores/blobs.ts";
import type { Tx } from "../stores/sql.ts";
import {
  type Changed,
  complete,
  endCancelled,
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
import type { GroupCommit } from "./group_commit.ts";
import type { Hub } from "./hub.ts";
import {
  type Job,
  type JobHandler,
  type JobRun,
  JobWaits,
  type StageOptions,
  type StageRecord,
} from "./job.ts";
import { toJobError } from "./job_error.ts";
import { createProgress } from "./progress.ts";

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
  /** Called when a job is put off until a time, before that is on disk. */
  readonly onRetryAt: (atMs: number) => void;
}

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

  function write(change: (tx: Tx) => Promise<Changed | undefined>, alone = false): Promise<void> {
    return commit.submit(async (tx, after) => {
      const changed = await change(tx) ?? await endCancelled(tx, job, clock.now());
      if (changed !== undefined) after(() => hub.publish(changed.event));
    }, { lane: "end", alone });
  }

  function succeed(value: unknown): Promise<void> {
    // Without rows or checkpoints of its own there are no leases to end, and nothing that may fail.
    const plain = handler?.commit === undefined && stages.length === 0;
    if (plain) return write((tx) => complete(tx, job, value, stages, clock.now()));
    return write(async (tx) => {
      if (!await holds(tx, job)) return undefined;
      const result = handler?.commit ? await handler.commit(tx, value, job) : value;
      await context.blobs.release(job.id, tx);
      return await complete(tx, job, result, stages, clock.now());
    }, true);
  }

  function letWait(waits: JobWaits): Promise<void> {
    return write(async (tx) => {
      const changed = await wait(tx, job, waits, clock.now());
      if (changed !== undefined) await waits.alongside(tx);
      return changed;
    }, true);
  }

  async function endBadly(thrown: unknown): Promise<void> {
    if (why === "cancel") return await write((tx) => endCancelled(tx, job, clock.now()));
    if (why === "shutDown") return await write((tx) => giveBack(tx, job, clock.now()));
    if (thrown instanceof JobWaits) {
      try {
        return await letWait(thrown);
      } catch (error) {
        return await endBadly(error);
      }
    }
    const error = toJobError(thrown, context.report);
    if (!error.retryable || job.attempt >= job.maxAttempts) {
      return await write((tx) => fail(tx, job, error, clock.now()));
    }
    const atMs = Math.round(clock.now() + retryDelayMs(job.attempt, context.random()));
    await write((tx) => {
      context.onRetryAt(atMs);
      return retryLater(tx, job, error, atMs, clock.now());
    });
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
    const output = await work();
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

/** 2^n seconds after the nth attempt, a quarter more or less, so that a crowd does not come back at once. */
export function retryDelayMs(attempt: number, random: number): number {
  return 2 ** attempt * 1000 * (0.75 + random / 2);
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
