import type { ExportInput, ExportSource, Plain } from "@carrel/sdk";
import { languageTag, PluginError } from "@carrel/sdk";
import { bookLanguages, isRightToLeft } from "./language.ts";
import { oneLine } from "./xml.ts";

/** The manifest's `parameters`, parsed. */
export interface Parameters {
  readonly title: string | undefined;
  readonly author: string | undefined;
  readonly language: string | undefined;
  readonly description: string | undefined;
  readonly cover: boolean;
  readonly tocDepth: number;
}

/** What all pages of a book know about it. Every string is one clean line. */
export interface Book {
  readonly title: string;
  /** Who the book is by: the collector, or else the authors of its sources. */
  readonly creators: readonly string[];
  readonly description: string;
  /** BCP 47, the main one first. */
  readonly languages: readonly [string, ...string[]];
  readonly rtl: boolean;
  /** `urn:uuid:…`, the same for the same sources, revisions, parameters and time. */
  readonly identifier: string;
  /** When it was made, ISO 8601 to the second. */
  readonly modified: string;
  readonly cover: boolean;
  readonly tocDepth: number;
  readonly chapters: readonly ChapterPlan[];
}

/** One source's place in the book. */
export interface ChapterPlan {
  readonly number: number;
  /** `chapter-1`. */
  readonly id: string;
  /** `chapter-1.xhtml`. */
  readonly href: string;
  readonly title: string;
  readonly authors: readonly string[];
  readonly language: string | undefined;
  readonly rtl: boolean;
  readonly source: ExportSource;
}

/** Throws `invalid_parameters`. */
export function parseParameters(given: Readonly<Record<string, Plain>>): Parameters {
  const fail = (name: string, why: string): never => {
    throw new PluginError(
      "invalid_parameters",
      `Cannot make an ebook with "${name}": it must be ${why}.`,
    );
  };
  const text = (name: string): string | undefined => {
    const value = given[name];
    if (value === undefined || value === null) return undefined;
    return typeof value === "string" ? oneLine(value) || undefined : fail(name, "text");
  };
  const cover = given["cover"] ?? true;
  const depth = given["toc_depth"] ?? 2;
  const language = text("language");
  if (language && !languageTag(language)) {
    fail("language", "a BCP 47 tag such as en or pt-BR");
  }
  return {
    title: text("title"),
    author: text("author"),
    language,
    description: text("description"),
    cover: typeof cover === "boolean" ? cover : fail("cover", "true or false"),
    tocDepth: depth === 1 || depth === 2 || depth === 3 ? depth : fail("toc_depth", "1, 2 or 3"),
  };
}

/** Settles what the pages have to agree on. Throws `empty` without sources. */
export async function planBook(input: ExportInput, parameters: Parameters): Promise<Book> {
  const { sources } = input;
  const title = parameters.title ?? (oneLine(input.title ?? "") || undefined) ??
    (sources.length === 1 ? titleOf(sources[0]!) : "Collected readings");
  if (sources.length === 0) {
    throw new PluginError("empty", `Cannot make the ebook "${title}": it has no sources.`);
  }
  const chapters = sources.map((source, index): ChapterPlan => {
    const language = languageTag(source.language);
    return {
      number: index + 1,
      id: `chapter-${index + 1}`,
      href: `chapter-${index + 1}.xhtml`,
      title: titleOf(source),
      authors: source.authors.map(oneLine).filter((author) => author !== ""),
      language: language === "und" ? undefined : language,
      rtl: isRightToLeft(language, source.markdown),
      source,
    };
  });
  const creators = parameters.author
    ? [parameters.author]
    : [...new Set(chapters.flatMap((chapter) => chapter.authors))];
  const languages = bookLanguages(sources, parameters.language);
  const rtlChapters = chapters.filter((chapter) => chapter.rtl).length;
  return {
    title,
    creators,
    description: parameters.description ??
      `${
        countOf(sources.length, "source")
      } collected in one book; its last pages name each of them.`,
    languages,
    rtl: languages[0] === "und"
      ? rtlChapters * 2 > chapters.length
      : isRightToLeft(languages[0], title),
    identifier: await identifier([
      title,
      input.now,
      JSON.stringify(parameters),
      ...sources.flatMap((source) => [source.id, source.revision]),
    ]),
    modified: toSeconds(input.now),
    cover: parameters.cover,
    tocDepth: parameters.tocDepth,
    chapters,
  };
}

function titleOf(source: ExportSource): string {
  return oneLine(source.title) || "Untitled";
}

/** `1 source`, `2 sources`. */
export function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function toSeconds(now: string): string {
  const time = new Date(now);
  if (Number.isNaN(time.getTime())) {
    throw new PluginError(
      "invalid_parameters",
      `Cannot date the ebook "${now}": it is not a time.`,
    );
  }
  return `${time.toISOString().slice(0, 19)}Z`;
}

/** A UUID of version 8 (RFC 9562 §5.8) from a SHA-256 of the parts. */
async function identifier(parts: readonly string[]): Promise<string> {
  const bytes = new TextEncoder().encode(parts.join("\n"));
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).subarray(0, 16);
  hash[6] = (hash[6]! & 0x0f) | 0x80;
  hash[8] = (hash[8]! & 0x3f) | 0x80;
  const hex = hash.toHex();
  const groups = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ];
  return `urn:uuid:${groups.join("-")}`;
}

/** `my-title` for file names: ASCII letters and digits, at most 60. */
export function slug(title: string): string {
  const ascii = title.normalize("NFKD").replace(/\p{M}/gu, "").replace(/['’]/g, "").toLowerCase()
    .replaceAll("ß", "ss").replaceAll("œ", "oe").replaceAll("æ", "ae").replaceAll("ø", "o")
    .replaceAll("ł", "l")
    .replace(/[^a-z0-9]+/g, "-").slice(0, 60).replace(/^-+|-+$/g, "");
  return ascii || "book";
}

const MONTHS = ("January February March April May June July August September October November " +
  "December").split(" ");

/** `12 March 2024`, `March 2024` or `2024` from ISO 8601; anything else as it is. */
export function readableDate(date: string): string {
  const match = /^(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?(?:$|[T ])/.exec(date.trim());
  if (!match) return oneLine(date);
  const [, year, month, day] = match;
  const name = month && MONTHS[Number(month) - 1];
  if (!name) return year!;
  return day ? `${Number(day)} ${name} ${year}` : `${name} ${year}`;
}
