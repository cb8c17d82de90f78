import { type ContentMetadata, languageTag } from "@carrel/sdk";

/** The metadata in a front matter, by the names that are in use for it. */
export function readMetadata(
  front: Readonly<Record<string, unknown>>,
): { title: string | undefined; metadata: ContentMetadata } {
  const fields = new Map(Object.entries(front).map(([name, value]) => [name.toLowerCase(), value]));
  const field = (...names: string[]) => {
    for (const name of names) {
      const value = fields.get(name);
      if (value !== undefined && value !== null) return value;
    }
    return undefined;
  };
  return {
    title: words(field("title")),
    metadata: {
      authors: list(field("authors", "author", "creator", "by")),
      published: date(field("date", "published", "publishdate", "pubdate", "created")),
      modified: date(field("lastmod", "modified", "updated")),
      language: languageTag(field("language", "lang", "locale")),
      summary: words(field("summary", "description", "excerpt", "abstract", "subtitle")),
      canonicalUrl: webAddress(field("canonical_url", "canonicalurl", "canonical", "url")),
      licence: words(field("license", "licence", "rights")),
      keywords: list(field("tags", "keywords", "categories")),
    },
  };
}

/** The first heading of level 1, else the first one at all, outside of code. */
export function firstHeading(markdown: string): string | undefined {
  const lines = markdown.split("\n", 500);
  let first: string | undefined;
  let fence: string | undefined;
  for (const [index, line] of lines.entries()) {
    const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    if (fence !== undefined) {
      if (mark?.startsWith(fence)) fence = undefined;
      continue;
    }
    if (mark !== undefined) {
      fence = mark;
      continue;
    }
    const hashed = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/.exec(line);
    const underlined = /^ {0,3}(=+|-{2,})\s*$/.exec(lines[index + 1] ?? "")?.[1];
    const text = hashed?.[2] ??
      (underlined !== undefined && /^ {0,3}[^\s>|#-]/.test(line) ? line : undefined);
    const title = text === undefined ? undefined : plain(text);
    if (title === undefined || title === "") continue;
    if (hashed?.[1] === "#" || underlined?.startsWith("=")) return title;
    first ??= title;
  }
  return first;
}

/** The text of a heading without the signs of Markdown. */
function plain(markdown: string): string {
  return markdown
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/\{#[\w-]+\}\s*$/, "")
    .replace(/(?<!\\)(\*\*|__|\*|`|~~)/g, "")
    .replace(/\\([!-/:-@[-`{-~])/g, "$1")
    .replace(/<\/?[a-z][^>]*>/gi, "")
    .trim();
}

function words(value: unknown): string | undefined {
  if (typeof value !== "string" && typeof value !== "number") return undefined;
  const tidied = String(value).replace(/\s+/g, " ").trim();
  return tidied === "" ? undefined : tidied.slice(0, 2000);
}

function list(value: unknown): string[] | undefined {
  const items = Array.isArray(value)
    ? value
    : typeof value === "string"
    ? value.split(/\s*[,;]\s*/)
    : [value];
  const named = items.map((item) =>
    typeof item === "object" && item !== null && "name" in item ? words(item.name) : words(item)
  ).filter((item) => item !== undefined);
  return named.length === 0 ? undefined : named.slice(0, 200);
}

/** A date as it was written: the core schema of YAML leaves dates alone. */
function date(value: unknown): string | undefined {
  const text = words(value);
  if (text === undefined) return undefined;
  if (/^\d{4}(-\d{2}){0,2}$/.test(text)) return Number.isNaN(Date.parse(text)) ? undefined : text;
  const zoned = /(Z|UTC|GMT|[+-]\d{2}:?\d{2})$/i.test(text);
  const instant = new Date(
    zoned ? text.replace(/^(\S+) (\d{2}:\d{2}\S*) ([+-])/, "$1T$2$3") : `${text} UTC`,
  );
  if (Number.isNaN(instant.getTime())) return undefined;
  const iso = instant.toISOString().replace(".000Z", "Z");
  return zoned ? iso : iso.replace(/T00:00:00Z$/, "").replace(/Z$/, "");
}

function webAddress(value: unknown): string | undefined {
  const text = words(value);
  return text !== undefined && /^https?:\/\//i.test(text) && URL.canParse(text) ? text : undefined;
}
