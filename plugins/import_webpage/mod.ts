import { definePlugin, downloadSource, PluginError } from "@carrel/sdk";
import { readDocument } from "./document.ts";
import { findArticle } from "./article.ts";
import { readHtml } from "./html.ts";
import { collectMetadata, readHead } from "./metadata.ts";
import { markdownWriter } from "./to_markdown.ts";

/** Imports the article of a web page. */
export default definePlugin.import({
  download: (source, ctx) =>
    downloadSource(source, ctx, {
      what: "page",
      accept: "text/html, application/xhtml+xml;q=0.9, */*;q=0.5",
      maxMb: 16,
    }),

  extract(raw, ctx) {
    const { html, warnings } = readHtml(raw);
    ctx.progress(0.1, "looking for the article");
    const document = readDocument(html, raw.url);
    const head = readHead(document);
    const article = findArticle(document, html);
    ctx.progress(0.7, "writing Markdown");
    const markdown = markdownWriter(document.baseURI)(article.element);
    if (markdown === "") throw noText(raw.url);
    return {
      type: "webpage",
      ...collectMetadata(head, article, document, markdown),
      markdown,
      warnings: [...warnings, ...article.warnings],
    };
  },

  healthCheck: () => ({ status: "healthy" }),
});

function noText(url: string): PluginError {
  return new PluginError(
    "empty",
    `Cannot read "${url}": there is no text in the page; it may be one that is drawn by scripts.`,
  );
}
