/** How large and how deep a JSON value is, found out without following it any further than it may go. */

export interface JsonBounds {
  /** Maps and lists inside one another; a text or a number has depth 0, `{}` has 1. */
  readonly maxDepth: number;
  /** Characters of the value as JSON, give or take escapes. */
  readonly maxChars: number;
}

/** Which bound a value breaks, in words; undefined if none. Takes time by the bounds, not by the value. */
export function boundProblem(value: unknown, bounds: JsonBounds): string | undefined {
  let left = bounds.maxChars;

  function fits(part: unknown, depth: number): string | undefined {
    if (typeof part !== "object" || part === null) {
      left -= typeof part === "string" ? part.length + 2 : String(part).length;
    } else if (depth >= bounds.maxDepth) {
      return `it is nested more than ${bounds.maxDepth} levels deep`;
    } else if (Array.isArray(part)) {
      left -= 2 + part.length;
      for (let i = 0; i < part.length && left >= 0; i++) {
        const wrong = fits(part[i], depth + 1);
        if (wrong !== undefined) return wrong;
      }
    } else {
      left -= 2;
      for (const key in part) {
        if (!Object.hasOwn(part, key)) continue;
        left -= key.length + 4;
        if (left < 0) break;
        const wrong = fits((part as Record<string, unknown>)[key], depth + 1);
        if (wrong !== undefined) return wrong;
      }
    }
    return left < 0 ? `it is longer than ${bounds.maxChars} characters` : undefined;
  }

  return fits(value, 0);
}
