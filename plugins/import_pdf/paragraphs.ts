import { escapeMarkdown } from "@carrel/sdk";
import { type Line, mostOften } from "./lines.ts";

/** A block of text and the page on which it begins. */
export interface Block {
  readonly kind: "paragraph" | "heading" | "item";
  /** 1 to 6, of a heading. */
  readonly level: number;
  readonly lines: Line[];
}

const BULLET = /^(?:[•‣▪◦●○■–∙·]|[-*](?=\s))\s*/;
const NUMBERED = /^\(?\d{1,3}[.)]\s+\S/;
const SENTENCE_END = /[.!?:;…。？！]["'”’»)\]]*$/;

/** Puts lines together to paragraphs, headings and list items. */
export function blocksOf(pages: readonly (readonly Line[])[]): Block[] {
  const all = pages.flat();
  const body = bodySize(all);
  const levels = headingLevels(all, body);
  const blocks: Block[] = [];
  for (const lines of pages) {
    const leading = usualLeading(lines, body);
    const right = columnEnds(lines);
    let previous: Line | undefined;
    for (const line of lines) {
      const last = blocks.at(-1);
      const joined = last !== undefined && previous !== undefined
        ? continues(last, previous, line, { leading, right })
        : last !== undefined && goesOnOverleaf(last, line);
      if (joined) last!.lines.push(line);
      else blocks.push(startBlock(line, levels));
      previous = line;
    }
  }
  return blocks;
}

function startBlock(line: Line, levels: ReadonlyMap<number, number>): Block {
  const level = levels.get(line.size);
  if (level !== undefined && /\p{L}/u.test(line.text)) {
    return { kind: "heading", level, lines: [line] };
  }
  const item = BULLET.test(line.text) || NUMBERED.test(line.text);
  return { kind: item ? "item" : "paragraph", level: 0, lines: [line] };
}

interface PageShape {
  readonly leading: number;
  readonly right: ReadonlyMap<Line, number>;
}

function continues(block: Block, previous: Line, line: Line, shape: PageShape): boolean {
  const size = Math.max(previous.size, line.size);
  if (Math.abs(previous.size - line.size) > size * 0.12) return false;
  if (BULLET.test(line.text)) return false;
  const down = previous.y - line.y;
  const ended = SENTENCE_END.test(previous.text);
  if (block.kind === "heading") return down > 0 && down < size * 1.8;
  // To the top of the next column: the sentence goes on, or it does not.
  if (down <= 0) return !ended && /^[\p{Ll}\d(]/u.test(line.text);
  if (down > Math.max(shape.leading * 1.35, size * 1.2)) return false;
  if (NUMBERED.test(line.text) && (block.kind === "item" || ended)) return false;
  const indented = line.left - previous.left > size * 0.7;
  if (indented && ended && block.kind !== "item") return false;
  // A line that ends well before its column does is the last one of a paragraph.
  const short = (shape.right.get(previous) ?? previous.right) - previous.right > size * 4;
  return !(short && ended);
}

function goesOnOverleaf(block: Block, line: Line): boolean {
  const previous = block.lines.at(-1)!;
  return block.kind !== "heading" && Math.abs(previous.size - line.size) < 0.6 &&
    !SENTENCE_END.test(previous.text) && /^\p{Ll}/u.test(line.text);
}

/** The size in which most of the text is set. */
function bodySize(lines: readonly Line[]): number {
  const counts = new Map<number, number>();
  for (const line of lines) counts.set(line.size, (counts.get(line.size) ?? 0) + line.text.length);
  return mostOften(counts) ?? 10;
}

/** Sizes well above the body's, the largest first, as far as they are used for little of the text. */
function headingLevels(lines: readonly Line[], body: number): Map<number, number> {
  const counts = new Map<number, number>();
  let total = 0;
  for (const line of lines) {
    total += line.text.length;
    if (line.size >= body * 1.15) {
      counts.set(line.size, (counts.get(line.size) ?? 0) + line.text.length);
    }
  }
  const sizes = [...counts].filter(([, characters]) => characters < total * 0.3)
    .map(([size]) => size).sort((a, b) => b - a);
  return new Map(sizes.map((size, index) => [size, Math.min(index + 1, 4)]));
}

/** The distance between the lines of the body on this page. */
function usualLeading(lines: readonly Line[], body: number): number {
  const counts = new Map<number, number>();
  for (let i = 1; i < lines.length; i++) {
    const down = Math.round((lines[i - 1]!.y - lines[i]!.y) * 2) / 2;
    if (down > 0 && down < body * 3) counts.set(down, (counts.get(down) ?? 0) + 1);
  }
  return mostOften(counts) ?? body * 1.2;
}

/** For each line where its column ends: the farthest end of the lines that begin near its beginning. */
function columnEnds(lines: readonly Line[]): Map<Line, number> {
  const columns = new Map<number, number>();
  const column = (line: Line) => Math.round(line.left / 40);
  for (const line of lines) {
    columns.set(column(line), Math.max(columns.get(column(line)) ?? -Infinity, line.right));
  }
  return new Map(lines.map((line) => [line, columns.get(column(line))!]));
}

/** Joins the lines of blocks; words that a line's end had parted become whole again. */
export function blockWriter(blocks: readonly Block[]): (block: Block) => string {
  const words = new Set<string>();
  for (const block of blocks) {
    for (const { text } of block.lines) {
      for (const [word] of text.matchAll(/[\p{L}\p{M}]+(?:-[\p{L}\p{M}]+)*(?!-$)/gu)) {
        words.add(word.toLowerCase());
      }
    }
  }
  return (block) => {
    let text = "";
    for (const line of block.lines) {
      text = text === "" ? line.text : joinLines(text, line.text, words);
    }
    if (block.kind === "heading") {
      return `${"#".repeat(block.level)} ${escapeMarkdown(text, { lineStart: false })}`;
    }
    if (block.kind === "paragraph") return escapeMarkdown(text);
    if (BULLET.test(text)) return `- ${escapeMarkdown(text.replace(BULLET, ""))}`;
    const [, number, rest] = /^(\d+[.)])\s+(.*)$/.exec(text) ?? [];
    return number === undefined ? escapeMarkdown(text) : `${number} ${escapeMarkdown(rest!)}`;
  };
}

function joinLines(text: string, next: string, words: ReadonlySet<string>): string {
  const cut = /([\p{L}\p{M}]+)[-\u00AD\u2010]$/u.exec(text);
  const rest = /^[\p{L}\p{M}]+/u.exec(next)?.[0];
  if (cut === null || rest === undefined || !/^\p{Ll}/u.test(rest)) {
    return /\p{Script=Han}$/u.test(text) && /^\p{Script=Han}/u.test(next)
      ? text + next
      : `${text} ${next}`;
  }
  const whole = `${cut[1]}${rest}`.toLowerCase();
  const hyphened = `${cut[1]}-${rest}`.toLowerCase();
  const keep = words.has(hyphened) && !words.has(whole);
  return keep ? `${text}${next}` : `${text.slice(0, -1)}${next}`;
}
