/**
 * The handler of runs. Each time its job runs it takes the journal up, goes on as far as it can, and lets the job
 * wait for what has been begun: the rows and the jobs of steps are written in the transaction that lets it wait,
 * so that a host that dies at any moment leaves the run either before or after it.
 */
import { actorOfUser } from "../auth/actor_of_user.ts";
import { createBreather } from "../breathe.ts";
import { CarrelError } from "../errors.ts";
import { systemClock } from "../jobs/clock.ts";
import { effectsOf } from "../jobs/effects.ts";
import {
  type Job,
  type JobError,
  JobFails,
  type JobHandler,
  type JobRun,
  JobWaits,
} from "../jobs/job.ts";
import type { Tx } from "../stores/sql.ts";
import { advance, isFull, type RunEnd } from "./advance.ts";
import { findOut } from "./answers.ts";
import { Journal, type StepRow } from "./journal.ts";
import {
  closeRun,
  hasEventAfter,
  raiseVersion,
  readHead,
  readJobs,
  readState,
  readSteps,
  writeProgress,
  writeStep,
} from "./journal_store.ts";
import { createMemory, type Held } from "./memory.ts";
import { type RunParts, servesBy } from "./parts.ts";
import { messageOf, progressOf } from "./progress.ts";
import { reopen } from "./reopen.ts";
import { Look, problem, type StepJob, type Told } from "./situation.ts";
import { questionOf } from "./view.ts";

/** The input of a run's job; the rest stands in its own row. */
export interface RunInput {
  readonly workflow: string;
}

/** What one look came to, to be written. */
interface Work {
  readonly job: Job;
  readonly held: Held;
  readonly begun: ReadonlyMap<string, StepJob>;
  readonly cancelled: ReadonlySet<string>;
  readonly changed: readonly StepRow[];
}

type Done = Work & { readonly outputs: unknown };

export function runHandler(parts: RunParts): JobHandler<Done> {
  const { sql, engine, eventLog } = parts;
  const clock = parts.clock ?? systemClock;
  const serves = servesBy(parts);
  const memory = createMemory();
  // A large run goes on slice by slice, without a pause: others must have their turn in between.
  const breathe = createBreather();

  async function take(id: string) {
    const state = await readState(sql.db, id);
    if (state === undefined) {
      throw new CarrelError("not_found", `Cannot run "${id}": it has no workflow`);
    }
    const before = memory.take(id);
    if (before !== undefined && before.version === state.version) return { held: before, ...state };
    const head = before?.head ?? (await readHead(sql.db, id))!;
    const { rows, chars } = await readSteps(sql.db, id);
    const journal = new Journal(rows, chars);
    // A version that rose meanwhile is noticed when the changes are written.
    return { held: { head, journal, version: state.version }, ...state };
  }

  async function run({ job, signal }: JobRun): Promise<Done> {
    await breathe();
    const { held, untilMs } = await take(job.id);
    const { head, journal } = held;
    const begun = new Map<string, StepJob>();
    const cancelled = new Set<string>();
    const told = new Map<string, Told>();
    const jobs = await readJobs(
      sql.db,
      journal.open().flatMap((row) => row.job === undefined ? [] : [row.job]),
    );
    const actor = await actorOfUser(sql.db, job.user) ?? { user: job.user, role: "reader" };
    let end: RunEnd | undefined;
    for (;;) {
      await breathe();
      signal.throwIfAborted();
      const look = new Look({
        definition: head.definition,
        run: { ...head, untilMs },
        journal,
        jobs,
        nowMs: clock.now(),
        told,
        serves,
      }, { begun, cancelled });
      end = advance(look);
      if (end !== undefined || look.asks.size === 0 || isFull(journal)) break;
      for (const [key, answer] of await findOut(parts, look.asks.values(), actor, signal)) {
        told.set(key, answer);
      }
    }
    const changed = [...journal.changed].map((path) => journal.get(path)!);
    const again = isFull(journal);
    journal.changed.clear();
    const work: Work = { job, held, begun, cancelled, changed };
    if (end === undefined && !again && journal.open().length === 0) {
      // Its definition was not checked: steps that need each other.
      end = { failed: problem("internal", `Cannot go on with "${job.id}": no step can begin`) };
    }
    if (end === undefined) throw waits(work, { jobs, untilMs, again });
    if ("failed" in end) throw fails(work, end.failed);
    return { ...work, outputs: end.completed };
  }

  function waits(
    work: Work,
    { jobs, untilMs, again }: {
      jobs: Parameters<typeof progressOf>[2];
      untilMs: number | undefined;
      again: boolean;
    },
  ): JobWaits {
    const { job, held, begun } = work;
    const { definition } = held.head;
    const { journal } = held;
    const open = journal.open();
    const wakes = open.flatMap(({ wakeMs }) => wakeMs === undefined ? [] : [wakeMs]);
    if (untilMs !== undefined) wakes.push(untilMs);
    const hasJobs = begun.size > 0 || open.some((row) => row.job !== undefined);
    let stale = false;
    const alongside = async (tx: Tx) => {
      stale = !await write(tx, work);
      if (stale) return;
      await writeProgress(tx, job.id, progressOf(definition, journal, jobs));
      effectsOf(tx)?.(() => memory.keep({ ...held, version: held.version + 1 }));
    };
    const unless = async (tx: Tx) => stale || again || await somethingHappened(tx, open);
    return new JobWaits(messageOf(definition, journal), alongside, {
      for: hasJobs ? "child" : "signal",
      wakeAtMs: wakes.length === 0 ? undefined : Math.min(...wakes),
      unless,
    });
  }

  async function somethingHappened(tx: Tx, open: readonly StepRow[]): Promise<boolean> {
    for (const { waitEvent, waitSeq } of open) {
      if (waitEvent !== undefined && await hasEventAfter(tx, waitEvent, waitSeq ?? 0)) return true;
    }
    return false;
  }

  function fails(work: Work, error: JobError): JobFails {
    const { code, message, details } = error;
    const cause = new CarrelError(code, message, details === undefined ? {} : { details });
    return new JobFails(cause, async (tx) => {
      await write(tx, work, true);
    });
  }

  /** Writes the changes. Says false, and writes nothing, when the journal is not what they were made of any more. */
  async function write(tx: Tx, work: Work, anyway = false): Promise<boolean> {
    const { job, held, begun, cancelled, changed } = work;
    if (!await raiseVersion(tx, job.id, held.version) && !anyway) return false;
    for (const row of changed) {
      const added = begun.get(row.path);
      if (added === undefined) {
        held.journal.weigh(row.path, await writeStep(tx, job.id, row));
        continue;
      }
      const child = await engine().jobs.addIn(tx, {
        ...added,
        user: job.user,
        priority: job.priority,
        parent: job.id,
        idempotencyKey: `${job.id}:${row.path}:${row.number}`,
      });
      const withJob = { ...row, job: child.id };
      held.journal.set(withJob);
      held.journal.changed.delete(row.path);
      held.journal.weigh(row.path, await writeStep(tx, job.id, withJob));
    }
    for (const id of cancelled) await engine().jobs.cancelIn(tx, id);
    await tellOfQuestions(tx, work);
    return true;
  }

  async function tellOfQuestions(tx: Tx, { job, held, changed }: Work): Promise<void> {
    for (const row of changed) {
      const question = row.state === "waiting" ? questionOf(row) : undefined;
      if (question === undefined) continue;
      await eventLog.append(tx, {
        name: "run.waits",
        subject: job.id,
        payload: {
          run: job.id,
          workflow: held.head.workflow,
          path: row.path,
          for: question.for,
          prompt: question.prompt?.slice(0, MOST_PROMPT) ?? null,
          ...(question.role === undefined ? {} : { role: question.role }),
          ...(question.until === undefined ? {} : { until: question.until }),
        },
        user: job.user,
      });
      effectsOf(tx)?.(() => eventLog.wake());
    }
  }

  return {
    run,
    async commit(tx, { outputs, ...work }) {
      if (await write(tx, work)) return outputs;
      // Somebody answered a step meanwhile: looked at once more.
      throw new JobWaits("", async () => {}, {
        for: "signal",
        unless: () => Promise.resolve(true),
      });
    },
    onRetry: (tx, job) => reopen(tx, job, clock.now()),
    async onBadEnd(tx, job) {
      // By a fault of the host's own, or lost with it: nobody else would stop what it has begun.
      if (job.status === "failed") await engine().jobs.cancelIn(tx, job.id);
      await closeRun(tx, job.id, clock.now());
    },
  };
}

/** Characters of a prompt in an event. */
const MOST_PROMPT = 1_000;
