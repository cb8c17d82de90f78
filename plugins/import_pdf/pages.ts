import { PluginError } from "@carrel/sdk";
import type { PluginContext } from "@carrel/sdk";
import { type Line, linesOf } from "./lines.ts";
import type { PdfDocument, PdfItem } from "./pdf_js.ts";
import { brokenFonts, cleaned, measure, type TextQuality } from "./quality.ts";

export interface ReadPage {
  readonly page: number;
  readonly lines: readonly Line[];
  readonly quality: TextQuality;
}

/** Characters kept of a document: more than any book has, and less than fills a memory. */
const MAX_CHARACTERS = 20_000_000;
/** Runs kept of a page; a page of a newspaper has some thousands. */
const MAX_RUNS = 200_000;

/**
 * Reads the pages one after another. A page that cannot be read is left out with a warning; if none
 * can, the document is `damaged`.
 */
export async function readPages(
  document: PdfDocument,
  name: string,
  maxPages: number,
  ctx: PluginContext,
): Promise<{ pages: ReadPage[]; warnings: string[] }> {
  const read: PdfItem[][] = [];
  const warnings: string[] = [];
  const broken: number[] = [];
  const count = Math.min(document.numPages, maxPages);
  let characters = 0;
  for (let page = 1; page <= count; page++) {
    ctx.signal.throwIfAborted();
    ctx.progress((page - 1) / count, `reading page ${page} of ${count}`);
    let items: PdfItem[] = [];
    try {
      items = await readItems(document, page);
    } catch {
      broken.push(page);
    }
    read.push(items);
    for (const item of items) characters += item.str.length;
    if (characters > MAX_CHARACTERS) break;
  }
  if (broken.length === count) {
    throw new PluginError("damaged", `Cannot read "${name}": none of its pages can be read.`);
  }
  if (broken.length > 0) {
    warnings.push(`${broken.length} of ${count} pages are damaged and were left out.`);
  }
  if (read.length < document.numPages) {
    warnings.push(`Only the first ${read.length} of ${document.numPages} pages were read.`);
  }
  const illegible = brokenFonts(read.flat());
  const pages = read.map((items, index) => {
    const legible = items.filter(({ fontName }) => !illegible.has(fontName))
      .map((item) => ({ ...item, str: cleaned(item.str) }));
    return {
      page: index + 1,
      lines: linesOf(legible, index + 1),
      quality: measure(items.map(({ str }) => str).join("")),
    };
  });
  return { pages, warnings };
}

async function readItems(document: PdfDocument, number: number): Promise<PdfItem[]> {
  const page = await document.getPage(number);
  const items: PdfItem[] = [];
  try {
    // What a page holds beyond the bound is read and dropped: PDF.js cannot be stopped on the way.
    for await (const piece of page.streamTextContent()) {
      if (items.length > MAX_RUNS) continue;
      for (const item of piece.items) if (typeof item.str === "string") items.push(item);
    }
  } finally {
    page.cleanup();
  }
  return items;
}
