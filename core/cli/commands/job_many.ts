/** `carrel job retry --all` and `carrel job prune`: many jobs at a time. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { END_STATUSES } from "../../jobs/job.ts";
import type { Builder } from "../args.ts";
import { askYesNo } from "../ask.ts";
import { EXIT, usageError } from "../errors.ts";
import { count, table } from "../format.ts";
import type { Outcome, Session } from "../session.ts";

export interface FilterOptions {
  readonly kind?: string;
  readonly plugin?: string;
  readonly code?: string;
  readonly parent?: string;
  readonly user?: string;
  readonly since?: string;
}

export interface RetryOptions extends FilterOptions {
  readonly wait?: boolean;
  readonly from?: string;
  readonly all?: boolean;
  readonly max?: number;
  readonly yes?: boolean;
}

const KINDS = ["import", "export", "run", "call", "search", "hook"];

const UNIT_DAYS: Readonly<Record<string, number>> = { h: 1 / 24, d: 1, w: 7 };

/** `30d`, `12h`, `2w`, in days. */
function age(text: string): number {
  const [, number, unit = ""] = /^(\d{1,5})([hdw])$/.exec(text) ?? [];
  if (number !== undefined) return Number(number) * UNIT_DAYS[unit]!;
  throw new InvalidArgumentError("It must be an age such as 30d, 12h or 2w.");
}

/** A time, or an age, as ISO 8601. */
function since(text: string): string {
  if (/^\d+[hdw]$/.test(text)) {
    return new Date(Date.now() - age(text) * 24 * 60 * 60 * 1000).toISOString();
  }
  const time = Date.parse(text);
  if (!Number.isNaN(time)) return new Date(time).toISOString();
  throw new InvalidArgumentError("It must be a time such as 2026-01-31, or an age such as 7d.");
}

/** The options that say which jobs are meant. */
export function withFilter(command: Command): Command {
  return command
    .addOption(new Option("--kind <kind>", "only of this kind").choices(KINDS))
    .option("--plugin <id>", "only of this plugin")
    .option("--code <code>", "only those that failed with this error, such as timed_out")
    .option("--parent <id>", "only children of this job")
    .option("--user <id>", "only of this user")
    .option("--since <time>", "only what ended since then: a time, or an age such as 7d", since);
}

export function filterOf({ kind, plugin, code, parent, user, since }: FilterOptions) {
  return { kind, plugin, code, parent, user, since };
}

export async function retryAll(
  session: Session,
  id: string | undefined,
  options: RetryOptions,
): Promise<Outcome> {
  if (id !== undefined || options.from !== undefined) {
    throw usageError("--all goes with neither a job nor --from.");
  }
  const { client } = await session.connect();
  const filter = filterOf(options);
  if (!options.yes) {
    const { items, cursor } = await client.jobs({ ...filter, status: "failed", limit: 200 });
    const steps = items.filter(({ parent }) => parent?.startsWith("run_")).length;
    if (steps > 0) {
      session.note(`${count(steps, "step")} of runs left out: carrel run retry RUN does those.`);
    }
    if (cursor === null && items.length === steps) {
      session.answer({ retried: 0, refused: 0, refusals: [], more: false, retry_after_s: null });
      return session.note("No such jobs.");
    }
    const many = `${cursor === null ? "" : "more than "}${
      count(items.length - steps, "failed job")
    }`;
    if (!await confirmed(session, `Run ${many} again?`)) return session.note("Nothing was done.");
  }
  const done = await client.retryJobs({ filter, max: options.max });
  session.answer(done);
  session.print(
    `${count(done.retried, "job")} started again${
      done.refused === 0 ? "" : `, ${done.refused} refused:`
    }`,
  );
  const { width, style } = session;
  const columns = [{ title: "id" }, { title: "code" }, { title: "why", flexible: true }];
  const rows = done.refusals.map(({ job, code, detail }) => [job, code, detail]);
  if (rows.length > 0) {
    for (const line of table(columns, rows, { width, style })) session.print(line);
  }
  if (done.retry_after_s !== null) {
    session.note(`The queue is full: go on in ${done.retry_after_s} s.`);
  } else if (done.more) session.note("There are more: ask again.");
  return done.refused === 0 ? EXIT.ok : EXIT.failed;
}

interface PruneOptions {
  readonly olderThan: number;
  readonly status?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

export function addJobPrune(job: Command, action: Builder["action"]): void {
  job.command("prune").description("delete old jobs, with their events and logs")
    .requiredOption("--older-than <age>", "what ended before: 30d, 12h, 2w", age)
    .addOption(new Option("--status <status>", "only of this end").choices(END_STATUSES))
    .option("--dry-run", "only count")
    .option("--yes", "do not ask")
    .action(action(async (session, options: PruneOptions) => {
      const { client } = await session.connect();
      const { olderThan, status, dryRun = false } = options;
      if (!dryRun && !options.yes) {
        const { jobs } = await client.pruneJobs(olderThan, status, true);
        const go = jobs === 0 || await confirmed(session, `Delete ${count(jobs, "job")}?`);
        if (!go) return session.note("Nothing was deleted.");
      }
      const pruned = await client.pruneJobs(olderThan, status, dryRun);
      session.answer(pruned);
      const would = dryRun ? "would go" : "gone";
      session.print(`${count(pruned.jobs, "job")} ${would}`);
      if (pruned.runs > 0) {
        session.print(`events and logs of ${count(pruned.runs, "run")} ${would}`);
      }
    }));
}

/** Asks a person. Throws where there is nobody to ask: then it must be said beforehand. */
async function confirmed(session: Session, question: string): Promise<boolean> {
  if (!session.io.terminal.in) throw usageError(`Cannot ask "${question}" here: say --yes.`);
  return await askYesNo(session.io, question, session.signal) ?? false;
}
