/** Parses what a plugin returned: it is a stranger's word until it fits these shapes. */
import { z } from "zod";
import { CarrelError } from "../errors.ts";
import {
  CONTENT_TYPES,
  type ExportOutput,
  type ExtractedContent,
  type RawContent,
} from "../../sdk/types.ts";

const bytes = z.instanceof(Uint8Array);
const text = (max: number) => z.string().max(max);
/** Text without control characters, for titles and names that stand in lists and terminals. */
const label = (max: number) =>
  z.string().transform((s) => s.replace(/\p{Cc}+/gu, " ").trim().slice(0, max));
const mediaType = z.string().max(200).regex(/^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(\s*;.*)?$/);

const MAX_TEXT = 32 * 1024 * 1024;

const rawSchema = z.object({
  bytes,
  mediaType: text(200),
  url: text(8192),
  filename: label(255).optional(),
});

const metadataSchema = z.looseObject({
  authors: z.array(label(300)).max(1000).optional(),
  published: text(100).optional(),
  language: z.string().max(35).regex(/^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$/).optional().catch(
    undefined,
  ),
  summary: text(20_000).optional(),
  canonicalUrl: text(8192).optional(),
  siteName: label(300).optional(),
  licence: label(1000).optional(),
  keywords: z.array(label(300)).max(1000).optional(),
  images: z.array(z.object({ url: text(8192), alt: text(5000).optional() })).max(10_000).optional(),
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

/** A plain file name: no folder, no control character, not hidden. */
const fileName = z.string().min(1).max(200).regex(/^[^./\\\p{Cc}][^/\\\p{Cc}]*$/u);

const outputSchema = z.object({
  title: label(1000),
  files: z.array(z.object({ name: fileName, mediaType, bytes })).min(1).max(1000),
  attributions: z.array(z.object({
    part: z.object({
      id: label(200),
      kind: z.enum(["chapter", "scene", "paragraph", "slide", "section"]),
      title: label(1000).optional(),
      location: label(1000).optional(),
    }),
    source: text(200),
    chunks: z.array(text(200)).max(1_000_000),
  })).max(100_000),
  metadata: z.record(z.string(), z.unknown()).optional(),
});

function parse<T>(schema: z.ZodType<T>, value: unknown, plugin: string, method: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new CarrelError(
    "invalid_output",
    `Cannot use what "${plugin}" returned from ${method}: ${
      issue?.path.join(".") || "value"
    }: ${issue?.message}`,
  );
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
