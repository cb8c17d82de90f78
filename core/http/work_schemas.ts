/** The shapes of events and schedules. */
import { z } from "@hono/zod-openapi";
import type { LoggedEvent } from "../event_log/event_log.ts";
import { OVERLAPS, type Schedule } from "../schedules/schedules.ts";

const plain = z.record(z.string(), z.unknown());

/** `seq` ascends; `subject`: the id of what it happened to. */
export const loggedEventSchema = z.object({
  seq: z.number().int(),
  name: z.string(),
  subject: z.string().nullable(),
  payload: plain,
  user: z.string(),
  time: z.string(),
}).openapi("LoggedEvent");
export type LoggedEventJson = z.infer<typeof loggedEventSchema>;

/** `after`: the number to go on from. */
export const eventPageSchema = z.object({
  items: z.array(loggedEventSchema),
  after: z.number().int(),
}).openapi("EventPage");

export function loggedEventJson(event: LoggedEvent): LoggedEventJson {
  const { seq, name, subject, payload, user, time } = event;
  return { seq, name, subject: subject ?? null, payload: { ...payload }, user, time };
}

/**
 * `cron`: five or six fields, in the time zone, UTC unless said · `every_s`: seconds, 60 at least · `at`: ISO 8601
 * with an offset · `plugin`: one of kind `scheduler`
 */
const specSchema = z.union([
  z.strictObject({ cron: z.string().max(200), timezone: z.string().max(100).optional() }),
  z.strictObject({ every_s: z.number() }),
  z.strictObject({ at: z.string().max(100) }),
  z.strictObject({ plugin: z.string().max(100), parameters: plain.optional() }),
], { error: "expected one of {cron, timezone}, {every_s}, {at}, {plugin, parameters}" });

/** What is begun: an import, or a run of a workflow. */
const workSchema = z.union([
  z.strictObject({
    import: z.strictObject({
      url: z.string().min(1).max(8192),
      plugin: z.string().max(100).optional(),
      collection: z.string().max(200).optional(),
    }),
  }),
  z.strictObject({
    workflow: z.strictObject({ name: z.string().min(1).max(200), inputs: plain.optional() }),
  }),
], { error: "expected one of {import: {url}}, {workflow: {name, inputs}}" });

export const newScheduleSchema = z.strictObject({
  name: z.string(),
  spec: specSchema,
  work: workSchema,
  overlap: z.enum(OVERLAPS).optional(),
  enabled: z.boolean().optional(),
}).openapi("NewSchedule");
export type NewScheduleJson = z.infer<typeof newScheduleSchema>;

export const scheduleChangeSchema = newScheduleSchema.partial().openapi("ScheduleChange");
export type ScheduleChangeJson = z.infer<typeof scheduleChangeSchema>;

/** `next`: null for one that is over or off; `error`: why the last time began nothing. */
export const scheduleSchema = z.object({
  id: z.string(),
  name: z.string(),
  spec: specSchema,
  work: workSchema,
  overlap: z.enum(OVERLAPS),
  enabled: z.boolean(),
  next: z.string().nullable(),
  last: z.string().nullable(),
  last_job: z.string().nullable(),
  error: z.string().nullable(),
  user: z.string(),
  created: z.string(),
}).openapi("Schedule");
export type ScheduleJson = z.infer<typeof scheduleSchema>;

export function scheduleJson(schedule: Schedule): ScheduleJson {
  const { id, name, overlap, enabled, user, created } = schedule;
  return {
    id,
    name,
    spec: schedule.spec as ScheduleJson["spec"],
    work: schedule.work as ScheduleJson["work"],
    overlap,
    enabled,
    next: schedule.next ?? null,
    last: schedule.last ?? null,
    last_job: schedule.lastJob ?? null,
    error: schedule.error ?? null,
    user,
    created,
  };
}
