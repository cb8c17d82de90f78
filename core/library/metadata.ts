/** The bounds of metadata: it stands in a row and in every list, so it stays small. */
import { z } from "zod";
import { cleanText, type Json, jsonBytes, plainJson, PlainJsonError } from "../plain_json.ts";

/** Bytes of JSON that the fields without a bound of their own may make together. */
export const MAX_METADATA_BYTES = 64 * 1024;
/** Bytes of JSON of each list: authors, keywords, images. */
const MAX_LIST_BYTES = 64 * 1024;

/** Text that every store keeps whole. */
export const text = (max: number) => z.string().max(max).transform(cleanText);

/** Text without control characters, for titles and names that stand in lists and terminals. */
export const label = (max: number) =>
  z.string().transform((s) =>
    // Cut first: a title may be the whole text. A cut may part a pair, whose half is dropped.
    s.slice(0, 4 * max).replace(/\p{Cc}+/gu, " ").trim().slice(0, max)
      .replace(/[\ud800-\udbff]$/, "").toWellFormed()
  );

const labels = (max: number) =>
  z.array(label(max)).max(1000).refine((list) => jsonBytes(list) <= MAX_LIST_BYTES, {
    error: `larger than ${MAX_LIST_BYTES} bytes`,
  });

const image = z.object({ url: text(8192), alt: text(5000).optional() });

const known = z.object({
  authors: labels(300).optional(),
  published: label(100).optional(),
  language: z.string().max(35).regex(/^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$/).optional().catch(
    undefined,
  ),
  summary: text(20_000).optional(),
  canonicalUrl: text(8192).optional(),
  siteName: label(300).optional(),
  licence: label(1000).optional(),
  keywords: labels(300).optional(),
  // A page may show thousands: what does not fit is left out, since nothing depends on all of them.
  images: z.array(image).max(10_000).transform(fitting).optional(),
});

/** Fields that only the plugin knows: plain JSON, together within the bound. */
export const ownFields = z.record(z.string(), z.unknown()).transform((fields, context) => {
  const refuse = (path: (string | number)[], message: string) => {
    context.addIssue({ code: "custom", path, message });
    return z.NEVER;
  };
  const kept: [string, unknown][] = [];
  let left = MAX_METADATA_BYTES;
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    try {
      const plain = Object.entries(
        plainJson({ [key]: value }, { maxBytes: MAX_METADATA_BYTES }) as Record<string, Json>,
      );
      left -= jsonBytes(plain);
      kept.push(...plain);
    } catch (error) {
      if (!(error instanceof PlainJsonError)) throw error;
      return refuse([...error.path], error.reason);
    }
    if (left < 0) return refuse([key], `makes them larger than ${MAX_METADATA_BYTES} bytes`);
  }
  return Object.fromEntries(kept);
});

/** What an importer says of a content: the fields that are known, and its own. */
export const metadataSchema = z.record(z.string(), z.unknown()).transform((fields, context) => {
  const isKnown = ([key]: [string, unknown]) => Object.hasOwn(known.shape, key);
  const entries = Object.entries(fields);
  const named = known.safeParse(Object.fromEntries(entries.filter(isKnown)));
  const own = ownFields.safeParse(Object.fromEntries(entries.filter((entry) => !isKnown(entry))));
  for (const issue of [...named.error?.issues ?? [], ...own.error?.issues ?? []]) {
    context.addIssue({ code: "custom", path: issue.path, message: issue.message });
  }
  return named.success && own.success ? { ...named.data, ...own.data } : z.NEVER;
});

/** The first of a list that make JSON within the bound. */
function fitting<T>(list: readonly T[]): T[] {
  let left = MAX_LIST_BYTES;
  const end = list.findIndex((item) => (left -= jsonBytes(item) + 1) < 0);
  return end === -1 ? [...list] : list.slice(0, end);
}
