import type { DomElement, Turndown } from "./dom.ts";

/** What no cell of a Markdown table can hold; paragraphs and lists can be strung together. */
const BLOCKS = "pre,blockquote,table,h1,h2,h3,h4,h5,h6,hr,dl,figure";
/** Characters of a cell; one with more is a column of a page, not a datum. */
const LONGEST_CELL = 500;

/** Rules that write tables of data as Markdown tables and dissolve those that only place things. */
export function addTableRules(turndown: Turndown): void {
  /** The text of each cell, filled as the cells are written and read when their table is. */
  const texts = new WeakMap<object, string>();

  turndown.addRule("table cell", {
    filter: ["th", "td"],
    replacement(content, node) {
      texts.set(node, content);
      return `\n\n${content}\n\n`;
    },
  });
  turndown.addRule("table parts", {
    filter: ["tr", "thead", "tbody", "tfoot"],
    replacement: (content) => content,
  });
  turndown.addRule("table caption", {
    filter: "caption",
    replacement: (content) => content.trim() === "" ? "" : `\n\n${content.trim()}\n\n`,
  });
  turndown.addRule("table", {
    filter: "table",
    replacement(content, node) {
      const table = node;
      const rows = rowsOf(table);
      if (!isDataTable(table, rows)) return `\n\n${content}\n\n`;
      const caption = [...table.children].find((child) => child.nodeName === "CAPTION");
      const above = caption?.textContent?.trim() ? `\n\n${caption.textContent.trim()}` : "";
      return `${above}\n\n${pipeTable(rows, texts)}\n\n`;
    },
  });
}

/** The rows of this table, not of those inside its cells. */
function rowsOf(table: DomElement): DomElement[] {
  const rows: DomElement[] = [];
  for (const child of table.children) {
    if (child.nodeName === "TR") rows.push(child);
    else if (/^T(HEAD|BODY|FOOT)$/.test(child.nodeName)) {
      for (const row of child.children) if (row.nodeName === "TR") rows.push(row);
    }
  }
  return rows;
}

function cellsOf(row: DomElement): DomElement[] {
  return [...row.children].filter((cell) => cell.nodeName === "TD" || cell.nodeName === "TH");
}

/** Data has a grid of at least two by two and small cells. */
function isDataTable(table: DomElement, rows: readonly DomElement[]): boolean {
  if (rows.length < 2 || table.getAttribute("role") === "presentation") return false;
  let widest = 0;
  for (const row of rows) widest = Math.max(widest, cellsOf(row).length);
  if (widest < 2) return false;
  for (const row of rows) {
    for (const cell of cellsOf(row)) {
      if (cell.querySelector(BLOCKS) !== null) return false;
      if ((cell.textContent ?? "").length > LONGEST_CELL) return false;
    }
  }
  return true;
}

function pipeTable(rows: readonly DomElement[], texts: WeakMap<object, string>): string {
  const lines = rows.map((row) => {
    const line: string[] = [];
    for (const cell of cellsOf(row)) {
      line.push(cellText(texts.get(cell) ?? ""));
      const span = Math.min(Number(cell.getAttribute("colspan")) || 1, 50);
      for (let i = 1; i < span; i++) line.push("");
    }
    return line;
  });
  const width = Math.max(...lines.map((line) => line.length));
  const first = rows[0]!;
  const headed = first.parentElement?.nodeName === "THEAD" ||
    cellsOf(first).every((cell) => cell.nodeName === "TH");
  if (!headed) lines.unshift([]);
  const written = lines.map((line) =>
    `| ${Array.from({ length: width }, (_, i) => line[i] ?? "").join(" | ")} |`
  );
  written.splice(1, 0, `|${" --- |".repeat(width)}`);
  return written.join("\n");
}

function cellText(content: string): string {
  return content.trim()
    .replace(/\n\s*(?:-|\d+\.)\s{2,}/g, "; ")
    .replace(/^(?:-|\d+\.)\s{2,}/, "")
    .replace(/\s*\n\s*/g, " ")
    .replace(/\\?\|/g, "\\|");
}
