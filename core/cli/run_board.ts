/**
 * Shows how a run goes: on a terminal its steps as a tree, redrawn in place; elsewhere a line for each step that
 * begins, waits or ends.
 */
import { duration, type Style } from "./format.ts";
import type { Sink } from "./io.ts";
import type { OutlineStep } from "./outline.ts";
import { createStepTree, markOf, timeOf } from "./step_tree.ts";
import { clean, cut, widthOf } from "./width.ts";
import { hasEnded, type RunEventJson, type RunHeadJson, type StepHeadJson } from "./wire.ts";

export interface RunBoard {
  update(event: RunEventJson): void;
  /** Prints a line above the tree. */
  line(text: string): void;
  /** A word beside the run's name, such as `cancelling`, until it has ended; only on a terminal. */
  say(word: string): void;
  /** Takes the tree off the screen, for a question, until `resume`. */
  pause(): void;
  resume(): void;
  /** Leaves the tree on the screen as it is and gives the cursor back. */
  close(): void;
}

export interface RunBoardOptions {
  readonly sink: Sink;
  readonly style: Style;
  /** Redraw in place; else print lines. */
  readonly live: boolean;
  readonly size: () => { readonly columns: number; readonly rows: number };
  /** Milliseconds, ascending. */
  readonly now: () => number;
  readonly outline?: readonly OutlineStep[] | undefined;
  /** Milliseconds between redraws of the running time; 0 for none. @default 200 */
  readonly tickMs?: number | undefined;
}

/** What comes within so many milliseconds is drawn together. */
const TOGETHER_MS = 30;

export function createRunBoard(options: RunBoardOptions): RunBoard {
  const { sink, style, live } = options;
  const tree = createStepTree(options.outline);
  const said = new Map<string, string>();
  let run: RunHeadJson | undefined;
  let percent = 0;
  let word: string | undefined;
  /** The server's clock, milliseconds since 1970, and when it was that by ours. */
  let serverMs = 0;
  let heardMs = 0;
  let drawn = 0;
  let open = false;
  let paused = false;
  let ticking: ReturnType<typeof setInterval> | undefined;
  let soon: ReturnType<typeof setTimeout> | undefined;

  const nowMs = () => serverMs + (options.now() - heardMs);

  function header(width: number): string {
    if (run === undefined) return "";
    const ended = hasEnded(run.status);
    const status = ended ? run.status : word ?? placeOf(run, tree.all());
    const paint = run.status === "completed"
      ? style.green
      : run.status === "failed"
      ? style.red
      : status.startsWith("cancel")
      ? style.yellow
      : style.cyan;
    const from = Date.parse(run.started ?? run.created);
    const to = run.completed === null ? nowMs() : Date.parse(run.completed);
    const tail = `${status}  ${Math.round(percent)}%  ${duration(Math.max(0, to - from))}`;
    const name = clean(run.workflow);
    const id = widthOf(name) + run.id.length + widthOf(tail) + 6 <= width ? `  ${run.id}` : "";
    const short = cut(name, Math.max(4, width - widthOf(tail) - 2 - id.length));
    return `${style.bold(short)}${style.dim(id)}  ${paint(status)}${
      style.dim(tail.slice(status.length))
    }`;
  }

  function draw(above = ""): void {
    clearTimeout(soon);
    soon = undefined;
    if (!live || !open || paused) return;
    const { columns, rows } = options.size();
    // One column stays free: a terminal may wrap a line that fills it.
    const width = Math.max(24, columns - 1);
    const height = Math.max(3, rows - 3);
    const ended = run !== undefined && hasEnded(run.status);
    const lines = [
      header(width),
      ...tree.lines({ style, width, height, now: nowMs(), ended }),
    ];
    // Written over what is there, line by line: nothing is blank in between.
    const up = drawn > 0 ? `\x1b[${drawn}A\r` : "";
    const over = above === "" ? "" : above.split("\n").map((one) => `${one}\x1b[K\n`).join("");
    drawn = lines.length;
    sink.write(`${up}${over}${lines.map((line) => `${line}\x1b[K\n`).join("")}\x1b[J`);
  }

  function start(): void {
    if (open) return;
    open = true;
    if (!live) return;
    sink.write("\x1b[?25l");
    const tick = options.tickMs ?? 200;
    if (tick > 0) ticking = setInterval(() => draw(), tick);
  }

  function print(text: string): void {
    if (live && open && !paused) draw(text);
    else sink.write(`${text}\n`);
  }

  /** A line for a change of a step, where there is no terminal. A change of the percentage alone is none. */
  function tell(step: StepHeadJson): void {
    if (step.kind === "item" || step.kind === "branch") return;
    const words = wordsOf(step);
    const before = said.get(step.path);
    // That it says nothing any more is no news.
    if (words === undefined || before === words.news || before?.startsWith(words.news)) return;
    said.set(step.path, words.news);
    const took = step.ended === null || step.state === "skipped"
      ? ""
      : ` after ${timeOf(step, Date.parse(step.ended))}`;
    const more = words.more === "" ? "" : ` — ${words.more}`;
    sink.write(`${markOf(step, style)} ${clean(step.path)}: ${words.state}${took}${more}\n`);
  }

  return {
    update(event) {
      start();
      serverMs = Date.parse(event.at);
      heardMs = options.now();
      if (event.type === "step") {
        tree.put(event.step);
        if (!live) return tell(event.step);
      } else {
        const first = run === undefined;
        run = event.run;
        // It does not go back while it goes on.
        percent = hasEnded(run.status) ? run.progress : Math.max(percent, run.progress);
        if (!live) {
          if (first && !hasEnded(run.status)) {
            sink.write(`${clean(run.workflow)}: ${run.id}\n`);
          }
          return;
        }
      }
      soon ??= setTimeout(() => draw(), TOGETHER_MS);
    },
    line: print,
    say(text) {
      word = text;
      draw();
    },
    pause() {
      if (paused) return;
      paused = true;
      if (live && open) sink.write(`${drawn > 0 ? `\x1b[${drawn}A\r\x1b[J` : ""}\x1b[?25h`);
      drawn = 0;
    },
    resume() {
      if (!paused) return;
      paused = false;
      if (live && open) sink.write("\x1b[?25l");
      draw();
    },
    close() {
      clearInterval(ticking);
      paused = false;
      draw();
      clearTimeout(soon);
      if (open && live) sink.write("\x1b[?25h");
      open = false;
      drawn = 0;
    },
  };
}

/** Where a run is. Its job waits, or is in the queue, while its steps are done by jobs of their own: then it runs. */
function placeOf({ status, started }: RunHeadJson, steps: readonly StepHeadJson[]): string {
  if (status === "queued" && started !== null) return "running";
  if (status !== "waiting") return status;
  if (steps.some(({ state, job }) => state === "running" && job !== null)) return "running";
  return steps.some(({ state, question }) => state === "waiting" && question !== null)
    ? "waits for an answer"
    : status;
}

const STATES: Readonly<Record<StepHeadJson["state"], string>> = {
  running: "running",
  waiting: "waiting",
  completed: "done",
  failed: "failed",
  skipped: "skipped",
  cancelled: "cancelled",
};

function wordsOf(step: StepHeadJson) {
  const { state, question, error } = step;
  // What it asks is said where it is asked.
  if (state === "waiting" && question !== null) return undefined;
  const more = clean(
    error !== null && state !== "skipped" ? `${error.code}: ${error.message}` : step.message ?? "",
  );
  return { state: STATES[state], more, news: `${step.number} ${state}\n${more}` };
}
