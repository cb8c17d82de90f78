/** What stands behind `carrel import`: addresses, files, folders, patterns and standard input. */
import { basename, extname, isAbsolute, join, matchesGlob, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { CliError, usageError } from "./errors.ts";

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

/** What a word of a command line names, and cannot be had: the others go on without it. */
export interface BadSource {
  readonly kind: "bad";
  readonly name: string;
  readonly error: CliError;
}

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

/**
 * All files below a folder, by name; hidden ones and symbolic links are left out. A folder that may not be read
 * is told to `bad`.
 */
async function* filesBelow(
  folder: string,
  bad: (folder: string, error: CliError) => void,
): AsyncGenerator<string> {
  const entries = await Array.fromAsync(Deno.readDir(folder)).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) bad(folder, unreadable(folder, error));
    return [];
  });
  entries.sort((a, b) => a.name < b.name ? -1 : 1);
  for (const entry of entries) {
    if (HIDDEN.test(entry.name) || entry.name === "node_modules") continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory) yield* filesBelow(path, bad);
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
    throw unreadable(path, error);
  }
}

/** A file or folder that is there, and that the system does not let be read. */
export function unreadable(name: string, error: unknown): CliError {
  const why = error instanceof Deno.errors.NotFound
    ? "it is no longer there"
    : error instanceof Deno.errors.PermissionDenied
    ? "you may not read it"
    : (error as Error).message;
  return new CliError("file_unreadable", `Cannot read "${name}": ${why}.`, { cause: error });
}

/**
 * The sources that the words of a command line name; a file that is not there is a bad one. Throws a usage error
 * for an empty word, `too_many` for more than can be meant.
 */
export async function expandSources(
  words: readonly string[],
  options: { readonly cwd: string; readonly stdinName?: string | undefined },
): Promise<(Source | BadSource)[]> {
  const sources: (Source | BadSource)[] = [];
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
    const bad = (path: string, error: CliError) =>
      sources.push({ kind: "bad", name: shown(path), error });
    for await (const path of filesBelow(folder, bad)) {
      if (!wanted(path)) continue;
      const info = await statOrUndefined(path);
      if (info) addFile(path, info.size, true);
    }
  };
  const addWord = async (word: string) => {
    if (word === "-") {
      if (seen.has("-")) return;
      seen.add("-");
      sources.push({ kind: "stdin", name: basename(options.stdinName ?? "stdin.txt") });
      return;
    }
    if (/^[a-z][a-z0-9+.-]*:\/\//i.test(word) && !/^file:/i.test(word)) {
      if (!seen.has(word)) sources.push({ kind: "url", name: shortUrl(word), url: word });
      seen.add(word);
      return;
    }
    const path = /^file:/i.test(word) ? fileURLToPath(word) : resolve(options.cwd, word);
    const info = await statOrUndefined(path);
    const before = sources.length;
    if (info?.isDirectory) await addFolder(path, () => true);
    else if (info) addFile(path, info.size, false);
    else if (/[*?[{]/.test(word)) {
      await addFolder(fixedPart(path), (file) => matchesGlob(file, path));
    } else if (/^[a-z][a-z0-9+.-]+:\S/i.test(word) && !PORT.test(word)) {
      // Short forms such as arxiv:1706.03762, which a plugin may know.
      sources.push({ kind: "url", name: word, url: word });
    } else {
      throw notFound(
        word,
        "there is no such file",
        await addressHint(word) ??
          `It was looked for at ${path}. An address begins with https://`,
      );
    }
    if (sources.length === before && info?.isFile !== true) {
      throw notFound(
        word,
        "there is no file in it",
        await addressHint(word) ??
          "Hidden files and symbolic links are left out.",
      );
    }
  };
  if (words.includes("")) throw usageError("Cannot import an empty name: say what to import.");
  for (const word of words) {
    try {
      await addWord(word);
    } catch (error) {
      if (!(error instanceof CliError) || error.code === "too_many") throw error;
      sources.push({ kind: "bad", name: word, error });
    }
  }
  return sources;
}

/** A server with its port, which is no short form of the kind `arxiv:1706.03762`. */
const PORT = /^(localhost|[\w-]+(\.[\w-]+)+):\d{1,5}(\/|$)/i;

function notFound(word: string, why: string, hint: string): CliError {
  return new CliError("file_not_found", `Cannot import "${word}": ${why}.`, { hint });
}

/** A question for a name of no file that is that of a web server, perhaps with a path, as people write it. */
async function addressHint(word: string): Promise<string | undefined> {
  if (PORT.test(word)) return `Did you mean http://${word}?`;
  const [host = ""] = word.split(/[/?#]/);
  // Some endings of files are those of countries too.
  if (host === "" || (host === word && mediaTypeOf(word))) return undefined;
  const { parse } = await import("tldts");
  const { isIcann, domain } = parse(host);
  return isIcann && domain !== null ? `Did you mean https://${word}?` : undefined;
}

/** An address without its scheme and its slash at the end, to name a bar. */
function shortUrl(url: string): string {
  return url.replace(/^https?:\/\/(www\.)?/i, "").replace(/\/$/, "");
}
