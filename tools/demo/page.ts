/** How the demo looks: numbered headings, short sentences, aligned columns. */
import type { Style } from "../../core/cli/format.ts";
import type { Io } from "../../core/cli/io.ts";
import { wrap } from "../../core/cli/width.ts";

export interface Page {
  readonly style: Style;
  /** Columns to fill: those of the terminal; without one, nothing is cut. */
  readonly width: number;
  /** A new part of the demo. */
  heading(text: string): void;
  /** A sentence or two, wrapped. */
  say(text: string): void;
  /** Lines as they are, indented. */
  lines(lines: readonly string[]): void;
}

/** Columns that prose fills at most: longer lines are hard to read. */
const PROSE = 110;

export function createPage(io: Io, style: Style): Page {
  const width = io.terminal.out ? Math.max(40, io.size().columns) : Infinity;
  let part = 0;
  const print = (line: string) => io.out.write(line + "\n");
  return {
    style,
    width,
    heading(text) {
      part++;
      print("");
      print(`${style.cyan(String(part))}  ${style.bold(text)}`);
    },
    say(text) {
      for (const line of wrap(text, Math.min(width, PROSE) - 4)) print(`   ${line}`);
    },
    lines(lines) {
      for (const line of lines) print(`   ${line}`.trimEnd());
    },
  };
}
