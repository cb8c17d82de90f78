/** `carrel job log`: what happened in a job, and what was said while it ran. */
import { type Command, Option } from "commander";
import { LOG_LEVELS } from "../../jobs/job_log_levels.ts";
import type { Builder } from "../args.ts";
import type { Client } from "../client.ts";
import { EXIT } from "../errors.ts";
import { failureLines, placeOf } from "../follow.ts";
import { count } from "../format.ts";
import type { Session } from "../session.ts";
import { messageOf, subjectOf } from "../subject.ts";
import { clean } from "../width.ts";
import { hasEnded, type JobLogJson } from "../wire.ts";

type Line = JobLogJson["items"][number];

interface LogOptions {
  readonly follow?: boolean;
  readonly level?: string;
}

/** Seconds that the server keeps one question open. */
const WAIT_S = 25;

export function addJobLog(job: Command, action: Builder["action"]): void {
  job.command("log").description("what happened in a job, and what was said while it ran")
    .argument("<id>")
    .option("-f, --follow", "go on until the job has ended")
    .addOption(
      new Option("--level <level>", "only lines of this level and above").choices(LOG_LEVELS),
    )
    .action(action(async (session, options: LogOptions, id: string) => {
      const { client } = await session.connect();
      const job = await client.job(id);
      if (options.follow) return await follow(session, client, id, options.level);
      const events = [];
      // Only a job that has ended has a stream that ends at once.
      if (hasEnded(job.status)) {
        for await (const event of client.watchJob(id, { signal: session.signal })) {
          events.push(event);
        }
      } else session.note(`It has not ended yet: carrel job watch ${id}, or --follow`);
      const { lines, dropped } = await readAll(session, client, id, options.level);
      session.answer({ job, events, log: lines, dropped });
      const { style } = session;
      for (const event of events) {
        const message = event.message === null ? "" : ` ${clean(messageOf(job, event.message))}`;
        session.print(
          `${style.dim(event.timestamp.slice(11, 23))}  ${placeOf(event).padEnd(12)} ${
            String(Math.round(event.progress)).padStart(3)
          }%${message}`,
        );
      }
      if (lines.length > 0) session.print(style.dim(`${count(lines.length, "line")} of its log:`));
      if (dropped > 0) session.print(style.dim(`  … ${count(dropped, "older line")} dropped`));
      for (const line of lines) print(session, line);
      for (const line of failureLines(session, subjectOf(job), job)) session.print(line);
    }));
}

async function readAll(session: Session, client: Client, id: string, level: string | undefined) {
  const lines: Line[] = [];
  for (;;) {
    const { signal } = session;
    const page = await client.jobLog(id, { after: lines.at(-1)?.seq, level, signal });
    lines.push(...page.items);
    if (!page.more) return { lines, dropped: page.dropped };
  }
}

/** Lines as they are said, until the job has ended or Ctrl-C. */
async function follow(session: Session, client: Client, id: string, level: string | undefined) {
  const { signal } = session;
  let after: number | undefined;
  for (;;) {
    const page = await client.jobLog(id, { after, level, wait: WAIT_S, signal });
    for (const line of page.items) {
      session.event(line);
      print(session, line);
    }
    after = page.items.at(-1)?.seq ?? after;
    if (!page.ended || page.more) continue;
    const job = await client.job(id);
    for (const line of failureLines(session, subjectOf(job), job)) session.note(line);
    return job.status === "completed" ? EXIT.ok : EXIT.failed;
  }
}

function print(session: Session, { time, level, message }: Line): void {
  const { style } = session;
  const paint = level === "error"
    ? style.red
    : level === "warn"
    ? style.yellow
    : level === "debug"
    ? style.dim
    : (text: string) => text;
  const [first = "", ...rest] = message.split("\n");
  session.print(`${style.dim(time.slice(11, 23))}  ${paint(level.padEnd(5))}  ${clean(first)}`);
  for (const line of rest) session.print(`${" ".repeat(21)}${clean(line)}`);
}
