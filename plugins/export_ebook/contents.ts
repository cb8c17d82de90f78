import type { Book } from "./book.ts";
import type { Chapter } from "./chapter.ts";
import { attributes, escapeXml, xhtmlPage } from "./xml.ts";

/** A line of the contents and what is below it. */
interface Entry {
  readonly label: string;
  readonly href: string;
  readonly level: number;
  readonly language?: string | undefined;
  readonly rtl?: boolean | undefined;
  readonly children: Entry[];
}

function entries(book: Book, chapters: readonly Chapter[]): Entry[] {
  const top: Entry[] = chapters.map(({ plan, headings }) => {
    const chapter: Entry = {
      label: plan.title,
      href: plan.href,
      level: 1,
      language: plan.language === book.languages[0] ? undefined : plan.language,
      rtl: plan.rtl === book.rtl ? undefined : plan.rtl,
      children: [],
    };
    const path = [chapter];
    for (const { level, id, text } of headings) {
      if (level > book.tocDepth) continue;
      while (path.at(-1)!.level >= level) path.pop();
      const entry: Entry = { label: text, href: `${plan.href}#${id}`, level, children: [] };
      path.at(-1)!.children.push(entry);
      path.push(entry);
    }
    return chapter;
  });
  return [...top, { label: "Sources", href: "sources.xhtml", level: 1, children: [] }];
}

/** The contents as a page of the book and as EPUB 3's navigation document. */
export function makeNav(book: Book, chapters: readonly Chapter[]): string {
  const list = (items: readonly Entry[], indent: string): string =>
    items.length === 0
      ? ""
      : `\n${indent}<ol>\n${
        items.map(({ label, href, language, rtl, children }) => {
          const values = {
            lang: language,
            "xml:lang": language,
            dir: rtl === undefined ? undefined : rtl ? "rtl" : "ltr",
            href,
          };
          const below = list(children, `${indent}    `);
          return `${indent}  <li><a${attributes(values)}>${escapeXml(label)}</a>${below}</li>\n`;
        }).join("")
      }${indent}</ol>`;
  const language = book.languages[0];
  const landmarks = [
    ...(book.cover ? [["cover", "cover.xhtml", "Cover"]] : []),
    ["toc", "nav.xhtml", "Contents"],
    ["bodymatter", chapters[0]!.plan.href, "Start of the book"],
    ["backmatter", "sources.xhtml", "Sources"],
  ].map(([type, href, label]) => `  <li><a epub:type="${type}" href="${href}">${label}</a></li>\n`);
  return xhtmlPage({
    title: book.title,
    language,
    rtl: book.rtl,
    bodyClass: "contents",
    body: `<nav epub:type="toc" role="doc-toc" id="toc">
<h1>Contents</h1>${list(entries(book, chapters), "")}
</nav>
<nav epub:type="landmarks" id="landmarks" hidden="hidden">
<h2>Landmarks</h2>
<ol>
${landmarks.join("")}</ol>
</nav>`,
  });
}

/** The contents for readers of EPUB 2. */
export function makeNcx(book: Book, chapters: readonly Chapter[]): string {
  let order = 0;
  const points = (items: readonly Entry[], indent: string): string =>
    items.map(({ label, href, children }) => {
      const id = ++order;
      return `${indent}<navPoint id="n${id}" playOrder="${id}">
${indent}  <navLabel><text>${escapeXml(label)}</text></navLabel>
${indent}  <content src="${escapeXml(href)}"/>
${points(children, `${indent}  `)}${indent}</navPoint>
`;
    }).join("");
  const all = entries(book, chapters);
  const depth = depthOf(all);
  return `<?xml version="1.0" encoding="utf-8"?>
<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/" version="2005-1"${
    attributes({ "xml:lang": book.languages[0] })
  }>
  <head>
    <meta name="dtb:uid" content="${book.identifier}"/>
    <meta name="dtb:depth" content="${depth}"/>
    <meta name="dtb:totalPageCount" content="0"/>
    <meta name="dtb:maxPageNumber" content="0"/>
  </head>
  <docTitle><text>${escapeXml(book.title)}</text></docTitle>
  <navMap>
${points(all, "    ")}  </navMap>
</ncx>
`;
}

function depthOf(list: readonly Entry[]): number {
  return list.reduce((depth, entry) => Math.max(depth, 1 + depthOf(entry.children)), 0);
}
