/** From Markdown to sentences: what is no running text (headings, code, tables, images) is left out. */

export interface Sentence {
  readonly text: string;
  /** Which block of the text it stands in, from 0: sentences of one block belong together. */
  readonly block: number;
}

/** A shorter one says too little by itself, in characters. */
const SHORTEST = 20;
/** A longer one is no sentence but a list or a broken text, in characters. */
const LONGEST = 1000;

const FENCE = /^ {0,3}(`{3,}|~{3,})/;

export function sentencesOf(markdown: string, language: string | undefined): Sentence[] {
  const splitter = new Intl.Segmenter(language ?? "en", { granularity: "sentence" });
  return blocksOf(markdown).flatMap((text, block) =>
    [...splitter.segment(text)].map(({ segment }) => ({ text: segment.trim(), block }))
      .filter(({ text }) => text.length >= SHORTEST && text.length <= LONGEST)
      .filter(({ text }) => /\p{L}/u.test(text))
  );
}

/** Paragraphs and list items, each on one line. */
function blocksOf(markdown: string): string[] {
  const blocks: string[] = [];
  let lines: string[] = [];
  let fence: string | undefined;

  function end(): void {
    const text = plainOf(lines.join(" "));
    if (text !== "") blocks.push(text);
    lines = [];
  }

  for (const line of markdown.split(/\r?\n/)) {
    const mark = FENCE.exec(line)?.[1];
    if (fence !== undefined) {
      if (mark?.startsWith(fence) && line.trim() === mark) fence = undefined;
    } else if (mark !== undefined) {
      end();
      fence = mark;
    } else if (/^ {0,3}(=+|-+)\s*$/.test(line) && lines.length > 0) {
      lines = []; // an underlined heading
    } else if (/^\s*$/.test(line) || /^ {0,3}(#{1,6}(\s|$)|[-*_]\s*([-*_]\s*){2,}$)/.test(line)) {
      end();
    } else if (/^\s*\|/.test(line) || /^ {0,3}\[[^\]]+\]:\s/.test(line)) {
      end(); // a table, the address of a link
    } else if (/^(\t| {4})/.test(line) && lines.length === 0) {
      continue; // code
    } else {
      const item = /^\s*([-*+]|\d{1,9}[.)])\s+(.*)$/.exec(line);
      if (item !== null) end();
      lines.push(item?.[2] ?? line.replace(/^\s*(>\s?)*/, ""));
    }
  }
  end();
  return blocks;
}

/** Text as it is read: links by their words, no pictures, no emphasis that a sentence could cut in two. */
function plainOf(text: string): string {
  return text
    .replace(/!\[[^\]]*\]\([^)\s]*(?:\s[^)]*)?\)/g, "")
    .replace(/\[\^[^\]]+\]/g, "")
    .replace(/\[([^\]]+)\](\([^)\s]*(?:\s[^)]*)?\)|\[[^\]]*\])/g, "$1")
    .replace(/<\/?[a-z][^<>]*>/gi, "")
    .replace(/(\*\*|__)(?=\S)([^*_]*?\S)\1/g, "$2")
    .replace(/(?<![\w*])\*(?=\S)([^*]*?\S)\*(?![\w*])/g, "$1")
    .replace(/\s+/g, " ")
    .trim();
}
