import { type Book, type ChapterPlan, readableDate } from "./book.ts";
import { conform } from "./conform.ts";
import type { Heading } from "./headings.ts";
import { parseHtml } from "./html_tree.ts";
import { safeUrl, serialize, withoutFragment } from "./links.ts";
import { markdownToHtml } from "./markdown.ts";
import { attributes, escapeXml, oneLine, xhtmlPage } from "./xml.ts";

export interface Chapter {
  readonly plan: ChapterPlan;
  readonly xhtml: string;
  readonly headings: readonly Heading[];
}

/** One source as a page of the book: its title, where it is from, its text. */
export function makeChapter(plan: ChapterPlan, chapters: ReadonlyMap<string, string>): Chapter {
  const { source } = plan;
  const { blocks, headings, anchors } = conform(
    parseHtml(markdownToHtml(source.markdown)),
    plan.title,
  );
  const text = blocks.length > 0
    ? serialize(blocks, { base: source.url, anchors, chapters })
    : `<p class="empty" lang="en" xml:lang="en" dir="ltr">This source holds no text.</p>\n`;
  const xhtml = xhtmlPage({
    title: plan.title,
    language: plan.language,
    rtl: plan.rtl,
    body: `<section epub:type="chapter" role="doc-chapter" aria-labelledby="title">
<header class="opening">
<p class="number" aria-hidden="true">${plan.number}</p>
<h1 id="title">${escapeXml(plan.title)}</h1>
${sourceLine(plan)}
</header>
${text}</section>`,
  });
  return { plan, xhtml, headings };
}

/** The chapters by the address of their source, so that sources that cite each other stay linked. */
export function chaptersByUrl(book: Book): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { source, href } of book.chapters) {
    const url = source.url === undefined ? undefined : safeUrl(source.url);
    if (url && !found.has(withoutFragment(url))) found.set(withoutFragment(url), href);
  }
  return found;
}

/** Names in a row; beyond four, the first three and how many more. */
export function names(all: readonly string[]): string {
  if (all.length > 4) return `${all.slice(0, 3).join(", ")} and ${all.length - 3} others`;
  return all.length < 2 ? all.join("") : `${all.slice(0, -1).join(", ")} and ${all.at(-1)}`;
}

function sourceLine({ source, authors, number, language, rtl }: ChapterPlan): string {
  const parts: string[] = [];
  if (authors.length > 0) parts.push(`<span class="authors">${escapeXml(names(authors))}</span>`);
  const url = source.url === undefined ? undefined : safeUrl(source.url);
  if (url) parts.push(`<a href="${escapeXml(url)}">${escapeXml(siteOf(url))}</a>`);
  else if (source.url) parts.push(escapeXml(oneLine(source.url.replace(/^upload:/, ""))));
  if (source.published) parts.push(escapeXml(readableDate(source.published)));
  parts.push(`<a class="about" href="sources.xhtml#source-${number}">About this source</a>`);
  const foreign = language !== undefined && !/^en\b/.test(language) || rtl;
  const values = foreign ? { lang: "en", "xml:lang": "en", dir: "ltr" } : {};
  return `<p class="source"${attributes(values)}>${parts.join(" · ")}</p>`;
}

function siteOf(url: string): string {
  return new URL(url).hostname.replace(/^www\./, "") || url;
}
