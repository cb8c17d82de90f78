/** `carrel import`: files, folders, addresses and standard input become content. */
import { basename } from "node:path";
import { type Builder, gatherPairs, wholeNumber } from "../args.ts";
import type { Client, ImportSettings } from "../client.ts";
import { type CliError, EXIT } from "../errors.ts";
import { count } from "../format.ts";
import {
  bounded,
  type Done,
  failureLines,
  followJob,
  interruptJobs,
  showQuestions,
} from "../follow.ts";
import type { Bar } from "../progress.ts";
import { asCliError, type Session } from "../session.ts";
import { type BadSource, expandSources, mediaTypeOf, type Source, unreadable } from "../sources.ts";
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
  /** Which revision of the content it is, when the import was waited for. */
  readonly revision?: number | undefined;
}

/** The content that a completed import made. */
export function contentOf(job: JobJson): string | undefined {
  const content = (job.result as { content?: unknown } | null)?.content;
  return typeof content === "string" ? content : undefined;
}

/** Whether the library had these bytes from this place already. */
export function isUnchanged(job: JobJson): boolean {
  return (job.result as { unchanged?: unknown } | null)?.unchanged === true;
}

/** The last word on a completed import, and the revision that it made or met. */
export async function importDone(
  client: Client,
  job: JobJson,
): Promise<Done & { readonly revision?: number | undefined }> {
  const id = contentOf(job);
  const outcome = isUnchanged(job) ? "unchanged" : "completed";
  // It may have been deleted in the meantime.
  const content = id === undefined ? undefined : await client.content(id).catch(() => undefined);
  if (content === undefined) return { outcome, message: "" };
  const { title, revision: { number } } = content;
  const isNew = outcome === "completed" && number > 1;
  return { outcome, message: isNew ? `revision ${number}: ${title}` : title, revision: number };
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
      const bad = sources.filter((source) => source.kind === "bad");
      if (bad.length === 1 && sources.length === 1) throw bad[0]!.error;
      if (bad.length === sources.length) return summary(session, bad.map(badItem), true);
      const { client, own } = await session.connect();
      const { terminal } = session.io;
      const wait = options.wait ?? (terminal.out || terminal.err || own !== undefined);
      const items = await importAll(
        session,
        { client, own: own !== undefined },
        sources,
        options,
        wait,
      );
      if (!wait && own !== undefined) {
        session.note(
          "No server runs on this library: the imports begin when one does (carrel serve).",
        );
      }
      return summary(session, items, wait);
    }));
}

function badItem({ name, error }: BadSource): Item {
  return { source: name, error };
}

async function importAll(
  session: Session,
  { client, own }: { readonly client: Client; readonly own: boolean },
  sources: readonly (Source | BadSource)[],
  options: ImportOptions,
  wait: boolean,
): Promise<Item[]> {
  const board = session.board();
  const ask = showQuestions(session, board);
  const open = new Set<string>();
  let sent = 0;
  const settings: ImportSettings = {
    plugin: options.plugin,
    collection: options.collection,
    priority: options.priority,
    metadata: options.metadata,
    signal: session.signal,
  };
  const results = await bounded(sources, options.parallel, async (source): Promise<Item> => {
    session.signal.throwIfAborted();
    if (source.kind === "bad") {
      sent++;
      return badItem(source);
    }
    const bar = board.add(source.kind === "file" ? basename(source.path) : source.name);
    let started: JobJson | undefined;
    let revision: number | undefined;
    try {
      started = (await start(session, client, source, settings, bar)).job;
      sent++;
      if (!wait) {
        bar.end("queued", started.id);
        return { source: source.name, job: started };
      }
      open.add(started.id);
      const ended = await followJob(client, started.id, bar, {
        signal: session.signal,
        onEvent: ask,
        done: async (job) => {
          const done = await importDone(client, job);
          revision = done.revision;
          return done;
        },
      });
      open.delete(ended.id);
      return { source: source.name, job: ended, revision };
    } catch (error) {
      const said = asCliError(error);
      const skipped = source.kind === "file" && source.found &&
        (said.code === "no_plugin" || said.code === "unsupported_media_type");
      if (skipped) bar.end("skipped", "no plugin takes it");
      else if (!session.signal.aborted) bar.end("failed", `${said.code}: ${said.message}`);
      else if (started === undefined) bar.end("cancelled", "not sent");
      else if (own) bar.end("cancelled");
      else bar.end("left", "in the server");
      if (started === undefined && !session.signal.aborted) sent++;
      return skipped ? { source: source.name, skipped } : { source: source.name, error: said };
    }
  });
  board.close();
  if (session.signal.aborted) throw await interruptJobs(session, [...open], sources.length - sent);
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
  const file = await Deno.open(source.path, { read: true }).catch((error) => {
    throw unreadable(source.name, error);
  });
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
    items: items.map(({ source, job, error, skipped, revision }) => ({
      source,
      content: job ? contentOf(job) ?? null : null,
      job: job ?? null,
      error: error ? { code: error.code, message: error.message } : job?.error ?? null,
      skipped: skipped ?? false,
      unchanged: job !== undefined && isUnchanged(job),
      revision: revision ?? null,
    })),
  });
  for (const { source, job, revision = 1 } of items) {
    const id = job && (wait ? contentOf(job) : job.id);
    if (id === undefined) continue;
    const note = isUnchanged(job!) ? "unchanged" : revision > 1 ? `revision ${revision}` : "";
    session.print(`${id}  ${clean(source)}${note && `  ${style.dim(note)}`}`);
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
  if (items.length > 1) session.note(tally(items, failed.length, wait));
  if (failed.length === 0) return EXIT.ok;
  const [exit = EXIT.failed, ...others] = new Set(failed.map((item) => item.error?.exit));
  const says = exit === EXIT.unreachable || exit === EXIT.consent;
  return says && others.length === 0 ? exit : EXIT.failed;
}

/** `3 documents imported, 2 unchanged, 1 failed.` */
function tally(items: readonly Item[], failed: number, wait: boolean): string {
  const skipped = items.filter((item) => item.skipped).length;
  const unchanged = items.filter(({ job }) => job !== undefined && isUnchanged(job)).length;
  const done = items.length - failed - skipped - unchanged;
  const parts = ([
    [done, wait ? "imported" : "under way"],
    [unchanged, "unchanged"],
    [failed, "failed"],
    [skipped, "left out"],
  ] as const).filter(([n]) => n > 0);
  return parts.map(([n, word], i) => `${i === 0 ? count(n, "document") : n} ${word}`).join(", ") +
    ".";
}
