/** Which sentences a summary takes, and how it is written down. */
import { escapeMarkdown, type TextSource } from "@carrel/sdk";
import { cosine, rank } from "./rank.ts";
import { type Sentence, sentencesOf } from "./sentences.ts";

export interface Summary {
  /** Markdown. */
  readonly text: string;
  /** Ids of the sources that sentences were taken from, in their order. */
  readonly used: readonly string[];
}

export interface SummaryOptions {
  readonly sources: readonly TextSource[];
  readonly question: string;
  /** Characters of all sentences together. */
  readonly room: number;
  readonly language: string | undefined;
}

/** Two sentences that are more alike than this say the same (cosine). */
const SAME = 0.6;
/** Sentences that are compared with each other; of longer texts the first of each source. */
const MOST = 1500;

interface Candidate extends Sentence {
  readonly source: number;
  /** Its place among all. */
  readonly at: number;
}

/** Undefined where the sources hold no sentence. */
export function summarise(options: SummaryOptions): Summary | undefined {
  const { sources, question, room, language } = options;
  const candidates = candidatesOf(sources, language);
  if (candidates.length === 0) return undefined;
  const ends = sources.map((_, source) =>
    candidates.filter((one) => one.source === source).length - 1
  );
  const begins = sources.map((_, source) => candidates.findIndex((one) => one.source === source));
  const { scores, vectors } = rank({
    sentences: candidates.map(({ text }) => text),
    positions: candidates.map(({ source, at }) =>
      ends[source]! > 0 ? (at - begins[source]!) / ends[source]! : 0
    ),
    question,
    language,
  });
  const best = candidates.toSorted((a, b) => scores[b.at]! - scores[a.at]! || a.at - b.at);
  const taken: Candidate[] = [];
  let left = room;
  function take(one: Candidate): boolean {
    const fits = one.text.length <= left || taken.length === 0;
    const said = taken.some(({ at }) => cosine(vectors[at]!, vectors[one.at]!) > SAME);
    if (!fits || said) return false;
    taken.push(one);
    left -= one.text.length;
    return true;
  }
  // Each source has its say first, as far as there is room.
  const heard = new Set<number>();
  for (const one of best) if (!heard.has(one.source) && take(one)) heard.add(one.source);
  for (const one of best) if (!taken.includes(one)) take(one);
  taken.sort((a, b) => a.at - b.at);
  return {
    text: write(sources, taken),
    used: [...new Set(taken.map(({ source }) => sources[source]!.id))],
  };
}

function candidatesOf(
  sources: readonly TextSource[],
  language: string | undefined,
): readonly Candidate[] {
  const split = sources.map(({ text }) => sentencesOf(text, language));
  const total = split.reduce((sum, list) => sum + list.length, 0);
  const share = Math.min(1, MOST / total);
  return split.flatMap((list, source) =>
    list.slice(0, Math.max(1, Math.floor(list.length * share)))
      .map((sentence) => ({ ...sentence, source }))
  ).slice(0, MOST).map((one, at) => ({ ...one, at }));
}

/** Sentences of one paragraph stay one; each source that has a title has it as a heading. */
function write(sources: readonly TextSource[], taken: readonly Candidate[]): string {
  const parts: string[] = [];
  let last: Candidate | undefined;
  for (const one of taken) {
    const { title } = sources[one.source]!;
    if (one.source !== last?.source && title !== undefined && title.trim() !== "") {
      parts.push(
        `## ${escapeMarkdown(title.replace(/\s+/g, " ").trim(), { lineStart: false })}`,
        one.text,
      );
    } else if (one.source === last?.source && one.block === last.block) {
      parts.push(`${parts.pop()} ${one.text}`);
    } else {
      parts.push(one.text);
    }
    last = one;
  }
  return parts.join("\n\n");
}
