/** When a schedule is due next. Pure, but for the question to a plugin. */
import { Cron } from "croner";
import { CarrelError } from "../errors.ts";
import type { ScheduleSpec } from "./schedules.ts";

/** The least between two times, seconds. */
export const LEAST_S = 60;
/** What comes less often than in ten years is a mistake. */
const MOST_S = 10 * 366 * 24 * 60 * 60;
const NICKNAME = /^@(yearly|annually|monthly|weekly|daily|hourly)$/;
/** With an offset: else it would mean another time on another machine. */
const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/;
/** Times looked at to find out how often a line comes. */
const SAMPLE = 5;

/** Asks a plugin of kind `scheduler`: ISO 8601, null for never again. */
export type AskPlugin = (
  plugin: string,
  after: string,
  parameters: Readonly<Record<string, unknown>>,
) => Promise<string | null>;

/**
 * The first time after `afterMs`; undefined for never again. `lastMs` is the last time that it was due, from which
 * intervals are counted. A time that the clocks leave out in spring is taken an hour later, and one that they
 * repeat in autumn is taken once.
 */
export async function nextTime(
  spec: ScheduleSpec,
  { afterMs, lastMs, ask }: {
    readonly afterMs: number;
    readonly lastMs: number | undefined;
    readonly ask: AskPlugin;
  },
): Promise<number | undefined> {
  if ("cron" in spec) return cronOf(spec).nextRun(new Date(afterMs))?.getTime();
  if ("at" in spec) {
    const at = Date.parse(spec.at);
    return at > afterMs ? at : undefined;
  }
  if ("every_s" in spec) {
    const every = spec.every_s * 1000;
    if (lastMs === undefined) return afterMs + every;
    // On the beat of the last one, however many were missed, and whichever way the clock was put.
    return lastMs + (Math.floor((afterMs - lastMs) / every) + 1) * every;
  }
  const said = await ask(spec.plugin, new Date(afterMs).toISOString(), spec.parameters ?? {});
  if (said === null) return undefined;
  const time = Date.parse(said);
  if (!(time > afterMs)) {
    throw new CarrelError(
      "invalid_output",
      `Cannot use what "${spec.plugin}" returned from next: "${
        said.slice(0, 100)
      }" is no time after ${new Date(afterMs).toISOString()}`,
    );
  }
  // A plugin that is always about to begin must not begin all the time.
  return Math.max(time, afterMs + LEAST_S * 1000);
}

function cronOf({ cron, timezone = "UTC" }: { cron: string; timezone?: string | undefined }): Cron {
  return new Cron(cron, { timezone, paused: true });
}

/** Throws `invalid_parameters` that names the field. */
export function checkSpec(spec: ScheduleSpec, nowMs: number): void {
  if ("cron" in spec) return checkCron(spec, nowMs);
  if ("every_s" in spec) {
    const { every_s } = spec;
    if (Number.isInteger(every_s) && every_s >= LEAST_S && every_s <= MOST_S) return;
    throw wrong("spec.every_s", `it must be a whole number of seconds, ${LEAST_S} at least`);
  }
  if ("at" in spec) {
    const at = ISO_TIME.test(spec.at) ? Date.parse(spec.at) : NaN;
    if (Number.isNaN(at)) {
      throw wrong("spec.at", `"${spec.at}" is no time such as 2030-01-31T09:00:00Z (ISO 8601)`);
    }
    if (at <= nowMs) throw wrong("spec.at", `"${spec.at}" is over`);
  }
}

function checkCron(spec: { cron: string; timezone?: string | undefined }, nowMs: number): void {
  const line = spec.cron.trim();
  const fields = line.split(/\s+/).length;
  if (line.length > 200 || (!NICKNAME.test(line) && fields !== 5 && fields !== 6)) {
    throw wrong("spec.cron", "expected five or six fields, such as 0 7 * * MON-FRI");
  }
  if (spec.timezone !== undefined && !isTimezone(spec.timezone)) {
    throw wrong("spec.timezone", `"${spec.timezone}" is no time zone, such as Europe/Berlin`);
  }
  const times: number[] = [];
  try {
    const cron = cronOf(spec);
    for (let at = new Date(nowMs); times.length < SAMPLE;) {
      const next = cron.nextRun(at);
      if (next === null) break;
      times.push(next.getTime());
      at = next;
    }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.replace(/^CronPattern: /, "") : "";
    throw wrong("spec.cron", `"${line}" is no cron line: ${why}`, cause);
  }
  if (times.length === 0) throw wrong("spec.cron", `"${line}" never comes`);
  const often = times.some((time, at) => at > 0 && time - times[at - 1]! < LEAST_S * 1000);
  if (often) throw wrong("spec.cron", `"${line}" comes more often than once a minute`);
}

function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return name.length <= 100;
  } catch {
    return false;
  }
}

export function wrong(field: string, why: string, cause?: unknown): CarrelError {
  return new CarrelError("invalid_parameters", `Cannot schedule it: ${field}: ${why}`, {
    details: { field },
    cause,
  });
}
