/**
 * `deno task demo [FILE|URL…]`: the real host, real documents, a book, its lineage, and a plugin that
 * misbehaves. Everything goes through the HTTP API, as anybody's program would.
 */
import { join, resolve } from "node:path";
import { Command } from "commander";
import { createClient } from "../core/cli/client.ts";
import { EXIT, type ExitCode, interruptedError } from "../core/cli/errors.ts";
import { bytes, createStyle, duration, wantsColours } from "../core/cli/format.ts";
import type { Io } from "../core/cli/io.ts";
import { createBoard } from "../core/cli/progress.ts";
import { report } from "../core/cli/session.ts";
import { dataDir, dataDirError } from "../core/cli/data_dir.ts";
import { type BadSource, expandSources, type Source } from "../core/cli/sources.ts";
import { systemIo } from "../core/cli/system_io.ts";
import {
  type DemoContext,
  importSources,
  makeBook,
  searchPhrases,
  showLineage,
} from "./demo/library.ts";
import { createPage } from "./demo/page.ts";
import { attempts, installRogue, type Result, resultLines, tryIt } from "./demo/rogue.ts";

const PROGRAM = resolve(import.meta.dirname!, "..");
const DOCUMENTS = join(PROGRAM, "examples", "documents");
const PHRASES = ["closed desk", "passages lineage"];

interface DemoOptions {
  readonly data?: string;
  readonly serve?: boolean;
}

/** Runs the demo; returns the exit code: 1 when the plugin got anything, or something could not be imported. */
export async function demo(
  io: Io,
  words: readonly string[],
  options: DemoOptions,
  signal: AbortSignal,
): Promise<ExitCode> {
  const begun = io.now();
  const style = createStyle(wantsColours(io.terminal.out, io.env));
  const page = createPage(io, style);
  const sources: (Source | BadSource)[] = [
    ...await expandSources(
      ["*.md", "*.html", "*.pdf"].map((pattern) => join(DOCUMENTS, pattern)),
      { cwd: io.cwd },
    ),
    ...await expandSources(words, { cwd: io.cwd }),
  ].filter((source) => source.name.split("/").at(-1) !== "README.md");

  const data = options.data === undefined
    ? await Deno.makeTempDir({ prefix: "carrel-demo-" })
    : dataDir({ flag: options.data, env: io.env, os: io.os, cwd: io.cwd });
  page.heading("The host starts");
  await using host = await io.startHost({ dataDir: data, hostname: "127.0.0.1", port: 0 })
    .catch((error) => {
      throw dataDirError(data, error);
    });
  page.say(`It listens on ${host.url} after ${duration(io.now() - begun)}. Its library:`);
  page.lines([style.cyan(data)]);

  const context: DemoContext = {
    io,
    page,
    signal,
    client: createClient({ url: host.url, token: host.token }),
    board: () =>
      createBoard({
        sink: { write: (text) => io.out.write(text) },
        style,
        live: io.terminal.out && io.env("TERM") !== "dumb",
        size: () => ({ ...io.size(), columns: page.width }),
        now: io.now,
        indent: "   ",
      }),
  };

  page.heading("Documents come in, each read by a plugin in a sandbox of its own");
  const { contents, failed } = await importSources(context, sources);
  if (contents.length === 0) return EXIT.failed;

  page.heading("They can be searched");
  await searchPhrases(context, PHRASES);

  page.heading("They become a book");
  const book = await makeBook(context, contents, data);

  page.heading("Its first chapter says where it came from");
  await showLineage(context, book.artifact);

  page.heading("A plugin misbehaves");
  const results = await misbehave(context, join(data, "host.json"), host.url);

  page.heading("Now you");
  nextSteps(context, { data, book: book.path, token: host.adminToken, serve: options.serve });
  page.lines([style.dim(`The demo took ${duration(io.now() - begun)}.`)]);
  if (options.serve) {
    page.lines([style.dim("The host stays. Ctrl-C stops it.")]);
    await new Promise<void>((end) => {
      if (signal.aborted) end();
      signal.addEventListener("abort", () => end(), { once: true });
    });
  }
  return failed === 0 && results.every((one) => one.stopped) ? EXIT.ok : EXIT.failed;
}

async function misbehave(context: DemoContext, secret: string, url: string): Promise<Result[]> {
  const { page, client, signal } = context;
  const rogue = await installRogue(client, join(PROGRAM, "examples", "plugins", "rogue"));
  page.say(
    rogue.permissions === 0
      ? "It asks for no permission, gets none, and tries all the same:"
      : "It is granted none of what it asks for, and tries all the same:",
  );
  const results: Result[] = [];
  const before = Deno.memoryUsage().rss;
  const board = context.board();
  const all = attempts(secret, url);
  const bar = board.add("import.rogue");
  try {
    for (const [i, attempt] of all.entries()) {
      signal.throwIfAborted();
      bar.update({ stage: "trying", percent: 100 * i / all.length, message: attempt.what });
      results.push(await tryIt(context, attempt));
    }
    bar.end("completed", `${results.filter((one) => one.stopped).length} of ${all.length} stopped`);
  } finally {
    board.close();
    await rogue.remove();
  }
  page.lines(resultLines(results, page));
  await client.healthz();
  const after = Deno.memoryUsage().rss;
  page.say(
    `The host lives on, with ${bytes(after)} of memory (${
      bytes(before)
    } before). The plugin is uninstalled.`,
  );
  return results;
}

function nextSteps(
  { page, client }: DemoContext,
  is: { data: string; book: string; token: string | undefined; serve: boolean | undefined },
): void {
  const { style } = page;
  const url = is.serve ? client.url : "http://127.0.0.1:7420";
  const name = (text: string) => style.dim(text.padEnd(9));
  page.lines([
    `${name("book")}${is.book}`,
    `${name("library")}${is.data}`,
    ...(is.serve ? [] : [`${name("server")}deno task start --data ${is.data}`]),
    `${name("API")}${url}/api/docs`,
    ...(is.token === undefined ? [] : [
      `${name("token")}export CARREL_TOKEN=${is.token}`,
      `${name("try")}curl -H "Authorization: Bearer $CARREL_TOKEN" "${url}/api/search?q=desk"`,
    ]),
    `${name("or")}deno task carrel search desk --data ${is.data}`,
  ]);
}

async function main(): Promise<ExitCode> {
  const io = systemIo(async (options) => {
    const { startHost } = await import("../core/app.ts");
    return await startHost(options);
  });
  const stop = new AbortController();
  const listening = io.onInterrupt(() => stop.abort(interruptedError("The demo is interrupted.")));
  let exit: ExitCode = EXIT.ok;
  const program = new Command("demo")
    .description(
      "Import the example documents (and any FILE or URL given), search them, make a book.",
    )
    .argument("[source...]", "files, folders and addresses to import beside the examples")
    .option(
      "--data <folder>",
      "use this data folder and keep it (default: a temporary one, kept too)",
    )
    .option("--serve", "let the host stay until Ctrl-C")
    .action(async (words: string[], options: DemoOptions) => {
      exit = await demo(io, words, options, stop.signal);
    });
  try {
    await program.parseAsync(Deno.args, { from: "user" });
  } catch (error) {
    const style = createStyle(wantsColours(io.terminal.err, io.env));
    return report(io, { json: false, style }, stop.signal.aborted, error);
  } finally {
    listening();
  }
  return exit;
}

if (import.meta.main) Deno.exit(await main());
