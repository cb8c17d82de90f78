/** Spans of time as people write them: seconds, or `90s`, `15m`, `2h`, `7d`, `1h30m`. */
import type { Seconds } from "./definition.ts";

const SECONDS = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 } as const;

/** The longest: a year and a day. */
export const MAX_DURATION: Seconds = 366 * SECONDS.d;

/** What takes the texts that are durations; for schemas. */
export const DURATION_PATTERN = "^([0-9]+(\\.[0-9]+)?(ms|s|m|h|d|w))+$";

export const DURATION_EXPECTED =
  "expected a time above 0 and up to 366 days: seconds, or a text such as 90s, 15m, 2h or 7d";

/** Seconds; undefined for what is no duration, is 0 or less, or longer than `MAX_DURATION`. */
export function parseDuration(value: unknown): Seconds | undefined {
  const seconds = typeof value === "number" ? value : typeof value === "string" ? ofText(value) : 0;
  return Number.isFinite(seconds) && seconds > 0 && seconds <= MAX_DURATION ? seconds : undefined;
}

function ofText(text: string): number {
  const trimmed = text.trim();
  if (trimmed.length > 40 || !new RegExp(DURATION_PATTERN).test(trimmed)) return 0;
  let seconds = 0;
  for (const [, count, unit] of trimmed.matchAll(/([0-9.]+)([a-z]+)/g)) {
    seconds += Number(count) * SECONDS[unit as keyof typeof SECONDS];
  }
  return seconds;
}
