/** How the command line shows things: colours, tables, sizes, times. */
import { clean, cut, fit, widthOf, wrapRanges } from "./width.ts";

/** Paints a text, or leaves it alone where colours are off. */
export interface Style {
  readonly colours: boolean;
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
  /** A word that was searched for. */
  mark(text: string): string;
}

export function createStyle(colours: boolean): Style {
  const paint = (open: number, close: number) => (text: string) =>
    colours && text !== "" ? `\x1b[${open}m${text}\x1b[${close}m` : text;
  return {
    colours,
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
    cyan: paint(36, 39),
    mark: colours ? (text) => `\x1b[1;33m${text}\x1b[22;39m` : (text) => `[${text}]`,
  };
}

/** Whether to use colours: a terminal that is not dumb, and no `NO_COLOR` (https://no-color.org). */
export function wantsColours(
  terminal: boolean,
  env: (name: string) => string | undefined,
): boolean {
  return terminal && !env("NO_COLOR") && env("TERM") !== "dumb";
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** Bytes as people read them, in the units that limits are set in: `0 B`, `999 B`, `1.2 KiB`, `34 MiB`. */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 1023.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** Milliseconds as people read them: `12 ms`, `1.4 s`, `2 min 05 s`, `3 h 20 min`. */
export function duration(ms: number): string {
  if (ms < 0.95) return `${Math.max(0, ms).toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) {
    return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
  }
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/** `2026-01-31T09:05:12.345Z` as `2026-01-31 09:05`; what is no time stays as it is. */
export function when(iso: string | null): string {
  if (iso === null) return "–";
  const match = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d)/.exec(iso);
  return match ? `${match[1]} ${match[2]}` : clean(iso);
}

/** `1 document`, `2 documents`. */
export function count(n: number, word: string, plural = `${word}s`): string {
  return `${n} ${n === 1 ? word : plural}`;
}

/** A word as a shell takes it whole. */
export function shellWord(word: string): string {
  return /^[\w.:/@,=+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

export interface Column {
  readonly title: string;
  readonly align?: "left" | "right" | undefined;
  /** Columns marked so share what the terminal's width leaves; the others are as wide as their content. */
  readonly flexible?: boolean | undefined;
  readonly paint?: ((text: string, row: number) => string) | undefined;
}

const GAP = 2;
const NARROWEST = 8;

/** Rows below their titles, aligned, cut to `width` columns. Cells are cleaned here. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  options: { readonly width: number; readonly style: Style },
): string[] {
  const cells = rows.map((row) => columns.map((_, i) => clean(row[i] ?? "")));
  const natural = columns.map((column, i) =>
    Math.max(widthOf(column.title), ...cells.map((row) => widthOf(row[i]!)))
  );
  const widths = [...natural];
  let over = widths.reduce((sum, w) => sum + w, GAP * (columns.length - 1)) - options.width;
  while (over > 0) {
    const flexible = columns.flatMap((c, i) => c.flexible && widths[i]! > NARROWEST ? [i] : []);
    if (flexible.length === 0) break;
    const widest = flexible.reduce((a, b) => widths[b]! > widths[a]! ? b : a);
    widths[widest]!--;
    over--;
  }
  const line = (texts: readonly string[], paint: (text: string, column: number) => string) =>
    texts.map((text, i) => {
      const align = columns[i]!.align ?? "left";
      const last = i === columns.length - 1 && align === "left";
      return paint(last ? cut(text, widths[i]!) : fit(text, widths[i]!, align), i);
    }).join(" ".repeat(GAP)).trimEnd();
  return [
    line(columns.map((c) => c.title), (text) => options.style.dim(text)),
    ...cells.map((row, r) =>
      line(row, (text, i) => {
        const paint = columns[i]!.paint;
        return paint ? paint(text, r) : text;
      })
    ),
  ];
}

/** `name: value` lines, aligned. */
export function pairs(
  entries: readonly (readonly [name: string, value: string])[],
  options: { readonly width: number; readonly style: Style; readonly indent?: number },
): string[] {
  const indent = " ".repeat(options.indent ?? 0);
  const column = Math.max(0, ...entries.map(([name]) => widthOf(name))) + GAP;
  const room = Math.max(20, options.width - column - indent.length);
  return entries.flatMap(([name, value]) => {
    const text = clean(value);
    const lines = wrapRanges(text, room).map(([a, b]) => text.slice(a, b));
    return (lines.length === 0 ? [""] : lines).map((part, i) =>
      (indent + options.style.dim(fit(i === 0 ? name : "", column)) + part).trimEnd()
    );
  });
}

/**
 * A passage wrapped at `width`, its highlights marked. A long one is cut to about `most` characters around its
 * first highlight. `highlights` are ranges of UTF-16 code units within `text`.
 */
export function passage(
  text: string,
  highlights: readonly (readonly [start: number, end: number])[],
  options: { readonly width: number; readonly style: Style; readonly most?: number },
): string[] {
  const most = options.most ?? 320;
  let from = 0;
  let to = text.length;
  if (text.length > most) {
    const first = highlights[0]?.[0] ?? 0;
    from = Math.max(0, Math.min(first - Math.floor(most / 4), text.length - most));
    if (from > 0) from = text.indexOf(" ", from) + 1 || from;
    to = Math.min(text.length, from + most);
    const space = to < text.length ? text.lastIndexOf(" ", to) : -1;
    if (space > from + most / 2) to = space;
  }
  const head = from > 0 ? "… " : "";
  const shown = head + clean(text).slice(from, to) + (to < text.length ? " …" : "");
  const shift = head.length - from;
  // Brackets around a word take two columns where colours take none.
  const room = options.style.colours ? options.width : options.width - 2;
  return wrapRanges(shown, room).map(([start, end]) => {
    let line = "";
    let at = start;
    for (const [a, b] of highlights) {
      const left = Math.max(a + shift, at, head.length);
      const right = Math.min(b + shift, end, to + shift);
      if (left >= right) continue;
      line += shown.slice(at, left) + options.style.mark(shown.slice(left, right));
      at = right;
    }
    return line + shown.slice(at, end);
  });
}
