import { escapeMarkdown } from "@carrel/sdk";
import TurndownService from "turndown";
import type { DomElement, DomNode, Turndown } from "./dom.ts";
import { absolute } from "./document.ts";
import { addTableRules } from "./tables.ts";

/** A writer of CommonMark with tables. Addresses become absolute, against `base`. */
export function markdownWriter(base: string): (element: DomElement) => string {
  const turndown: Turndown = new TurndownService({
    headingStyle: "atx",
    codeBlockStyle: "fenced",
    bulletListMarker: "-",
    emDelimiter: "*",
    strongDelimiter: "**",
    hr: "---",
  });
  turndown.escape = escapeMarkdown;
  turndown.remove(["script", "style", "noscript", "template"]);
  addTableRules(turndown);

  turndown.addRule("heading", {
    filter: ["h1", "h2", "h3", "h4", "h5", "h6"],
    replacement(content, node) {
      // Behind the sign of a heading a number begins no list.
      const text = content.trim().replace(/\s*\n\s*/g, " ").replace(/^(\d+)\\([.)])/, "$1$2");
      return text === "" ? "" : `\n\n${"#".repeat(Number(node.nodeName[1]))} ${text}\n\n`;
    },
  });
  turndown.addRule("code block", {
    filter: "pre",
    replacement: (_content, node) => codeBlock(node),
  });
  turndown.addRule("strikethrough", {
    filter: ["del", "s", "strike"],
    replacement: (content) => content.trim() === "" ? "" : `~~${content}~~`,
  });
  turndown.addRule("link", {
    filter: "a",
    replacement: (content, node) => link(content, absolute(node.getAttribute("href"), base)),
  });
  turndown.addRule("image", {
    filter: "img",
    replacement(_content, node) {
      const element = node;
      const source = absolute(element.getAttribute("src"), base);
      const alt = (element.getAttribute("alt") ?? "").replace(/\s+/g, " ").trim();
      return source === undefined
        ? ""
        : `![${escapeMarkdown(alt, { lineStart: false })}](${destination(source)})`;
    },
  });

  return (element) => turndown.turndown(element).trim();
}

function link(content: string, href: string | undefined): string {
  const text = content.trim();
  if (text === "") return "";
  if (href === undefined || /\n\s*\n/.test(text)) return content;
  const line = text.replace(/\s*\n\s*/g, " ");
  const heading = /^(#{1,6}) (.+)$/.exec(line);
  return heading
    ? `\n\n${heading[1]} [${heading[2]}](${destination(href)})\n\n`
    : `${/^\s/.test(content) ? " " : ""}[${line}](${destination(href)})${
      /\s$/.test(content) ? " " : ""
    }`;
}

function destination(url: string): string {
  return url.replace(/[()<>\\ ]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function codeBlock(pre: DomElement): string {
  const text = preformatted(pre).replace(/^\n+|\s+$/g, "");
  if (text === "") return "";
  const longest = Math.max(2, ...[...text.matchAll(/`{3,}/g)].map(([fence]) => fence.length));
  const fence = "`".repeat(longest + 1);
  return `\n\n${fence}${codeLanguage(pre)}\n${text}\n${fence}\n\n`;
}

/** The text as it is set, where `br` ends a line as well. */
function preformatted(node: DomNode): string {
  if (node.nodeType === 3) return node.nodeValue ?? "";
  if (node.nodeName === "BR") return "\n";
  let text = "";
  for (const child of node.childNodes) text += preformatted(child);
  return text;
}

/** From the class names that highlighters use, on the block, its `code` or what holds it. */
function codeLanguage(pre: DomElement): string {
  for (const element of [pre.querySelector("code"), pre, pre.parentElement]) {
    const classes = element?.getAttribute("class") ?? "";
    const found = /(?:^|\s)(?:lang(?:uage)?-|highlight-source-|brush:\s*)([\w+#-]+)/i.exec(classes)
      ?.[1];
    if (found !== undefined) return found.toLowerCase();
  }
  return "";
}
