import { PluginError } from "@carrel/sdk";
import { parseHTML } from "linkedom";
import type { DomDocument, DomElement, DomNode } from "./dom.ts";

/** Browsers stop at 512; the work on a page grows with the square of it. */
const DEEPEST = 512;

/** Parses a page. `baseURI` and `documentURI` of the document are absolute, a base element honoured. */
export function readDocument(html: string, url: string): DomDocument {
  const { document } = parseHTML(withRoot(html)) as unknown as { document: DomDocument };
  if (isDeeper(document.documentElement, DEEPEST)) {
    throw new PluginError(
      "unreadable",
      `Cannot read "${url}": its elements are nested too deeply.`,
    );
  }
  repairBody(document);
  const documentUri = httpUrl(url) ?? "about:blank";
  const base = document.getElementsByTagName("base")[0]?.getAttribute("href") ?? "";
  const baseUri = absolute(base, documentUri) ?? documentUri;
  Object.defineProperty(document, "documentURI", { value: documentUri });
  Object.defineProperty(document, "baseURI", { value: baseUri });
  return document;
}

/** Walks without recursion, which deep nesting would break. */
function isDeeper(root: DomElement, limit: number): boolean {
  let depth = 0;
  let element: DomElement = root;
  while (true) {
    const child = element.firstElementChild;
    if (child !== null) {
      if (++depth > limit) return true;
      element = child;
      continue;
    }
    while (element !== root && element.nextElementSibling === null) {
      element = element.parentElement ?? root;
      depth--;
    }
    if (element === root) return false;
    element = element.nextElementSibling!;
  }
}

/** A URL made absolute; undefined where it is none, or one of a scheme that leads nowhere. */
export function absolute(url: string | null | undefined, base: string): string | undefined {
  if (url === null || url === undefined || url.trim() === "") return undefined;
  try {
    const { href, protocol } = new URL(url.trim(), base);
    return ["http:", "https:", "mailto:", "tel:", "ftp:"].includes(protocol) ? href : undefined;
  } catch {
    return undefined;
  }
}

function httpUrl(url: string): string | undefined {
  return /^https?:/i.test(url) && URL.canParse(url) ? url : undefined;
}

/** The parser makes the first element the root, where HTML lets `html` be left out. */
function withRoot(html: string): string {
  // Its own attributes would be lost if the root were not the first thing; XML lines are of no use.
  const page = html.replace(/^\s*<\?xml[^>]*\?>/, "");
  if (/<html[\s>]/i.test(page)) return page;
  const doctype = /^\s*(?:<!--[^]*?-->\s*)*<!doctype[^>]*>/i.exec(page)?.[0] ?? "<!doctype html>";
  const rest = page.startsWith(doctype) ? page.slice(doctype.length) : page;
  return `${doctype}<html>${rest}</html>`;
}

const HEAD_ELEMENTS = new Set(["TITLE", "META", "LINK", "BASE", "STYLE", "SCRIPT", "NOSCRIPT"]);

/** Puts what stands outside `head` and `body` where a browser would put it. */
function repairBody(document: DomDocument): void {
  const root = document.documentElement;
  const children = [...root.childNodes];
  const first = (name: string) =>
    children.find((node) => node.nodeName === name) as DomElement | undefined;
  let head = first("HEAD");
  let body = first("BODY");
  // What belongs into the head and stands before a body that is there is the head's.
  const bodyAt = body === undefined ? children.length : children.indexOf(body);
  const strays = children.filter((node) => node !== head && node !== body && node.nodeType !== 8);
  if (head !== undefined && body !== undefined && strays.every(isBlankText)) return;
  if (head === undefined) {
    head = document.createElement("head");
    root.prepend(head);
  }
  if (body === undefined) {
    body = document.createElement("body");
    root.append(body);
  }
  for (const stray of strays) {
    const isEarly = children.indexOf(stray) < bodyAt;
    const isAlone = bodyAt < children.length || body.childNodes.length === 0;
    if (HEAD_ELEMENTS.has(stray.nodeName) && isEarly && isAlone) head.append(stray);
    else body.append(stray);
  }
}

function isBlankText(node: DomNode): boolean {
  return node.nodeType === 3 && (node.nodeValue ?? "").trim() === "";
}
