/** What is asked of YAML beside the parser, so that no file of some kilobytes keeps the host busy. */
import { isAlias, isMap, isNode, isScalar, isSeq, Lexer, type Node } from "yaml";

/**
 * Whether brackets, or list and key marks of one line, nest deeper than is taken. Asked of the lexer, which knows
 * marks from text and does not recurse: the parser would run for long, or out of stack.
 */
export function nestsTooDeep(text: string, maxDepth: number): boolean {
  let brackets = 0;
  let marks = 0;
  for (const token of new Lexer().lex(text)) {
    if (token === "[" || token === "{") brackets++;
    else if (token === "]" || token === "}") brackets--;
    else if (token === "-" || token === "?" || (token === ":" && brackets === 0)) marks++;
    else if (token.startsWith("\n") || token.startsWith("\r")) marks = 0;
    if (brackets > maxDepth || marks > maxDepth) return true;
  }
  return false;
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

/** The key of the plain value: `null` makes an empty one. */
export function keyOf(key: unknown): string {
  return isScalar(key) ? String(key.value ?? "") : String(key ?? "");
}

/** Where a node begins. */
export function startOf(node: unknown): number | undefined {
  return isNode(node) ? (node as Node).range?.[0] : undefined;
}
