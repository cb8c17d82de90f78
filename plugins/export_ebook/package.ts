import type { Book } from "./book.ts";
import type { Chapter } from "./chapter.ts";
import { safeUrl } from "./links.ts";
import { attributes, escapeXml, oneLine } from "./xml.ts";

export const CONTAINER = `<?xml version="1.0" encoding="utf-8"?>
<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0">
  <rootfiles>
    <rootfile full-path="OEBPS/package.opf" media-type="application/oebps-package+xml"/>
  </rootfiles>
</container>
`;

/** The package document (EPUB 3.3 §5): metadata, files, reading order. */
export function makePackage(book: Book, chapters: readonly Chapter[]): string {
  const metadata: string[] = [];
  const add = (tag: string, text: string, values: Record<string, string> = {}) =>
    metadata.push(`<${tag}${attributes(values)}>${escapeXml(text)}</${tag}>`);
  const refine = (
    id: string,
    property: string,
    text: string,
    values: Record<string, string> = {},
  ) => add("meta", text, { refines: `#${id}`, property, ...values });

  add("dc:identifier", book.identifier, { id: "book-id" });
  add("dc:title", book.title, { id: "title" });
  refine("title", "title-type", "main");
  for (const language of book.languages) add("dc:language", language);
  book.creators.forEach((creator, index) => {
    const id = `creator-${index + 1}`;
    add("dc:creator", creator, { id });
    refine(id, "role", "aut", { scheme: "marc:relators" });
    refine(id, "display-seq", String(index + 1));
  });
  add("dc:contributor", "Carrel", { id: "maker" });
  refine("maker", "role", "bkp", { scheme: "marc:relators" });
  add("dc:publisher", "Carrel");
  add("dc:date", book.modified.slice(0, 10));
  add("dc:description", book.description);
  add("dc:rights", rights(book));
  const addresses = new Set(
    book.chapters.map(({ source }) => source.url === undefined ? undefined : safeUrl(source.url)),
  );
  for (const address of addresses) if (address) add("dc:source", address);
  add("meta", book.modified, { property: "dcterms:modified" });
  if (book.cover) metadata.push(`<meta name="cover" content="cover-image"/>`);
  add("meta", "textual", { property: "schema:accessMode" });
  if (book.cover) add("meta", "visual", { property: "schema:accessMode" });
  add("meta", "textual", { property: "schema:accessModeSufficient" });
  for (const feature of ["tableOfContents", "structuralNavigation", "displayTransformability"]) {
    add("meta", feature, { property: "schema:accessibilityFeature" });
  }
  add("meta", "none", { property: "schema:accessibilityHazard" });

  const items: [id: string, href: string, type: string, properties?: string][] = [
    ["nav", "nav.xhtml", "application/xhtml+xml", "nav"],
    ["ncx", "toc.ncx", "application/x-dtbncx+xml"],
    ["style", "style.css", "text/css"],
  ];
  if (book.cover) {
    items.push(
      ["cover", "cover.xhtml", "application/xhtml+xml"],
      ["cover-image", "cover.svg", "image/svg+xml", "cover-image"],
    );
  }
  for (const { plan } of chapters) items.push([plan.id, plan.href, "application/xhtml+xml"]);
  items.push(["sources", "sources.xhtml", "application/xhtml+xml"]);

  const order = [
    ...(book.cover ? ["cover"] : []),
    "nav",
    ...chapters.map(({ plan }) => plan.id),
    "sources",
  ];
  const root = attributes({
    xmlns: "http://www.idpf.org/2007/opf",
    version: "3.0",
    "unique-identifier": "book-id",
    "xml:lang": book.languages[0],
    dir: book.rtl ? "rtl" : undefined,
  });
  const spine = attributes({
    toc: "ncx",
    "page-progression-direction": book.rtl ? "rtl" : undefined,
  });
  return `<?xml version="1.0" encoding="utf-8"?>
<package${root}>
  <metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
${metadata.map((line) => `    ${line}\n`).join("")}  </metadata>
  <manifest>
${
    items.map(([id, href, type, properties]) =>
      `    <item${attributes({ id, href, "media-type": type, properties })}/>\n`
    ).join("")
  }  </manifest>
  <spine${spine}>
${order.map((id) => `    <itemref idref="${id}"/>\n`).join("")}  </spine>
</package>
`;
}

function rights(book: Book): string {
  const licences = new Set(book.chapters.map(({ source }) => oneLine(source.licence ?? "")));
  const only = licences.size === 1 ? [...licences][0] : "";
  return only || "Each chapter is under the licence of its source: see the page Sources.";
}
