/**
 * Patterns of a JSON Schema, matched in time linear in the text. A schema comes from a plugin's author, and the
 * engine of JavaScript takes exponential time over patterns as short as `^(a+)+$`.
 */
import { RE2JS } from "re2js";

export interface Pattern {
  /** Whether the pattern matches anywhere in the text. */
  test(text: string): boolean;
  /** Instructions of its program; a match takes at most this many steps a character. */
  readonly size: number;
}

const MAX_CHARS = 200;
const MAX_SIZE = 2500;

/**
 * Compiles a pattern, or says in words what is wrong with it. It must be valid in ECMAScript's Unicode mode and in
 * RE2 (https://github.com/google/re2/wiki/Syntax): so there are no references back and no lookaround. `\s` is
 * ASCII white space and `.` all but a line feed, as in RE2.
 */
export function compilePattern(source: string): Pattern | string {
  if (source.length > MAX_CHARS) return `expected a pattern of at most ${MAX_CHARS} characters`;
  try {
    new RegExp(source, "u");
  } catch {
    return "expected a regular expression, valid in the Unicode mode of ECMAScript";
  }
  // Both read these, each in its own way.
  if (/\[\^?\]|\[:/.test(source)) return 'expected a pattern without "[]", "[^]" and "[:"';
  if (unrolledSize(source) > MAX_SIZE) return "expected a pattern that repeats less";
  try {
    const compiled = RE2JS.compile(RE2JS.translateRegExp(source));
    return { test: (text) => compiled.test(text), size: compiled.programSize() };
  } catch {
    return "expected a pattern that RE2 can match: no lookahead, lookbehind nor reference back";
  }
}

/**
 * About how many instructions a pattern compiles to, before it is compiled: RE2 writes what `{n,m}` repeats out
 * m times. The pattern is valid ECMAScript.
 */
function unrolledSize(source: string): number {
  const sums = [0];
  let last = 0;
  const add = (size: number) => {
    last = size;
    sums[sums.length - 1]! += size;
  };
  for (let i = 0; i < source.length; i++) {
    switch (source[i]) {
      case "\\":
        i++;
        if (/[pPu]/.test(source[i]!) && source[i + 1] === "{") i = source.indexOf("}", i);
        add(1);
        break;
      case "[":
        while (source[++i] !== "]") if (source[i] === "\\") i++;
        add(1);
        break;
      case "(":
        sums.push(0);
        break;
      case ")":
        add(sums.pop()! + 2);
        break;
      case "{": {
        const end = source.indexOf("}", i);
        const [least, most] = source.slice(i + 1, end).split(",");
        const times = most === undefined ? Number(least) : Number(most) || Number(least) + 1;
        const more = last * Math.max(times - 1, 0);
        sums[sums.length - 1]! += more;
        last += more;
        i = end;
        break;
      }
      default:
        add(1);
    }
  }
  return sums[0]!;
}
