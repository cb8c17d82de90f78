/**
 * Cuts a Markdown text into passages. A passage is a block (paragraph, list, table, code, quote), or several
 * short ones that follow one another; what is longer than `MAX_CHUNK` is cut at the end of a sentence.
 * Headings are not passages of their own: each passage knows the heading it stands under, and none goes
 * across a heading or the beginning of a page.
 */
import { createBreather } from "../breathe.ts";
import { CarrelError } from "../errors.ts";

/** Longest passage, UTF-16 code units: about a printed page, so that a hit can be read at a glance. */
export const MAX_CHUNK = 2_000;
/** Up to this length a block may share a passage: a line, an item, a caption says little alone. */
export const SHORT_BLOCK = 200;
/** Longest passage of several blocks. */
export const MAX_GROUP = 1_000;
/** Passages of one content: each is a row and an entry in the full text. */
export const MAX_PASSAGES = 50_000;

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

/** The passages in order. Lets the event loop turn meanwhile. Throws `too_large`, and when aborted. */
export async function chunkMarkdown(
  text: string,
  pages: readonly PageStart[] = [],
  signal?: AbortSignal,
): Promise<Passage[]> {
  const breathe = createBreather();
  const passages: Passage[] = [];
  for (const passage of passagesOf(text, pages)) {
    await breathe();
    signal?.throwIfAborted();
    if (passage === undefined) continue;
    passages.push(passage);
    if (passages.length > MAX_PASSAGES) {
      throw new CarrelError(
        "too_large",
        `Cannot store the text: it has more than ${MAX_PASSAGES} passages`,
        { details: { max_passages: MAX_PASSAGES } },
      );
    }
  }
  return passages;
}

/** `undefined` now and then, where long work may pause. */
function* passagesOf(
  text: string,
  pages: readonly PageStart[],
): Generator<Passage | undefined, void> {
  const pageOf = pageFinder(pages);
  let heading: string | undefined;
  let group: Passage | undefined;
  for (const block of blocks(text)) {
    if (block === undefined) {
      yield undefined;
      continue;
    }
    const title = headingOf(text, block);
    if (title !== undefined) {
      if (group) yield group;
      group = undefined;
      heading = title;
      continue;
    }
    for (const piece of cut(text, block.start, block.end)) {
      const page = pageOf(piece.start);
      if (group && joins(group, piece, page)) {
        group = { ...group, end: piece.end };
        continue;
      }
      if (group) yield group;
      group = { ...piece, heading, page };
      if (piece.end - piece.start > SHORT_BLOCK) {
        yield group;
        group = undefined;
      }
    }
  }
  if (group) yield group;
}

function joins(group: Passage, piece: Range, page: number | undefined): boolean {
  return piece.end - piece.start <= SHORT_BLOCK && piece.end - group.start <= MAX_GROUP &&
    page === group.page;
}

interface Range {
  readonly start: number;
  readonly end: number;
}

interface Block extends Range {
  /** Whether it is a heading that begins with `#`. */
  readonly atx?: boolean;
}

// Sticky, so that no line has to be cut out of the text to be looked at.
const FENCE = / {0,3}(`{3,}|~{3,})/y;
const ATX_START = / {0,3}#{1,6}[ \t]/y;
const BLANK = /[^\S\n]*(?:\n|$)/y;
/** Lines between two places where the work may pause. */
const LINES_AT_ONCE = 2_048;

function at(pattern: RegExp, text: string, index: number): RegExpExecArray | null {
  pattern.lastIndex = index;
  return pattern.exec(text);
}

/** Runs of lines between blank lines; a fenced block is one, blank lines and all. */
function* blocks(text: string): Generator<Block | undefined, void> {
  let start = -1;
  let end = 0;
  let fence: string | undefined;
  let lines = 0;
  for (let line = 0; line < text.length;) {
    if (++lines % LINES_AT_ONCE === 0) yield undefined;
    const newline = text.indexOf("\n", line);
    const lineEnd = newline === -1 ? text.length : newline;
    const mark = at(FENCE, text, line)?.[1];
    const blank = at(BLANK, text, line) !== null;
    const atx = fence === undefined && at(ATX_START, text, line) !== null;
    if (fence === undefined && (blank || atx) && start !== -1) {
      yield { start, end };
      start = -1;
    }
    if (atx) {
      yield { start: line, end: lineEnd, atx };
    } else if (!blank || fence !== undefined) {
      if (start === -1) start = line;
      end = lineEnd;
    }
    if (fence === undefined) {
      fence = mark;
    } else if (mark !== undefined && mark[0] === fence[0] && mark.length >= fence.length) {
      fence = undefined;
    }
    line = lineEnd + 1;
  }
  if (start !== -1) yield { start, end };
}

const SETEXT_UNDERLINE = /^ {0,3}(=+|-{2,})\s*$/;

function headingOf(text: string, block: Block): string | undefined {
  if (block.atx) return plain(atxTitle(text.slice(block.start, block.end)));
  const second = text.indexOf("\n", block.start) + 1;
  if (second === 0 || second >= block.end) return undefined;
  const third = text.indexOf("\n", second);
  if (third !== -1 && third < block.end) return undefined;
  const underlined = SETEXT_UNDERLINE.test(text.slice(second, block.end));
  return underlined ? plain(text.slice(block.start, second)) : undefined;
}

/** Without the marks in front, and those behind if a space parts them from the words. */
function atxTitle(line: string): string {
  const words = line.trim().replace(/^#{1,6}/, "");
  let end = words.length;
  while (words[end - 1] === "#") end -= 1;
  return end === 0 || /\s/.test(words[end - 1] ?? "") ? words.slice(0, end) : words;
}

/** A heading longer than this is cut before anything is looked for in it. */
const MAX_HEADING_LINE = 1_000;
const MAX_HEADING = 300;

/** A heading without the Markdown of links and emphasis. */
function plain(heading: string): string {
  return heading.slice(0, MAX_HEADING_LINE)
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/[*_`]/g, "").trim()
    .slice(0, MAX_HEADING).toWellFormed();
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
  const piece = text.slice(start, end).trimEnd();
  const inner = piece.trimStart();
  if (inner === "") return undefined;
  return { start: start + piece.length - inner.length, end: start + piece.length };
}

function pageFinder(pages: readonly PageStart[]): (offset: number) => number | undefined {
  let index = 0;
  return (offset) => {
    while (index < pages.length && (pages[index]?.offset ?? Infinity) <= offset) index += 1;
    return pages[index - 1]?.page;
  };
}
