/**
 * How wide text is on a terminal, and how to cut, pad and wrap it. All text that comes from documents and
 * plugins goes through `clean` first: an escape sequence in a title must not reach the terminal.
 */

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** East Asian wide and fullwidth, by ranges of code points (Unicode Standard Annex 11, W and F). */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0x4dbf],
  [0x4e00, 0xa4cf],
  [0xa960, 0xa97c],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff01, 0xff60],
  [0xffe0, 0xffe6],
  [0x17000, 0x18cff],
  [0x1b000, 0x1b2ff],
  [0x20000, 0x3fffd],
];

// deno-lint-ignore no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;
const BIDI = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** They look like a space and are none, so that a long run of them would push what follows into lines of its own. */
const BLANK = /[\u115f\u1160\u2800\u3164\uffa0]/g;

/**
 * What takes no room, in no script's spelling: two texts that look alike would differ. Not the joiners U+200C and
 * U+200D, which emoji and many scripts need. The last pair of ranges is the block of tags, U+E0000 to U+E007F.
 */
const INVISIBLE =
  /[\u00ad\u034f\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb]|\udb40[\udc00-\udc7f]/g;

/**
 * Text that a terminal shows as it is: white space, line ends and characters without a picture become spaces, other
 * control characters, invisible ones and those that turn the direction of writing U+FFFD. Each code unit stays one:
 * offsets hold.
 */
export function clean(text: string): string {
  return text
    .replace(CONTROL, (c) => "\t\n\v\f\r\u0085\u2028\u2029".includes(c) ? " " : "\ufffd")
    .replace(BIDI, "\ufffd")
    .replace(BLANK, " ")
    .replace(INVISIBLE, (c) => "\ufffd".repeat(c.length));
}

function graphemeWidth(grapheme: string): number {
  const point = grapheme.codePointAt(0)!;
  if (point >= 0x20 && point < 0x7f) return 1;
  if (/^[\p{M}\p{Cf}\p{Cc}]/u.test(grapheme)) return 0;
  if (/\p{Emoji_Presentation}/u.test(grapheme) || grapheme.includes("\ufe0f")) return 2;
  return WIDE.some(([from, to]) => point >= from && point <= to) ? 2 : 1;
}

/** Columns that the text takes; it must hold no escape sequences. */
export function widthOf(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const { segment } of segmenter.segment(text)) width += graphemeWidth(segment);
  return width;
}

/** At most `columns` columns of the text; what was cut off is shown as `…`. */
export function cut(text: string, columns: number): string {
  if (columns <= 0) return "";
  if (widthOf(text) <= columns) return text;
  let taken = "";
  let width = 0;
  for (const { segment } of segmenter.segment(text)) {
    width += graphemeWidth(segment);
    if (width > columns - 1) break;
    taken += segment;
  }
  return taken.trimEnd() + "…";
}

/** Exactly `columns` columns: cut or filled up with spaces. */
export function fit(text: string, columns: number, align: "left" | "right" = "left"): string {
  const short = cut(text, columns);
  const fill = " ".repeat(Math.max(0, columns - widthOf(short)));
  return align === "left" ? short + fill : fill + short;
}

/** Where the lines of a text begin and end when it is wrapped at `columns`; words longer than a line are broken. */
export function wrapRanges(text: string, columns: number): [start: number, end: number][] {
  const limit = Math.max(1, columns);
  const lines: [number, number][] = [];
  let start = -1;
  let end = 0;
  let width = 0;
  const flush = () => {
    if (start >= 0) lines.push([start, end]);
    start = -1;
    width = 0;
  };
  for (const word of text.matchAll(/\S+/gu)) {
    const wide = widthOf(word[0]);
    if (start >= 0 && width + 1 + wide > limit) flush();
    if (wide <= limit) {
      width += wide + (start >= 0 ? 1 : 0);
      if (start < 0) start = word.index;
      end = word.index + word[0].length;
      continue;
    }
    for (const { segment, index } of segmenter.segment(word[0])) {
      const step = graphemeWidth(segment);
      if (start >= 0 && width + step > limit) flush();
      if (start < 0) start = word.index + index;
      width += step;
      end = word.index + index + segment.length;
    }
  }
  flush();
  return lines;
}

/** The lines of a text wrapped at `columns`. */
export function wrap(text: string, columns: number): string[] {
  return wrapRanges(text, columns).map(([start, end]) =>
    text.slice(start, end).replaceAll(/\s+/g, " ")
  );
}
