import type { PdfItem } from "./pdf_js.ts";

/** A line of text as it stands on the page, in points, y upwards. */
export interface Line {
  readonly text: string;
  readonly left: number;
  readonly right: number;
  /** Of the baseline. */
  readonly y: number;
  /** Of the type: that of the most characters. */
  readonly size: number;
  readonly page: number;
}

interface Run {
  readonly text: string;
  readonly x: number;
  readonly end: number;
  readonly y: number;
  readonly size: number;
}

/**
 * Puts the runs of a page together to lines, in the order in which the document holds them: that is
 * the reading order in all but badly made files, and it keeps columns apart.
 */
export function linesOf(items: readonly PdfItem[], page: number): Line[] {
  const lines: Line[] = [];
  let runs: Run[] = [];
  let ended = false;
  const finish = () => {
    const line = lineOf(runs, page);
    if (line !== undefined) lines.push(line);
    runs = [];
    ended = false;
  };
  for (const item of items) {
    const run = runOf(item);
    if (run.text !== "") {
      const last = runs.findLast((other) => other.text.trim() !== "");
      if (last !== undefined && run.text.trim() !== "" && !sameLine(last, run, ended)) finish();
      runs.push(run);
    }
    if (item.hasEOL) ended = true;
  }
  finish();
  return lines;
}

/** Turns the run, if it was set sideways, so that lines run from left to right. */
function runOf(item: PdfItem): Run {
  const [a = 1, b = 0, c = 0, d = 1, e = 0, f = 0] = item.transform;
  const size = Math.hypot(c, d) || item.height || 1;
  const turned = Math.abs(b) > Math.abs(a);
  const x = turned ? (b > 0 ? f : -f) : a < 0 ? -e : e;
  const y = turned ? (b > 0 ? -e : e) : a < 0 ? -f : f;
  return { text: item.str, x, end: x + item.width, y, size };
}

/** Small runs a little above or below are superscripts and subscripts. */
function sameLine(last: Run, run: Run, ended: boolean): boolean {
  const rise = Math.abs(run.y - last.y);
  const size = Math.max(last.size, run.size);
  if (rise > size * 0.6) return false;
  if (run.x < last.x - size) return false;
  // A gap of a few letters after the end of a line is the gutter between two columns.
  return !(ended && run.x - last.end > size * 2);
}

function lineOf(runs: readonly Run[], page: number): Line | undefined {
  let text = "";
  let end: number | undefined;
  const sizes = new Map<number, number>();
  let left = Infinity;
  let right = -Infinity;
  let y = 0;
  let longest = -1;
  for (const run of runs) {
    const apart = end !== undefined && run.x - end > run.size * 0.2;
    if (apart && !/\s$/.test(text) && !/^\s/.test(run.text)) text += " ";
    text += run.text;
    end = run.end;
    if (run.text.trim() === "") continue;
    left = Math.min(left, run.x);
    right = Math.max(right, run.end);
    const size = Math.round(run.size * 2) / 2;
    const characters = (sizes.get(size) ?? 0) + run.text.length;
    sizes.set(size, characters);
    if (run.text.length > longest) {
      longest = run.text.length;
      y = run.y;
    }
  }
  text = text.replace(/\s+/g, " ").trim();
  if (text === "") return undefined;
  return { text, left, right, y, size: mostOften(sizes) ?? 1, page };
}

/** The key with the largest count. */
export function mostOften(counts: ReadonlyMap<number, number>): number | undefined {
  let best: number | undefined;
  let most = -1;
  for (const [key, count] of counts) {
    if (count > most) {
      best = key;
      most = count;
    }
  }
  return best;
}
