import { type Book, type ChapterPlan, countOf, readableDate } from "./book.ts";
import { safeUrl } from "./links.ts";
import { attributes, escapeXml, oneLine, xhtmlPage } from "./xml.ts";

/** The last page: every source with all that is known of where it came from. */
export function makeSourcesPage(book: Book): string {
  const foreign = !/^(?:en|und)\b/.test(book.languages[0]) || book.rtl;
  return xhtmlPage({
    title: "Sources",
    language: "en",
    bodyClass: foreign ? "sources foreign" : "sources",
    body: `<section epub:type="bibliography" role="doc-bibliography" aria-labelledby="title">
<h1 id="title">Sources</h1>
<p>This book was made on ${readableDate(book.modified)} from ${
      countOf(book.chapters.length, "source")
    }. Each chapter is the text of one of them.</p>
${book.chapters.map(sourceEntry).join("\n")}
</section>`,
  });
}

function sourceEntry(plan: ChapterPlan): string {
  const { source, number, href, title, authors, language, rtl } = plan;
  const address = source.url === undefined ? undefined : safeUrl(source.url);
  const rows: [string, string | undefined][] = [
    [authors.length > 1 ? "Authors" : "Author", escapeXml(authors.join(", "))],
    ["Published", source.published && escapeXml(readableDate(source.published))],
    [
      address ? "Address" : "File",
      address
        ? `<a href="${escapeXml(address)}">${breakable(address)}</a>`
        : escapeXml(oneLine(source.filename ?? source.url ?? "")),
    ],
    ["Licence", licence(source.licence)],
    ["Imported", escapeXml(importTime(source.imported))],
    ["Passages", source.chunks.length > 0 ? String(source.chunks.length) : undefined],
    ["Content", `<code>${breakable(oneLine(source.id))}</code>`],
    ["Revision", `<code>${breakable(oneLine(source.revision))}</code>`],
  ];
  const shown = rows.filter(([, value]) => value).map(([label, value]) =>
    `<p class="field"><span class="label">${label}</span> ${value}</p>`
  );
  const name = attributes({
    href,
    lang: language,
    "xml:lang": language,
    dir: rtl ? "rtl" : undefined,
  });
  return `<section class="entry" id="source-${number}">
<h2><span class="label">${number}</span> <a${name}>${escapeXml(title)}</a></h2>
${shown.join("\n")}
</section>`;
}

function licence(text: string | undefined): string | undefined {
  if (!text) return undefined;
  const url = /^https?:/i.test(text) ? safeUrl(text) : undefined;
  return url ? `<a href="${escapeXml(url)}">${breakable(url)}</a>` : escapeXml(oneLine(text));
}

/** Long addresses may break behind their separators. */
function breakable(text: string): string {
  return escapeXml(text).replace(/([/?=_]|&amp;)(?=[^/])/g, "$1<wbr/>");
}

function importTime(time: string): string {
  const clock = /T(\d{2}:\d{2})/.exec(time)?.[1];
  return clock ? `${readableDate(time)}, ${clock} UTC` : oneLine(time);
}
