import { Parser } from "htmlparser2";
import { cleanText } from "./xml.ts";

/** A tree of the elements that a book may hold; whatever else the HTML had is gone. */
export interface Element {
  readonly tag: string;
  readonly attrs: Record<string, string>;
  readonly children: Node[];
  /** Whether it is a block, or has one somewhere inside. */
  block: boolean;
}
export type Node = string | Element;

const BLOCK = new Set(
  ("address article aside blockquote body caption center dd details dir div dl dt fieldset " +
    "figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr li main menu nav ol p pre " +
    "section summary table tbody td tfoot th thead tr ul").split(" "),
);

/** Inline elements by the name under which they are kept. */
const INLINE = new Map<string, string>([
  ...("a abbr b bdi bdo br cite code dfn em i kbd mark q s samp small span strong sub sup u var"
    .split(" ").map((name) => [name, name] as const)),
  ["acronym", "abbr"],
  ["del", "s"],
  ["ins", "u"],
  ["strike", "s"],
  ["tt", "code"],
]);

/** Elements that go with all that is inside. */
const DROPPED = new Set(
  "script style template svg head title noscript select button textarea canvas datalist frameset"
    .split(" "),
);

/** Media that a book without network cannot show: a link stands in their place. */
const MEDIA = new Set(["audio", "embed", "iframe", "video"]);

const KEPT_ATTRIBUTES = ["href", "lang", "dir", "colspan", "rowspan", "start", "align"];
const OWN_CLASSES = new Set(["backlink", "footnote", "math", "noteref"]);

/** Deeper elements are left out, their text stays: no stack overflows on a million open tags. */
const MAX_DEPTH = 60;

function keptAttributes(attribs: Record<string, string>): Record<string, string> {
  const attrs: Record<string, string> = {};
  for (const name of KEPT_ATTRIBUTES) {
    const value = attribs[name];
    if (value !== undefined) attrs[name] = cleanText(value).trim();
  }
  const anchor = attribs["id"] ?? attribs["name"];
  if (anchor) attrs["id"] = cleanText(anchor).trim();
  const own = attribs["class"];
  if (own !== undefined && OWN_CLASSES.has(own)) attrs["class"] = own;
  return attrs;
}

/** Reads any HTML, however broken, into a tree of known elements. Scripts and styles are left out. */
export function parseHtml(html: string): Element {
  const root: Element = { tag: "root", attrs: {}, children: [], block: true };
  const open: Element[] = [root];
  /** For each open tag of the input: whether it stands in `open`. */
  const kept: boolean[] = [];
  let dropping = 0;

  const top = () => open[open.length - 1]!;
  const markBlocks = () => {
    for (let i = open.length - 1; i >= 0 && !open[i]!.block; i--) open[i]!.block = true;
  };
  const inlineLink = (href: string | undefined, text: string, className: string) => {
    const attrs: Record<string, string> = { class: className };
    if (href) attrs["href"] = cleanText(href).trim();
    top().children.push({ tag: "a", attrs, children: [text], block: false });
  };

  const parser = new Parser({
    onopentag(name, attribs) {
      if (dropping > 0 || DROPPED.has(name)) {
        dropping++;
        kept.push(false);
        return;
      }
      kept.push(false);
      if (name === "img") {
        inlineLink(attribs["src"], cleanText(attribs["alt"] ?? "").trim() || "image", "image");
      } else if (MEDIA.has(name)) {
        if (attribs["src"]) {
          inlineLink(attribs["src"], name === "audio" ? "audio" : "video", "image");
        }
      } else if (name === "input") {
        if (attribs["type"] === "checkbox") top().children.push("checked" in attribs ? "☑ " : "☐ ");
      } else {
        const isBlock = BLOCK.has(name);
        const tag = isBlock ? name : INLINE.get(name);
        if (tag === undefined) return;
        if (open.length >= MAX_DEPTH) {
          // The text of two such blocks must not run together.
          if (isBlock) top().children.push(" ");
          return;
        }
        const element = { tag, attrs: keptAttributes(attribs), children: [], block: false };
        top().children.push(element);
        open.push(element);
        kept[kept.length - 1] = true;
        if (isBlock) markBlocks();
      }
    },
    onclosetag() {
      const wasKept = kept.pop();
      if (dropping > 0) dropping--;
      else if (wasKept) open.pop();
    },
    ontext(text) {
      if (dropping > 0) return;
      const children = top().children;
      const last = children.length - 1;
      if (typeof children[last] === "string") children[last] += text;
      else children.push(text);
    },
  }, { decodeEntities: true });
  parser.end(html);
  return root;
}

/** All text below a node. */
export function textOf(node: Node): string {
  return typeof node === "string" ? node : node.children.map(textOf).join("");
}
