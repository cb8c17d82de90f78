/** `carrel job`: the work that is done, under way and to do. */
import { Option } from "commander";
import { JOB_STATUSES, STAGES } from "../../jobs/job.ts";
import { type Builder, wholeNumber } from "../args.ts";
import type { Column } from "../format.ts";
import { duration, pairs, table, when } from "../format.ts";
import { bounded, failureLines, followJob, interruptJobs, showQuestions } from "../follow.ts";
import { EXIT, interruptedError, usageError } from "../errors.ts";
import type { Session } from "../session.ts";
import { messageOf, subjectOf } from "../subject.ts";
import { clean } from "../width.ts";
import type { JobDetailJson, JobJson } from "../wire.ts";
import { addJobLog } from "./job_log.ts";
import {
  addJobPrune,
  filterOf,
  type FilterOptions,
  retryAll,
  type RetryOptions,
  withFilter,
} from "./job_many.ts";

interface ListOptions extends FilterOptions {
  readonly limit: number;
  readonly cursor?: string;
  readonly status?: string;
  readonly failed?: boolean;
}

function took(job: JobJson): string {
  if (job.started === null || job.completed === null) return "";
  return duration(Date.parse(job.completed) - Date.parse(job.started));
}

/** Colours a status as good, bad or neither. */
function paintStatus(session: Session, status: string): (text: string) => string {
  const { style } = session;
  return status === "completed"
    ? style.green
    : status === "failed"
    ? style.red
    : status === "cancelled" || status === "cancelling"
    ? style.yellow
    : style.cyan;
}

export function addJob({ program, action }: Builder): void {
  const job = program.command("job").description("list, show, watch, cancel and retry jobs");

  withFilter(job.command("list"))
    .description("list jobs, newest first")
    .option("--limit <number>", "at most so many", wholeNumber(1, 200), 20)
    .option("--cursor <cursor>", "go on where a list ended")
    .addOption(new Option("--status <status>", "only of this status").choices(JOB_STATUSES))
    .option("--failed", "only failed ones")
    .action(action(async (session, options: ListOptions) => {
      const { client } = await session.connect();
      const { limit, cursor } = options;
      const status = options.failed ? "failed" : options.status;
      const page = await client.jobs({ limit, cursor, status, ...filterOf(options) });
      session.answer(page);
      const columns: Column[] = [
        { title: "id" },
        {
          title: "status",
          paint: (text, row) => paintStatus(session, page.items[row]!.status)(text),
        },
        { title: "%", align: "right" },
        { title: "made", paint: session.style.dim },
        { title: "took", align: "right" },
        { title: "what", flexible: true },
      ];
      const rows = page.items.map((item) => [
        item.id,
        item.status,
        String(Math.round(item.progress)),
        when(item.created),
        took(item),
        item.error ? `${subjectOf(item)} (${item.error.code})` : subjectOf(item),
      ]);
      if (rows.length === 0) return session.note("No jobs.");
      const { width, style } = session;
      for (const line of table(columns, rows, { width, style })) session.print(line);
      if (page.cursor !== null) session.note(`More: --cursor ${page.cursor}`);
    }));

  job.command("show").description("show one job").argument("<id>")
    .action(action(async (session, _options, id: string) => {
      const { client } = await session.connect();
      show(session, await client.job(id));
    }));

  job.command("watch").description("follow jobs to their end").argument("<id...>")
    .action(action(async (session, _options, ids: string[]) => {
      const { client, own } = await session.connect();
      const board = session.board();
      const ask = showQuestions(session, board, { patient: true });
      const results = await bounded(ids, ids.length, async (id) => {
        const job = await client.job(id);
        const bar = board.add(subjectOf(job));
        try {
          return await followJob(client, id, bar, {
            signal: session.signal,
            onEvent(event) {
              session.event(event);
              return ask(event);
            },
          });
        } catch (error) {
          if (session.signal.aborted) bar.end("left");
          throw error;
        }
      });
      board.close();
      if (session.signal.aborted) {
        throw interruptedError(
          own === undefined
            ? "No longer watching: the jobs go on."
            : "No longer watching: the jobs go on at the next start.",
        );
      }
      const failed = results.flatMap((one) => one.status === "rejected" ? [one.reason] : []);
      if (failed.length > 0) throw failed[0];
      const jobs = results.flatMap((one) => one.status === "fulfilled" ? [one.value] : []);
      for (const job of jobs) {
        session.print(`${job.id}  ${paintStatus(session, job.status)(job.status)}`);
        for (const line of failureLines(session, subjectOf(job), job)) session.note(line);
      }
      return jobs.every((job) => job.status === "completed") ? EXIT.ok : EXIT.failed;
    }));

  job.command("cancel").description("cancel jobs; a step that is cancelled fails its run")
    .argument("<id...>")
    .action(action(async (session, _options, ids: string[]) => {
      const { client } = await session.connect();
      const jobs: JobJson[] = [];
      for (const id of ids) {
        const job = await client.cancelJob(id);
        jobs.push(job);
        session.print(`${job.id}  ${paintStatus(session, job.status)(job.status)}`);
      }
      session.answer({ jobs });
    }));

  withFilter(job.command("retry"))
    .description("run a failed or cancelled job again, or all failed ones that the options mean")
    .argument("[id]")
    .option("--no-wait", "only start it")
    .addOption(
      new Option("--from <stage>", "do this stage and those behind it anew").choices(STAGES),
    )
    .option("--all", "all failed jobs; asks first")
    .option("--max <number>", "with --all: at most so many", wholeNumber(1, 10_000))
    .option("--yes", "with --all: do not ask")
    .action(action(async (session, options: RetryOptions, id: string | undefined) => {
      if (options.all) return await retryAll(session, id, options);
      if (id === undefined) throw usageError("Which job? carrel job retry ID, or --all.");
      const { client, own } = await session.connect();
      const again = await client.retryJob(id, options.from);
      if (options.wait === false) {
        session.answer({ job: again });
        session.print(`${again.id}  ${again.status}`);
        return;
      }
      const board = session.board();
      const bar = board.add(subjectOf(again));
      let ended: JobJson;
      try {
        ended = await followJob(client, id, bar, { signal: session.signal });
      } catch (error) {
        if (!session.signal.aborted) throw error;
        if (own) bar.end("cancelled");
        else bar.end("left", "in the server");
        board.close();
        throw await interruptJobs(session, [id]);
      }
      board.close();
      session.answer({ job: ended });
      session.print(`${ended.id}  ${paintStatus(session, ended.status)(ended.status)}`);
      for (const line of failureLines(session, subjectOf(ended), ended)) session.note(line);
      return ended.status === "completed" ? EXIT.ok : EXIT.failed;
    }));

  addJobLog(job, action);
  addJobPrune(job, action);
}

function show(session: Session, job: JobDetailJson): void {
  session.answer(job);
  const { width, style } = session;
  session.print(`${style.bold(job.id)}  ${paintStatus(session, job.status)(job.status)}`);
  const lines = pairs([
    ["what", `${job.kind} of ${subjectOf(job)}`],
    ...(job.plugin === null ? [] : [["plugin", job.plugin] as const]),
    [
      "progress",
      `${Math.round(job.progress)}%${job.stage === null ? "" : `, ${job.stage}`}${
        job.message === null ? "" : `: ${messageOf(job, job.message)}`
      }`,
    ],
    ["try", `${job.tries} of at most ${job.max_attempts}`],
    ...(job.waits_for === null ? [] : [["waits for", waitOf(job)] as const]),
    ...(job.children.total === 0 ? [] : [["children", childrenOf(job)] as const]),
    ...costLines(job).map((line, index) => [index === 0 ? "took" : "", line] as const),
    ["priority", String(job.priority)],
    ["made", when(job.created)],
    ...(job.completed === null
      ? []
      : [["ended", `${when(job.completed)}, after ${took(job)}`] as const]),
    ...(job.result === null || job.result === undefined
      ? []
      : [["result", JSON.stringify(job.result)] as const]),
  ], { width, style });
  for (const line of lines) session.print(line);
  if (job.error !== null) {
    for (const line of failureLines(session, subjectOf(job), job)) session.print(line);
  }
}

function waitOf({ waits_for, wake_at }: JobDetailJson): string {
  const what = waits_for === "person"
    ? "a person"
    : waits_for === "plugin"
    ? "its plugin"
    : waits_for === "signal"
    ? "an event"
    : waits_for === "child"
    ? "one of its children"
    : "its children";
  return wake_at === null ? what : `${what}, or until ${when(wake_at)}`;
}

function childrenOf({ children }: JobDetailJson): string {
  const { total, ...ended } = children;
  const open = total - ended.completed - ended.failed - ended.cancelled;
  const parts = Object.entries({ ...ended, open }).filter(([, number]) => number > 0)
    .map(([name, number]) => `${number} ${name}`);
  return `${total}: ${parts.join(", ")}`;
}

/** Time by stage, and what models were asked for. */
function costLines({ costs }: JobDetailJson): string[] {
  return costs.map(({ stage, attempt, wall_s, cpu_s, usage = [] }) => {
    const models = usage.map(({ model, input_tokens = 0, output_tokens = 0, cost, currency }) =>
      `, ${clean(model)} ${input_tokens} + ${output_tokens} tokens${
        cost === undefined ? "" : ` ${cost} ${clean(currency ?? "USD")}`
      }`
    );
    const cpu = cpu_s === undefined ? "" : ` (${duration(cpu_s * 1000)} of processor)`;
    return `${stage}, try ${attempt}: ${duration(wall_s * 1000)}${cpu}${models.join("")}`;
  });
}
