/** `carrel schedule`: what is begun by time. */
import { InvalidArgumentError, Option } from "commander";
import { type Builder, gatherPairs, wholeNumber } from "../args.ts";
import { usageError } from "../errors.ts";
import { pairs, table } from "../format.ts";
import { localTime } from "../local_time.ts";
import type { Session } from "../session.ts";
import type { NewScheduleJson, ScheduleJson } from "../wire.ts";

interface AddOptions {
  readonly name?: string;
  readonly cron?: string;
  readonly timezone?: string;
  readonly every?: number;
  readonly at?: string;
  readonly scheduler?: string;
  readonly import?: string;
  readonly plugin?: string;
  readonly collection?: string;
  readonly workflow?: string;
  readonly input?: Record<string, unknown>;
  readonly overlap?: "skip" | "allow";
}

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** As the server has it: what is begun more often is no schedule. */
const LEAST_S = 60;

/** `90s`, `15m`, `1h`, `7d`, `2w` in seconds. */
function interval(text: string): number {
  const match = /^(\d{1,9})([smhdw])$/.exec(text);
  const seconds = match ? Number(match[1]) * SECONDS[match[2]!]! : 0;
  if (seconds >= LEAST_S) return seconds;
  throw new InvalidArgumentError("It must be a time such as 15m, 1h or 7d, a minute at least.");
}

export function addSchedule({ program, action }: Builder): void {
  const schedule = program.command("schedule")
    .description("begin imports and workflows by time");

  schedule.command("list").description("list schedules, newest first")
    .option("--limit <number>", "at most so many", wholeNumber(1, 200), 50)
    .option("--cursor <cursor>", "go on where a list ended")
    .action(action(async (session, options: { limit: number; cursor?: string }) => {
      const { client } = await session.connect();
      const page = await client.schedules({ limit: options.limit, cursor: options.cursor });
      session.answer(page);
      if (page.items.length === 0) return session.note("No schedules.");
      const { width, style } = session;
      const columns = [
        { title: "id" },
        { title: "name", flexible: true },
        { title: "when" },
        { title: "begins", flexible: true },
        { title: "next" },
        { title: "last", paint: style.dim },
      ];
      const rows = page.items.map((item) => [
        item.id,
        item.error === null ? item.name : `${item.name} (!)`,
        whenOf(item.spec),
        workOf(item.work),
        nextOf(item),
        localTime(item.last),
      ]);
      for (const line of table(columns, rows, { width, style })) session.print(line);
      if (page.cursor !== null) session.note(`More: --cursor ${page.cursor}`);
    }));

  schedule.command("show").description("show one schedule").argument("<id>")
    .action(action(async (session, _options, id: string) => {
      const { client } = await session.connect();
      show(session, await client.schedule(id));
    }));

  schedule.command("add").description("make a schedule")
    .option("--name <name>", "how it is called")
    .option("--cron <line>", 'five or six fields, for example "0 7 * * MON-FRI"')
    .option("--timezone <zone>", "of --cron, for example Europe/Berlin; this machine's unless said")
    .option(
      "--every <time>",
      "from one beginning to the next: 15m, 1h, 7d; a minute at least",
      interval,
    )
    .option("--at <time>", "once: 2030-01-31T09:00, by this machine's clock unless it says more")
    .option("--scheduler <plugin>", "whenever this plugin says")
    .option("--import <url>", "import this http or https address")
    .option("--plugin <id>", "with this plugin")
    .option("--collection <name>", "into this collection")
    .option("--workflow <name>", "start this workflow")
    .option("--input <name=value>", "an input of the workflow", gatherPairs)
    .addOption(
      new Option("--overlap <word>", "what to do while the last one has not ended")
        .choices(["skip", "allow"]),
    )
    .action(action(async (session, options: AddOptions) => {
      const made = fromOptions(options);
      const { client } = await session.connect();
      show(session, await client.addSchedule(made));
    }));

  for (const [word, enabled] of [["enable", true], ["disable", false]] as const) {
    schedule.command(word).description(enabled ? "switch schedules on" : "switch schedules off")
      .argument("<id...>")
      .action(action(async (session, _options, ids: string[]) => {
        const { client } = await session.connect();
        const schedules: ScheduleJson[] = [];
        for (const id of ids) {
          const changed = await client.changeSchedule(id, { enabled });
          schedules.push(changed);
          session.print(enabled ? `${id}  next ${nextOf(changed)}` : `${id}  off`);
        }
        session.answer({ schedules });
      }));
  }

  schedule.command("remove").description("remove schedules; what they began goes on")
    .argument("<id...>")
    .action(action(async (session, _options, ids: string[]) => {
      const { client } = await session.connect();
      for (const id of ids) {
        await client.removeSchedule(id);
        session.print(`removed ${id}`);
      }
      session.answer({ removed: ids });
    }));

  schedule.command("run").description("begin its work now").argument("<id>")
    .action(action(async (session, _options, id: string) => {
      const { client } = await session.connect();
      const begun = await client.runSchedule(id);
      session.answer(begun);
      session.print(begun.job);
      session.note(`Follow it: carrel job watch ${begun.job}`);
    }));
}

function fromOptions(options: AddOptions): NewScheduleJson {
  const { cron, every, at, scheduler, workflow, plugin, collection, input, overlap } = options;
  const times = [cron, every, at, scheduler].filter((one) => one !== undefined);
  if (times.length !== 1) {
    throw usageError("Say when: one of --cron, --every, --at, --scheduler.");
  }
  if ((options.import === undefined) === (workflow === undefined)) {
    throw usageError("Say what: either --import or --workflow.");
  }
  if (options.import !== undefined && !/^https?:\/\//i.test(options.import)) {
    throw usageError(
      `Cannot import "${options.import}" by time: only an http or https address can be.`,
      "A file is imported now: carrel import FILE.",
    );
  }
  if (options.timezone !== undefined && cron === undefined) {
    throw usageError("--timezone goes with --cron.");
  }
  const spec: NewScheduleJson["spec"] = cron !== undefined
    ? { cron, timezone: options.timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone }
    : every !== undefined
    ? { every_s: every }
    : at !== undefined
    ? { at: timeOf(at) }
    : { plugin: scheduler! };
  const work: NewScheduleJson["work"] = workflow !== undefined
    ? { workflow: { name: workflow, ...(input && { inputs: input }) } }
    : {
      import: {
        url: options.import!,
        ...(plugin && { plugin }),
        ...(collection && { collection }),
      },
    };
  const name = options.name ?? `${workOf(work)}, ${whenOf(spec)}`.slice(0, 200);
  return { name, spec, work, ...(overlap && { overlap }) };
}

/** A time without an offset is this machine's. */
function timeOf(text: string): string {
  const time = new Date(text.replace(" ", "T"));
  if (Number.isNaN(time.getTime())) throw usageError(`"${text}" is no time.`);
  return time.toISOString();
}

function whenOf(spec: ScheduleJson["spec"]): string {
  if ("cron" in spec) {
    return spec.timezone === undefined ? spec.cron : `${spec.cron} (${spec.timezone})`;
  }
  if ("at" in spec) return `once, ${localTime(spec.at)}`;
  if ("plugin" in spec) return `as ${spec.plugin} says`;
  const unit = Object.entries(SECONDS).findLast(([, seconds]) => spec.every_s % seconds === 0)!;
  return `every ${spec.every_s / unit[1]}${unit[0]}`;
}

function workOf(work: ScheduleJson["work"]): string {
  return "import" in work ? `import ${work.import.url}` : `workflow ${work.workflow.name}`;
}

function nextOf({ enabled, next }: ScheduleJson): string {
  return !enabled ? "off" : next === null ? "over" : localTime(next);
}

function show(session: Session, item: ScheduleJson): void {
  session.answer(item);
  const { width, style } = session;
  session.print(`${style.bold(item.id)}`);
  const lines = pairs([
    ["name", item.name],
    ["when", whenOf(item.spec)],
    ["begins", workOf(item.work)],
    ["next", nextOf(item)],
    ["last", localTime(item.last)],
    ...(item.last_job === null ? [] : [["last job", item.last_job] as const]),
    ...(item.error === null ? [] : [["last time", item.error] as const]),
    ...(item.overlap === "skip" ? [] : [["overlap", "allowed"] as const]),
  ], { width, style });
  for (const line of lines) session.print(line);
}
