/** The shapes of what is done with many jobs. As in `schemas.ts`. */
import { z } from "@hono/zod-openapi";
import { END_STATUSES } from "../jobs/job.ts";
import { LOG_LEVELS } from "../jobs/job_log.ts";

const word = z.string().min(1).max(200);

/** A time with its zone. */
export const timeSchema = z.iso.datetime({ offset: true });

export const jobLogSchema = z.object({
  items: z.array(z.object({
    seq: z.number().int(),
    time: z.string(),
    level: z.enum(LOG_LEVELS),
    message: z.string(),
  })),
  dropped: z.number().int(),
  more: z.boolean(),
  /** Nothing will follow. */
  ended: z.boolean(),
}).openapi("JobLog");

export const retryAllRequestSchema = z.strictObject({
  filter: z.strictObject({
    status: z.enum(["failed", "cancelled"]).optional(),
    kind: word.optional(),
    plugin: word.optional(),
    code: word.optional(),
    parent: word.optional(),
    user: word.optional(),
    since: timeSchema.optional(),
  }),
  max: z.number().int().min(1).max(10_000).optional(),
}).openapi("RetryAllRequest");

export const retriedAllSchema = z.object({
  retried: z.number().int(),
  refused: z.number().int(),
  /** The first hundred of them. */
  refusals: z.array(z.object({ job: z.string(), code: z.string(), detail: z.string() })),
  more: z.boolean(),
  retry_after_s: z.number().nullable(),
}).openapi("RetriedAll");

export const pruneRequestSchema = z.strictObject({
  older_than_days: z.number().min(0).max(36_500),
  status: z.enum(END_STATUSES).optional(),
  dry_run: z.boolean().optional(),
}).openapi("PruneRequest");

export const prunedSchema = z.object({
  jobs: z.number().int(),
  runs: z.number().int(),
  dry_run: z.boolean(),
}).openapi("Pruned");

export type JobLogJson = z.infer<typeof jobLogSchema>;
export type RetriedAllJson = z.infer<typeof retriedAllSchema>;
export type RetryAllRequestJson = z.infer<typeof retryAllRequestSchema>;
export type PrunedJson = z.infer<typeof prunedSchema>;
