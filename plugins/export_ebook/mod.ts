import { type Attribution, definePlugin } from "@carrel/sdk";
import { strToU8, type Zippable, zipSync } from "fflate";
import { parseParameters, planBook, slug } from "./book.ts";
import { type Chapter, chaptersByUrl, makeChapter } from "./chapter.ts";
import { makeNav, makeNcx } from "./contents.ts";
import { makeCoverPage, makeCoverSvg } from "./cover.ts";
import { CONTAINER, makePackage } from "./package.ts";
import { makeSourcesPage } from "./sources_page.ts";
import { STYLE } from "./style.ts";

/** Makes an EPUB 3 book: the same input gives the same bytes. */
export default definePlugin.export({
  async generate(input, given, ctx) {
    const book = await planBook(input, parseParameters(given));
    const byUrl = chaptersByUrl(book);
    const chapters: Chapter[] = [];
    for (const plan of book.chapters) {
      ctx.signal.throwIfAborted();
      ctx.progress(
        0.9 * (plan.number - 1) / book.chapters.length,
        `Chapter ${plan.number}: ${plan.title}`,
      );
      chapters.push(makeChapter(plan, byUrl));
    }
    ctx.progress(0.9, "Packing the book");

    const pages = new Map<string, string>([
      ["META-INF/container.xml", CONTAINER],
      ["OEBPS/package.opf", makePackage(book, chapters)],
      ["OEBPS/nav.xhtml", makeNav(book, chapters)],
      ["OEBPS/toc.ncx", makeNcx(book, chapters)],
      ["OEBPS/style.css", STYLE],
    ]);
    if (book.cover) {
      pages.set("OEBPS/cover.xhtml", makeCoverPage(book));
      pages.set("OEBPS/cover.svg", makeCoverSvg(book));
    }
    for (const { plan, xhtml } of chapters) pages.set(`OEBPS/${plan.href}`, xhtml);
    pages.set("OEBPS/sources.xhtml", makeSourcesPage(book));

    const name = `${slug(book.title)}.epub`;
    return {
      title: book.title,
      files: [{ name, mediaType: "application/epub+zip", bytes: pack(pages) }],
      attributions: book.chapters.map((plan): Attribution => ({
        part: {
          id: plan.id,
          kind: "chapter",
          title: plan.title,
          location: `${name}#OEBPS/${plan.href}`,
        },
        source: plan.source.id,
        chunks: plan.source.chunks.map((chunk) => chunk.id),
      })),
      metadata: {
        identifier: book.identifier,
        languages: book.languages,
        authors: book.creators,
        chapters: chapters.length,
      },
    };
  },
});

/** A zip as EPUB wants it (OCF 3.3 §4.2): `mimetype` first and stored; all times alike. */
function pack(pages: ReadonlyMap<string, string>): Uint8Array {
  const files: Zippable = { mimetype: [strToU8("application/epub+zip"), { level: 0 }] };
  for (const [path, text] of pages) files[path] = [strToU8(text), { level: 6 }];
  // Zip times are local: a local date gives the same bytes in every time zone.
  return zipSync(files, { mtime: new Date(1980, 0, 1) });
}
