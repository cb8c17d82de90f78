/** What bytes are, whatever their sender says: by magic numbers, and by whether they read as text. */
import { decodeText, looksBinary } from "../../sdk/decode_text.ts";
import { essence } from "./match.ts";

export interface Sniffed {
  /** The media type to go by, without parameters; `application/octet-stream` when nothing is known. */
  readonly mediaType: string;
  /** Whether the declared type (or, without one, the file name) is compatible with the bytes. */
  readonly agrees: boolean;
}

/** Names of file name endings, for uploads that come without a type. */
const BY_EXTENSION: Readonly<Record<string, string>> = {
  pdf: "application/pdf",
  epub: "application/epub+zip",
  docx: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  pptx: "application/vnd.openxmlformats-officedocument.presentationml.presentation",
  odt: "application/vnd.oasis.opendocument.text",
  zip: "application/zip",
  gz: "application/gzip",
  html: "text/html",
  htm: "text/html",
  xhtml: "application/xhtml+xml",
  xml: "application/xml",
  rss: "application/rss+xml",
  atom: "application/atom+xml",
  json: "application/json",
  md: "text/markdown",
  markdown: "text/markdown",
  mdown: "text/markdown",
  txt: "text/plain",
  text: "text/plain",
  log: "text/plain",
  csv: "text/csv",
  tsv: "text/tab-separated-values",
  tex: "text/x-tex",
  bib: "text/x-bibtex",
  rst: "text/x-rst",
  org: "text/x-org",
  vtt: "text/vtt",
  srt: "application/x-subrip",
  eml: "message/rfc822",
  svg: "image/svg+xml",
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  mp3: "audio/mpeg",
  ogg: "audio/ogg",
  wav: "audio/wav",
  mp4: "video/mp4",
  webm: "video/webm",
};

/** Spellings of the same thing. */
const ALIASES: Readonly<Record<string, string>> = {
  "application/x-pdf": "application/pdf",
  "text/x-markdown": "text/markdown",
  "image/jpg": "image/jpeg",
  "application/x-zip-compressed": "application/zip",
  "application/x-gzip": "application/gzip",
  "audio/mp3": "audio/mpeg",
  "audio/x-wav": "audio/wav",
};

/** Types whose bytes begin with a known mark, and so can be caught when it is missing. */
const MARKED = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "application/gzip"]);

const UNKNOWN = "application/octet-stream";
/** How much of a text is looked at for HTML. */
const PROBE = 64 * 1024;

/** The media type that a file name's ending stands for. */
export function mediaTypeOfName(filename: string | undefined): string | undefined {
  const extension = /\.([A-Za-z0-9]{1,10})$/.exec(filename ?? "")?.[1]?.toLowerCase();
  return extension === undefined ? undefined : BY_EXTENSION[extension];
}

/** The type that somebody named, normalised; undefined when it says nothing. */
export function namedType(mediaType: string | undefined): string | undefined {
  const given = essence(mediaType ?? "");
  if (given === "" || given === UNKNOWN || given === "binary/octet-stream") return undefined;
  return ALIASES[given] ?? given;
}

/**
 * Says what bytes are. A mark in the bytes counts more than the declared type, and that more than the
 * file name. A declared type is given up only when the bytes show that it is wrong: an empty or a cut-off
 * PDF is still a PDF, and its importer says what is wrong with it.
 */
export function sniff(
  bytes: Uint8Array,
  declared: string | undefined,
  filename: string | undefined,
): Sniffed {
  const claimed = namedType(declared) ?? mediaTypeOfName(filename);
  const marked = markedType(bytes);
  if (marked !== undefined) {
    if (marked === "application/zip" && claimed !== undefined && isZipBased(claimed)) {
      return { mediaType: claimed, agrees: true };
    }
    const agrees = claimed === undefined || claimed === marked ||
      (claimed === "application/zip" && isZipBased(marked));
    return { mediaType: marked, agrees };
  }
  if (bytes.byteLength === 0) return { mediaType: claimed ?? "text/plain", agrees: true };
  if (looksBinary(bytes)) return binary(claimed);
  return textual(decodeText(bytes.subarray(0, PROBE)).text, claimed, filename);
}

/**
 * The media type to go by: the declared one, with its parameters (`charset`), where the bytes bear it out;
 * else what the bytes are.
 */
export function sniffMediaType(
  bytes: Uint8Array,
  declared: string | undefined,
  filename: string | undefined,
): string {
  const { mediaType } = sniff(bytes, declared, filename);
  const parameters = declared?.split(";").slice(1).map((part) => part.trim()) ?? [];
  return namedType(declared) === mediaType ? [mediaType, ...parameters].join("; ") : mediaType;
}

function binary(claimed: string | undefined): Sniffed {
  if (claimed === undefined) return { mediaType: UNKNOWN, agrees: true };
  // Text may come in an encoding that we do not know by sight; what has NULs in it is none.
  const wrong = isTextType(claimed) || MARKED.has(claimed) || isZipBased(claimed);
  return wrong ? { mediaType: UNKNOWN, agrees: false } : { mediaType: claimed, agrees: true };
}

function textual(text: string, claimed: string | undefined, filename: string | undefined): Sniffed {
  if (claimed !== undefined && isTextType(claimed)) return { mediaType: claimed, agrees: true };
  const guess = looksLikeHtml(text) ? "text/html" : mediaTypeOfName(filename);
  const mediaType = guess !== undefined && isTextType(guess) ? guess : "text/plain";
  return { mediaType, agrees: claimed === undefined };
}

function isTextType(type: string): boolean {
  return type.startsWith("text/") || type.startsWith("message/") || /[+/](xml|json)$/.test(type) ||
    ["application/x-subrip", "application/javascript", "application/yaml", "application/x-tex"]
      .includes(type);
}

function isZipBased(type: string): boolean {
  return type === "application/zip" || type === "application/epub+zip" ||
    /^application\/vnd\.(openxmlformats|oasis)/.test(type) || type.endsWith("+zip");
}

/** Bytes as Latin-1, to look for marks. */
function latin1(bytes: Uint8Array, start: number, end: number): string {
  return String.fromCharCode(...bytes.subarray(start, Math.min(end, bytes.byteLength)));
}

function markedType(bytes: Uint8Array): string | undefined {
  const head = latin1(bytes, 0, 1024);
  // Readers of PDF take junk before the header, so files with it are about.
  if (head.startsWith("%PDF-")) return "application/pdf";
  if (head.startsWith("PK\x03\x04") || head.startsWith("PK\x05\x06")) return zipType(bytes);
  if (head.startsWith("\x89PNG\r\n\x1a\n")) return "image/png";
  if (head.startsWith("\xff\xd8\xff")) return "image/jpeg";
  if (head.startsWith("GIF87a") || head.startsWith("GIF89a")) return "image/gif";
  if (head.startsWith("RIFF") && head.slice(8, 12) === "WEBP") return "image/webp";
  if (head.startsWith("RIFF") && head.slice(8, 12) === "WAVE") return "audio/wav";
  if (head.startsWith("\x1f\x8b")) return "application/gzip";
  if (head.startsWith("OggS")) return "audio/ogg";
  if (head.startsWith("ID3")) return "audio/mpeg";
  if (head.slice(4, 8) === "ftyp") return "video/mp4";
  if (head.startsWith("\x1aE\xdf\xa3")) return "video/webm";
  // deno-lint-ignore no-control-regex
  if (/[\x00-\x1f\x80-\xff]%PDF-[12]\.\d/.test(head)) return "application/pdf";
  return undefined;
}

/** What kind of zip: by the first entries' names. */
function zipType(bytes: Uint8Array): string {
  const head = latin1(bytes, 0, 8192);
  const stored = /mimetype(application\/[a-z0-9.+-]+)/.exec(head.slice(30, 200))?.[1];
  if (stored !== undefined) return stored.replace(/PK$/, "");
  const kinds = [["word/", "docx"], ["xl/", "xlsx"], ["ppt/", "pptx"]] as const;
  for (const [folder, extension] of kinds) {
    if (zipNames(head).some((name) => name.startsWith(folder))) return BY_EXTENSION[extension]!;
  }
  return "application/zip";
}

/** The names in those local headers (PK 3 4) that can be seen. */
function zipNames(head: string): string[] {
  const names: string[] = [];
  for (let at = head.indexOf("PK\x03\x04"); at >= 0; at = head.indexOf("PK\x03\x04", at + 4)) {
    const length = head.charCodeAt(at + 26) + 256 * head.charCodeAt(at + 27);
    if (at + 30 + length <= head.length) names.push(head.slice(at + 30, at + 30 + length));
  }
  return names;
}

function looksLikeHtml(text: string): boolean {
  const start = text.replace(/^\uFEFF/, "").replace(
    /^(\s|<!--[\s\S]{0,2000}?-->|<\?xml[^>]{0,200}\?>)+/,
    "",
  );
  return /^<(!doctype\s+html|html|head|body|title|meta|article|div|p|h[1-6]|table|script)[\s>]/i
    .test(start);
}
