/**
 * Shows how far jobs are: on a terminal a bar for each, redrawn in place; elsewhere a line for each change.
 * What is done can be scrolled back to, what is not is at the bottom.
 */
import type { Sink } from "./io.ts";
import { duration, type Style } from "./format.ts";
import { clean, cut, fit, widthOf } from "./width.ts";

/** How the watching of a piece of work ends; the work itself goes on after `queued` and `left`. */
export type Outcome =
  | "completed"
  | "unchanged"
  | "queued"
  | "skipped"
  | "left"
  | "failed"
  | "cancelled";

/** What is known of one piece of work. */
export interface Progress {
  readonly stage: string;
  /** 0 to 100. */
  readonly percent: number;
  readonly message?: string | undefined;
}

export interface Bar {
  update(progress: Progress): void;
  /** The last word. `message` says what came out, or why nothing did. */
  end(outcome: Outcome, message?: string): void;
}

export interface ProgressBoard {
  /** A new bar, named by what a person calls the work. */
  add(name: string): Bar;
  /** Prints a line above the bars. */
  line(text: string): void;
  /** Draws the bars as they are now; the board does so by itself when something changes. */
  draw(): void;
  /** Leaves the bars on the screen as they are and gives the cursor back. */
  close(): void;
}

export interface BoardOptions {
  readonly sink: Sink;
  readonly style: Style;
  /** Redraw in place; else print lines. */
  readonly live: boolean;
  readonly size: () => { readonly columns: number; readonly rows: number };
  /** Milliseconds, ascending. */
  readonly now: () => number;
  /** Milliseconds between redraws of the running time; 0 for none. @default 200 */
  readonly tickMs?: number | undefined;
  /** Stands before each line. @default "" */
  readonly indent?: string | undefined;
}

interface Row {
  readonly name: string;
  readonly started: number;
  progress: Progress;
  ended: { readonly outcome: Outcome; readonly message: string; readonly at: number } | undefined;
  /** What was printed last, where there is no terminal. */
  said: string;
}

const BAR = 16;
const STAGE = 12;
const TIME = 7;
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** A bar of `columns` columns, in steps of an eighth of one. */
export function barOf(percent: number, columns: number): { full: string; empty: string } {
  const eighths = Math.round(Math.max(0, Math.min(100, percent)) / 100 * columns * 8);
  const full = "█".repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8]!;
  return { full, empty: "░".repeat(columns - widthOf(full)) };
}

interface End {
  readonly mark: string;
  readonly word: string;
  readonly paint: "green" | "cyan" | "yellow" | "red";
  /** Whether the work has run, so that the time that it took is worth a word. */
  readonly ran: boolean;
}

const ENDS: Readonly<Record<Outcome, End>> = {
  completed: { mark: "✓", word: "done", paint: "green", ran: true },
  unchanged: { mark: "✓", word: "unchanged", paint: "green", ran: true },
  queued: { mark: "·", word: "queued", paint: "cyan", ran: false },
  skipped: { mark: "–", word: "left out", paint: "yellow", ran: false },
  left: { mark: "·", word: "goes on", paint: "cyan", ran: false },
  failed: { mark: "✗", word: "failed", paint: "red", ran: true },
  cancelled: { mark: "–", word: "cancelled", paint: "yellow", ran: true },
};

export function createBoard(options: BoardOptions): ProgressBoard {
  const { sink, style } = options;
  const indent = options.indent ?? "";
  let rows: Row[] = [];
  let drawn = 0;
  let open = false;
  let timer: ReturnType<typeof setInterval> | undefined;

  function line(row: Row, columns: number): string {
    const { ended } = row;
    const elapsed = duration((ended?.at ?? options.now()) - row.started);
    const nameRoom = Math.max(10, Math.min(32, Math.floor(columns * 0.27)));
    // What does not fit goes first the message, then the bar.
    const fixed = 2 + nameRoom + 2 + 4 + 2 + STAGE + 2 + TIME;
    const bar = Math.max(0, Math.min(BAR, columns - fixed - 2));
    const percent = Math.round(Math.max(0, Math.min(100, row.progress.percent)));
    const end = ended && ENDS[ended.outcome];
    const paint = style[end?.paint ?? "cyan"];
    const mark = end === undefined ? " " : paint(end.mark);
    const { full, empty } = barOf(percent, bar);
    const stage = end?.word ?? row.progress.stage;
    const message = ended === undefined ? row.progress.message ?? "" : ended.message;
    const room = columns - fixed - (bar > 0 ? bar + 2 : 0) - 2;
    return [
      `${mark} ${fit(row.name, nameRoom)}`,
      ...(bar > 0 ? [paint(full) + style.dim(empty)] : []),
      `${String(percent).padStart(3)}%`,
      fit(stage, STAGE),
      style.dim(fit(elapsed, TIME, "right")),
      ...(room >= 8 && message !== "" ? [style.dim(cut(message, room))] : []),
    ].join("  ").trimEnd();
  }

  /** The escape sequences that take the bars off the screen. */
  function erase(): string {
    const up = drawn > 0 ? `\x1b[${drawn}A\r\x1b[J` : "";
    drawn = 0;
    return up;
  }

  function draw(above = ""): void {
    if (!options.live || !open) return;
    const { columns, rows: height } = options.size();
    // One column stays free: a terminal may wrap a line that fills it.
    const width = Math.max(30, columns - 1 - widthOf(indent));
    const most = Math.max(3, height - 3);
    let text = erase() + above;
    // Too many for the screen: the ended ones scroll up, and the last of the others are only counted.
    if (rows.length > most) {
      text += rows.filter((row) => row.ended).map((row) => indent + line(row, width) + "\n").join(
        "",
      );
      rows = rows.filter((row) => !row.ended);
    }
    const shown = rows.length > most ? rows.slice(0, most - 1) : rows;
    const lines = shown.map((row) => line(row, width));
    if (shown.length < rows.length) {
      lines.push(style.dim(`  … and ${rows.length - shown.length} more`));
    }
    text += lines.map((one) => indent + one + "\n").join("");
    drawn = lines.length;
    sink.write(text);
  }

  function opened(): void {
    if (open) return;
    open = true;
    if (!options.live) return;
    sink.write("\x1b[?25l");
    const tick = options.tickMs ?? 200;
    if (tick > 0) timer = setInterval(() => draw(), tick);
  }

  function say(row: Row): void {
    const { stage, percent, message } = row.progress;
    const end = row.ended;
    const words = end
      ? ENDS[end.outcome].word +
        (ENDS[end.outcome].ran ? ` after ${duration(end.at - row.started)}` : "")
      : `${stage} ${Math.round(percent)}%`;
    const more = end ? end.message : message ?? "";
    // A change of the percentage alone is no news.
    const news = end ? "end" : `${stage}\n${more}`;
    if (news === row.said) return;
    row.said = news;
    const mark = end ? ENDS[end.outcome].mark : "·";
    sink.write(`${indent}${mark} ${row.name}: ${words}${more === "" ? "" : ` — ${more}`}\n`);
  }

  const changed = (row: Row) => options.live ? draw() : say(row);

  return {
    add(name) {
      opened();
      const row: Row = {
        name: clean(name),
        started: options.now(),
        progress: { stage: "waiting", percent: 0 },
        ended: undefined,
        said: "waiting\n",
      };
      rows.push(row);
      draw();
      return {
        update(progress) {
          if (row.ended) return;
          row.progress = {
            stage: clean(progress.stage),
            percent: progress.percent,
            message: progress.message === undefined ? undefined : clean(progress.message),
          };
          changed(row);
        },
        end(outcome, message = "") {
          if (row.ended) return;
          row.ended = { outcome, message: clean(message), at: options.now() };
          if (outcome === "completed" || outcome === "unchanged") {
            row.progress = { ...row.progress, percent: 100 };
          }
          changed(row);
        },
      };
    },
    line(text) {
      if (options.live && open) draw(text + "\n");
      else sink.write(text + "\n");
    },
    draw: () => draw(),
    close() {
      clearInterval(timer);
      draw();
      if (open && options.live) sink.write("\x1b[?25h");
      open = false;
      drawn = 0;
      rows = [];
    },
  };
}
