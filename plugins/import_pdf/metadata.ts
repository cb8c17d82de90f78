import { type ContentMetadata, languageTag } from "@carrel/sdk";
import type { PdfDocument } from "./pdf_js.ts";

/** What a document's information dictionary and XMP packet say. */
export interface PdfInfo {
  readonly title?: string | undefined;
  readonly metadata: ContentMetadata;
}

export async function readInfo(document: PdfDocument): Promise<PdfInfo> {
  let info: Readonly<Record<string, unknown>> = {};
  const xmp = new Map<string, unknown>();
  try {
    const found = await document.getMetadata();
    info = found.info;
    for (const [name, value] of found.metadata ?? []) xmp.set(name.toLowerCase(), value);
  } catch {
    // A document with a broken information dictionary has a text all the same.
  }
  const text = (name: string, packet: string) => words(xmp.get(packet)) ?? words(info[name]);
  return {
    title: usableTitle(text("Title", "dc:title")),
    metadata: {
      authors: authors(xmp.get("dc:creator") ?? info.Author, info.Author),
      published: pdfDate(info.CreationDate) ?? isoDate(xmp.get("xmp:createdate")),
      modified: pdfDate(info.ModDate) ?? isoDate(xmp.get("xmp:modifydate")),
      language: languageTag(info.Language) ?? languageTag(first(xmp.get("dc:language"))),
      summary: text("Subject", "dc:description"),
      licence: words(xmp.get("xmprights:webstatement")) ?? words(xmp.get("dc:rights")),
      keywords: keywords(info.Keywords ?? xmp.get("pdf:keywords")),
      pageCount: document.numPages,
      producer: words(info.Producer),
      creator: words(info.Creator),
    },
  };
}

/** Names of the program's own making are worse than the first line of the text. */
function usableTitle(title: string | undefined): string | undefined {
  const bare = title?.replace(/^Microsoft (?:Word|PowerPoint|Excel) - /, "");
  if (bare === undefined || bare.length < 3 || bare.length > 500) return undefined;
  if (bare !== title && /^(?:Document|Presentation|Book|Dokument)\d*$/i.test(bare)) {
    return undefined;
  }
  if (/^(untitled|title|document\d*|slide \d+|no title)$/i.test(bare)) return undefined;
  return /\.(docx?|dvi|tex|indd|qxp|qxd|pptx?|xlsx?|rtf|odt|ps|eps|pdf|p65|fm)$/i.test(bare)
    ? undefined
    : bare;
}

function authors(...sources: unknown[]): string[] {
  for (const source of sources) {
    const names = (Array.isArray(source) ? source : typeof source === "string" ? split(source) : [])
      .map(words).filter((name) => name !== undefined).filter(isName);
    if (names.length > 0) return names;
  }
  return [];
}

function split(names: string): string[] {
  return names.includes(";") ? names.split(/\s*;\s*/) : names.split(/\s*,\s*(?:and\s+)?|\s+and\s+/);
}

/** Programs put their own things into the author's field, `ARRAY(0x2c7cf020)` for one. */
function isName(name: string): boolean {
  return /\p{L}/u.test(name) &&
    !/^[A-Z]+\(0x|^(unknown|anonymous|admin(istrator)?|user|owner|author)$/i.test(name);
}

function keywords(source: unknown): string[] | undefined {
  const list = words(source)?.split(/\s*[,;]\s*/).filter((word) => word !== "");
  return list === undefined || list.length === 0 ? undefined : list;
}

/** `D:YYYYMMDDHHmmSSOHH'mm'`, all after the year optional (ISO 32000-1, 7.9.4), as ISO 8601. */
export function pdfDate(value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  const found =
    /^(?:D:)?(\d{4})(\d{2})?(\d{2})?(?:(\d{2})(\d{2})?(\d{2})?)?(?:(Z)|([+-])(\d{2})'?(\d{2})?'?)?/
      .exec(value.trim());
  if (found === null) return undefined;
  const [
    ,
    year,
    month = "01",
    day = "01",
    hour,
    minute = "00",
    second = "00",
    zulu,
    sign,
    oh,
    om = "00",
  ] = found;
  const date = `${year}-${month}-${day}`;
  if (Number.isNaN(Date.parse(date))) return undefined;
  if (hour === undefined) return date;
  const zone = sign !== undefined ? `${sign}${oh}:${om}` : zulu;
  const time = `${date}T${hour}:${minute}:${second}`;
  const instant = new Date(`${time}${zone ?? "Z"}`);
  if (Number.isNaN(instant.getTime())) return date;
  return zone === undefined ? time : instant.toISOString().replace(".000Z", "Z");
}

function isoDate(value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  const instant = new Date(value);
  return Number.isNaN(instant.getTime()) ? undefined : instant.toISOString().replace(".000Z", "Z");
}

function first(value: unknown): unknown {
  return Array.isArray(value) ? value[0] : value;
}

function words(value: unknown): string | undefined {
  const text = first(value);
  if (typeof text !== "string") return undefined;
  const tidied = text.replace(/[\p{Cc}\uFFFD]/gu, " ").replace(/\s+/g, " ").trim();
  return tidied === "" ? undefined : tidied.slice(0, 2000);
}
