/**
 * Cuts a Markdown text into passages. A passage is a block (paragraph, list, table, code, quote); what is
 * longer than `MAX_CHUNK` is cut at the end of a sentence. Headings are not passages of their own: each
 * passage knows the heading it stands under.
 */

/** Longest passage, UTF-16 code units: about a printed page, so that a hit can be read at a glance. */
export const MAX_CHUNK = 2_000;

export interface Passage {
  /** Offsets into the text, UTF-16 code units, end exclusive. `text.slice(start, end)` is the passage. */
  readonly start: number;
  readonly end: number;
  readonly heading: string | undefined;
  readonly page: number | undefined;
}

export interface PageStart {
  readonly page: number;
  readonly offset: number;
}

const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const ATX_HEADING = /^ {0,3}#{1,6}[ \t]+(.*?)[ \t]*#*[ \t]*$/;
const SETEXT_UNDERLINE = /^ {0,3}(=+|-{2,})[ \t]*$/;

export function chunkMarkdown(text: string, pages: readonly PageStart[] = []): Passage[] {
  const passages: Passage[] = [];
  const pageOf = pageFinder(pages);
  let heading: string | undefined;
  for (const block of blocks(text)) {
    const title = headingOf(text.slice(block.start, block.end));
    if (title !== undefined) {
      heading = title;
      continue;
    }
    for (const piece of cut(text, block.start, block.end)) {
      passages.push({ ...piece, heading, page: pageOf(piece.start) });
    }
  }
  return passages;
}

interface Range {
  readonly start: number;
  readonly end: number;
}

/** Runs of lines between blank lines; a fenced block is one, blank lines and all. */
function* blocks(text: string): Generator<Range> {
  let start = -1;
  let end = 0;
  let fence: string | undefined;
  for (let at = 0; at < text.length;) {
    const newline = text.indexOf("\n", at);
    const lineEnd = newline === -1 ? text.length : newline;
    const line = text.slice(at, lineEnd);
    const mark = FENCE.exec(line)?.[1];
    const blank = line.trim() === "";
    const isHeading = fence === undefined && ATX_HEADING.test(line);
    if (fence === undefined && (blank || isHeading) && start !== -1) {
      yield { start, end };
      start = -1;
    }
    if (isHeading) {
      yield { start: at, end: lineEnd };
    } else if (!blank || fence !== undefined) {
      if (start === -1) start = at;
      end = lineEnd;
    }
    if (fence === undefined) {
      if (mark !== undefined) fence = mark;
    } else if (mark !== undefined && mark[0] === fence[0] && mark.length >= fence.length) {
      fence = undefined;
    }
    at = lineEnd + 1;
  }
  if (start !== -1) yield { start, end };
}

function headingOf(block: string): string | undefined {
  const atx = ATX_HEADING.exec(block);
  if (atx && !block.includes("\n")) return plain(atx[1] ?? "");
  const lines = block.split("\n");
  if (lines.length === 2 && SETEXT_UNDERLINE.test(lines[1] ?? "")) return plain(lines[0] ?? "");
  return undefined;
}

/** A heading without the Markdown of links and emphasis. */
function plain(heading: string): string {
  return heading.replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/[*_`]/g, "").trim().slice(
    0,
    300,
  );
}

const SENTENCE_END = /[.!?…。！？][)\]"'”’»]*\s/gu;

function* cut(text: string, from: number, to: number): Generator<Range> {
  let start = from;
  while (to - start > MAX_CHUNK) {
    const window = text.slice(start, start + MAX_CHUNK);
    let at = 0;
    for (const match of window.matchAll(SENTENCE_END)) at = match.index + match[0].length;
    // Half a window without the end of a sentence: a space will do, and failing that any place will.
    if (at < MAX_CHUNK / 2) {
      at = Math.max(window.lastIndexOf(" ") + 1, window.lastIndexOf("\n") + 1);
    }
    if (at < MAX_CHUNK / 2) at = MAX_CHUNK;
    // Never between the halves of a surrogate pair.
    const code = text.charCodeAt(start + at - 1);
    if (code >= 0xd800 && code <= 0xdbff) at -= 1;
    const piece = trimmed(text, start, start + at);
    if (piece) yield piece;
    start += at;
  }
  const rest = trimmed(text, start, to);
  if (rest) yield rest;
}

function trimmed(text: string, start: number, end: number): Range | undefined {
  while (end > start && /\s/.test(text[end - 1] ?? "")) end -= 1;
  let first = start;
  while (first < end && /\s/.test(text[first] ?? "")) first += 1;
  return first < end ? { start: first, end } : undefined;
}

function pageFinder(pages: readonly PageStart[]): (offset: number) => number | undefined {
  let index = 0;
  return (offset) => {
    while (index < pages.length && (pages[index]?.offset ?? Infinity) <= offset) index += 1;
    return pages[index - 1]?.page;
  };
}
