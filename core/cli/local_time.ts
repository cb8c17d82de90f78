/** Times as the clock on the wall shows them. */
import { clean } from "./width.ts";

/** `2026-01-31T08:05:12Z` as `2026-01-31 09:05:12` an hour east of Greenwich; `–` for none. */
export function localTime(iso: string | null, timeZone?: string): string {
  if (iso === null) return "–";
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return clean(iso);
  const parts = new Intl.DateTimeFormat("en", {
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
    timeZone,
  }).formatToParts(time);
  const part = (type: string) => parts.find((one) => one.type === type)?.value ?? "";
  const date = `${part("year")}-${part("month")}-${part("day")}`;
  return `${date} ${part("hour")}:${part("minute")}:${part("second")}`;
}
