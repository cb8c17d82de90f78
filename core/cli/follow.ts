/** Follows jobs to their end, a bar for each, and says how they ended. */
import type { JobEventJson, JobJson } from "./wire.ts";
import { hasEnded } from "./wire.ts";
import { AWAY, BACK } from "./away.ts";
import type { Client } from "./client.ts";
import { CliError, EXIT, hintFor, interruptedError } from "./errors.ts";
import { count } from "./format.ts";
import type { Bar, Outcome, ProgressBoard } from "./progress.ts";
import type { Session } from "./session.ts";
import { messageOf } from "./subject.ts";
import { clean } from "./width.ts";

/** The words for a job's place: its stage while it runs, else its status. */
export function placeOf(job: Pick<JobEventJson, "status" | "stage">): string {
  return job.status === "running" && job.stage !== null ? job.stage : job.status;
}

/** The last word on a completed job. */
export interface Done {
  readonly outcome: Outcome;
  readonly message: string;
}

/** Follows one job on a bar; resolves with it when it has ended. */
export async function followJob(
  client: Client,
  id: string,
  bar: Bar,
  options: {
    readonly signal?: AbortSignal | undefined;
    /** What it throws ends the following. */
    readonly onEvent?: ((event: JobEventJson) => void | Promise<void>) | undefined;
    /** What the bar says when the job is completed. */
    readonly done?: ((job: JobJson) => Promise<Done>) | undefined;
  } = {},
): Promise<JobJson> {
  let last: JobEventJson | undefined;
  const onAway = (away: boolean) =>
    bar.update({
      stage: last === undefined ? "waiting" : placeOf(last),
      percent: last?.progress ?? 0,
      message: away ? AWAY : BACK,
    });
  for await (const event of client.watchJob(id, { signal: options.signal, onAway })) {
    last = event;
    await options.onEvent?.(event);
    if (hasEnded(event.status)) continue;
    bar.update({
      stage: placeOf(event),
      percent: event.progress,
      message: event.message ?? undefined,
    });
  }
  const job = readable(await client.job(id, options.signal));
  if (job.status === "completed") {
    const done = await options.done?.(job);
    bar.end(done?.outcome ?? "completed", done?.message);
  } else {
    bar.end(job.status as Outcome, job.error ? `${job.error.code}: ${job.error.message}` : "");
  }
  return job;
}

/**
 * Shows what a job waits for, such as a permission, and how it goes on: a bar has no room for that. Without a terminal
 * each event is a line already. What it waited for before is not shown: the answer to that is given.
 *
 * A job whose plugin is off may wait for ever. Where nobody sits at a terminal to end that, it is left behind:
 * `held` is thrown (exit 3), unless it was asked to be `patient`.
 */
export function showQuestions(
  session: Session,
  board: ProgressBoard,
  { patient = false }: { readonly patient?: boolean } = {},
): (event: JobEventJson) => Promise<void> {
  const { io, style, signal } = session;
  return async ({ job_id, status, message }) => {
    if (status !== "waiting" || message === null) return;
    if (!io.terminal.err && (io.terminal.in || patient)) return;
    const { client } = await session.connect();
    const job = await client.job(job_id, signal);
    if (job.status !== "waiting" || job.message !== message) return;
    if (io.terminal.err) board.line(`${style.yellow("?")} ${clean(message)}`);
    if (job.waits_for !== "plugin" || io.terminal.in || patient) return;
    throw new CliError("held", `The job ${job.id} ${clean(message)}`, {
      exit: EXIT.consent,
      hint:
        `It waits until then. To follow it: carrel job watch ${job.id}\nTo end it: carrel job cancel ${job.id}`,
    });
  };
}

/** The job, with the names of files in what it says. */
function readable(job: JobJson): JobJson {
  if (job.error === null) return job;
  return { ...job, error: { ...job.error, message: messageOf(job, job.error.message) } };
}

/** The lines that say why a job failed and what to do next; none for a job that did not. */
export function failureLines(session: Session, name: string, job: JobJson): string[] {
  if (job.status === "completed") return [];
  const { style } = session;
  if (job.error === null) return [`${style.yellow("–")} ${clean(name)}: ${job.status} (${job.id})`];
  const { code, message } = readable(job).error!;
  const hint = hintFor(job.error, job.id);
  return [
    `${style.red("✗")} ${clean(name)}: ${clean(message)} ${
      style.dim(`(${clean(code)}, ${job.id})`)
    }`,
    ...(hint === undefined ? [] : [`${style.dim("  →")} ${hint}`]),
  ];
}

/** Throws what a job that was waited for failed with. */
export function mustComplete(job: JobJson): JobJson {
  if (job.status === "completed") return job;
  throw new CliError(
    job.error?.code ?? job.status,
    job.error?.message ?? `The job ${job.id} was ${job.status}.`,
    { hint: job.error ? hintFor(job.error, job.id) : `carrel job retry ${job.id}` },
  );
}

/**
 * What Ctrl-C means for jobs that are under way: the server of somebody else goes on with them; where this
 * process is the host, they are cancelled, so that nothing is left half done. `unsent` is what never became a
 * job.
 */
export async function interruptJobs(
  session: Session,
  ids: readonly string[],
  unsent = 0,
): Promise<CliError> {
  const { client, own } = await session.connect();
  const rest = unsent === 0
    ? ""
    : `; ${count(unsent, "source")} ${unsent === 1 ? "was" : "were"} not sent`;
  if (ids.length === 0) return interruptedError(`Interrupted${rest}.`);
  if (own === undefined) {
    const all = ids.join(" ");
    return interruptedError(
      `Interrupted: ${
        ids.length === 1 ? "the job goes" : `${ids.length} jobs go`
      } on in the server${rest}.`,
      `To watch: carrel job watch ${all}\nTo cancel: carrel job cancel ${all}`,
    );
  }
  const ended = AbortSignal.timeout(10_000);
  const cancelled = await Promise.allSettled(ids.map(async (id) => {
    await client.cancelJob(id);
    for await (const _event of client.watchJob(id, { signal: ended }));
  }));
  const left = cancelled.filter((one) => one.status === "rejected").length;
  return interruptedError(
    left === 0
      ? `Interrupted: ${
        ids.length === 1 ? "the job is" : `${ids.length} jobs are`
      } cancelled${rest}.`
      : `Interrupted: ${left} of ${ids.length} jobs could not be cancelled and go on at the next start${rest}.`,
  );
}

/** Runs the tasks, at most `limit` at once; a task that throws ends nothing but itself. */
export async function bounded<T, R>(
  items: readonly T[],
  limit: number,
  task: (item: T, index: number) => Promise<R>,
): Promise<PromiseSettledResult<R>[]> {
  const results: PromiseSettledResult<R>[] = new Array(items.length);
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const index = next++;
      try {
        results[index] = { status: "fulfilled", value: await task(items[index]!, index) };
      } catch (reason) {
        results[index] = { status: "rejected", reason };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  return results;
}
