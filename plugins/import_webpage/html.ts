import { charsetOf, decodeText, looksBinary, PluginError } from "@carrel/sdk";
import type { RawContent } from "@carrel/sdk";

const MAGIC: readonly (readonly [start: string, mediaType: string, name: string])[] = [
  ["%PDF-", "application/pdf", "a PDF"],
  ["PK\x03\x04", "application/zip", "a zip archive or an office document"],
  ["\x89PNG", "image/png", "an image"],
  ["\xFF\xD8\xFF", "image/jpeg", "an image"],
  ["GIF8", "image/gif", "an image"],
  ["\x1F\x8B", "application/gzip", "a compressed file"],
];

/** Makes text of a page's bytes, or says why they are no HTML. */
export function readHtml(raw: RawContent): { html: string; warnings: string[] } {
  const { bytes, url } = raw;
  const start = String.fromCharCode(...bytes.subarray(0, 16)).trimStart();
  for (const [magic, mediaType, name] of MAGIC) {
    if (start.startsWith(magic)) throw notHtml(url, `it is ${name}`, mediaType);
  }
  if (looksBinary(bytes)) throw notHtml(url, "it is binary data", "application/octet-stream");
  const { text, warning } = decodeText(bytes, [charsetOf(raw.mediaType), metaCharset(bytes)]);
  if (text.trim() === "") {
    throw new PluginError("empty", `Cannot read "${url}": the server sent an empty page.`);
  }
  const root = /^\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--[^]*?-->\s*)*<(rss|feed|svg|rdf:RDF)[\s>]/i.exec(
    text,
  )?.[1];
  if (root !== undefined) {
    throw notHtml(url, root === "svg" ? "it is an image" : "it is a feed", "application/xml");
  }
  if (/^\s*[{[]/.test(text) || !/<\/?[a-z][^>]*>/i.test(text)) {
    throw new PluginError("unreadable", `Cannot read "${url}": there is no HTML in it.`);
  }
  return { html: text, warnings: warning === undefined ? [] : [warning] };
}

/** The encoding that the page's first bytes name, in `meta charset`, `http-equiv` or the XML line. */
function metaCharset(bytes: Uint8Array): string | undefined {
  const head = new TextDecoder("windows-1252").decode(bytes.subarray(0, 4096));
  const found = /<meta[^>]+charset\s*=\s*["']?([\w:.-]+)/i.exec(head)?.[1] ??
    /^\s*<\?xml[^>]+encoding\s*=\s*["']([\w.-]+)/.exec(head)?.[1];
  // A page whose first bytes can be read as ASCII is not UTF-16, whatever it says.
  return found !== undefined && /^utf-?16/i.test(found) ? "utf-8" : found;
}

function notHtml(url: string, why: string, mediaType: string): PluginError {
  return new PluginError(
    "unsupported_media_type",
    `Cannot read "${url}" as a web page: ${why}.`,
    { data: { media_type: mediaType } },
  );
}
