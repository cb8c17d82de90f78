/** Parses what a plugin returned: it is a stranger's word until it fits these shapes. */
import { z } from "zod";
import { CarrelError } from "../errors.ts";
import { cleanText } from "../plain_json.ts";
import {
  CONTENT_TYPES,
  type ExportOutput,
  type ExtractedContent,
  type ExtractedItems,
  type RawContent,
} from "../../sdk/types.ts";
import { parseSource } from "../network/private.ts";
import { MAX_PASSAGES } from "./chunks.ts";
import { label, metadataSchema, ownFields, text } from "./metadata.ts";

const bytes = z.instanceof(Uint8Array);
const mediaType = z.string().max(200).regex(/^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(\s*;.*)?$/);

const MAX_TEXT = 32 * 1024 * 1024;
/** Claims of one output: each is a node and two edges of the lineage. */
export const MAX_ATTRIBUTIONS = 5_000;

const rawSchema = z.object({
  bytes,
  mediaType: text(200),
  url: text(8192),
  filename: label(255).optional(),
});

const extractedSchema = z.object({
  type: z.enum(CONTENT_TYPES),
  title: label(1000),
  markdown: text(MAX_TEXT),
  metadata: metadataSchema.default({}),
  pages: z.array(z.object({ page: z.number().int(), offset: z.number().int().nonnegative() }))
    .max(100_000).optional(),
  warnings: z.array(label(1000)).max(100).optional(),
});

/** Items of one list. */
export const MAX_ITEMS = 10_000;

const itemsSchema = z.object({
  items: z.array(z.object({
    url: z.string().transform((url, context) => {
      try {
        return parseSource(url).href;
      } catch (error) {
        if (!(error instanceof CarrelError)) throw error;
        context.addIssue({ code: "custom", message: error.message });
        return z.NEVER;
      }
    }),
    title: label(1000).optional(),
    metadata: metadataSchema.optional(),
  })).max(MAX_ITEMS),
});

/** Bytes of a name, UTF-8, that every file system takes. */
const MAX_FILE_NAME = 240;
/** Characters that turn the text around them, so that `exe.txt` may be read where `txt.exe` stands. */
const TURNS_TEXT = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

/** A plain file name, that can stand in a URL and on a disk as it is: no folder, nothing hidden. */
const fileName = z.string().min(1).max(MAX_FILE_NAME)
  .regex(/^[^./\\\p{Cc}][^/\\\p{Cc}]*$/u)
  .refine((name) => name.isWellFormed() && !TURNS_TEXT.test(name) && !/[\u2028\u2029]/.test(name), {
    error: "holds a character that no file name should",
  })
  .refine((name) => name.trim() === name && !name.endsWith("."), {
    error: "begins or ends with a space, or ends with a dot",
  })
  .refine((name) => new TextEncoder().encode(name).length <= MAX_FILE_NAME, {
    error: `is longer than ${MAX_FILE_NAME} bytes`,
  });

/** Claims of one output. */
export const attributionsSchema = z.array(z.object({
  part: z.object({
    id: label(200),
    kind: z.enum(["chapter", "scene", "paragraph", "slide", "section"]),
    title: label(1000).optional(),
    location: label(1000).optional(),
  }),
  source: text(200),
  chunks: z.array(text(200)).max(MAX_PASSAGES),
})).max(MAX_ATTRIBUTIONS);

const outputSchema = z.object({
  title: label(1000),
  files: z.array(z.object({ name: fileName, mediaType, bytes })).min(1).max(1000),
  attributions: attributionsSchema,
  metadata: ownFields.optional(),
});

function parse<T>(schema: z.ZodType<T>, value: unknown, plugin: string, method: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new CarrelError(
    "invalid_output",
    `Cannot use what "${plugin}" returned from ${method}: ${issueOf(parsed.error)}`,
  );
}

/** The first thing that is wrong, in one line of bounded length: the names in it are a stranger's. */
function issueOf(error: z.ZodError): string {
  const [issue] = error.issues;
  const path = issue?.path.map((part) => String(part).slice(0, 100)).join(".").slice(0, 300);
  return cleanText(`${path || "value"}: ${issue?.message.slice(0, 300)}`);
}

/** Throws `CarrelError` `invalid_output`. */
export function parseRaw(value: unknown, plugin: string): RawContent {
  return parse(rawSchema, value, plugin, "download");
}

/** Throws `CarrelError` `invalid_output`. */
export function parseExtracted(value: unknown, plugin: string): ExtractedContent {
  const extracted = parse(extractedSchema, value, plugin, "extract");
  const pages = extracted.pages ?? [];
  if (pages.some((page, i) => page.offset < (pages[i - 1]?.offset ?? 0))) {
    throw new CarrelError(
      "invalid_output",
      `Cannot use what "${plugin}" returned from extract: pages: the offsets must ascend`,
    );
  }
  return extracted as ExtractedContent;
}

/** The first of each URL, as an address of a source is written. Throws `CarrelError` `invalid_output`. */
export function parseItems(value: unknown, plugin: string): ExtractedItems {
  const { items } = parse(itemsSchema, value, plugin, "extract");
  const byUrl = new Map(items.map((item) => [item.url, item]).reverse() as [string, unknown][]);
  return { items: [...byUrl.values()].reverse() } as ExtractedItems;
}

/** A content, or a list of items where there is one. Throws `CarrelError` `invalid_output`. */
export function parseExtraction(
  value: unknown,
  plugin: string,
): ExtractedContent | ExtractedItems {
  const isList = typeof value === "object" && value !== null && Object.hasOwn(value, "items");
  return isList ? parseItems(value, plugin) : parseExtracted(value, plugin);
}

/** Throws `CarrelError` `invalid_output`. */
export function parseOutput(value: unknown, plugin: string): ExportOutput {
  const output = parse(outputSchema, value, plugin, "generate");
  const names = output.files.map((file) => file.name);
  if (new Set(names).size !== names.length) {
    throw new CarrelError(
      "invalid_output",
      `Cannot use what "${plugin}" returned from generate: two files have the same name`,
    );
  }
  return output as ExportOutput;
}

/** Title and metadata that a request lays over what the plugin finds. */
export interface Overrides {
  readonly title?: string | undefined;
  readonly [field: string]: unknown;
}

/** Throws `CarrelError` `invalid_parameters`. */
export function parseOverrides({ title, ...fields }: Readonly<Record<string, unknown>>): Overrides {
  const parsed = z.object({ title: label(1000).optional(), metadata: metadataSchema })
    .safeParse({ title, metadata: fields });
  if (parsed.success) {
    const { metadata } = parsed.data;
    return { ...metadata, ...(parsed.data.title ? { title: parsed.data.title } : {}) };
  }
  throw new CarrelError(
    "invalid_parameters",
    `Cannot import with this metadata: ${issueOf(parsed.error)}`,
    { details: { field: "metadata" } },
  );
}

/** What the plugin extracted, with what the request named in its place. Throws `invalid_output`. */
export function withOverrides(
  extracted: ExtractedContent,
  overrides: Readonly<Record<string, unknown>> | undefined,
): ExtractedContent {
  if (overrides === undefined) return extracted;
  const { title, ...metadata } = overrides;
  return parseExtracted({
    ...extracted,
    title: typeof title === "string" && title !== "" ? title : extracted.title,
    metadata: { ...extracted.metadata, ...metadata },
  }, "the request's metadata");
}
