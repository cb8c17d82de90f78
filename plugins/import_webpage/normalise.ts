import { languageTag } from "@carrel/sdk";

/** The first language of a list (`de, en`), as a tag in its canonical form. */
export function firstLanguage(tags: string | null | undefined): string | undefined {
  return languageTag(tags?.split(",", 1)[0]);
}

/** Year, month, day; hours with minutes, seconds; zone. */
const ISO_LIKE =
  /^(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[T\s]+(\d{1,2}:\d{2})(:\d{2}(?:\.\d{1,3})?)?\d*\s*(Z|UTC|GMT|[+-]\d{2}:?\d{2})?)?/i;

/**
 * A date or time in ISO 8601. A time with a zone is given in UTC, one without stays as the page says
 * it, and what names no day of the calendar is undefined.
 */
export function isoTime(text: string | undefined): string | undefined {
  const found = ISO_LIKE.exec(text?.trim() ?? "");
  if (found === null) return writtenTime(text);
  const [, year, month, day, clock, seconds = ":00", zone] = found;
  const date = `${year}-${month!.padStart(2, "0")}-${day!.padStart(2, "0")}`;
  if (Number.isNaN(Date.parse(date))) return undefined;
  if (clock === undefined) return date;
  const time = `${date}T${clock.padStart(5, "0")}${seconds}`;
  if (Number.isNaN(Date.parse(time))) return date;
  if (zone === undefined) return time;
  const offset = /^[+-]/.test(zone) ? zone.replace(/^(...):?(..)$/, "$1:$2") : "Z";
  const instant = new Date(`${time}${offset}`);
  return Number.isNaN(instant.getTime()) ? date : instant.toISOString().replace(".000Z", "Z");
}

/** Dates in words, such as `April 28, 2019` or those of mail headers. */
function writtenTime(text: string | undefined): string | undefined {
  if (text === undefined || !/\b\d{4}\b/.test(text) || !/[a-z]{3}/i.test(text)) return undefined;
  const zoned = /\b(GMT|UTC|[+-]\d{4})\b/.test(text);
  const instant = new Date(zoned ? text : `${text} UTC`);
  if (Number.isNaN(instant.getTime())) return undefined;
  const iso = instant.toISOString().replace(".000Z", "Z");
  return zoned ? iso : iso.slice(0, 10);
}

const MONTH =
  /\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.? \d|\d{1,2}:\d{2}|\b(19|20)\d{2}\b/i;
const NAME =
  /^\p{Lu}[\p{L}\p{M}.'’-]*( (\p{Lu}|d[aeiu]s?|v[ao]n|der|den|la|le|el|al|bin|y)[\p{L}\p{M}.'’-]*){1,4}$/u;

/** The names in a byline. It is split only where each part reads like a name. */
export function authorNames(byline: string | undefined): string[] {
  const line = byline?.replace(
    /^\s*(?:written |posted )?(?:by|von|par|por|door|di|av|af)[\s:]+/i,
    "",
  )
    .replace(/\s+[|•·–—].*$/, "").trim();
  if (!line || line.length > 200 || /^https?:/i.test(line)) return [];
  if (MONTH.test(line)) return [];
  const parts = line.split(/\s*[,;&]\s*(?:and\s+)?|\s+(?:and|und|et|y|e|en|og|och)\s+/).filter((
    part,
  ) => part !== "");
  return parts.length > 1 && parts.every((part) => NAME.test(part)) ? parts : [line];
}
