import type { ContentMetadata, Plain } from "@carrel/sdk";
import type { Article } from "./article.ts";
import type { DomDocument, DomElement } from "./dom.ts";
import { authorNames, firstLanguage, isoTime } from "./normalise.ts";
import { absolute } from "./document.ts";
import { readJsonLd } from "./json_ld.ts";

/** What a page says about itself in places that are gone once the article is cut out. */
export interface Head {
  /** Contents of `meta` elements by name or property in lower case; the first one of each. */
  readonly meta: ReadonlyMap<string, string>;
  readonly authors: readonly string[];
  readonly canonical: string | undefined;
  readonly licence: string | undefined;
  readonly language: string | undefined;
  readonly heading: string | undefined;
  readonly structured: ReturnType<typeof readJsonLd>;
}

const MAX_IMAGES = 200;
const MAX_VALUE = 2000;

export function readHead(document: DomDocument): Head {
  const meta = new Map<string, string>();
  const authors: string[] = [];
  for (const element of document.getElementsByTagName("meta")) {
    const content = element.getAttribute("content")?.trim();
    const names = element.getAttribute("property") ?? element.getAttribute("name") ??
      element.getAttribute("http-equiv") ?? element.getAttribute("itemprop");
    if (!content || names === null) continue;
    for (const name of names.toLowerCase().split(/\s+/)) {
      if (name === "citation_author") authors.push(content);
      if (!meta.has(name)) meta.set(name, content.slice(0, MAX_VALUE));
    }
  }
  let canonical: string | undefined;
  let licence: string | undefined;
  for (const element of document.getElementsByTagName("link")) {
    const rel = ` ${element.getAttribute("rel")?.toLowerCase() ?? ""} `;
    if (rel.includes(" canonical ")) canonical ??= element.getAttribute("href") ?? undefined;
    if (rel.includes(" license ")) licence ??= element.getAttribute("href") ?? undefined;
  }
  licence ??= document.querySelector("a[rel~=license]")?.getAttribute("href") ?? undefined;
  const scripts = document.querySelectorAll('script[type="application/ld+json"]');
  const structured = readJsonLd([...scripts].map((script) => script.textContent ?? ""));
  const base = document.baseURI;
  return {
    meta,
    authors,
    canonical: absolute(canonical ?? meta.get("og:url"), base),
    licence: absolute(licence, base) ?? structured.licence ?? meta.get("dc.rights") ??
      meta.get("dcterms.license"),
    language: firstLanguage(document.documentElement.getAttribute("lang")) ??
      firstLanguage(document.documentElement.getAttribute("xml:lang")) ??
      firstLanguage(meta.get("content-language")) ?? firstLanguage(meta.get("og:locale")) ??
      firstLanguage(structured.language),
    heading: document.getElementsByTagName("h1")[0]?.textContent?.replace(/\s+/g, " ").trim() ||
      undefined,
    structured,
  };
}

/** Title and metadata, from what the head and the article say. */
export function collectMetadata(
  head: Head,
  article: Article,
  document: DomDocument,
  markdown: string,
): { title: string; metadata: ContentMetadata } {
  const { meta, structured } = head;
  const published = article.published ?? structured.published ??
    meta.get("citation_publication_date") ??
    meta.get("dc.date") ?? meta.get("dcterms.created") ?? meta.get("date");
  const modified = structured.modified ?? meta.get("article:modified_time") ??
    meta.get("last-modified");
  const keywords = meta.get("keywords") ?? meta.get("news_keywords");
  const openGraph: Record<string, Plain> = {};
  for (const [name, content] of meta) {
    if (/^(og|article):/.test(name)) openGraph[name] = content;
  }
  const authors = structured.authors.length > 0
    ? structured.authors
    : head.authors.length > 0
    ? head.authors
    : authorNames(article.byline);
  return {
    title: article.title ?? head.heading ?? firstWords(markdown) ?? document.documentURI,
    metadata: {
      authors,
      byline: article.byline,
      published: isoTime(published),
      modified: isoTime(modified),
      language: head.language,
      direction: article.direction,
      summary: article.summary?.slice(0, MAX_VALUE),
      canonicalUrl: head.canonical,
      siteName: article.siteName,
      licence: head.licence,
      keywords: structured.keywords.length > 0
        ? structured.keywords
        : keywords?.split(/\s*[,;]\s*/).filter((word) => word !== ""),
      images: images(article.element, document.baseURI),
      schemaType: structured.type,
      openGraph: Object.keys(openGraph).length === 0 ? undefined : openGraph,
    },
  };
}

function images(article: DomElement, base: string): { url: string; alt?: string }[] {
  const found = new Map<string, { url: string; alt?: string }>();
  for (const image of article.getElementsByTagName("img")) {
    const url = absolute(image.getAttribute("src"), base);
    if (url === undefined || found.has(url)) continue;
    const alt = image.getAttribute("alt")?.replace(/\s+/g, " ").trim();
    found.set(url, alt ? { url, alt } : { url });
    if (found.size === MAX_IMAGES) break;
  }
  return [...found.values()];
}

function firstWords(markdown: string): string | undefined {
  const line = markdown.split("\n", 1)[0]!.replace(/[#*_>`[\]\\]/g, "").trim();
  return line === "" ? undefined : line.length > 80 ? `${line.slice(0, 79).trimEnd()}…` : line;
}
