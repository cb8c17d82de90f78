import { fileURLToPath } from "node:url";

const SKIPPED = new Set(["node_modules", ".git", "coverage", "dist"]);

/** Paths of all files below a folder, from it, with `/`, sorted. Links are not followed. */
export async function listFiles(root: string): Promise<string[]> {
  const found: string[] = [];
  const walk = async (folder: string) => {
    for await (const entry of Deno.readDir(`${root}/${folder}`)) {
      const path = folder ? `${folder}/${entry.name}` : entry.name;
      if (entry.isDirectory && !SKIPPED.has(entry.name)) await walk(path);
      else if (entry.isFile) found.push(path);
    }
  };
  await walk("");
  return found.sort();
}

export function fromFileUrl(url: string): string {
  return fileURLToPath(url);
}

/** `path` from `root`, or `undefined` if it lies elsewhere. */
export function relativePath(root: string, path: string): string | undefined {
  return path.startsWith(`${root}/`) ? path.slice(root.length + 1) : undefined;
}
