/**
 * Line coverage of `core` and `sandbox`, from the folder that `deno test --coverage=<folder>` filled:
 * `deno run -P=tool tools/coverage.ts <folder>`. Exits 1 when it is below the floor.
 */
import { fromFileUrl, listFiles, relativePath } from "./files.ts";

const PARTS = ["core", "sandbox"] as const;
const FLOOR = 90;

interface Lines {
  covered: number;
  total: number;
}

/** Lines by file, from an lcov report (`SF:`, `DA:<line>,<count>`). Paths are as in the report. */
export function readLcov(report: string): Map<string, Lines> {
  const files = new Map<string, Lines>();
  let current: Lines | undefined;
  for (const line of report.split("\n")) {
    if (line.startsWith("SF:")) {
      const path = line.slice(3).trim();
      current = files.get(path) ?? { covered: 0, total: 0 };
      files.set(path, current);
    } else if (line.startsWith("DA:") && current) {
      current.total++;
      if (Number(line.split(",")[1]) > 0) current.covered++;
    }
  }
  return files;
}

/** Sums by part of the project; test code counts for none. `root` is where the report's paths start. */
export function coverageByPart(
  files: ReadonlyMap<string, Lines>,
  root: string,
): Map<string, Lines> {
  const parts = new Map<string, Lines>(PARTS.map((part) => [part, { covered: 0, total: 0 }]));
  for (const [path, lines] of files) {
    const file = relativePath(root, path) ?? path;
    const part = parts.get(file.split("/")[0]!);
    if (!part || isTestCode(file)) continue;
    part.covered += lines.covered;
    part.total += lines.total;
  }
  return parts;
}

export function percent({ covered, total }: Lines): number {
  return total === 0 ? 0 : covered / total * 100;
}

/**
 * Programs of child processes: they start working when they are loaded, so no test can load them, and
 * what they run in a child is not measured. Whatever else is not loaded counts as not covered.
 */
const CHILD_PROGRAM = /_main\.ts$|^sandbox\/guest\.ts$/;

/** Code that no test process loaded: the report says nothing of it. */
async function neverLoaded(
  root: string,
  files: ReadonlyMap<string, Lines>,
): Promise<{ programs: string[]; forgotten: Map<string, Lines> }> {
  const programs: string[] = [];
  const forgotten = new Map<string, Lines>();
  for (const file of await listFiles(root)) {
    const counts = PARTS.some((part) => file.startsWith(`${part}/`)) && file.endsWith(".ts") &&
      !isTestCode(file) && !files.has(`${root}/${file}`);
    if (!counts) continue;
    const total = codeLines(await Deno.readTextFile(`${root}/${file}`));
    if (total === 0) continue;
    if (CHILD_PROGRAM.test(file)) programs.push(file);
    else forgotten.set(`${root}/${file}`, { covered: 0, total });
  }
  return { programs, forgotten };
}

/** Lines that could be covered, roughly; 0 for a file of types, which has nothing to run. */
export function codeLines(text: string): number {
  const runs = /^(?:export )?(?:default )?(?:async )?(?:function|class|const|let) |^[a-z]\w*[.(]/m;
  if (!runs.test(text)) return 0;
  const bare = text.replace(/\/\*[\s\S]*?\*\//g, "");
  return bare.split("\n").filter((line) => line.trim() !== "" && !/^\s*(?:\/\/|import )/.test(line))
    .length;
}

function isTestCode(file: string): boolean {
  return /_test\.ts$|\/testing(?:\/|\.ts$)|\/fixtures\//.test(file);
}

function pathToUrl(path: string): string {
  return `file://${path}`.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

if (import.meta.main) {
  const [folder] = Deno.args;
  if (!folder) throw new Error("Cannot read coverage: name the folder that deno test wrote.");
  const root = fromFileUrl(new URL("..", import.meta.url).href).replace(/\/$/, "");
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["coverage", "--lcov", `--include=^${pathToUrl(root)}/(?:${PARTS.join("|")})/`, folder],
    cwd: root,
    env: { NO_COLOR: "1" },
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const files = readLcov(new TextDecoder().decode(stdout));
  const { programs, forgotten } = await neverLoaded(root, files);
  for (const [path, lines] of forgotten) files.set(path, lines);
  const parts = coverageByPart(files, root);
  const whole: Lines = { covered: 0, total: 0 };
  for (const lines of parts.values()) {
    whole.covered += lines.covered;
    whole.total += lines.total;
  }
  for (const [name, lines] of [...parts, ["together", whole] as const]) {
    const share = `${percent(lines).toFixed(1)} %`.padStart(8);
    console.log(
      `line coverage  ${name.padEnd(9)}${share}  ${lines.covered} of ${lines.total} lines`,
    );
  }
  if (programs.length > 0) {
    console.log(`not measured, since they run in processes of their own: ${programs.join(", ")}`);
  }
  if (percent(whole) < FLOOR) {
    const poorest = [...files].map(([path, lines]) => ({
      file: relativePath(root, path) ?? path,
      lines,
    }))
      .filter(({ file }) => PARTS.some((part) => file.startsWith(`${part}/`)))
      .sort((a, b) => (b.lines.total - b.lines.covered) - (a.lines.total - a.lines.covered));
    for (const { file, lines } of poorest.slice(0, 15)) {
      console.error(`${lines.total - lines.covered} lines not covered: ${file}`);
    }
    console.error(`line coverage is below ${FLOOR} %`);
    Deno.exit(1);
  }
}
