/** What an expression came to, as JSON; or why it is none. */

const MAX_DEPTH = 30;

/** Said to the host beside the expression. */
export class Refused extends Error {
  constructor(readonly code: "invalid_expression" | "too_large", message: string) {
    super(message);
  }
}

/** JSON text; nothing at all is null. Throws `Refused` for functions, what is too deep and what is too long. */
export function toJson(value: unknown, maxChars: number): string {
  let left = maxChars;

  function spend(chars: number): void {
    left -= chars;
    if (left < 0) throw new Refused("too_large", `its value is larger than ${maxChars} bytes`);
  }

  function take(item: unknown, depth: number): unknown {
    switch (typeof item) {
      case "undefined":
        spend(4);
        return null;
      case "boolean":
        spend(4);
        return item;
      case "number":
        spend(1);
        if (Number.isFinite(item)) return item;
        throw new Refused("invalid_expression", `its value is ${item}, which is no number of JSON`);
      case "string":
        spend(item.length + 2);
        return item;
      case "object":
        return item === null ? (spend(4), null) : takeObject(item, depth + 1);
      default:
        throw new Refused("invalid_expression", `its value is a ${typeof item}, which is no data`);
    }
  }

  function takeObject(item: object, depth: number): unknown {
    if (depth > MAX_DEPTH) {
      throw new Refused("invalid_expression", `its value is more than ${MAX_DEPTH} levels deep`);
    }
    spend(2);
    // By index: a sequence of JSONata has fields of its own beside its items.
    if (Array.isArray(item)) return Array.from(item, (part) => (spend(1), take(part, depth)));
    if (isFunction(item)) {
      throw new Refused("invalid_expression", "its value is a function, which is no data");
    }
    const copy: Record<string, unknown> = Object.create(null);
    for (const [key, part] of Object.entries(item)) {
      spend(key.length + 4);
      if (part !== undefined) copy[key] = take(part, depth);
    }
    return copy;
  }

  return JSON.stringify(take(value, 0));
}

/** A function as JSONata keeps it. */
function isFunction(item: object): boolean {
  return Object.hasOwn(item, "_jsonata_lambda") || Object.hasOwn(item, "_jsonata_function");
}
