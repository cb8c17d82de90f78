import { parseHTML } from "linkedom";
import { marked } from "marked";
import type { DomDocument, DomNode } from "./dom.ts";

/** For tests: how much two texts have in common, as bags of words. 1 is all, 0 is nothing. */
export function tokenF1(expected: string, actual: string): number {
  const left = tokens(expected);
  const right = tokens(actual);
  if (left.length + right.length === 0) return 1;
  const counts = new Map<string, number>();
  for (const token of left) counts.set(token, (counts.get(token) ?? 0) + 1);
  let common = 0;
  for (const token of right) {
    const count = counts.get(token) ?? 0;
    if (count > 0) {
      common++;
      counts.set(token, count - 1);
    }
  }
  return 2 * common / (left.length + right.length);
}

/** Runs of letters and digits, in lower case. */
function tokens(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

export async function textOfMarkdown(markdown: string): Promise<string> {
  return textOfHtml(await marked.parse(markdown));
}

const INLINE = new Set(
  "A ABBR B BDI BDO CITE CODE DEL EM FONT I INS KBD MARK Q S SAMP SMALL SPAN STRIKE STRONG SUB SUP U VAR"
    .split(" "),
);

/** The text of a fragment, with a space where a block begins or ends. */
export function textOfHtml(html: string): string {
  const { document } = parseHTML(`<!doctype html><html><body>${html}</body></html>`) as unknown as {
    document: DomDocument;
  };
  const textOf = (node: DomNode): string => {
    if (node.nodeType === 3) return node.nodeValue ?? "";
    if (node.nodeName === "SCRIPT" || node.nodeName === "STYLE") return "";
    const text = [...node.childNodes].map(textOf).join("");
    return INLINE.has(node.nodeName) ? text : ` ${text} `;
  };
  return document.body === null ? "" : textOf(document.body);
}
