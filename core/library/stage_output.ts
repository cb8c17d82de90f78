/** Parses what a stage stored: an older version of the host may have written it. */
import { z } from "zod";
import type { Attribution } from "../../sdk/types.ts";
import type { Download } from "./import_input.ts";
import type { StoredFile } from "./library.ts";
import { attributionsSchema } from "./plugin_output.ts";

/** What an export's plugin made, its files stored. */
export interface Composed {
  readonly title: string;
  readonly files: readonly StoredFile[];
  readonly attributions: readonly Attribution[];
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Passages of each source, to tell a part of it from the whole. */
  readonly chunks: Readonly<Record<string, number>>;
  readonly plugin: { readonly id: string; readonly version: string; readonly digest: string };
}

const count = z.number().int().nonnegative();

const blobSchema = z.object({
  digest: z.string(),
  size: count,
  mediaType: z.string(),
  name: z.string(),
});

const downloadSchema = blobSchema.extend({ url: z.string() });

const composedSchema = z.object({
  title: z.string(),
  files: z.array(blobSchema),
  attributions: attributionsSchema,
  metadata: z.record(z.string(), z.unknown()),
  chunks: z.record(z.string(), count),
  plugin: z.object({ id: z.string(), version: z.string(), digest: z.string() }),
});

/** Throws a `ZodError`. */
export function parseDownload(stored: unknown): Download {
  return downloadSchema.parse(stored);
}

/** Throws a `ZodError`. */
export function parseComposed(stored: unknown): Composed {
  return composedSchema.parse(stored) as Composed;
}
