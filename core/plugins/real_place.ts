/** Where a path leads, also one that is not there yet. */
import { basename, dirname, join, normalize, resolve } from "node:path";

/** Links that are followed one after another, as the kernel counts them. */
const MAX_LINKS = 40;

/**
 * The place that an absolute path leads to: without `//`, `.` and `..`, the links followed, also those above a file
 * that nobody has made yet. Throws `FilesystemLoop` when the links have no end.
 */
export function realPlace(path: string): Promise<string> {
  return follow(normalize(path), 0);
}

async function follow(path: string, links: number): Promise<string> {
  if (links > MAX_LINKS) throw new Deno.errors.FilesystemLoop(`too many links behind "${path}"`);
  const plain = path.length > 1 ? path.replace(/\/+$/, "") : path;
  try {
    return await Deno.realPath(plain);
  } catch {
    const folder = dirname(plain);
    if (folder === plain) return plain;
    // A link whose end is not there: what is made through it is made where it leads.
    const target = await Deno.readLink(plain).catch(() => undefined);
    if (target !== undefined) return await follow(resolve(folder, target), links + 1);
    return join(await follow(folder, links), basename(plain));
  }
}
