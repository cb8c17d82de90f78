/**
 * What of an event's details is written down: plain JSON, bounded, without secrets. A snapshot: what the
 * caller changes later does not change the row.
 */
import type { AuditEvent } from "./audit.ts";
import { canonicalJson, type Json } from "./canonical.ts";

/** Of one row, bytes. */
export const MAX_DETAILS = 4096;

const HIDDEN = "[secret]";
const CUT = "…";
const MAX_DEPTH = 6;
const MAX_ITEMS = 64;
const MAX_TEXT = 1024;
/** Where the whole is too large, its parts are cut to these. */
const TIGHT = { depth: 3, items: 8, text: 120 } as const;

interface Bounds {
  readonly depth: number;
  readonly items: number;
  readonly text: number;
}

/** Replaces known secrets in a text. */
export type Mask = (text: string) => string;

/** Canonical JSON of an object, `MAX_DETAILS` bytes at most. Never throws. */
export function detailsJson(event: AuditEvent, mask: Mask): string {
  const secret = new Set(event.secret ?? []);
  try {
    const details = event.event === "config.changed"
      ? { fields: namesOf(event.details?.fields) }
      : event.details ?? {};
    const json = canonicalJson(copy(details, secret, mask, {
      depth: MAX_DEPTH,
      items: MAX_ITEMS,
      text: MAX_TEXT,
    }));
    return json.length <= MAX_DETAILS ? json : cutDown(copy(details, secret, mask, TIGHT));
  } catch {
    // A getter that throws, or a proxy: the event counts more than its details.
    return canonicalJson({ unreadable: true });
  }
}

/** Leaves out what does not fit, last keys first. */
function cutDown(details: Json): string {
  const kept: Record<string, Json> = { truncated: true };
  for (const [key, value] of Object.entries(details as Record<string, Json>)) {
    const json = canonicalJson({ ...kept, [key]: value });
    if (json.length <= MAX_DETAILS) kept[key] = value;
  }
  return canonicalJson(kept);
}

function copy(
  value: unknown,
  secret: ReadonlySet<string>,
  mask: Mask,
  bounds: Bounds,
): Json {
  switch (typeof value) {
    case "string":
      return plainText(mask(value), bounds.text);
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "boolean":
      return value;
    case "bigint":
      return String(value);
    case "object":
      break;
    default:
      return null;
  }
  if (value === null) return null;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (bounds.depth === 0) return CUT;
  const inner = { ...bounds, depth: bounds.depth - 1 };
  if (Array.isArray(value)) {
    const items: Json[] = [];
    for (let index = 0; index < Math.min(value.length, bounds.items); index++) {
      items.push(copy(value[index], secret, mask, inner));
    }
    if (value.length > bounds.items) items.push(`${CUT} ${value.length - bounds.items} more`);
    return items;
  }
  const entries: [string, Json][] = [];
  for (const key of Object.keys(value)) {
    if (entries.length >= bounds.items) {
      entries.push([CUT, "more"]);
      break;
    }
    const inside = secret.has(key)
      ? HIDDEN
      : copy((value as Record<string, unknown>)[key], secret, mask, inner);
    entries.push([plainText(mask(key), bounds.text), inside]);
  }
  return Object.fromEntries(entries);
}

function namesOf(fields: unknown): string[] {
  return Array.isArray(fields) ? fields.filter((name) => typeof name === "string") : [];
}

/**
 * A text for a column: well-formed, without control characters (a reader of SQLite stops at the first NUL),
 * cut to `max` characters.
 */
export function plainText(text: string, max: number): string {
  // deno-lint-ignore no-control-regex
  const plain = text.slice(0, max + 1).toWellFormed().replace(/[\x00-\x1f\x7f]/g, " ");
  return plain.length <= max ? plain : `${plain.slice(0, max - 1).toWellFormed()}${CUT}`;
}
