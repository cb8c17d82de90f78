/** What a page's JSON-LD says of its article, as far as schema.org has words for it. */
export interface StructuredData {
  readonly type?: string | undefined;
  readonly authors: readonly string[];
  readonly published?: string | undefined;
  readonly modified?: string | undefined;
  readonly language?: string | undefined;
  readonly licence?: string | undefined;
  readonly keywords: readonly string[];
}

type Thing = { readonly [key: string]: unknown };

/** Types of schema.org for a text with an author; https://schema.org/CreativeWork and below. */
const ARTICLE =
  /Article$|^(BlogPosting|LiveBlogPosting|Report|TechArticle|Recipe|HowTo|Review|WebPage|CreativeWork|SocialMediaPosting)$/;

/** Reads the first article of the blocks; blocks that are no JSON are passed over. */
export function readJsonLd(blocks: readonly string[]): StructuredData {
  const things: Thing[] = [];
  for (const block of blocks) {
    try {
      collect(JSON.parse(block.replace(/^\s*<!\[CDATA\[|\]\]>\s*$/g, "")), things);
    } catch {
      // Many pages carry broken blocks; what they would have said is missing, no more.
    }
  }
  const article =
    things.find((thing) => ARTICLE.test(typeOf(thing)) && typeOf(thing) !== "WebPage") ??
      things.find((thing) => typeOf(thing) === "WebPage");
  if (article === undefined) return { authors: [], keywords: [] };
  const byId = new Map(things.map((thing) => [thing["@id"], thing]));
  return {
    type: typeOf(article),
    authors: names(article.author ?? article.creator, byId),
    published: text(article.datePublished) ?? text(article.dateCreated),
    modified: text(article.dateModified),
    language: text(article.inLanguage) ??
      (isThing(article.inLanguage) ? text(article.inLanguage.alternateName) : undefined),
    licence: text(article.license) ??
      (isThing(article.license) ? text(article.license.url) : undefined),
    keywords: keywords(article.keywords),
  };
}

function collect(value: unknown, into: Thing[]): void {
  if (Array.isArray(value)) { for (const item of value) collect(item, into); }
  else if (isThing(value)) {
    if (value["@type"] !== undefined) into.push(value);
    collect(value["@graph"], into);
    collect(value.mainEntity, into);
  }
}

function typeOf(thing: Thing): string {
  const type = Array.isArray(thing["@type"])
    ? thing["@type"].find((name) => ARTICLE.test(String(name))) ?? thing["@type"][0]
    : thing["@type"];
  return String(type ?? "").replace(/^.*[/:]/, "");
}

function names(value: unknown, byId: ReadonlyMap<unknown, Thing>): string[] {
  const found: string[] = [];
  for (const author of Array.isArray(value) ? value : [value]) {
    const thing = isThing(author) && author.name === undefined ? byId.get(author["@id"]) : author;
    const name = isThing(thing) ? text(thing.name) : text(thing);
    if (name !== undefined && !/^https?:/i.test(name) && !found.includes(name)) found.push(name);
  }
  return found;
}

function keywords(value: unknown): string[] {
  const words = Array.isArray(value) ? value : typeof value === "string" ? value.split(",") : [];
  return words.map((word) => text(word)).filter((word) => word !== undefined).slice(0, 100);
}

function text(value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  const tidied = value.replace(/\s+/g, " ").trim();
  return tidied === "" || tidied.length > 2000 ? undefined : tidied;
}

function isThing(value: unknown): value is Thing {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
