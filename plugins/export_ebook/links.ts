import type { Element, Node } from "./html_tree.ts";
import { languageTag } from "@carrel/sdk";
import { attributes, escapeXml } from "./xml.ts";

/**
 * A URL that every reader and validator takes, or `undefined`. Only http, https and mailto leave a
 * book; what the URL standard tolerates but RFC 3986 does not is percent-encoded.
 */
export function safeUrl(url: string, base?: string): string | undefined {
  const parsed = URL.parse(url, base) ?? undefined;
  if (!parsed) return undefined;
  if (parsed.protocol === "mailto:") {
    return /^mailto:[^\s@]+@[^\s@]+$/.test(parsed.href) ? encode(parsed.href) : undefined;
  }
  if (parsed.protocol !== "http:" && parsed.protocol !== "https:") return undefined;
  // Not every reader can tell such a host from a typing error.
  if (!/^(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])$/.test(parsed.hostname)) {
    return undefined;
  }
  parsed.username = "";
  parsed.password = "";
  const fragment = parsed.hash.slice(1);
  parsed.hash = "";
  const bare = encode(parsed.href);
  return fragment ? `${bare}#${encode(fragment).replaceAll("#", "%23")}` : bare;
}

function encode(part: string): string {
  return part
    .replace(/%(?![0-9A-Fa-f]{2})/g, "%25")
    // An IPv6 host keeps its brackets, nothing else may have them.
    .replace(
      /^(https?:\/\/\[[^\]]*\])?([\s\S]*)$/,
      (_all, host: string | undefined, rest: string) =>
        (host ?? "") + rest.replace(/[^A-Za-z0-9\-._~:/?#@!$&'()*+,;=%]/gu, encodeURIComponent),
    );
}

/** Where the links of one chapter may lead. */
export interface LinkTargets {
  /** The source's address: relative links start there. */
  readonly base: string | undefined;
  /** Ids within the chapter by the source's names for them. */
  readonly anchors: ReadonlyMap<string, string>;
  /** Chapters of this book by the address of their source. */
  readonly chapters: ReadonlyMap<string, string>;
}

/** The `href` to write for a link of the source, or `undefined` if it leads nowhere. */
export function resolveLink(href: string, targets: LinkTargets): string | undefined {
  const { base, anchors, chapters } = targets;
  const fragment = href.includes("#") ? decoded(href.slice(href.indexOf("#") + 1)) : undefined;
  const id = fragment ? anchors.get(fragment) : undefined;
  if (href.startsWith("#")) return id ? `#${id}` : base ? safeUrl(href, base) : undefined;
  const url = safeUrl(href, base);
  if (url === undefined) return undefined;
  const page = withoutFragment(url);
  if (base && page === withoutFragment(safeUrl(base) ?? "")) return id ? `#${id}` : url;
  return chapters.get(page) ?? url;
}

export function withoutFragment(url: string): string {
  const at = url.indexOf("#");
  return at < 0 ? url : url.slice(0, at);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const EPUB_TYPES: Readonly<Record<string, Record<string, string>>> = {
  noteref: { "epub:type": "noteref", role: "doc-noteref" },
  backlink: { role: "doc-backlink" },
  footnote: { "epub:type": "footnote", role: "doc-footnote" },
};

/** Markup of conformed nodes; a link that leads nowhere keeps its text. */
export function serialize(nodes: readonly Node[], targets: LinkTargets): string {
  let out = "";
  for (const node of nodes) {
    out += typeof node === "string" ? escapeXml(node) : serializeElement(node, targets);
  }
  return out;
}

function serializeElement(node: Element, targets: LinkTargets): string {
  const { lang, href, ...rest } = node.attrs;
  const values: Record<string, string | undefined> = { ...rest };
  if (rest["dir"] && !["ltr", "rtl", "auto"].includes(rest["dir"].toLowerCase())) {
    delete values["dir"];
  } else if (rest["dir"]) values["dir"] = rest["dir"].toLowerCase();
  const language = languageTag(lang);
  if (language) values["lang"] = values["xml:lang"] = language;
  Object.assign(values, EPUB_TYPES[rest["class"] ?? ""]);
  let tag = node.tag;
  if (tag === "a") {
    const target = href === undefined ? undefined : resolveLink(href, targets);
    if (target === undefined) {
      tag = "span";
      delete values["epub:type"];
      delete values["role"];
    } else values["href"] = target;
  }
  if (tag === "bdo" && !values["dir"]) tag = "bdi";
  const open = `<${tag}${attributes(values)}`;
  if (tag === "br" || tag === "hr") return `${open}/>`;
  const end = node.block && tag !== "li" && tag !== "td" && tag !== "th" ? "\n" : "";
  return `${open}>${serialize(node.children, targets)}</${tag}>${end}`;
}
