/** Work that is begun by time: cron, interval, once, or whenever a `scheduler` plugin says. */
import type { Actor } from "../auth/actor.ts";
import type { Page } from "../jobs/jobs.ts";

export type ScheduleSpec =
  /** Five or six fields (croner); in the time zone, UTC unless said. */
  | { readonly cron: string; readonly timezone?: string | undefined }
  /** Seconds from one beginning to the next, 60 at least. */
  | { readonly every_s: number }
  /** ISO 8601. */
  | { readonly at: string }
  /** A plugin of kind `scheduler`, and what its `next(after, parameters)` is given. */
  | {
    readonly plugin: string;
    readonly parameters?: Readonly<Record<string, unknown>> | undefined;
  };

/** What is begun: an import (a feed polled every hour is one), or a run of a workflow. */
export type ScheduledWork =
  | {
    readonly import: {
      readonly url: string;
      readonly plugin?: string | undefined;
      readonly collection?: string | undefined;
    };
  }
  | {
    readonly workflow: {
      readonly name: string;
      readonly inputs?: Readonly<Record<string, unknown>> | undefined;
    };
  };

/** What becomes of a time that comes while the work of the last one has not ended. */
export const OVERLAPS = ["skip", "allow"] as const;
export type Overlap = typeof OVERLAPS[number];

export interface Schedule {
  readonly id: string;
  readonly name: string;
  readonly spec: ScheduleSpec;
  readonly work: ScheduledWork;
  readonly overlap: Overlap;
  readonly enabled: boolean;
  /** ISO 8601; undefined for one that is over or off. */
  readonly next: string | undefined;
  readonly last: string | undefined;
  readonly lastJob: string | undefined;
  /** Why the last tick made no job. */
  readonly error: string | undefined;
  readonly user: string;
  readonly created: string;
}

export interface NewSchedule {
  readonly name: string;
  readonly spec: ScheduleSpec;
  readonly work: ScheduledWork;
  /** @default "skip" */
  readonly overlap?: Overlap | undefined;
  /** @default true */
  readonly enabled?: boolean | undefined;
}

export type ScheduleChange = { readonly [K in keyof NewSchedule]?: NewSchedule[K] | undefined };

export interface Schedules {
  /** Throws `invalid_parameters` that names the field: a cron line that never comes, an interval too short, … */
  add(schedule: NewSchedule, actor: Actor): Promise<Schedule>;
  list(
    filter: { limit?: number | undefined; cursor?: string | undefined },
    actor: Actor,
  ): Promise<Page<Schedule>>;
  get(id: string, actor: Actor): Promise<Schedule>;
  /** What is left out stays. */
  change(id: string, change: ScheduleChange, actor: Actor): Promise<Schedule>;
  remove(id: string, actor: Actor): Promise<void>;
  /** Begins the work now, whatever the time. Answers with the job. */
  runNow(id: string, actor: Actor): Promise<{ readonly job: string }>;
}
