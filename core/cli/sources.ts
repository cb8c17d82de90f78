/** What stands behind `carrel import`: addresses, files, folders, patterns and standard input. */
import { basename, extname, isAbsolute, join, matchesGlob, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { CliError } from "./errors.ts";

export type Source =
  | { readonly kind: "url"; readonly name: string; readonly url: string }
  | {
    readonly kind: "file";
    readonly name: string;
    readonly path: string;
    readonly size: number;
    /** Found in a folder, not named: one that no plugin takes is passed over, and that is no failure. */
    readonly found: boolean;
  }
  | { readonly kind: "stdin"; readonly name: string };

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  ".md": "text/markdown",
  ".markdown": "text/markdown",
  ".txt": "text/plain",
  ".html": "text/html",
  ".htm": "text/html",
  ".xhtml": "application/xhtml+xml",
  ".pdf": "application/pdf",
};

/** What a file's name says of its type; undefined where it says nothing. The host looks for itself. */
export function mediaTypeOf(name: string): string | undefined {
  return MEDIA_TYPES[extname(name).toLowerCase()];
}

const HIDDEN = /^\./;
/** More than this in one go is a mistake, for example `carrel import /`. */
const MOST = 10_000;

/** All files below a folder, by name; hidden ones and symbolic links are left out. */
async function* filesBelow(folder: string): AsyncGenerator<string> {
  const entries = await Array.fromAsync(Deno.readDir(folder));
  entries.sort((a, b) => a.name < b.name ? -1 : 1);
  for (const entry of entries) {
    if (HIDDEN.test(entry.name) || entry.name === "node_modules") continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory) yield* filesBelow(path);
    else if (entry.isFile) yield path;
  }
}

/** The folder before the first part with a wildcard. */
function fixedPart(pattern: string): string {
  const parts = pattern.split("/");
  const wild = parts.findIndex((part) => /[*?[{]/.test(part));
  return parts.slice(0, wild).join("/") || (isAbsolute(pattern) ? "/" : ".");
}

async function statOrUndefined(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return undefined;
    }
    throw new CliError("file_unreadable", `Cannot read "${path}": ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** The sources that the words of a command line name. Throws for a file that is not there. */
export async function expandSources(
  words: readonly string[],
  options: { readonly cwd: string; readonly stdinName?: string | undefined },
): Promise<Source[]> {
  const sources: Source[] = [];
  const seen = new Set<string>();
  const shown = (path: string) => {
    const short = relative(options.cwd, path);
    return short.startsWith("..") ? path : short;
  };
  const addFile = (path: string, size: number, found: boolean) => {
    if (seen.has(path)) return;
    seen.add(path);
    sources.push({ kind: "file", name: shown(path), path, size, found });
    if (sources.length > MOST) {
      throw new CliError("too_many", `Cannot import more than ${MOST} files at once.`, {
        hint: "Name a smaller folder.",
      });
    }
  };
  const addFolder = async (folder: string, wanted: (path: string) => boolean) => {
    for await (const path of filesBelow(folder)) {
      if (wanted(path)) addFile(path, (await Deno.stat(path)).size, true);
    }
  };
  for (const word of words) {
    if (word === "-") {
      if (seen.has("-")) continue;
      seen.add("-");
      sources.push({ kind: "stdin", name: basename(options.stdinName ?? "stdin.txt") });
      continue;
    }
    if (/^[a-z][a-z0-9+.-]*:\/\//i.test(word) && !/^file:/i.test(word)) {
      if (!seen.has(word)) sources.push({ kind: "url", name: shortUrl(word), url: word });
      seen.add(word);
      continue;
    }
    const path = /^file:/i.test(word) ? fileURLToPath(word) : resolve(options.cwd, word);
    const info = await statOrUndefined(path);
    const before = sources.length;
    if (info?.isDirectory) await addFolder(path, () => true);
    else if (info) addFile(path, info.size, false);
    else if (/[*?[{]/.test(word)) {
      await addFolder(fixedPart(path), (file) => matchesGlob(file, path));
    } else if (/^[a-z][a-z0-9+.-]+:\S/i.test(word)) {
      // Short forms such as arxiv:1706.03762, which a plugin may know.
      sources.push({ kind: "url", name: word, url: word });
    } else {
      throw new CliError("file_not_found", `Cannot import "${word}": there is no such file.`, {
        hint: "An address begins with https://",
      });
    }
    if (sources.length === before && info?.isFile !== true) {
      throw new CliError("file_not_found", `Cannot import "${word}": there is no file in it.`, {
        hint: "Hidden files and symbolic links are left out.",
      });
    }
  }
  return sources;
}

/** An address without its scheme and its slash at the end, to name a bar. */
function shortUrl(url: string): string {
  return url.replace(/^https?:\/\/(www\.)?/i, "").replace(/\/$/, "");
}
