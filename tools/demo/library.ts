/** The first half of the demo: documents in, passages found, a book out, and where its chapter came from. */
import { basename, join } from "node:path";
import type { Client } from "../../core/cli/client.ts";
import { contentOf, importDone } from "../../core/cli/commands/import.ts";
import { fileNames, hitLines } from "../../core/cli/commands/search.ts";
import { artifactOf } from "../../core/cli/commands/export.ts";
import { download } from "../../core/cli/download.ts";
import { hintFor } from "../../core/cli/errors.ts";
import { bounded, followJob } from "../../core/cli/follow.ts";
import { bytes, count, duration } from "../../core/cli/format.ts";
import type { Io } from "../../core/cli/io.ts";
import type { ProgressBoard } from "../../core/cli/progress.ts";
import { asCliError } from "../../core/cli/session.ts";
import { type BadSource, mediaTypeOf, type Source, unreadable } from "../../core/cli/sources.ts";
import { drawTree } from "../../core/cli/tree.ts";
import { clean, wrap } from "../../core/cli/width.ts";
import type { Page } from "./page.ts";

export interface DemoContext {
  readonly io: Io;
  readonly page: Page;
  readonly client: Client;
  readonly signal: AbortSignal;
  board(): ProgressBoard;
}

/** Imports all sources, a bar for each. Returns the contents, in the order of the sources, and how many failed. */
export async function importSources(
  { io, page, client, signal, board: open }: DemoContext,
  sources: readonly (Source | BadSource)[],
): Promise<{ readonly contents: string[]; readonly failed: number }> {
  const board = open();
  const begun = io.now();
  const failures = new Map<number, string[]>();
  const results = await bounded(sources, 4, async (source, i) => {
    const name = source.kind === "file" ? basename(source.path) : source.name;
    const bar = board.add(name);
    try {
      if (source.kind === "bad") throw source.error;
      const { job } = source.kind === "url"
        ? await client.importUrl(source.url, { signal })
        : await client.importFile({
          name,
          mediaType: mediaTypeOf(name),
          bytes: source.kind === "stdin"
            ? io.stdin()
            : (await Deno.open(source.path, { read: true }).catch((error) => {
              throw unreadable(source.name, error);
            })).readable,
        }, { signal });
      const ended = await followJob(client, job.id, bar, {
        signal,
        done: (done) => importDone(client, done),
      });
      if (ended.error) failures.set(i, failure(page, name, ended.error, ended.id));
      return contentOf(ended);
    } catch (error) {
      signal.throwIfAborted();
      const said = asCliError(error);
      bar.end("failed", `${said.code}: ${said.message}`);
      failures.set(i, failure(page, name, said));
    }
  });
  board.close();
  signal.throwIfAborted();
  const contents = results.flatMap((one) =>
    one.status === "fulfilled" && one.value ? [one.value] : []
  );
  for (const i of sources.keys()) page.lines(failures.get(i) ?? []);
  page.say(`${count(contents.length, "document")} in ${duration(io.now() - begun)}.`);
  return { contents: [...new Set(contents)], failed: failures.size };
}

function failure(
  page: Page,
  name: string,
  error: { readonly code: string; readonly message: string },
  job?: string,
): string[] {
  const { style, width } = page;
  const block = (mark: string, text: string) =>
    wrap(text, width - 7).map((line, i) => `${i === 0 ? mark : " "} ${line}`);
  const hint = hintFor(error, job);
  return [
    ...block(style.red("✗"), `${clean(name)}: ${clean(error.message)}`),
    ...(hint === undefined ? [] : block(style.dim("→"), hint).map((line) => `  ${line}`)),
  ];
}

/** Shows the best passages for each phrase. */
export async function searchPhrases(
  { io, page, client }: DemoContext,
  phrases: readonly string[],
): Promise<void> {
  const { style, width } = page;
  for (const [i, phrase] of phrases.entries()) {
    const begun = io.now();
    const { hits } = await client.search(phrase, { k: 2 });
    const took = duration(io.now() - begun);
    const names = await fileNames(client, hits);
    if (i > 0) page.lines([""]);
    page.lines([`${style.bold(`“${phrase}”`)}  ${style.dim(took)}`]);
    hits.forEach((hit, rank) =>
      page.lines(
        // Without the line of ids: this is for reading.
        hitLines(hit, rank + 1, {
          width: width - 3,
          style,
          filename: names.get(hit.content.id),
        }).slice(0, -1),
      )
    );
    if (hits.length === 0) page.say("Nothing found.");
  }
}

/** Makes a book of the contents and saves it. Returns its artifact and its path. */
export async function makeBook(
  { page, client, signal, board: open }: DemoContext,
  contents: readonly string[],
  folder: string,
): Promise<{ readonly artifact: string; readonly path: string }> {
  const { job } = await client.export({
    source_ids: contents,
    format: "ebook",
    parameters: { title: "From the desk" },
  });
  const board = open();
  const ended = await followJob(client, job.id, board.add("From the desk"), { signal });
  board.close();
  const id = artifactOf(ended);
  if (id === undefined) throw new Error(ended.error?.message ?? `the export was ${ended.status}`);
  const artifact = await client.artifact(id);
  const file = artifact.files[0]!;
  const path = join(folder, file.name);
  const size = await download(client, id, file.name, path, { force: true, signal });
  page.say(`An EPUB of ${count(contents.length, "chapter")}, ${bytes(size)}:`);
  page.lines([page.style.cyan(path)]);
  return { artifact: id, path };
}

/** Draws where the book's first chapter came from. */
export async function showLineage({ page, client }: DemoContext, artifact: string): Promise<void> {
  const report = await client.attribution(artifact);
  const chapter = report.parts.find((part) => part.kind === "chapter") ?? report.parts[0];
  const genealogy = await client.genealogy(
    chapter === undefined ? artifact : `${artifact}#${chapter.id}`,
  );
  page.lines(drawTree(genealogy, {
    style: page.style,
    width: page.width - 3,
    // Who asked for it is always the same here.
    follow: (edge) => edge.type !== "CREATED_BY",
  }));
  const used = chapter?.sources.reduce((sum, source) => sum + source.passages.length, 0) ?? 0;
  if (used > 0) {
    page.say(`The chapter names ${count(used, "passage")} of its source, each with its offsets.`);
  }
}
