import { definePlugin, downloadSource, PluginError, titleFromName } from "@carrel/sdk";
import type { ExtractedContent, PluginContext, RawContent } from "@carrel/sdk";
import { withoutFurniture } from "./furniture.ts";
import { readInfo } from "./metadata.ts";
import { type Block, blocksOf, blockWriter } from "./paragraphs.ts";
import { openPdf } from "./pdf_js.ts";
import { qualityWarnings } from "./quality.ts";
import { readPages } from "./pages.ts";

/** Imports the text of a PDF. */
export default definePlugin.import({
  download: (source, ctx) =>
    downloadSource(source, ctx, {
      what: "document",
      accept: "application/pdf, */*;q=0.5",
      maxMb: 50,
    }),

  extract,

  healthCheck: () => ({ status: "healthy" }),
});

async function extract(raw: RawContent, ctx: PluginContext): Promise<ExtractedContent> {
  const name = raw.filename ?? raw.url;
  const document = await openPdf(raw.bytes, name);
  try {
    const info = await readInfo(document);
    const read = await readPages(document, name, Number(ctx.config.max_pages ?? 5000), ctx);
    if (read.pages.every(({ quality }) => quality.total === 0) && !hasPictures(raw.bytes)) {
      throw new PluginError(
        "empty",
        `Cannot read "${name}": there is neither text nor a picture in it.`,
      );
    }
    const blocks = blocksOf(withoutFurniture(read.pages.map(({ lines }) => lines)));
    const { markdown, pages } = write(blocks, read.pages.length);
    return {
      type: "document",
      title: info.title ?? titleFrom(blocks) ?? titleFromName(name, /\.pdf$/i),
      markdown,
      metadata: info.metadata,
      pages,
      warnings: [...read.warnings, ...qualityWarnings(read.pages)],
    };
  } finally {
    await document.loadingTask.destroy();
  }
}

/** The Markdown of all blocks, and where in it each page begins. */
function write(blocks: readonly Block[], pageCount: number) {
  const writeBlock = blockWriter(blocks);
  const pages: { page: number; offset: number }[] = [];
  let markdown = "";
  let last: Block | undefined;
  const beginPages = (upTo: number) => {
    while (pages.length < upTo) pages.push({ page: pages.length + 1, offset: markdown.length });
  };
  for (const block of blocks) {
    if (last !== undefined) {
      markdown += last.kind === "item" && block.kind === "item" ? "\n" : "\n\n";
    }
    beginPages(block.lines[0]!.page);
    markdown += writeBlock(block);
    last = block;
  }
  beginPages(pageCount);
  return { markdown, pages };
}

/** The largest heading of the first page. */
function titleFrom(blocks: readonly Block[]): string | undefined {
  const headings = blocks.filter((block) => block.kind === "heading" && block.lines[0]!.page === 1)
    .sort((a, b) => a.level - b.level);
  const text = headings[0]?.lines.map((line) => line.text).join(" ").trim();
  return text === undefined || text.length < 3 || text.length > 300 ? undefined : text;
}

/** Whether any picture is in the file. The dictionaries of pictures are never compressed or encrypted. */
function hasPictures(bytes: Uint8Array): boolean {
  const text = new TextDecoder("windows-1252").decode(bytes);
  return /\/Subtype\s*\/Image\b/.test(text);
}
