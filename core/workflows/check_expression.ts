/**
 * What an expression refers to, found by reading it. JSONata's parser runs here, its evaluator does not: that is
 * the work of the plugin `step.expression`.
 */
import jsonata from "jsonata";
import { didYouMean } from "./check_names.ts";

/** A name that an expression uses, and where it begins in it. */
export interface NameUse {
  readonly name: string;
  readonly at: number;
}

export interface ExpressionUses {
  /** Ids after `steps.`. */
  readonly steps: readonly NameUse[];
  /** Names after `inputs.`. */
  readonly inputs: readonly NameUse[];
  /** Names at the top of the scope, `steps` and `inputs` included. */
  readonly roots: readonly NameUse[];
  /** Whether it can reach parts of `steps` that it does not name, or the scope as a whole. */
  readonly allSteps: boolean;
}

export interface ExpressionProblem {
  /** From 0, in the expression. */
  readonly at: number;
  readonly message: string;
}

export type ReadExpression = { readonly uses: ExpressionUses } | {
  readonly problem: ExpressionProblem;
};

/** Functions of JSONata that are not there, and why. */
const REMOVED: Readonly<Record<string, string>> = {
  eval: "an expression cannot evaluate a text",
  random: "a run that goes on after a restart must come to the same values",
  shuffle: "a run that goes on after a restart must come to the same values",
};

const FUNCTIONS = new Set(
  `abs append assert average base64decode base64encode boolean ceil clone contains count decodeUrl
  decodeUrlComponent distinct each encodeUrl encodeUrlComponent error exists filter floor formatBase formatInteger
  formatNumber fromMillis join keys length lookup lowercase map match max merge millis min not now number pad
  parseInteger power reduce replace reverse round sift single sort split spread sqrt string substring
  substringAfter substringBefore sum toMillis trim type uppercase zip`.split(/\s+/),
);

/** A node of JSONata's syntax tree: whatever its parser makes, looked at with care. */
interface Node {
  readonly [key: string]: unknown;
}

const KEPT = 2_000;
const known = new Map<string, ReadExpression>();

/** Remembered by source. */
export function readExpression(source: string): ReadExpression {
  const before = known.get(source);
  if (before !== undefined) return before;
  const read = analyse(source);
  if (known.size >= KEPT) known.delete(known.keys().next().value!);
  known.set(source, read);
  return read;
}

function analyse(source: string): ReadExpression {
  if (source === "") return { problem: { at: 0, message: "there is no expression" } };
  try {
    return usesOf(jsonata(source).ast() as unknown as Node);
  } catch (error) {
    const { message, position } = error as { message?: unknown; position?: unknown };
    if (error instanceof RangeError) {
      return { problem: { at: 0, message: "it is nested too deeply" } };
    }
    // The parser's position is that of the end of what it did not expect.
    const at = typeof position === "number" ? Math.max(0, position - 1) : 0;
    return { problem: { at: Math.min(at, source.length), message: sentence(String(message)) } };
  }
}

const sentence = (message: string) => message.replace(/\.$/, "").replace(/\s+/g, " ");

function usesOf(tree: Node): ReadExpression {
  const steps: NameUse[] = [];
  const inputs: NameUse[] = [];
  const roots: NameUse[] = [];
  const bound = new Set<string>();
  const variables: NameUse[] = [];
  let allSteps = false;

  const begin = (node: Node, name: string) =>
    Math.max(0, (typeof node.position === "number" ? node.position : 0) - name.length);

  function use(node: Node, name: string, next: Node | undefined): void {
    roots.push({ name, at: begin(node, name) });
    if (name !== "steps" && name !== "inputs") return;
    const named = next?.type === "name" && typeof next.value === "string";
    // A filter on `steps` itself sees all of it.
    if (named && node.stages === undefined && node.predicate === undefined) {
      const part = { name: String(next.value), at: begin(next, String(next.value)) };
      (name === "steps" ? steps : inputs).push(part);
    } else if (name === "steps") allSteps = true;
  }

  /** @param root whether names here are those at the top of the scope */
  function walk(value: unknown, root: boolean): void {
    if (Array.isArray(value)) return value.forEach((part) => walk(part, root));
    if (typeof value !== "object" || value === null) return;
    const node = value as Node;
    bindings(node);
    switch (node.type) {
      case "path":
        walkPath(node, root);
        break;
      case "variable":
        walkVariable(node, undefined, root);
        break;
      case "wildcard":
      case "descendant":
      case "parent":
        allSteps = true;
        break;
      case "transform":
        for (const part of ["pattern", "update", "delete"]) walk(node[part], false);
        break;
      case "sort":
        walk(node.terms, false);
        break;
      case "bind":
        walk(node.rhs, root);
        break;
      case "lambda":
        walk(node.body, root);
        break;
      case "regex":
      case "string":
      case "number":
      case "value":
        break;
      default:
        for (
          const part of [
            "expression",
            "expressions",
            "arguments",
            "procedure",
            "condition",
            "then",
            "else",
            "lhs",
            "rhs",
          ]
        ) walk(node[part], root);
    }
    inner(node);
  }

  /** What stands in brackets and braces behind a node sees that node's items. */
  function inner(node: Node): void {
    for (const part of ["predicate", "stages"]) {
      for (const stage of (node[part] ?? []) as Node[]) {
        bindings(stage);
        walk(stage.expr, false);
      }
    }
    walk((node.group as Node | undefined)?.lhs, false);
  }

  function walkPath(node: Node, root: boolean): void {
    const [first, ...rest] = node.steps as Node[];
    bindings(first!);
    if (first!.type === "name") {
      if (root) use(first!, String(first!.value), rest[0]);
      inner(first!);
    } else if (first!.type === "variable") {
      walkVariable(first!, rest, root);
      inner(first!);
    } else walk(first, root);
    for (const step of rest) {
      if (step.type === "name") {
        bindings(step);
        inner(step);
      } else if (step.type === "sort") {
        for (const term of step.terms as Node[]) walk(term.expression, false);
      } else walk(step, false);
    }
  }

  function walkVariable(node: Node, rest: readonly Node[] | undefined, root: boolean): void {
    const name = String(node.value);
    if (name !== "" && name !== "$") {
      variables.push({ name, at: begin(node, name) });
    } else if (name === "$" || root) {
      const [next, after] = rest ?? [];
      if (next?.type === "name") use(next, String(next.value), after);
      else allSteps = true;
    }
  }

  function bindings(node: Node): void {
    if (node.type === "bind") bound.add(String((node.lhs as Node).value));
    if (node.type === "lambda") {
      for (const argument of (node.arguments ?? []) as Node[]) bound.add(String(argument.value));
    }
    if (typeof node.focus === "string") bound.add(node.focus);
    if (typeof node.index === "string") bound.add(node.index);
    if (node.type === "index") bound.add(String(node.value));
  }

  walk(tree, true);
  for (const { name, at } of variables) {
    if (bound.has(name) || FUNCTIONS.has(name)) continue;
    const why = Object.hasOwn(REMOVED, name)
      ? `there is no $${name} here: ${REMOVED[name]}`
      : `there is no $${name}${didYouMean(name, [...bound, ...FUNCTIONS]).replace('"', '"$')}`;
    return { problem: { at: Math.max(0, at - 1), message: why } };
  }
  return { uses: { steps, inputs, roots, allSteps } };
}
