import { type Heading, repeatsTitle, settleHeadings } from "./headings.ts";
import type { Element, Node } from "./html_tree.ts";

/** Parts of a block: nobody cites them. */
const WITHOUT_ID = new Set(["div", "table", "tbody", "td", "th", "thead", "tr"]);

export interface ConformedChapter {
  /** Valid content of an XHTML `section`; paragraphs, headings, items and their like have an id. */
  readonly blocks: readonly Element[];
  readonly headings: readonly Heading[];
  /** The source's own ids and heading slugs → ids of the chapter. */
  readonly anchors: ReadonlyMap<string, string>;
}

/**
 * Makes valid XHTML of whatever tree the Markdown and its HTML gave: paragraphs hold no blocks, lists
 * hold items, tables hold rows, links do not nest, nothing is empty. A first heading that repeats
 * `title` is left out, since the chapter has it already; the others begin at level 2.
 */
export function conform(root: Element, title: string): ConformedChapter {
  const anchors = new Map<string, string>();
  /** Ids of elements that were dissolved: they go to the next block. */
  let waiting: string[] = [];
  let count = 0;

  function element(
    tag: string,
    children: readonly Node[],
    from?: Element,
    attrs: Record<string, string> = {},
  ): Element {
    const held = [from?.attrs["id"], ...waiting].filter((name) => name && !anchors.has(name));
    waiting = [];
    const kept: Record<string, string> = { ...attrs };
    if (held.length > 0 || !WITHOUT_ID.has(tag)) {
      const id = kept["id"] = `b${++count}`;
      for (const name of held) anchors.set(name!, id);
    }
    for (const name of ["lang", "dir"]) {
      if (from?.attrs[name] && !kept[name]) kept[name] = from.attrs[name];
    }
    return { tag, attrs: kept, children: [...children], block: true };
  }

  function dissolve(node: Element): readonly Node[] {
    if (node.attrs["id"]) waiting.push(node.attrs["id"]);
    return node.children;
  }

  /** Blocks of mixed content: what stands between them becomes paragraphs. */
  function flow(nodes: readonly Node[]): Element[] {
    const out: Element[] = [];
    let run: Node[] = [];
    const flush = () => {
      if (run.some((node) => !isBlank(node))) out.push(element("p", trimmed(phrasing(run))));
      run = [];
    };
    for (const node of nodes) {
      if (typeof node === "string" || !node.block) run.push(node);
      else {
        flush();
        append(out, block(node));
      }
    }
    flush();
    return out;
  }

  /** The content of an item or a cell: bare text if there is nothing else. */
  function flowOrText(node: Element): Node[] {
    return node.block && node.children.some((child) => typeof child !== "string" && child.block)
      ? flow(node.children)
      : trimmed(phrasing(node.children));
  }

  function block(node: Element): Element[] {
    switch (node.tag) {
      case "p":
      case "dt":
      case "summary":
      case "address":
      case "figcaption":
      case "caption": {
        if (node.children.some((child) => typeof child !== "string" && child.block)) {
          return flow(dissolve(node));
        }
        if (isBlank(node)) return [];
        const caption = node.tag === "figcaption" || node.tag === "caption";
        const term = node.tag === "dt" || node.tag === "summary";
        return [
          element(
            "p",
            trimmed(phrasing(node.children)),
            node,
            caption ? { class: "caption" } : term ? { class: "term" } : {},
          ),
        ];
      }
      case "h1":
      case "h2":
      case "h3":
      case "h4":
      case "h5":
      case "h6":
        return isBlank(node)
          ? (dissolve(node), [])
          : [element(node.tag, trimmed(phrasing(node.children)), node)];
      case "pre":
        return isBlank(node) ? [] : [element("pre", phrasing(node.children), node, { dir: "ltr" })];
      case "hr":
        return [element("hr", [])];
      case "ul":
      case "ol":
      case "menu":
      case "dir":
        return list(node);
      case "table":
        return table(node);
      case "blockquote":
      case "dd": {
        const inside = flow(node.children);
        if (inside.length === 0) return [];
        return [
          node.tag === "dd"
            ? element("div", inside, node, { class: "definition" })
            : element("blockquote", inside, node),
        ];
      }
      case "aside":
        if (node.attrs["class"] === "footnote") {
          return [element("aside", flow(node.children), node, { class: "footnote" })];
        }
        return flow(dissolve(node));
      default:
        return flow(dissolve(node));
    }
  }

  function list(node: Element): Element[] {
    const items: Element[] = [];
    for (const child of node.children) {
      if (isBlank(child)) continue;
      const item = typeof child !== "string" && child.tag === "li" ? child : undefined;
      const content = item
        ? flowOrText(item)
        : typeof child === "string"
        ? [child.trim()]
        : child.block
        ? block(child)
        : phrasing([child]);
      items.push(element("li", content, item));
    }
    if (items.length === 0) return [];
    const start = node.attrs["start"];
    const numbered = node.tag === "ol";
    return [
      element(
        numbered ? "ol" : "ul",
        items,
        node,
        numbered && start && /^\d{1,9}$/.test(start) ? { start } : {},
      ),
    ];
  }

  function table(node: Element): Element[] {
    const outside: Element[] = [];
    const head: Element[] = [];
    const body: Element[] = [];

    const row = (cells: readonly Node[], from: Element | undefined, rows: Element[]) => {
      const made: Element[] = [];
      for (const cell of cells) {
        if (typeof cell === "string") {
          if (cell.trim()) made.push(element("td", [cell.trim()]));
        } else if (cell.tag === "td" || cell.tag === "th") {
          made.push(element(cell.tag, flowOrText(cell), cell, cellAttributes(cell)));
        } else made.push(element("td", flow([cell])));
      }
      if (made.length > 0) rows.push(element("tr", made, from));
    };
    const rows = (nodes: readonly Node[], into: Element[]) => {
      let loose: Node[] = [];
      const flush = () => {
        if (loose.length > 0) row(loose, undefined, into);
        loose = [];
      };
      for (const child of nodes) {
        if (typeof child === "string") {
          if (child.trim()) append(outside, flow([child]));
          continue;
        }
        if (child.tag === "td" || child.tag === "th") {
          loose.push(child);
          continue;
        }
        flush();
        if (child.tag === "tr") row(child.children, child, into);
        else if (child.tag === "thead" && into === body) rows(dissolve(child), head);
        else if (child.tag === "tbody" || child.tag === "tfoot" || child.tag === "thead") {
          rows(dissolve(child), into);
        } else append(outside, child.block ? block(child) : flow([child]));
      }
      flush();
    };

    rows(node.children, body);
    if (head.length + body.length === 0) return outside;
    const parts: Element[] = [];
    if (head.length > 0) parts.push(element("thead", head));
    if (body.length > 0) parts.push(element("tbody", body));
    return [
      ...outside,
      element("div", [element("table", parts, node)], undefined, { class: "table" }),
    ];
  }

  /** Inline content. Blocks that got in dissolve; a link within a link too. */
  function phrasing(nodes: readonly Node[], inLink = false): Node[] {
    const out: Node[] = [];
    for (const node of nodes) {
      if (typeof node === "string") out.push(node);
      else if (node.block) append(out, [" ", ...phrasing(dissolve(node), inLink), " "]);
      else if (node.tag === "a" && (inLink || !node.attrs["href"])) {
        append(out, [...anchored(node), ...phrasing(node.children, inLink)]);
      } else {
        const attrs: Record<string, string> = {};
        for (const name of ["href", "class", "lang", "dir"]) {
          if (node.attrs[name]) attrs[name] = node.attrs[name];
        }
        if (node.attrs["id"] && !anchors.has(node.attrs["id"])) {
          attrs["id"] = `b${++count}`;
          anchors.set(node.attrs["id"], attrs["id"]);
        }
        const children = phrasing(node.children, inLink || node.tag === "a");
        if (node.tag === "br" || attrs["id"] || children.length > 0) {
          out.push({ tag: node.tag, attrs, children, block: false });
        }
      }
    }
    return out;
  }

  /** An empty element that holds the id of a dissolved inline one. */
  function anchored(node: Element): Node[] {
    const name = node.attrs["id"];
    if (!name || anchors.has(name)) return [];
    const id = `b${++count}`;
    anchors.set(name, id);
    return [{ tag: "span", attrs: { id }, children: [], block: false }];
  }

  const blocks = flow(root.children);
  const first = blocks[0];
  const repeated = first !== undefined && repeatsTitle(first, title);
  if (repeated) blocks.shift();
  return { blocks, headings: settleHeadings(blocks, anchors, !repeated), anchors };
}

function cellAttributes(cell: Element): Record<string, string> {
  const attrs: Record<string, string> = {};
  for (const name of ["colspan", "rowspan"]) {
    const value = Number(cell.attrs[name]);
    if (Number.isInteger(value) && value > 1 && value <= 1000) attrs[name] = String(value);
  }
  const align = cell.attrs["align"];
  if (align === "right" || align === "center") attrs["class"] = align;
  return attrs;
}

/** `push(...more)` has no room for a hundred thousand. */
function append<T>(list: T[], more: readonly T[]): void {
  for (const item of more) list.push(item);
}

function isBlank(node: Node): boolean {
  if (typeof node === "string") return node.trim() === "";
  if (node.tag === "hr") return false;
  return node.children.every(isBlank);
}

/** Without the white space at both ends. */
function trimmed(nodes: Node[]): Node[] {
  const first = nodes[0];
  if (typeof first === "string") nodes[0] = first.trimStart();
  const last = nodes.length - 1;
  const final = nodes[last];
  if (typeof final === "string") nodes[last] = final.trimEnd();
  return nodes;
}
