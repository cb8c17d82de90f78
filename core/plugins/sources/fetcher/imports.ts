/** Which files of its own a module imports. */
import { parse, type ParserPlugin } from "@babel/parser";
import { PluginError } from "@carrel/sdk";

const MODULE = /\.(ts|mts|tsx|js|mjs|jsx)$/i;

/** Whether a file is a module, and may import others. */
export function isModule(path: string): boolean {
  return MODULE.test(path);
}

/**
 * The relative specifiers of a module, as written: imports, re-exports, `import()` and `require()` of a
 * literal. Imports of types only are left out, as the bundler leaves them out. Throws `PluginError`
 * `unreadable` with file and line.
 */
export function relativeImports(source: string, path: string): readonly string[] {
  const plugins: ParserPlugin[] = [];
  if (/\.m?tsx?$/i.test(path)) plugins.push("typescript", "decorators", "decoratorAutoAccessors");
  if (/x$/i.test(path)) plugins.push("jsx");
  let root: unknown;
  try {
    root = parse(source, {
      sourceType: "module",
      plugins,
      errorRecovery: true,
      allowReturnOutsideFunction: true,
    }).program;
  } catch (cause) {
    const { loc, message } = cause as { loc?: { line: number }; message?: string };
    const why = String(message).replace(/\.?\s*\([0-9]+:[0-9]+\)$/, "");
    throw new PluginError("unreadable", `Cannot read "${path}": line ${loc?.line ?? 1}: ${why}.`, {
      cause,
    });
  }
  const found = new Set<string>();
  // A stack of our own: nesting is the author's choice.
  const left: unknown[] = [root];
  while (left.length > 0) {
    const node = left.pop();
    if (Array.isArray(node)) left.push(...node);
    if (!isNode(node)) continue;
    const specifier = specifierOf(node);
    if (specifier !== undefined && /^\.\.?(\/|$)/.test(specifier)) found.add(specifier);
    for (const [key, value] of Object.entries(node)) {
      if (key !== "loc" && typeof value === "object" && value !== null) left.push(value);
    }
  }
  return [...found].sort();
}

interface Node {
  readonly type: string;
  readonly [key: string]: unknown;
}

function isNode(value: unknown): value is Node {
  return typeof (value as { type?: unknown } | null)?.type === "string";
}

function specifierOf(node: Node): string | undefined {
  switch (node.type) {
    case "ImportDeclaration":
      return node.importKind === "type" ? undefined : textOf(node.source);
    case "ExportAllDeclaration":
    case "ExportNamedDeclaration":
      return node.exportKind === "type" ? undefined : textOf(node.source);
    case "ImportExpression":
      return textOf(node.source);
    case "CallExpression": {
      const callee = node.callee as Node;
      const named = callee.type === "Import" ||
        callee.type === "Identifier" && callee.name === "require";
      return named ? textOf((node.arguments as readonly unknown[])[0]) : undefined;
    }
    default:
      return undefined;
  }
}

function textOf(node: unknown): string | undefined {
  return isNode(node) && node.type === "StringLiteral" ? String(node.value) : undefined;
}
