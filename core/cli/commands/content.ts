/** `carrel content`: what is in the library. */
import { resolve } from "node:path";
import { Option } from "commander";
import { CONTENT_TYPES } from "../../../sdk/types.ts";
import { type Builder, wholeNumber } from "../args.ts";
import { askYesNo } from "../ask.ts";
import type { ArtifactJson, ContentJson } from "../wire.ts";
import { bytes, count, pairs, table, when } from "../format.ts";
import { download } from "../download.ts";
import { interruptedError } from "../errors.ts";
import type { Session } from "../session.ts";
import { clean } from "../width.ts";

interface ListOptions {
  readonly limit: number;
  readonly cursor?: string;
  readonly type?: string;
  readonly collection?: string;
  readonly artifacts?: boolean;
}

interface DeleteOptions {
  readonly hard?: boolean;
  readonly yes?: boolean;
}

export function addContent({ program, action }: Builder): void {
  const content = program.command("content").description("list, show, save and delete contents");

  content.command("list")
    .description("list contents, newest first")
    .option("--limit <number>", "at most so many", wholeNumber(1, 200), 50)
    .option("--cursor <cursor>", "go on where a list ended")
    .addOption(new Option("--type <type>", "only this type").choices(CONTENT_TYPES))
    .option("--collection <name>", "only of this collection")
    .option("--artifacts", "list what was made of contents instead")
    .action(action(async (session, options: ListOptions) => {
      const { client } = await session.connect();
      const page = { limit: options.limit, cursor: options.cursor };
      const list = options.artifacts ? await client.artifacts(page) : await client.contents({
        ...page,
        type: options.type,
        collection: options.collection,
      });
      session.answer(list);
      const rows = list.items.map((item: ContentJson | ArtifactJson) => [
        item.id,
        item.type,
        when(item.created),
        item.title,
        "url" in item ? item.filename ?? item.url : "",
      ]);
      if (rows.length === 0) session.note("Nothing here yet: carrel import FILE or https://…");
      else printTable(session, rows, !options.artifacts);
      if (list.cursor !== null) session.note(`More: --cursor ${list.cursor}`);
    }));

  content.command("show")
    .description("show one content or artifact")
    .argument("<id>")
    .action(action(async (session, _options, id: string) => {
      const { client } = await session.connect();
      const item = id.startsWith("artifact_")
        ? await client.artifact(id)
        : await client.content(id);
      session.answer(item);
      session.print(session.style.bold(clean(item.title)));
      const { width, style } = session;
      const lines = pairs("url" in item ? contentPairs(item) : artifactPairs(item), {
        width,
        style,
      });
      for (const line of lines) session.print(line);
      for (const warning of "warnings" in item ? item.warnings : []) {
        session.print(`${style.yellow("!")} ${clean(warning)}`);
      }
    }));

  content.command("files")
    .description("list the files of a content or artifact, or save one")
    .argument("<id>")
    .argument("[name]", "the file to save")
    .option("-o, --output <file>", "where to save it; - is standard output")
    .option("--force", "write over a file that is there")
    .action(action(async (
      session,
      options: { output?: string; force?: boolean },
      id: string,
      name: string | undefined,
    ) => {
      const { client } = await session.connect();
      if (name === undefined) {
        const item = id.startsWith("artifact_")
          ? await client.artifact(id)
          : await client.content(id);
        session.answer({ files: item.files });
        const { width, style } = session;
        const columns = [{ title: "name", flexible: true }, { title: "type" }, {
          title: "size",
          align: "right" as const,
        }];
        const rows = item.files.map((file) => [file.name, file.media_type, bytes(file.size)]);
        for (const line of table(columns, rows, { width, style })) session.print(line);
        return;
      }
      if (options.output === "-") {
        const { stream } = await client.file(id, name, session.signal);
        for await (const piece of stream) session.io.out.write(piece);
        return;
      }
      const path = resolve(session.io.cwd, options.output ?? name.split("/").at(-1)!);
      const size = await download(client, id, name, path, {
        force: options.force,
        signal: session.signal,
      });
      session.answer({ saved: path, size });
      session.print(`${path}  ${session.style.dim(bytes(size))}`);
    }));

  content.command("delete")
    .description("delete contents")
    .argument("<id...>")
    .option("--hard", "for good: text, files and titles go; only a tombstone stays in the lineage")
    .option("--yes", "do not ask")
    .action(action(async (session, options: DeleteOptions, ids: string[]) => {
      const { client } = await session.connect();
      if (options.hard && !options.yes && session.io.terminal.in) {
        const question = `Delete ${count(ids.length, "content")} for good?`;
        const yes = await askYesNo(session.io, question, session.signal);
        if (!yes) throw interruptedError("Nothing is deleted.");
      }
      for (const id of ids) {
        await client.deleteContent(id, options.hard ?? false);
        session.print(`deleted ${id}`);
      }
      session.answer({ deleted: ids });
    }));
}

/** Columns from which on there is room beside the title for where a content came from. */
const WIDE = 110;

function printTable(session: Session, rows: string[][], contents: boolean): void {
  const { width, style } = session;
  const columns = [
    { title: "id" },
    { title: "type" },
    { title: "made", paint: style.dim },
    { title: "title", flexible: true },
    ...(contents && width >= WIDE ? [{ title: "from", flexible: true, paint: style.dim }] : []),
  ];
  for (const line of table(columns, rows, { width, style })) session.print(line);
}

type Pairs = (readonly [string, string])[];

function some(name: string, value: string | null | undefined): Pairs {
  return value === null || value === undefined || value === "" ? [] : [[name, value]];
}

function contentPairs(item: ContentJson): Pairs {
  return [
    ["id", item.id],
    ["type", item.type],
    item.filename === null ? ["address", item.url] : ["file", item.filename],
    ...some("authors", item.authors.join(", ")),
    ...some("published", item.published),
    ...some("language", item.language),
    ...some("licence", item.licence),
    ["collection", item.collection],
    ["revision", `${item.revision.number} of ${when(item.revision.created)}`],
    ["files", item.files.map((file) => `${file.name} (${bytes(file.size)})`).join(", ")],
    ...some("summary", item.summary),
  ];
}

function artifactPairs(item: ArtifactJson): Pairs {
  return [
    ["id", item.id],
    ["type", item.type],
    ["made", `${when(item.created)} by ${item.plugin}`],
    ["sources", item.sources.map((source) => source.content).join(", ")],
    ["files", item.files.map((file) => `${file.name} (${bytes(file.size)})`).join(", ")],
    ...some("version of", item.version_of),
    ["job", item.job],
  ];
}
