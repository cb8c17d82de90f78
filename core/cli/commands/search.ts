/** `carrel search`: passages of the library. */
import { Option } from "commander";
import { CONTENT_TYPES } from "../../../sdk/types.ts";
import { type Builder, wholeNumber } from "../args.ts";
import type { Client } from "../client.ts";
import { usageError } from "../errors.ts";
import { bounded } from "../follow.ts";
import type { SearchAnswerJson } from "../wire.ts";
import { count, passage, type Style } from "../format.ts";
import { clean, cut } from "../width.ts";

interface SearchOptions {
  readonly limit: number;
  readonly type?: string;
  readonly collection?: string;
  readonly language?: string;
  readonly full?: boolean;
}

/** A hit as it is shown: what it is from, the passage, where it stands. */
export function hitLines(
  hit: SearchAnswerJson["hits"][number],
  rank: number,
  options: {
    readonly width: number;
    readonly style: Style;
    readonly full?: boolean | undefined;
    /** Of an upload. */
    readonly filename?: string | undefined;
  },
): string[] {
  const { style, width } = options;
  const place = [
    hit.content.type,
    ...(hit.page === null ? [] : [`page ${hit.page}`]),
    ...(hit.heading === null || hit.heading === hit.content.title ? [] : [hit.heading]),
  ].map(clean).join(" · ");
  const title = cut(clean(hit.content.title), Math.max(20, width - 4 - 12));
  const room = Math.max(8, width - title.length - 8);
  const lines = passage(hit.text, hit.highlights, {
    width: Math.max(30, Math.min(width, 100) - 4),
    style,
    ...(options.full ? { most: Infinity } : {}),
  });
  const from = isUpload(hit) ? options.filename : hit.content.url;
  return [
    `${style.dim(String(rank).padStart(2))}  ${style.bold(title)}  ${style.dim(cut(place, room))}`,
    ...lines.map((line) => `    ${line}`),
    ...(from === undefined ? [] : [style.dim(`    ${clean(from)}`)]),
    style.dim(`    ${hit.content.id} ${hit.start}–${hit.end}`),
  ];
}

function isUpload(hit: SearchAnswerJson["hits"][number]): boolean {
  return hit.content.url.startsWith("upload:");
}

/** The names of the uploaded files among the contents of the hits. */
export async function fileNames(
  client: Client,
  hits: SearchAnswerJson["hits"],
): Promise<Map<string, string>> {
  const uploads = [...new Set(hits.filter(isUpload).map((hit) => hit.content.id))];
  const names = new Map<string, string>();
  await bounded(uploads, 8, async (id) => {
    const { filename } = await client.content(id);
    if (filename !== null) names.set(id, filename);
  });
  return names;
}

export function addSearch({ program, action }: Builder): void {
  program.command("search")
    .description("find passages")
    .argument("<words...>", "what to look for")
    .option("-k, --limit <number>", "how many passages", wholeNumber(1, 100), 10)
    .addOption(new Option("--type <type>", "only in contents of this type").choices(CONTENT_TYPES))
    .option("--collection <name>", "only in this collection")
    .option("--language <tag>", "only in this language, for example en")
    .option("--full", "the whole passages")
    .action(action(async (session, options: SearchOptions, words: string[]) => {
      const query = words.join(" ");
      if (query.trim() === "") {
        throw usageError(
          "Cannot search: there is no word to look for.",
          "carrel search closed desk",
        );
      }
      const { client } = await session.connect();
      const answer = await client.search(query, {
        k: options.limit,
        type: options.type,
        collection: options.collection,
        language: options.language,
      });
      session.answer(answer);
      const names = session.json ? undefined : await fileNames(client, answer.hits);
      answer.hits.forEach((hit, i) => {
        if (i > 0) session.print();
        const { width, style } = session;
        for (
          const line of hitLines(hit, i + 1, {
            width,
            style,
            full: options.full,
            filename: names?.get(hit.content.id),
          })
        ) {
          session.print(line);
        }
      });
      session.note(
        answer.hits.length === 0
          ? `Nothing found for “${clean(answer.query)}”.`
          : session.style.dim(`${count(answer.hits.length, "passage")}.`),
      );
    }));
}
