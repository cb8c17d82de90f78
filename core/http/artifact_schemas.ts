/** The shapes of artifacts and files on the wire. */
import { z } from "@hono/zod-openapi";
import { ARTIFACT_STATES, READER_EVENTS, READING_STATES } from "../library/artifact.ts";

const plain = z.record(z.string(), z.unknown());

export const fileSchema = z.object({
  name: z.string(),
  media_type: z.string(),
  size: z.number().int(),
  digest: z.string(),
  /** Of an artifact's file of which it is known. */
  language: z.string().optional(),
  /** Which of the artifact's formats it is. */
  format: z.string().optional(),
}).openapi("File");

export const readingSchema = z.object({
  state: z.enum(READING_STATES),
  /** By format; `missing` for one that was promised and is not being made any more. */
  formats: z.record(z.string(), z.enum(["ready", "generating", "missing"])),
  /** The other variants of its parent, as long as nobody has chosen among them. */
  waiting_siblings: z.number().int(),
}).openapi("Reading");

export const artifactSchema = z.object({
  id: z.string(),
  type: z.string(),
  title: z.string(),
  sources: z.array(z.object({ content: z.string(), revision: z.string() })),
  files: z.array(fileSchema),
  size: z.number().int(),
  parameters: plain,
  metadata: plain,
  plugin: z.string(),
  plugin_digest: z.string(),
  job: z.string(),
  user: z.string(),
  version_of: z.string().nullable(),
  /** The artifact that it follows. */
  parent: z.string().nullable(),
  variant_index: z.number().int().nullable(),
  /** Null until somebody has chosen among the variants. */
  chosen: z.boolean().nullable(),
  state: z.enum(ARTIFACT_STATES),
  /** The run of a workflow that makes it. */
  run: z.string().nullable(),
  reading: readingSchema,
  created: z.string(),
  updated: z.string(),
}).openapi("Artifact");

/** One artifact, with the other variants of its parent. */
export const artifactDetailSchema = artifactSchema.extend({
  siblings: z.array(z.object({
    id: z.string(),
    title: z.string(),
    variant_index: z.number().int(),
    chosen: z.boolean().nullable(),
    state: z.enum(ARTIFACT_STATES),
  })),
}).openapi("ArtifactDetail");

export const readerEventSchema = z.object({ event: z.enum(READER_EVENTS) }).strict()
  .openapi("ReaderEvent");

export type ArtifactJson = z.infer<typeof artifactSchema>;
export type ArtifactDetailJson = z.infer<typeof artifactDetailSchema>;
