/** Data of a stranger, taken only as far as JSON can keep it. */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Says where in the data something is that cannot be kept, and why. */
export class PlainJsonError extends Error {
  override readonly name = "PlainJsonError";
  constructor(readonly path: readonly (string | number)[], readonly reason: string) {
    super(`${path.join(".") || "value"}: ${reason}`);
  }
}

export interface PlainJsonBounds {
  /** Arrays and objects within each other. @default 16 */
  readonly maxDepth?: number | undefined;
  /** Bytes of the JSON text, UTF-8. */
  readonly maxBytes: number;
}

/**
 * Text that every store keeps whole: a NUL and a lone surrogate become U+FFFD, as CommonMark (§2.3) does with
 * a NUL. One for one, so that offsets into the text hold.
 */
export function cleanText(text: string): string {
  const wellFormed = text.toWellFormed();
  return wellFormed.includes("\0") ? wellFormed.replaceAll("\0", "\ufffd") : wellFormed;
}

/** Bytes of a value's JSON text, UTF-8. */
export function jsonBytes(value: unknown): number {
  return new TextEncoder().encode(JSON.stringify(value)).length;
}

/**
 * A copy of the value, its texts cleaned, fields without a value left out. Throws `PlainJsonError` for bytes,
 * numbers that are none, functions and the like, and for what is too deep or too large.
 */
export function plainJson(value: unknown, { maxDepth = 16, maxBytes }: PlainJsonBounds): Json {
  // A lower bound of the size, counted on the way, so that the huge is refused before it is written out.
  let left = maxBytes;

  function spend(size: number, path: readonly (string | number)[]): void {
    left -= size;
    if (left < 0) throw tooLarge(path, maxBytes);
  }

  function take(item: unknown, path: readonly (string | number)[]): Json {
    if (item === null || item === undefined) {
      spend(4, path);
      return null;
    }
    switch (typeof item) {
      case "boolean":
        spend(4, path);
        return item;
      case "number":
        spend(1, path);
        if (Number.isFinite(item)) return item;
        throw new PlainJsonError(path, `${item} is not a number that JSON knows`);
      case "string":
        spend(item.length + 2, path);
        return cleanText(item);
      case "object":
        return takeObject(item, path);
      default:
        throw new PlainJsonError(path, `a ${typeof item} is not plain data`);
    }
  }

  function takeObject(item: object, path: readonly (string | number)[]): Json {
    if (path.length >= maxDepth) throw new PlainJsonError(path, `deeper than ${maxDepth} levels`);
    spend(2, path);
    if (Array.isArray(item)) return item.map((entry, index) => take(entry, [...path, index]));
    const prototype = Object.getPrototypeOf(item);
    if (prototype !== Object.prototype && prototype !== null) {
      const kind = ArrayBuffer.isView(item) ? "bytes are" : `a ${item.constructor?.name} is`;
      throw new PlainJsonError(path, `${kind} not plain data`);
    }
    return Object.fromEntries(
      Object.entries(item).filter(([, entry]) => entry !== undefined).map(([key, entry]) => {
        spend(key.length + 3, [...path, key]);
        return [cleanText(key), take(entry, [...path, key])];
      }),
    );
  }

  const plain = take(value, []);
  if (jsonBytes(plain) > maxBytes) throw tooLarge([], maxBytes);
  return plain;
}

function tooLarge(path: readonly (string | number)[], maxBytes: number): PlainJsonError {
  return new PlainJsonError(path, `larger than ${maxBytes} bytes`);
}
