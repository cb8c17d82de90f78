/** `carrel events`: what happened in the library. */
import { type Builder, wholeNumber } from "../args.ts";
import { localTime } from "../local_time.ts";
import type { Session } from "../session.ts";
import { clean } from "../width.ts";
import type { LoggedEventJson } from "../wire.ts";

interface Options {
  readonly follow?: boolean;
  readonly after?: number;
  readonly limit: number;
  readonly subject?: string;
}

export function addEvents({ program, action }: Builder): void {
  program.command("events").description("what happened in the library: imports, exports, runs, …")
    .argument("[names...]", "only these, for example content.imported or artifact.*")
    .option("--follow", "go on with what happens, until Ctrl-C")
    .option(
      "--after <number>",
      "only what comes after this number",
      wholeNumber(0, Number.MAX_SAFE_INTEGER),
    )
    .option("--limit <number>", "without --follow: at most so many", wholeNumber(1, 500), 100)
    .option("--subject <id>", "only what happened to this")
    .action(action(async (session, options: Options, names: string[]) => {
      const { client } = await session.connect();
      const { after, limit, subject } = options;
      const filter = { names: names.length === 0 ? undefined : names.join(","), subject };
      if (options.follow) {
        session.note("Waiting for events; Ctrl-C ends it.");
        for await (
          const event of client.watchEvents({ ...filter, after, signal: session.signal })
        ) {
          session.event(event);
          show(session, event);
        }
        return;
      }
      const from = after ?? await lastOnes(client, limit);
      const page = await client.events({ ...filter, after: from, limit });
      session.answer(page);
      for (const event of page.items) show(session, event);
      if (page.items.length === 0) session.note("No events.");
      if (page.items.length === limit) session.note(`More: --after ${page.after}`);
    }));
}

/** The number after which the last so many come. */
async function lastOnes(
  client: { events(filter: { after: number; limit: number }): Promise<{ after: number }> },
  count: number,
): Promise<number> {
  const { after } = await client.events({ after: Number.MAX_SAFE_INTEGER, limit: 1 });
  return Math.max(after - count, 0);
}

function show({ print, style }: Session, event: LoggedEventJson): void {
  const { seq, name, subject, payload, time } = event;
  const said = ["title", "message", "prompt", "url", "workflow"].map((field) => payload[field])
    .find((value) => typeof value === "string");
  const error = payload["error"] as { code?: unknown } | undefined;
  print(
    [
      style.dim(String(seq).padStart(6)),
      style.dim(localTime(time)),
      clean(name).padEnd(16),
      clean(subject ?? ""),
      ...(typeof said === "string" ? [clean(said).slice(0, 200)] : []),
      ...(typeof error?.code === "string" ? [style.red(clean(error.code))] : []),
    ].join("  ").trimEnd(),
  );
}
