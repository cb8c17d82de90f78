/** `carrel export`: content becomes a book. */
import { dirname, resolve } from "node:path";
import { type Builder, gatherPairs, wholeNumber } from "../args.ts";
import type { Client } from "../client.ts";
import { CliError, usageError } from "../errors.ts";
import { bytes, shellWord } from "../format.ts";
import { followJob, interruptJobs, mustComplete, showQuestions } from "../follow.ts";
import { asCliError } from "../session.ts";
import { download, downloadTo, mustBeFree, mustBeWritable, safeName } from "../download.ts";
import { clean } from "../width.ts";
import type { JobJson } from "../wire.ts";

interface ExportOptions {
  readonly query?: string;
  readonly all?: boolean;
  readonly format: string;
  readonly plugin?: string;
  readonly title?: string;
  readonly param?: Record<string, unknown>;
  readonly priority?: number;
  readonly output?: string;
  readonly force?: boolean;
  readonly wait?: boolean;
  readonly versionOf?: string;
  readonly reason?: string;
}

/** The artifact that a completed export made. */
export function artifactOf(job: JobJson): string | undefined {
  const artifact = (job.result as { artifact?: unknown } | null)?.artifact;
  return typeof artifact === "string" ? artifact : undefined;
}

/** As many contents as one export takes. */
const MOST = 1000;

async function sourceIds(client: Client, ids: string[], options: ExportOptions): Promise<string[]> {
  const ways = [ids.length > 0, options.query !== undefined, options.all === true];
  if (ways.filter(Boolean).length !== 1) {
    throw usageError("Name what to export: ids, or --query, or --all; one of the three.");
  }
  if (ids.length > 0) return [...new Set(ids)];
  const found = new Set<string>();
  if (options.query !== undefined) {
    const { hits } = await client.search(options.query, { k: 50 });
    for (const hit of hits) found.add(hit.content.id);
  } else {
    let cursor: string | undefined;
    do {
      const page = await client.contents({ limit: 200, cursor });
      for (const content of page.items) found.add(content.id);
      cursor = page.cursor ?? undefined;
    } while (cursor !== undefined && found.size <= MOST);
  }
  if (found.size === 0) {
    throw new CliError("source_missing", "Cannot export: nothing in the library matches.");
  }
  if (found.size > MOST) {
    throw new CliError("too_many", `Cannot export more than ${MOST} contents at once.`);
  }
  // Lists begin with the newest; the chapters of a book with what came in first.
  return options.all ? [...found].reverse() : [...found];
}

/** What was made is there, and where it should go, it could not: says how to get it. */
function notSaved(error: unknown, artifact: string, file: string): CliError {
  const { code, message, exit } = asCliError(error);
  return new CliError(
    code,
    `${message.replace(/\.?$/, ".")} It is kept in the library as ${artifact}.`,
    {
      cause: error,
      exit,
      hint: `To save it: carrel content files ${artifact} ${shellWord(file)} -o FILE`,
    },
  );
}

export function addExport({ program, action }: Builder): void {
  program.command("export")
    .description("make a book of contents, and save it")
    .argument("[id...]", "contents, in the order of the chapters")
    .option("--query <words>", "the contents that a search finds")
    .option("--all", "all contents")
    .option("--format <format>", "what to make", "ebook")
    .option("--plugin <id>", "use this plugin instead of the one for the format")
    .option("--title <title>", "its title")
    .option(
      "--param <name=value>",
      "a parameter of the plugin (may be given several times)",
      gatherPairs,
    )
    .option("--priority <1-10>", "10 goes first (default: 5)", wholeNumber(1, 10))
    .option("-o, --output <file>", "where to save it; - is standard output (default: its own name)")
    .option("--force", "write over a file that is there")
    .option("--version-of <artifact>", "this is a new version of that artifact")
    .option("--reason <text>", "why there is a new version")
    .option("--no-wait", "only start the export")
    .action(action(async (session, options: ExportOptions, ids: string[]) => {
      const target = options.output === undefined || options.output === "-"
        ? undefined
        : resolve(session.io.cwd, options.output);
      // Before the work, not after it.
      if (target !== undefined) await mustBeFree(target, options.force);
      if (options.output !== "-" && options.wait !== false) {
        await mustBeWritable(target === undefined ? session.io.cwd : dirname(target));
      }
      const { client, own } = await session.connect();
      const { job: started } = await client.export({
        source_ids: await sourceIds(client, ids, options),
        format: options.format,
        plugin: options.plugin,
        parameters: options.title === undefined
          ? options.param
          : { ...options.param, title: options.title },
        priority: options.priority,
        provenance: options.versionOf === undefined && options.reason === undefined ? undefined : {
          ...(options.versionOf === undefined ? {} : { version_of: options.versionOf }),
          ...(options.reason === undefined ? {} : { reason: options.reason }),
        },
      });
      if (options.wait === false) {
        session.answer({ job: started });
        session.print(started.id);
        return;
      }
      const board = session.board();
      const bar = board.add(options.title ?? options.format);
      let job: JobJson;
      try {
        job = await followJob(client, started.id, bar, {
          signal: session.signal,
          onEvent: showQuestions(session, board),
        });
      } catch (error) {
        if (!session.signal.aborted) throw error;
        if (own) bar.end("cancelled");
        else bar.end("left", "in the server");
        board.close();
        throw await interruptJobs(session, [started.id]);
      }
      board.close();
      const id = artifactOf(mustComplete(job));
      const artifact = await client.artifact(id ?? "");
      const file = artifact.files[0];
      if (file === undefined) {
        throw new CliError("empty", `The artifact ${artifact.id} has no file.`);
      }
      if (options.output === "-" && !session.json) {
        const { out } = session.io;
        const { signal } = session;
        await downloadTo(client, artifact.id, file.name, (piece) => out.write(piece), signal)
          .catch((error) => {
            throw notSaved(error, artifact.id, file.name);
          });
        return;
      }
      const path = target ?? resolve(session.io.cwd, safeName(file.name));
      const size = await download(client, artifact.id, file.name, path, {
        force: options.force,
        signal: session.signal,
      }).catch((error) => {
        throw notSaved(error, artifact.id, file.name);
      });
      session.answer({ artifact, job, saved: path });
      session.print(`${path}  ${session.style.dim(bytes(size))}`);
      session.note(
        session.style.dim(`${clean(artifact.title)}: carrel provenance ${artifact.id}`),
      );
    }));
}
