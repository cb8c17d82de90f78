/** What is asked of YAML beside the parser, so that no file of some kilobytes keeps the host busy. */
import { isAlias, isMap, isNode, isScalar, isSeq, Lexer } from "yaml";
import { keyOf, startOf } from "./yaml_places.ts";

export interface TextBounds {
  readonly maxDepth: number;
  /** Keys, values, marks such as `-` and `,`, comments and lines, of the whole text. */
  readonly maxTokens: number;
  /** `&name` and `*name` together: the parser looks through all of them for each of them. */
  readonly maxAliases: number;
}

/** Before the text of a scalar the lexer puts this. */
const SCALAR = "\u001f";

/**
 * The first bound that a text breaks: `depth` where brackets, or list and key marks of one line, nest too deep.
 * Asked of the lexer, which knows marks from text and does not recurse: the parser would run for long, or out of
 * stack. Reads no further than to there.
 */
export function brokenBound(
  text: string,
  { maxDepth, maxTokens, maxAliases }: TextBounds,
): "depth" | "tokens" | "aliases" | undefined {
  let brackets = 0;
  let marks = 0;
  let tokens = 0;
  let aliases = 0;
  let inScalar = false;
  for (const token of new Lexer().lex(text)) {
    const first = token[0];
    if (inScalar) {
      inScalar = false;
      continue;
    }
    if (first === " " || first === "\t") continue;
    tokens++;
    if (token === SCALAR) inScalar = true;
    else if (token === "[" || token === "{") brackets++;
    else if (token === "]" || token === "}") brackets--;
    else if (token === "-" || token === "?" || (token === ":" && brackets === 0)) marks++;
    else if (first === "\n" || first === "\r") marks = 0;
    else if (first === "&" || first === "*") aliases++;
    if (brackets > maxDepth || marks > maxDepth) return "depth";
    if (tokens > maxTokens) return "tokens";
    if (aliases > maxAliases) return "aliases";
  }
  return undefined;
}

/** Keys that stand twice in a map, and keys that are no plain words; a few more than `most` at most. */
export function keyProblems(root: unknown, most: number): { offset: number; message: string }[] {
  const problems: { offset: number; message: string }[] = [];
  const walk = (node: unknown): void => {
    if (problems.length > most) return;
    if (isSeq(node)) return node.items.forEach(walk);
    if (!isMap(node)) return;
    const keys = new Set<string>();
    for (const { key, value } of node.items) {
      const name = keyOf(key);
      const offset = startOf(key) ?? startOf(node) ?? 0;
      if (isAlias(key) || (isNode(key) && !isScalar(key))) {
        problems.push({ offset, message: "a key must be a plain word" });
      } else if (keys.has(name)) {
        problems.push({ offset, message: "map keys must be unique" });
      }
      keys.add(name);
      walk(value);
    }
  };
  walk(root);
  return problems;
}
