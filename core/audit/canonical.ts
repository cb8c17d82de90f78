/** JSON with one spelling only: keys sorted, no spaces, everything beyond ASCII escaped. */

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

/**
 * Equal values give equal text on every machine, and in ASCII each changed byte is a changed character.
 * Throws `TypeError` for a number that JSON does not have.
 */
export function canonicalJson(value: Json): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") return asciiString(value);
  if (typeof value === "number") {
    if (!Number.isFinite(value)) {
      throw new TypeError(`Cannot write "${value}": JSON has no such number`);
    }
    return JSON.stringify(value);
  }
  if (isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  // By code unit: `localeCompare` differs from machine to machine.
  const entries = Object.keys(value).sort().map((key) =>
    `${asciiString(key)}:${canonicalJson(value[key]!)}`
  );
  return `{${entries.join(",")}}`;
}

function asciiString(text: string): string {
  // Nearly all are, and a look costs less than a replacement.
  return isAscii.test(text) ? JSON.stringify(text) : escaped(text);
}

const isAscii = /^[\0-\x7e]*$/;

function escaped(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
