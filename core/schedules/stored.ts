/**
 * What a schedule's row keeps as JSON. It may be read years later, by another version of the host: it says which
 * format it has, and is parsed.
 */
import { z } from "zod";
import { CarrelError } from "../errors.ts";
import type { ScheduledWork, ScheduleSpec } from "./schedules.ts";

/** Of `spec_json` and `work_json`. One that is written differently gets the next number, and a case in `readStored`. */
export const FORMAT = 1;

const record = z.record(z.string(), z.unknown());

const specs: z.ZodType<ScheduleSpec> = z.union([
  z.strictObject({ cron: z.string(), timezone: z.string().optional() }),
  z.strictObject({ every_s: z.number().positive() }),
  z.strictObject({ at: z.string() }),
  z.strictObject({ plugin: z.string(), parameters: record.optional() }),
]);

const works: z.ZodType<ScheduledWork> = z.union([
  z.strictObject({
    import: z.strictObject({
      url: z.string(),
      plugin: z.string().optional(),
      collection: z.string().optional(),
    }),
  }),
  z.strictObject({
    workflow: z.strictObject({ name: z.string(), inputs: record.optional() }),
  }),
]);

const stored = z.object({ spec: specs, work: works });

/** Throws `conflict` for what this version of the host cannot read. */
export function readStored(
  row: { readonly id: string; format: number; spec_json: string; work_json: string },
): { readonly spec: ScheduleSpec; readonly work: ScheduledWork } {
  try {
    if (row.format > FORMAT) throw new Error("a newer version wrote it");
    return stored.parse({ spec: JSON.parse(row.spec_json), work: JSON.parse(row.work_json) });
  } catch (cause) {
    throw new CarrelError(
      "conflict",
      `Cannot read the schedule "${row.id}": what is stored of it is damaged or newer than this host`,
      { cause },
    );
  }
}
