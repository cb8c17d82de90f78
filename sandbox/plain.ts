/**
 * Plain values to a JSON header with binary parts beside it, and back.
 *
 * Bytes anywhere in the value become parts, said in the header as `{"$part": n}`; an honest key of
 * that look gets one more `$`. A long text goes beside the header too, as `{"$text": n}`: in JSON it would be held
 * three times at once, as bytes, as JSON and as what it says. Nothing here trusts its input: the way out copies (so a getter is read
 * once), the way in is bounded in depth and in number of values.
 */

/** A value that is not plain data, or a header that is not what `pack` makes. */
export class PlainError extends Error {
  override readonly name = "PlainError";
}

export interface Packed {
  /** JSON. */
  readonly header: string;
  readonly parts: readonly Uint8Array[];
}

/** Levels of arrays and objects in one value. */
export const MAX_DEPTH = 64;
/** Binary parts in one value. */
export const MAX_PARTS = 4096;
/** Long texts in one value that go beside the header; more of them stand in it. */
export const MAX_TEXTS = 256;
/** Characters of a long text. */
const TEXT_FROM = 32 * 1024;
/** Values in one header: parsed JSON takes up to twenty times the memory of its text. */
export const MAX_NODES = 1_000_000;

const encoder = new TextEncoder();
/** Not `fatal`: then Deno decodes by way of twice the memory. What is no UTF-8 becomes U+FFFD, which hurts nobody. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Throws `PlainError` with the path of the first thing that is not plain data. */
export function pack(value: unknown): Packed {
  const parts: Uint8Array[] = [];
  const path: (string | number)[] = [];
  let texts = 0;

  function copy(value: unknown, depth: number): unknown {
    switch (typeof value) {
      case "string":
        // Half of a surrogate pair is nothing that UTF-8 can say.
        if (value.length < TEXT_FROM || texts === MAX_TEXTS || !value.isWellFormed()) return value;
        texts++;
        return { $text: parts.push(encoder.encode(value)) - 1 };
      case "boolean":
        return value;
      case "number":
        if (!Number.isFinite(value)) fail(`is ${value}`);
        return value;
      case "object":
        break;
      default:
        fail(`is a ${typeof value}`);
    }
    if (value === null) return null;
    if (value instanceof Uint8Array) {
      if (parts.length - texts === MAX_PARTS) fail(`is more than ${MAX_PARTS} binary parts`);
      return { $part: parts.push(value) - 1 };
    }
    if (depth === MAX_DEPTH) fail(`is nested more than ${MAX_DEPTH} levels deep, or in itself`);
    if (Array.isArray(value)) {
      const list: unknown[] = [];
      for (let i = 0; i < value.length; i++) {
        const item = value[i];
        path.push(i);
        list.push(item === undefined ? null : copy(item, depth + 1));
        path.pop();
      }
      return list;
    }
    const prototype = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) {
      fail(`is a ${prototype.constructor?.name ?? "strange object"}`);
    }
    const record: Record<string, unknown> = {};
    for (const key of Object.keys(value)) {
      const field = (value as Record<string, unknown>)[key];
      // A key named __proto__ is no data: on many an object it would replace the prototype.
      if (field === undefined || key === "__proto__") continue;
      path.push(key);
      record[isPartKey(key) ? `$${key}` : key] = copy(field, depth + 1);
      path.pop();
    }
    return record;
  }

  function fail(why: string): never {
    throw new PlainError(`"${path.join(".") || "value"}" ${why}, not plain data`);
  }

  return { header: JSON.stringify(value === undefined ? null : copy(value, 0)), parts };
}

/** The value of a header; parts come in as they are. Throws `PlainError`. */
export function unpack(header: string, parts: readonly Uint8Array[]): unknown {
  if (header.length > MAX_NODES) countNodes(header);
  let used = 0;

  function revive(value: unknown, depth: number): unknown {
    if (typeof value !== "object" || value === null) return value;
    if (depth === MAX_DEPTH) throw new PlainError(`nested more than ${MAX_DEPTH} levels deep`);
    if (Array.isArray(value)) {
      for (let i = 0; i < value.length; i++) {
        const item = value[i];
        if (typeof item === "object") value[i] = revive(item, depth + 1);
      }
      return value;
    }
    const record = value as Record<string, unknown>;
    const keys = Object.keys(record);
    for (const key of keys) {
      if (key.charCodeAt(0) === 36 && isPartKey(key)) return reviveEscaped(record, depth);
    }
    for (const key of keys) {
      if (key === "__proto__") delete record[key];
      else if (typeof record[key] === "object") record[key] = revive(record[key], depth + 1);
    }
    return record;
  }

  /** A part, or an object with keys that look like one: made anew, as keys change places. */
  function reviveEscaped(record: Record<string, unknown>, depth: number): unknown {
    if (Object.hasOwn(record, "$part")) return take(record.$part);
    if (Object.hasOwn(record, "$text")) return textOf(take(record.$text));
    const plain: Record<string, unknown> = {};
    for (const [key, field] of Object.entries(record)) {
      if (key !== "__proto__") {
        plain[isPartKey(key) ? key.slice(1) : key] = revive(field, depth + 1);
      }
    }
    return plain;
  }

  function take(index: unknown): Uint8Array {
    // In order and once each, as pack counts them: no value is shared, none is left over.
    const part = index === used ? parts[used] : undefined;
    if (part === undefined) throw new PlainError("parts and header do not agree");
    used++;
    return part;
  }

  function textOf(part: Uint8Array): string {
    try {
      return decoder.decode(part);
    } catch {
      throw new PlainError("a text that is too long");
    }
  }

  let value: unknown;
  try {
    value = JSON.parse(header);
  } catch {
    throw new PlainError("the header is not JSON");
  }
  value = revive(value, 0);
  if (used !== parts.length) throw new PlainError("parts and header do not agree");
  return value;
}

function isPartKey(key: string): boolean {
  return /^\$+(part|text)$/.test(key);
}

/** Counts the values of a JSON text before it is parsed; what stands in strings does not count. */
function countNodes(json: string): void {
  let nodes = 0;
  for (let i = 0; i < json.length; i++) {
    const c = json.charCodeAt(i);
    if (c === 34) {
      // To the closing quote: the next one with an even number of backslashes before it.
      do {
        i = json.indexOf('"', i + 1);
        if (i === -1) return; // not JSON: the parser says so
      } while (escaped(json, i));
    } else if (c === 44 || c === 91 || c === 123) {
      if (++nodes > MAX_NODES) throw new PlainError(`more than ${MAX_NODES} values`);
    }
  }
}

function escaped(json: string, quote: number): boolean {
  let slashes = 0;
  while (json.charCodeAt(quote - 1 - slashes) === 92) slashes++;
  return slashes % 2 === 1;
}
