/**
 * `deno task check:layers`: who may import whom, how long a file may be, and what may not be written
 * down. Prints `file:line: why` for each breach and exits 1 if there is one.
 */
import { fromFileUrl, listFiles, relativePath } from "./files.ts";

/** One import of one of our files. */
export interface Import {
  /** The importing file, from the root, with `/`. */
  readonly from: string;
  /** As written. */
  readonly specifier: string;
  /** The imported file, from the root; `undefined` if it is not ours. */
  readonly to: string | undefined;
  /** Counted from 1. */
  readonly line: number;
  /** `import type`: nothing of it is left at run time. */
  readonly typeOnly: boolean;
}

export interface Breach {
  readonly file: string;
  readonly line: number;
  readonly why: string;
}

const MAX_LINES = 400;
const AIM_LINES = 300;

/** Code that may import anything: tests, what only tests use, and tools. */
function isExempt(file: string): boolean {
  return /^(?:tests|bench|tools)\//.test(file) || /_test\.tsx?$/.test(file) ||
    /\/fixtures\//.test(file) || !file.startsWith("sdk/") && /\/testing(?:\/|\.ts$)/.test(file);
}

/** The part of the project that a file belongs to; each plugin is one of its own. */
function layerOf(file: string): string {
  return /^(?:plugins|examples\/plugins)\/[^/]+/.exec(file)?.[0] ?? file.split("/")[0]!;
}

function isPlugin(layer: string): boolean {
  return /^(?:plugins|examples\/plugins)\//.test(layer);
}

/** Parts that a part may import, beside itself. Parts that are not listed may import nothing of ours. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "main.ts": ["core", "sandbox", "sdk", "deno.json"],
  core: ["sandbox", "sdk", "deno.json"],
  sandbox: ["sdk"],
  sdk: [],
  ui: [],
};

/** Implementations of a port. `core/app.ts` chooses among them; nobody else knows which one it is. */
const ADAPTER =
  /^core\/(?:stores\/(sqlite|postgres|objects_[a-z0-9]+|graph_[a-z0-9]+|vectors_[a-z0-9]+|kv_[a-z0-9]+)|jobs\/(queue_[a-z0-9]+))(?:_[a-z0-9_]+)?\.ts$/;

function adapterOf(file: string): string | undefined {
  const match = ADAPTER.exec(file);
  return match ? match[1] ?? match[2] : undefined;
}

/** Why a file may not have this import, or `undefined` if it may. */
export function importBreach(found: Import): string | undefined {
  const { from, to, specifier, typeOnly } = found;
  if (isExempt(from)) return undefined;
  const layer = layerOf(from);
  if (to === undefined) {
    if (/^(?:jsr|https?):/.test(specifier)) return `${specifier}: only npm packages are installed`;
    return undefined;
  }
  if (isExempt(to)) return `${layer} imports ${to}, which is for tests and tools only`;
  const target = layerOf(to);
  if (isPlugin(layer)) {
    if (target === layer || specifier === "@carrel/sdk") return undefined;
    return `a plugin imports its own files and "@carrel/sdk", not ${to}`;
  }
  const adapter = adapterOf(to);
  if (adapter && from !== "core/app.ts" && adapterOf(from) !== adapter) {
    return `${to} is an adapter: core/app.ts alone chooses it`;
  }
  if (target === layer) return undefined;
  if (layer === "sandbox" && target === "sdk" && !typeOnly) {
    return `sandbox imports types of sdk only: say import type, not ${specifier}`;
  }
  if (MAY_IMPORT[layer]?.includes(target)) return undefined;
  const allowed = MAY_IMPORT[layer] ?? [];
  return `${layer} may import ${allowed.join(" and ") || "nothing of ours"}, not ${to}`;
}

/** What is wrong with a file's text, whatever it imports. */
export function textBreaches(
  file: string,
  text: string,
  machinePaths: readonly string[],
): Breach[] {
  const breaches: Breach[] = [];
  const lines = text.split("\n");
  for (const [index, line] of lines.entries()) {
    for (const path of machinePaths) {
      const at = line.indexOf(path);
      const before = line[at - 1];
      const behind = line[at + path.length];
      if (at >= 0 && !/[\w.~}-]/.test(before ?? " ") && !/[\w-]/.test(behind ?? " ")) {
        breaches.push({ file, line: index + 1, why: `${path} is a path of this machine` });
      }
    }
    if (/(?:^|\/)README\.md$/.test(file) && /(?:^|[\s`])-A(?:$|[\s`])|--allow-all/.test(line)) {
      breaches.push({ file, line: index + 1, why: "nobody should have to grant all permissions" });
    }
  }
  const length = lines.length - (text.endsWith("\n") ? 1 : 0);
  if (isCode(file) && !isExempt(file) && length > MAX_LINES) {
    breaches.push({
      file,
      line: length,
      why: `${length} lines: part it, ${MAX_LINES} is the most`,
    });
  }
  return breaches;
}

function isCode(file: string): boolean {
  return /\.(?:ts|tsx|js|mjs)$/.test(file);
}

/** Files that are near the limit. */
export function isLong(file: string, text: string): boolean {
  return isCode(file) && !isExempt(file) && text.split("\n").length - 1 > AIM_LINES;
}

/** Every import of the given files, as Deno itself resolves them. `files` are from the root. */
export async function readImports(root: string, files: readonly string[]): Promise<Import[]> {
  const entry = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    const urls = files.map((file) => new URL(file, `file://${root}/`).href);
    await Deno.writeTextFile(entry, urls.map((url) => `import ${JSON.stringify(url)};`).join("\n"));
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--quiet", "--json", "--config", `${root}/deno.json`, entry],
      cwd: root,
      env: { NO_COLOR: "1" },
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return importsOf(root, JSON.parse(new TextDecoder().decode(stdout)));
  } finally {
    await Deno.remove(entry);
  }
}

/** What this tool reads of `deno info --json`. */
interface Info {
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly specifier: string;
      readonly code?: Resolved;
      readonly type?: Resolved;
    }[];
  }[];
}
interface Resolved {
  readonly specifier?: string;
  readonly span: { readonly start: { readonly line: number } };
}

function importsOf(root: string, info: Info): Import[] {
  const found: Import[] = [];
  for (const module of info.modules) {
    const from = ours(root, module.specifier);
    // A file that is missing or does not parse is the type-checker's affair.
    if (from === undefined) continue;
    for (const { specifier, code, type } of module.dependencies ?? []) {
      // The type of a code import stands beside it with the same place, or with that of an import type.
      const resolved = code ?? type;
      if (!resolved) continue;
      found.push({
        from,
        specifier,
        to: ours(root, resolved.specifier ?? specifier),
        line: resolved.span.start.line + 1,
        typeOnly: code === undefined,
      });
    }
  }
  return found;
}

function ours(root: string, specifier: string): string | undefined {
  if (!specifier.startsWith("file:")) return undefined;
  const path = relativePath(root, fromFileUrl(specifier));
  return path === undefined || path.startsWith("node_modules/") ? undefined : path;
}

/** All breaches below a folder, by file and line, and the files that are getting long. */
export async function checkLayers(root: string): Promise<{ breaches: Breach[]; long: string[] }> {
  const breaches: Breach[] = [];
  const long: string[] = [];
  const files = await listFiles(root);
  const machinePaths = await pathsOfThisMachine(root);
  for (const file of files) {
    if (!/\.(?:ts|tsx|js|mjs|json|md|ya?ml|sh|html|css|sql)$|^\.ci\/|LICENSE/.test(file)) continue;
    const text = await Deno.readTextFile(`${root}/${file}`);
    breaches.push(...textBreaches(file, text, machinePaths));
    if (isLong(file, text)) long.push(`${file}: ${text.split("\n").length - 1} lines`);
  }
  const code = files.filter((file) => /\.tsx?$/.test(file) && !file.endsWith(".d.ts"));
  for (const found of await readImports(root, code)) {
    const why = importBreach(found);
    if (why) breaches.push({ file: found.from, line: found.line, why });
  }
  breaches.sort((a, b) => a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line);
  return { breaches, long };
}

/** Where this checkout lies, and the folders beside it if they are not such as every machine has. */
async function pathsOfThisMachine(root: string): Promise<string[]> {
  const above = root.slice(0, root.lastIndexOf("/"));
  const paths = [root];
  if (/^(?:|\/(?:home|root|tmp|usr|opt|var|srv|mnt|Users)(?:\/.*)?)$/.test(above)) return paths;
  for await (const { name, isDirectory } of Deno.readDir(above)) {
    if (isDirectory && `${above}/${name}` !== root) paths.push(`${above}/${name}`);
  }
  return paths;
}

if (import.meta.main) {
  const root = fromFileUrl(new URL("..", import.meta.url).href).replace(/\/$/, "");
  const { breaches, long } = await checkLayers(root);
  for (const { file, line, why } of breaches) console.error(`${file}:${line}: ${why}`);
  if (long.length > 0) {
    console.log(`over ${AIM_LINES} lines, ${MAX_LINES} at most: ${long.join(", ")}`);
  }
  if (breaches.length > 0) Deno.exit(1);
  console.log("layers ok");
}
