/** `carrel job`: the work that is done, under way and to do. */
import { Option } from "commander";
import { JOB_STATUSES } from "../../jobs/job.ts";
import { type Builder, wholeNumber } from "../args.ts";
import type { Column } from "../format.ts";
import { count, duration, pairs, table, when } from "../format.ts";
import {
  bounded,
  failureLines,
  followJob,
  interruptJobs,
  placeOf,
  showQuestions,
} from "../follow.ts";
import { EXIT, interruptedError } from "../errors.ts";
import type { Session } from "../session.ts";
import { messageOf, subjectOf } from "../subject.ts";
import { clean } from "../width.ts";
import { hasEnded, type JobJson } from "../wire.ts";

interface ListOptions {
  readonly limit: number;
  readonly cursor?: string;
  readonly status?: string;
  readonly kind?: string;
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

  job.command("list")
    .description("list jobs, newest first")
    .option("--limit <number>", "at most so many", wholeNumber(1, 200), 20)
    .option("--cursor <cursor>", "go on where a list ended")
    .addOption(new Option("--status <status>", "only of this status").choices(JOB_STATUSES))
    .addOption(new Option("--kind <kind>", "only of this kind").choices(["import", "export"]))
    .action(action(async (session, options: ListOptions) => {
      const { client } = await session.connect();
      const { limit, cursor, status, kind } = options;
      const page = await client.jobs({ limit, cursor, status, kind });
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
      const ask = showQuestions(session, board);
      const results = await bounded(ids, ids.length, async (id) => {
        const job = await client.job(id);
        const bar = board.add(subjectOf(job));
        try {
          return await followJob(client, id, bar, {
            signal: session.signal,
            onEvent(event) {
              session.event(event);
              ask(event);
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

  job.command("cancel").description("cancel jobs").argument("<id...>")
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

  job.command("retry").description("run a failed or cancelled job again").argument("<id>")
    .option("--no-wait", "only start it")
    .action(action(async (session, options: { wait?: boolean }, id: string) => {
      const { client, own } = await session.connect();
      const again = await client.retryJob(id);
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

  job.command("log").description("what happened in a job, and what its plugin said last")
    .argument("<id>")
    .action(action(async (session, _options, id: string) => {
      const { client } = await session.connect();
      const job = await client.job(id);
      const events = [];
      // Only a job that has ended has a stream that ends at once.
      if (hasEnded(job.status)) {
        for await (const event of client.watchJob(id, { signal: session.signal })) {
          events.push(event);
        }
      } else session.note(`It has not ended yet: carrel job watch ${id}`);
      session.answer({ job, events, log: job.error?.log ?? [] });
      const { style } = session;
      for (const event of events) {
        const message = event.message === null ? "" : ` ${clean(messageOf(job, event.message))}`;
        session.print(
          `${style.dim(event.timestamp.slice(11, 23))}  ${placeOf(event).padEnd(12)} ${
            String(Math.round(event.progress)).padStart(3)
          }%${message}`,
        );
      }
      const log = job.error?.log ?? [];
      if (log.length > 0) session.print(style.dim(`${count(log.length, "line")} of its plugin:`));
      for (const line of log) session.print(`  ${clean(line)}`);
      for (const line of failureLines(session, subjectOf(job), job)) session.print(line);
    }));
}

function show(session: Session, job: JobJson): void {
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
    ["attempt", `${job.attempt} of at most ${job.max_attempts}`],
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
