/**
 * The shapes of the HTTP API, said once: they validate, document (`/api/openapi.json`) and type the
 * command line's client. Field names are snake_case on the wire.
 */
import { z } from "@hono/zod-openapi";
import { JOB_STATUSES, STAGES, WAITS_FOR } from "../jobs/job.ts";
import { ROLES } from "../auth/actor.ts";
import { fileSchema } from "./artifact_schemas.ts";
import { boundedObject, collectionSchema, metadataSchema } from "./bounded.ts";

const plain = z.record(z.string(), z.unknown());

const pluginId = z.string().max(200);

/** RFC 9457 problem document. */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  code: z.string(),
  detail: z.string(),
  instance: z.string().optional(),
  details: plain.optional(),
}).openapi("Problem");

export const jobSchema = z.object({
  id: z.string(),
  kind: z.string(),
  plugin: z.string().nullable(),
  status: z.enum(JOB_STATUSES),
  stage: z.enum(STAGES).nullable(),
  stages: z.array(z.object({ name: z.enum(STAGES), executor: z.string() })),
  progress: z.number(),
  message: z.string().nullable(),
  priority: z.number().int(),
  attempt: z.number().int(),
  /** Attempts that count: not those that ended by waiting, or with their host. */
  tries: z.number().int(),
  max_attempts: z.number().int(),
  run_at: z.string(),
  /** What it waits for, while it is `waiting`. */
  waits_for: z.enum(WAITS_FOR).nullable(),
  /** When it goes on by itself. */
  wake_at: z.string().nullable(),
  costs: z.array(z.object({
    stage: z.enum(STAGES),
    attempt: z.number().int(),
    wall_s: z.number(),
    cpu_s: z.number().optional(),
    usage: z.array(z.object({
      plugin: z.string(),
      model: z.string(),
      input_tokens: z.number().optional(),
      output_tokens: z.number().optional(),
      cost: z.number().optional(),
      currency: z.string().optional(),
    })).optional(),
  })),
  parent: z.string().nullable(),
  user: z.string(),
  input: z.unknown(),
  result: z.unknown(),
  error: z.object({
    code: z.string(),
    message: z.string(),
    retryable: z.boolean(),
    details: plain.optional(),
    log: z.array(z.string()).optional(),
  }).nullable(),
  created: z.string(),
  started: z.string().nullable(),
  completed: z.string().nullable(),
}).openapi("Job");

/** A job by itself: what a list leaves out. */
export const jobDetailSchema = jobSchema.extend({
  children: z.object({
    total: z.number().int(),
    completed: z.number().int(),
    failed: z.number().int(),
    cancelled: z.number().int(),
  }),
}).openapi("JobDetail");

export const jobEventSchema = z.object({
  job_id: z.string(),
  seq: z.number().int(),
  status: z.enum(JOB_STATUSES),
  stage: z.enum(STAGES).nullable(),
  progress: z.number(),
  message: z.string().nullable(),
  plugin: z.string().nullable(),
  timestamp: z.string(),
}).openapi("JobEvent");

export const contentSchema = z.object({
  id: z.string(),
  url: z.string(),
  /** Of an upload: the file's name. */
  filename: z.string().nullable(),
  type: z.string(),
  title: z.string(),
  authors: z.array(z.string()),
  published: z.string().nullable(),
  language: z.string().nullable(),
  summary: z.string().nullable(),
  licence: z.string().nullable(),
  status: z.string(),
  metadata: plain,
  warnings: z.array(z.string()),
  collection: z.string(),
  user: z.string(),
  revision: z.object({ id: z.string(), number: z.number().int(), created: z.string() }),
  files: z.array(fileSchema),
  created: z.string(),
  updated: z.string(),
}).openapi("Content");

export const importRequestSchema = z.object({
  url: z.string().max(8192).optional(),
  urls: z.array(z.string().max(8192)).max(100).optional(),
  plugin: pluginId.optional(),
  priority: z.number().int().min(1).max(10).optional(),
  collection: collectionSchema.optional(),
  metadata: metadataSchema.optional(),
}).strict().openapi("ImportRequest");

export const exportRequestSchema = z.object({
  source_ids: z.array(z.string().max(200)).min(1).max(1000),
  format: z.string().max(200).default("ebook"),
  plugin: pluginId.optional(),
  parameters: boundedObject(256 * 1024).optional(),
  priority: z.number().int().min(1).max(10).optional(),
  provenance: z.object({
    version_of: z.string().max(200).optional(),
    reason: z.string().max(2000).optional(),
  }).optional(),
}).strict().openapi("ExportRequest");

/**
 * 202: the work goes on as jobs; `job` is the first of `jobs`. Of several sources, those that could not be
 * started are `rejected`.
 */
export const acceptedSchema = z.object({
  job: jobSchema,
  jobs: z.array(jobSchema),
  rejected: z.array(z.object({ source: z.string(), code: z.string(), detail: z.string() }))
    .optional(),
}).openapi("Accepted");

export const searchHitSchema = z.object({
  chunk: z.string(),
  content: z.object({ id: z.string(), title: z.string(), type: z.string(), url: z.string() }),
  revision: z.string(),
  start: z.number().int(),
  end: z.number().int(),
  page: z.number().int().nullable(),
  heading: z.string().nullable(),
  text: z.string(),
  highlights: z.array(z.tuple([z.number().int(), z.number().int()])),
  score: z.number(),
}).openapi("SearchHit");

export const searchAnswerSchema = z.object({ query: z.string(), hits: z.array(searchHitSchema) })
  .openapi("SearchAnswer");

export const genealogySchema = z.object({
  root: z.string(),
  nodes: z.array(
    z.object({ id: z.string(), type: z.string(), label: z.string(), properties: plain }),
  ),
  edges: z.array(
    z.object({ from: z.string(), to: z.string(), type: z.string(), claimed_by: z.string() }),
  ),
  truncated: z.boolean(),
}).openapi("Genealogy");

export const attributionSchema = z.object({
  artifact: z.string(),
  text: z.string(),
  parts: z.array(z.object({
    id: z.string(),
    kind: z.string(),
    title: z.string().nullable(),
    location: z.string().nullable(),
    claimed_by: z.string(),
    sources: z.array(z.object({
      content: z.string(),
      title: z.string(),
      url: z.string().nullable(),
      revision: z.string().nullable(),
      passages: z.array(z.object({
        chunk: z.string(),
        start: z.number().int(),
        end: z.number().int(),
        page: z.number().int().nullable(),
      })),
    })),
  })),
  truncated: z.boolean(),
}).openapi("Attribution");

export const tokenSchema = z.object({
  id: z.string(),
  name: z.string(),
  user: z.string(),
  role: z.enum(ROLES),
  created: z.string(),
  last_used: z.string().nullable(),
  expires: z.string().nullable(),
}).openapi("Token");

export const newTokenSchema = z.object({
  name: z.string().min(1).max(100),
  role: z.enum(ROLES),
  expires: z.string().optional(),
}).strict().openapi("NewToken");

/** `token` is shown this once. */
export const createdTokenSchema = tokenSchema.extend({ token: z.string() }).openapi("CreatedToken");

export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), cursor: z.string().nullable() });

export * from "./artifact_schemas.ts";
export * from "./job_schemas.ts";
export * from "./plugin_schemas.ts";

export type JobJson = z.infer<typeof jobSchema>;
export type JobDetailJson = z.infer<typeof jobDetailSchema>;
export type JobEventJson = z.infer<typeof jobEventSchema>;
export type ContentJson = z.infer<typeof contentSchema>;
export type SearchAnswerJson = z.infer<typeof searchAnswerSchema>;
export type GenealogyJson = z.infer<typeof genealogySchema>;
export type AttributionJson = z.infer<typeof attributionSchema>;
export type TokenJson = z.infer<typeof tokenSchema>;
export type CreatedTokenJson = z.infer<typeof createdTokenSchema>;
export type ProblemJson = z.infer<typeof problemSchema>;
