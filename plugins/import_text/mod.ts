import {
  charsetOf,
  decodeText,
  definePlugin,
  downloadSource,
  looksBinary,
  PluginError,
  titleFromName,
} from "@carrel/sdk";
import type { RawContent } from "@carrel/sdk";
import { splitFrontMatter } from "./front_matter.ts";
import { plainTitle, plainToMarkdown } from "./plain.ts";
import { firstHeading, readMetadata } from "./metadata.ts";

/** Imports Markdown and plain text. */
export default definePlugin.import({
  download: (source, ctx) =>
    downloadSource(source, ctx, {
      what: "text",
      accept: "text/markdown, text/plain;q=0.9, */*;q=0.5",
      maxMb: 16,
    }),

  extract(raw) {
    const name = raw.filename ?? raw.url;
    const { text, warnings } = readText(raw, name);
    if (!isMarkdown(raw)) {
      return {
        type: "document",
        title: plainTitle(text) ?? titleFromName(name),
        markdown: plainToMarkdown(text),
        metadata: {},
        warnings,
      };
    }
    const { front, body, warning } = splitFrontMatter(text);
    if (warning !== undefined) warnings.push(warning);
    const markdown = body.trim();
    if (markdown === "") throw noText(name);
    const { title, metadata } = readMetadata(front);
    return {
      type: "document",
      title: title ?? firstHeading(markdown) ?? titleFromName(name),
      markdown,
      metadata,
      warnings,
    };
  },

  healthCheck: () => ({ status: "healthy" }),
});

function readText(raw: RawContent, name: string): { text: string; warnings: string[] } {
  if (raw.bytes.length === 0) throw noText(name);
  const start = String.fromCharCode(...raw.bytes.subarray(0, 5));
  if (start === "%PDF-" || looksBinary(raw.bytes)) {
    throw new PluginError(
      "unsupported_media_type",
      `Cannot read "${name}" as text: it is ${start === "%PDF-" ? "a PDF" : "binary data"}.`,
      { data: { media_type: start === "%PDF-" ? "application/pdf" : "application/octet-stream" } },
    );
  }
  const decoded = decodeText(raw.bytes, [charsetOf(raw.mediaType)]);
  const text = decoded.text.replace(/\r\n?|\u2028|\u2029/g, "\n");
  if (text.trim() === "") throw noText(name);
  return { text, warnings: decoded.warning === undefined ? [] : [decoded.warning] };
}

/** By the media type, or by the name where servers send Markdown as plain text. */
function isMarkdown(raw: RawContent): boolean {
  if (/^(text|application)\/(x-)?markdown\b/i.test(raw.mediaType.trim())) return true;
  const name = raw.filename ?? raw.url.replace(/[?#].*$/, "");
  return /\.(md|markdown|mdown|mkd|mdx)$/i.test(name);
}

function noText(name: string): PluginError {
  return new PluginError("empty", `Cannot read "${name}": there is no text in it.`);
}
