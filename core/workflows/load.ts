/** The pipeline files of a folder. A broken file says so and harms no other. */
import { join } from "node:path";
import { type DefinitionProblem, WORKFLOW_LIMITS } from "./definition.ts";
import { parseDefinition } from "./parse.ts";
import type { Workflow } from "./workflows.ts";

interface Kept {
  /** Changes when the file does. */
  readonly mark: string;
  readonly workflow: Workflow;
}

const MAX_FILES = 1_000;

export interface WorkflowFiles {
  /**
   * The workflows of the `.yaml` files, by name; none for a folder that is not there. Files that have not changed
   * since the last time are not read again.
   */
  load(): Promise<Workflow[]>;
}

export function createWorkflowFiles(dir: string): WorkflowFiles {
  let before: ReadonlyMap<string, Kept> = new Map();
  return {
    async load() {
      const now = new Map<string, Kept>();
      for (const file of await filesOf(dir)) {
        const kept = await load(dir, file, before.get(file));
        if (kept !== undefined) now.set(file, kept);
      }
      before = now;
      return named(now.values());
    },
  };
}

/** One workflow a name: of two files that have it, the second one is wrong. */
function named(all: Iterable<Kept>): Workflow[] {
  const first = new Map<string, string>();
  return [...all].map(({ workflow }) => {
    const { name, file } = workflow;
    const other = first.get(name);
    if (other === undefined) {
      first.set(name, file);
      return workflow;
    }
    return broken(name, file, `"${other}" has this name already`);
  });
}

async function filesOf(dir: string): Promise<string[]> {
  const files: string[] = [];
  try {
    for await (const { name, isDirectory } of Deno.readDir(dir)) {
      if (!isDirectory && /\.ya?ml$/.test(name) && !name.startsWith(".")) files.push(name);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return files.sort().slice(0, MAX_FILES);
}

async function load(
  dir: string,
  file: string,
  before: Kept | undefined,
): Promise<Kept | undefined> {
  const path = join(dir, file);
  const name = file.replace(/\.ya?ml$/, "");
  try {
    const { mtime, ctime, size, ino, isFile } = await Deno.stat(path);
    const mark = [mtime?.getTime(), ctime?.getTime(), size, ino].join(":");
    if (before?.mark === mark) return before;
    if (!isFile || size > WORKFLOW_LIMITS.file_bytes) {
      const why = isFile
        ? `the file is larger than ${WORKFLOW_LIMITS.file_bytes} bytes`
        : "no file";
      return { mark, workflow: broken(name, file, why) };
    }
    return { mark, workflow: await workflowOf(await Deno.readTextFile(path), { file, name }) };
  } catch (error) {
    // Removed just now.
    if (error instanceof Deno.errors.NotFound) return undefined;
    return { mark: "", workflow: broken(name, file, (error as Error).message) };
  }
}

function broken(name: string, file: string, message: string): Workflow {
  const problems = [{ line: 1, column: 1, message }];
  return { name, file, digest: "", definition: undefined, problems };
}

/** The workflow that a text describes. `name`: what it must be called. */
export async function workflowOf(
  yaml: string,
  { file = "pipeline.yaml", name }: { file?: string; name?: string } = {},
): Promise<Workflow> {
  const { definition, problems } = parseDefinition(yaml, file);
  const wrong: DefinitionProblem[] = [...problems];
  if (definition !== undefined && name !== undefined && definition.name !== name) {
    const line = 1 + yaml.split("\n").findIndex((text) => /^["']?name["']?\s*:/.test(text));
    wrong.push({
      line: Math.max(1, line),
      column: 1,
      message: `name: expected "${name}", as the file is called, not "${definition.name}"`,
    });
  }
  const bytes = new Uint8Array(
    await crypto.subtle.digest("SHA-256", new TextEncoder().encode(yaml)),
  );
  return {
    name: name ?? definition?.name ?? "",
    file,
    digest: bytes.toHex(),
    definition: wrong.length > 0 ? undefined : definition,
    problems: wrong,
  };
}
