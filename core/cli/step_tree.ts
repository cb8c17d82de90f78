/** The steps of a run as a tree of lines: what runs with a bar, what has ended with how it ended. */
import { duration, type Style } from "./format.ts";
import { outlinePath, type OutlineStep } from "./outline.ts";
import { barOf } from "./progress.ts";
import { clean, cut, fit, widthOf } from "./width.ts";
import type { StepHeadJson } from "./wire.ts";

export interface StepTree {
  put(step: StepHeadJson): void;
  get(path: string): StepHeadJson | undefined;
  all(): readonly StepHeadJson[];
  lines(options: StepTreeOptions): string[];
}

export interface StepTreeOptions {
  readonly style: Style;
  /** Columns; longer lines are cut. */
  readonly width: number;
  /** Lines at most; ended steps within others go first, then the last ones. @default all */
  readonly height?: number | undefined;
  /** Milliseconds since 1970, by the server's clock. */
  readonly now: number;
  /** Whether the steps of items are shown, each item opened. @default false */
  readonly whole?: boolean | undefined;
  /** Names steps by their paths. @default false */
  readonly paths?: boolean | undefined;
  /** Whether the run has ended: what was not begun will not be. @default false */
  readonly ended?: boolean | undefined;
}

interface Node {
  readonly path: string;
  readonly step: StepHeadJson | undefined;
  readonly title: string | undefined;
  readonly children: Node[];
}

/** What stands at the left of a step. */
export function markOf(
  step: Pick<StepHeadJson, "state" | "question"> | undefined,
  style: Style,
): string {
  switch (step?.state) {
    case undefined:
      return style.dim("·");
    case "completed":
      return style.green("✓");
    case "failed":
      return style.red("✗");
    case "skipped":
      return style.dim("–");
    case "cancelled":
      return style.yellow("–");
    case "waiting":
      return step?.question ? style.yellow("?") : style.cyan("·");
    case "running":
      return style.cyan("▸");
  }
}

/** Items of a foreach up to which all are shown. */
const FEW_ITEMS = 8;
const BAR = 12;
const TIME = 8;

function isOpen(step: StepHeadJson | undefined): boolean {
  return step?.state === "running" || step?.state === "waiting";
}

/** `[2]`, or the last word of the path. */
function shortName(path: string): string {
  return /(?:\[\d+\]|[^.[\]]+)$/.exec(path)?.[0] ?? path;
}

function parentPath(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("."), path.lastIndexOf("["), 0));
}

export function createStepTree(outline: readonly OutlineStep[] = []): StepTree {
  const steps = new Map<string, StepHeadJson>();
  const places = new Map(outline.map(({ path }, index) => [path, index]));
  const titles = new Map(outline.map(({ path, title }) => [path, title]));

  function tree(ended: boolean): Node[] {
    const nodes = new Map<string, Node>();
    const roots: Node[] = [];
    const node = (path: string, step: StepHeadJson | undefined): Node => ({
      path,
      step,
      title: step?.title ?? titles.get(outlinePath(path)),
      children: [],
    });
    for (const step of steps.values()) nodes.set(step.path, node(step.path, step));
    for (const one of nodes.values()) {
      let above = parentPath(one.path);
      while (above !== "" && !nodes.has(above)) above = parentPath(above);
      (nodes.get(above)?.children ?? roots).push(one);
    }
    if (!ended) {
      for (const { path } of outline) {
        if (parentPath(path) === "" && !nodes.has(path)) roots.push(node(path, undefined));
      }
    }
    const place = ({ path }: Node) => places.get(outlinePath(path)) ?? Infinity;
    const item = ({ path }: Node) => Number(/\[(\d+)\]$/.exec(path)?.[1] ?? 0);
    const sort = (list: Node[]) => {
      list.sort((a, b) => place(a) - place(b) || item(a) - item(b) || 0);
      list.forEach((one) => sort(one.children));
    };
    sort(roots);
    return roots;
  }

  return {
    put: (step) => void steps.set(step.path, step),
    get: (path) => steps.get(path),
    all: () => [...steps.values()],
    lines(options) {
      const roots = tree(options.ended ?? false);
      const rows = rowsOf(roots, options);
      const shown = fitRows(rows, options.height ?? Infinity);
      const widest = Math.max(0, ...shown.map((row) => widthOf(row.lead) + 2 + widthOf(row.name)));
      const names = Math.min(widest, Math.max(12, Math.floor(options.width * 0.4)));
      return shown.map((row) => draw(row, names, options));
    },
  };
}

/** One line to be. */
interface Row {
  /** The lines of the tree before it. */
  readonly lead: string;
  readonly name: string;
  readonly depth: number;
  readonly node: Node | undefined;
  readonly message: string;
}

function rowsOf(roots: readonly Node[], { whole = false, paths = false }: StepTreeOptions): Row[] {
  const rows: Row[] = [];
  const visit = (nodes: readonly Node[], rest: string, depth: number, hidden = "") => {
    nodes.forEach((node, index) => {
      const last = index === nodes.length - 1 && hidden === "";
      const lead = depth === 0 ? "" : rest + (last ? "└─ " : "├─ ");
      const below = depth === 0 ? "" : rest + (last ? "   " : "│  ");
      const name = paths ? node.path : node.title ?? shortName(node.path);
      rows.push({ lead, name: clean(name), depth, node, message: clean(messageOf(node, whole)) });
      const shown = whole ? node.children : seen(node);
      const left = node.children.filter((child) => !shown.includes(child));
      visit(shown, below, depth + 1, node.step?.kind === "foreach" ? countsOf(left) : "");
    });
    if (hidden !== "") {
      rows.push({ lead: `${rest}└─ `, name: hidden, depth, node: undefined, message: "" });
    }
  };
  visit(roots, "", 0);
  return rows;
}

/** The children that are shown while a run goes on. */
function seen({ step, children }: Node): readonly Node[] {
  if (step?.kind === "item") return [];
  if (step?.kind !== "foreach" || children.length <= FEW_ITEMS) return children;
  const telling = children.filter((one) => isOpen(one.step) || one.step?.state === "failed");
  return telling.slice(0, FEW_ITEMS);
}

/** `… 24 done, 4 cancelled`; empty for none. */
function countsOf(nodes: readonly Node[]): string {
  const words = { completed: "done", failed: "failed", cancelled: "cancelled", skipped: "skipped" };
  const parts = Object.entries(words).flatMap(([state, word]) => {
    const count = nodes.filter(({ step }) => step?.state === state).length;
    return count === 0 ? [] : [`${count} ${word}`];
  });
  const open = nodes.filter(({ step }) => isOpen(step)).length;
  if (open > 0) parts.push(`${open} more`);
  return parts.length === 0 ? "" : `… ${parts.join(", ")}`;
}

const WAITS = {
  choice: "waits for a choice",
  approval: "waits for an approval",
  input: "waits for a value",
} as const;

/** What a step says; of an item, what the step says that it is at. */
function messageOf(node: Node, whole: boolean): string {
  const { step } = node;
  if (step === undefined) return "";
  if (step.kind === "item" && !whole) {
    const at = leaves(node).find((one) => one.state === "failed" || isOpen(one));
    if (at !== undefined && at !== step) {
      const said = ownMessage(at);
      return said === "" ? shortName(at.path) : `${shortName(at.path)}: ${said}`;
    }
  }
  return ownMessage(step);
}

function leaves({ step, children }: Node): StepHeadJson[] {
  return children.length > 0 ? children.flatMap(leaves) : step === undefined ? [] : [step];
}

function ownMessage(step: StepHeadJson): string {
  if (step.error !== null && step.state !== "skipped") {
    return `${step.error.code}: ${step.error.message}`;
  }
  if (step.question !== null && step.state === "waiting") {
    const { prompt } = step.question;
    // The first line asks; the others are what it asks about.
    const asked = prompt?.trim().split(/\r?\n/)[0] ?? "";
    return `${WAITS[step.question.for]}${asked === "" ? "" : ` — ${asked}`}`;
  }
  return step.message ?? (step.state === "waiting" ? "waits" : "");
}

/** At most so many rows: what has ended within others goes first. */
function fitRows(rows: readonly Row[], height: number): Row[] {
  let left = [...rows];
  for (let depth = 9; left.length > height && depth > 0; depth--) {
    left = left.filter((row) => row.depth < depth || (row.node && isOpen(row.node.step)));
  }
  if (left.length <= height) return left;
  // What runs stays in sight.
  const firstOpen = Math.max(0, left.findIndex((row) => isOpen(row.node?.step)));
  const from = Math.max(0, Math.min(firstOpen, left.length - height + 1));
  const kept = left.slice(from, from + height - 1);
  const name = `… and ${left.length - kept.length} more`;
  return [...kept, { lead: "", name, depth: 0, node: undefined, message: "" }];
}

function draw(row: Row, names: number, { style, width, now }: StepTreeOptions): string {
  const { node } = row;
  const lead = cut(row.lead, names - 3);
  if (node === undefined) return style.dim(cut(`${lead}${row.name}`, width));
  const { step } = node;
  const name = fit(row.name, names - widthOf(lead) - 2);
  const text = step === undefined || step.state === "skipped" ? style.dim(name) : name;
  const left = `${style.dim(lead)}${markOf(step, style)} ${text}`;
  if (step === undefined) return left.trimEnd();
  const took = step.state === "skipped" ? "" : timeOf(step, now);
  const hasBar = step.state === "running" && width - names > BAR + 6 + TIME + 2;
  const { full, empty } = barOf(step.progress, BAR);
  const room = width - names - 2 - TIME - 2 - (hasBar ? BAR + 7 : 0);
  return [
    left,
    style.dim(fit(took, TIME, "right")),
    ...(hasBar
      ? [
        `${style.cyan(full)}${style.dim(empty)} ${
          fit(`${Math.round(step.progress)}%`, 4, "right")
        }`,
      ]
      : []),
    ...(row.message !== "" && room >= 8
      ? [(step.state === "failed" ? style.red : style.dim)(cut(row.message, room))]
      : []),
  ].join("  ").trimEnd();
}

export function timeOf(step: Pick<StepHeadJson, "started" | "ended">, now: number): string {
  const end = step.ended === null ? now : Date.parse(step.ended);
  return duration(Math.max(0, end - Date.parse(step.started)));
}
