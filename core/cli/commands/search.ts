/** `carrel search`: passages of the library. */
import { type Builder, wholeNumber } from "../args.ts";
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
  options: { readonly width: number; readonly style: Style; readonly full?: boolean | undefined },
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
  return [
    `${style.dim(String(rank).padStart(2))}  ${style.bold(title)}  ${style.dim(cut(place, room))}`,
    ...lines.map((line) => `    ${line}`),
    ...(hit.content.url.startsWith("upload:") ? [] : [style.dim(`    ${clean(hit.content.url)}`)]),
    style.dim(`    ${hit.content.id} ${hit.start}–${hit.end}`),
  ];
}

export function addSearch({ program, action }: Builder): void {
  program.command("search")
    .description("find passages")
    .argument("<words...>", "what to look for")
    .option("-k, --limit <number>", "how many passages", wholeNumber(1, 100), 10)
    .option("--type <type>", "only in contents of this type, for example webpage")
    .option("--collection <name>", "only in this collection")
    .option("--language <tag>", "only in this language, for example en")
    .option("--full", "the whole passages")
    .action(action(async (session, options: SearchOptions, words: string[]) => {
      const { client } = await session.connect();
      const answer = await client.search(words.join(" "), {
        k: options.limit,
        type: options.type,
        collection: options.collection,
        language: options.language,
      });
      session.answer(answer);
      answer.hits.forEach((hit, i) => {
        if (i > 0) session.print();
        const { width, style } = session;
        for (const line of hitLines(hit, i + 1, { width, style, full: options.full })) {
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
