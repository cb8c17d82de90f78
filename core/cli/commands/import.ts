/** `carrel import`: files, folders, addresses and standard input become content. */
import { basename } from "node:path";
import { type Builder, gatherPairs, wholeNumber } from "../args.ts";
import type { Client, ImportSettings } from "../client.ts";
import { type CliError, EXIT } from "../errors.ts";
import { count } from "../format.ts";
import { bounded, failureLines, followJob, interruptJobs } from "../follow.ts";
import type { Bar } from "../progress.ts";
import { asCliError, type Session } from "../session.ts";
import { expandSources, mediaTypeOf, type Source } from "../sources.ts";
import { clean } from "../width.ts";
import type { AcceptedJson, JobJson } from "../wire.ts";

interface ImportOptions {
  readonly plugin?: string;
  readonly collection?: string;
  readonly priority?: number;
  readonly metadata?: Record<string, unknown>;
  readonly name?: string;
  readonly parallel: number;
  readonly wait?: boolean;
}

/** What became of one source. */
interface Item {
  readonly source: string;
  readonly job?: JobJson | undefined;
  readonly error?: CliError | undefined;
  /** Found in a folder, and no plugin takes it. */
  readonly skipped?: boolean | undefined;
}

/** The content that a completed import made. */
export function contentOf(job: JobJson): string | undefined {
  const content = (job.result as { content?: unknown } | null)?.content;
  return typeof content === "string" ? content : undefined;
}

export function addImport({ program, action }: Builder): void {
  program.command("import")
    .description("import files, folders, addresses, or - for standard input")
    .argument("<source...>", "a file, a folder, a 'pattern*', an https:// address, or -")
    .option("--plugin <id>", "use this plugin instead of the one that matches")
    .option("--collection <name>", "put it into this collection")
    .option("--priority <1-10>", "10 goes first (default: 5)", wholeNumber(1, 10))
    .option(
      "--metadata <name=value>",
      "say more about it (may be given several times)",
      gatherPairs,
    )
    .option("--name <file>", "the file name that standard input goes by", "stdin.txt")
    .option("--parallel <number>", "how many at once", wholeNumber(1, 32), 4)
    .option("--wait", "wait until all are imported (default on a terminal)")
    .option("--no-wait", "only start the imports")
    .action(action(async (session, options: ImportOptions, words: string[]) => {
      const sources = await expandSources(words, { cwd: session.io.cwd, stdinName: options.name });
      const { client, own } = await session.connect();
      const { terminal } = session.io;
      const wait = options.wait ?? (terminal.out || terminal.err || own !== undefined);
      const items = await importAll(session, client, sources, options, wait);
      if (!wait && own !== undefined) {
        session.note(
          "No server runs on this library: the imports begin when one does (carrel serve).",
        );
      }
      return summary(session, items, wait);
    }));
}

async function importAll(
  session: Session,
  client: Client,
  sources: readonly Source[],
  options: ImportOptions,
  wait: boolean,
): Promise<Item[]> {
  const board = session.board();
  const open = new Set<string>();
  const settings: ImportSettings = {
    plugin: options.plugin,
    collection: options.collection,
    priority: options.priority,
    metadata: options.metadata,
    signal: session.signal,
  };
  const results = await bounded(sources, options.parallel, async (source): Promise<Item> => {
    session.signal.throwIfAborted();
    const bar = board.add(source.kind === "file" ? basename(source.path) : source.name);
    try {
      const { job } = await start(session, client, source, settings, bar);
      if (!wait) {
        bar.end("completed", `${job.status} as ${job.id}`);
        return { source: source.name, job };
      }
      open.add(job.id);
      const ended = await followJob(client, job.id, bar, {
        signal: session.signal,
        done: async (done) => {
          const id = contentOf(done);
          return id === undefined ? "" : (await client.content(id)).title;
        },
      });
      open.delete(job.id);
      return { source: source.name, job: ended };
    } catch (error) {
      const said = asCliError(error);
      const skipped = source.kind === "file" && source.found &&
        (said.code === "no_plugin" || said.code === "unsupported_media_type");
      if (skipped) bar.end("cancelled", "left out: no plugin takes it");
      else if (session.signal.aborted) bar.end("cancelled");
      else bar.end("failed", `${said.code}: ${said.message}`);
      return skipped ? { source: source.name, skipped } : { source: source.name, error: said };
    }
  });
  board.close();
  if (session.signal.aborted) throw await interruptJobs(session, [...open]);
  return results.map((one, i) =>
    one.status === "fulfilled"
      ? one.value
      : { source: sources[i]!.name, error: asCliError(one.reason) }
  );
}

/** Files from this size on say how much of them is sent, bytes. */
const SLOW_TO_SEND = 4_000_000;

async function start(
  session: Session,
  client: Client,
  source: Source,
  settings: ImportSettings,
  bar: Bar,
): Promise<AcceptedJson> {
  if (source.kind === "url") return await client.importUrl(source.url, settings);
  bar.update({ stage: "uploading", percent: 0 });
  const mediaType = mediaTypeOf(source.name);
  if (source.kind === "stdin") {
    return await client.importFile(
      { name: source.name, mediaType, bytes: session.io.stdin() },
      settings,
    );
  }
  const file = await Deno.open(source.path, { read: true });
  return await client.importFile(
    { name: basename(source.path), mediaType, bytes: file.readable },
    {
      ...settings,
      // The bar is the job's; what is sent is a word beside it, for what takes a while to send.
      onBytes: source.size < SLOW_TO_SEND ? undefined : (sent) =>
        bar.update({
          stage: "uploading",
          percent: 0,
          message: `${Math.round(100 * sent / source.size)}% sent`,
        }),
    },
  );
}

function summary(session: Session, items: readonly Item[], wait: boolean) {
  const { style } = session;
  session.answer({
    items: items.map(({ source, job, error, skipped }) => ({
      source,
      content: job ? contentOf(job) ?? null : null,
      job: job ?? null,
      error: error ? { code: error.code, message: error.message } : job?.error ?? null,
      skipped: skipped ?? false,
    })),
  });
  for (const { source, job } of items) {
    const id = job && (wait ? contentOf(job) : job.id);
    if (id !== undefined) session.print(`${id}  ${clean(source)}`);
  }
  for (const { source, job, error } of items) {
    const lines = error
      ? [
        `${style.red("✗")} ${clean(source)}: ${clean(error.message)} ${
          style.dim(`(${clean(error.code)})`)
        }`,
        ...[error.hint].flatMap((hint) => hint ? [`${style.dim("  →")} ${hint}`] : []),
      ]
      : job && wait
      ? failureLines(session, source, job)
      : [];
    for (const line of lines) session.note(line);
  }
  const failed = items.filter((item) =>
    item.error !== undefined || (wait && item.job !== undefined && item.job.status !== "completed")
  );
  const skipped = items.filter((item) => item.skipped).length;
  if (items.length > 1) {
    const done = items.length - failed.length - skipped;
    session.note(
      [
        `${count(done, "document")} ${wait ? "imported" : "under way"}`,
        ...(failed.length ? [`${failed.length} failed`] : []),
        ...(skipped ? [`${skipped} left out`] : []),
      ].join(", ") + ".",
    );
  }
  if (failed.length === 0) return EXIT.ok;
  return failed.every((item) => item.error?.exit === EXIT.unreachable)
    ? EXIT.unreachable
    : EXIT.failed;
}
