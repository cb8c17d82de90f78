/** A passage of a text, and what stood between it and the next. */
export interface Part {
  readonly text: string;
  readonly gap: string;
}

/**
 * A Markdown text in parts of at most `max` characters where it can be: parted at blank lines outside of code
 * blocks, else at ends of lines or sentences, else anywhere. Put together, parts and gaps are the text.
 */
export function splitMarkdown(text: string, max: number): readonly Part[] {
  const parts: { text: string; gap: string }[] = [];
  for (const block of blocksOf(text, max)) {
    const last = parts.at(-1);
    if (last !== undefined && last.text.length + last.gap.length + block.text.length <= max) {
      last.text += last.gap + block.text;
      last.gap = block.gap;
    } else {
      parts.push({ ...block });
    }
  }
  return parts;
}

function* blocksOf(text: string, max: number): Iterable<Part> {
  let start = 0;
  let fence: string | undefined;
  for (const { 0: line, index } of text.matchAll(/[^\n]*\n?/g)) {
    const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    if (fence === undefined) fence = mark;
    else if (mark?.startsWith(fence) && line.trim() === mark) fence = undefined;
    // A blank line that follows a line: the block ends before it.
    if (fence !== undefined || line.trim() !== "" || line === "" || index <= start) continue;
    const gap = /^\n?(?:[ \t]*\n)+/.exec(text.slice(index - 1))?.[0] ?? "";
    const end = index - 1;
    if (gap === "" || end < start) continue;
    yield* piecesOf(text.slice(start, end), gap, max);
    start = end + gap.length;
  }
  if (start < text.length) yield* piecesOf(text.slice(start), "", max);
}

/** A block that is too long, at ends of lines, sentences or words. */
function* piecesOf(text: string, gap: string, max: number): Iterable<Part> {
  let rest = text;
  while (rest.length > max) {
    const head = rest.slice(0, max);
    const cut = /^[^]*(\n)|^[^]*[.!?。！？]["”')\]]*(\s)|^[^]*(\s)/.exec(head);
    if (cut === null) {
      const whole = head.toWellFormed() === head ? max : max - 1;
      yield { text: rest.slice(0, whole), gap: "" };
      rest = rest.slice(whole);
      continue;
    }
    const at = cut[0].length - 1;
    yield { text: rest.slice(0, at), gap: rest[at]! };
    rest = rest.slice(at + 1);
  }
  yield { text: rest, gap };
}
