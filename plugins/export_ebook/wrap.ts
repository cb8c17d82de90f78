/**
 * Rough width of one grapheme in em of a bold serif face. Readers choose their own fonts, so it errs
 * on the wide side.
 */
function graphemeWidth(grapheme: string): number {
  if (/^[\s.,:;'’|!iIjl\-()[\]]$/.test(grapheme)) return 0.36;
  if (/^[mwMWÆŒ@%—…]$/.test(grapheme)) return 1;
  if (/\p{Extended_Pictographic}/u.test(grapheme)) return 1.3;
  if (
    /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\u3000-\u303f\uff00-\uff60]/u
      .test(grapheme)
  ) return 1;
  return /^\p{Lu}/u.test(grapheme) ? 0.78 : 0.61;
}

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

export function textWidth(text: string): number {
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += graphemeWidth(segment);
  return width;
}

/** Lines no wider than `width` em. Words break only when one alone is too wide. */
export function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  const push = () => {
    if (line) lines.push(line);
    line = "";
  };
  for (const word of text.split(" ").filter((part) => part !== "")) {
    const joined = line ? `${line} ${word}` : word;
    if (textWidth(joined) <= width) {
      line = joined;
      continue;
    }
    push();
    if (textWidth(word) <= width) {
      line = word;
      continue;
    }
    for (const { segment } of graphemes.segment(word)) {
      if (textWidth(line + segment) > width) push();
      line += segment;
    }
  }
  push();
  return lines;
}

/** At most `max` lines; the last one ends in an ellipsis, in place of a word, when there were more. */
export function clampLines(lines: readonly string[], max: number): readonly string[] {
  if (lines.length <= max) return lines;
  const last = lines[max - 1]!;
  const shorter = last.includes(" ")
    ? last.slice(0, last.lastIndexOf(" "))
    : [...graphemes.segment(last)].slice(0, -1).map(({ segment }) => segment).join("");
  return [...lines.slice(0, max - 1), `${shorter.replace(/[\s.,;:]+$/, "")}…`];
}
