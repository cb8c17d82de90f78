/**
 * The files of a package, one after another: each path and each size is looked at before it is taken.
 * Used by the guests that unpack, and again by the host on what a guest hands back.
 */
import { PluginError } from "@carrel/sdk";
import { sizeText, type SourceLimits } from "./limits.ts";

/** A file of a plugin. */
export interface Entry {
  /** Relative, parts separated by `/`. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** The longest path and the longest part of one, in bytes of UTF-8. */
export const MAX_PATH_BYTES = 240;
const MAX_PART_BYTES = 120;
const MAX_DEPTH = 16;

export type EntryLimits = Pick<SourceLimits, "totalBytes" | "fileBytes" | "files">;

export interface EntryGate {
  /** Takes a path; gives it back without `./` in front. Throws `PluginError` `damaged` or `too_large`. */
  file(path: string): string;
  folder(path: string): void;
  /** Counts bytes of a file that was taken, as they come. Throws `too_large`. */
  count(path: string, bytes: number, ofFile: number): void;
}

/** `what` is what the files are of, for messages: a URL or a path. */
export function createEntryGate(what: string, limits: EntryLimits): EntryGate {
  /** By folded path: how it was written, and whether it is a folder. */
  const seen = new Map<string, { readonly path: string; readonly folder: boolean }>();
  let total = 0;
  let entries = 0;

  const refuse = (path: string, why: string) =>
    new PluginError("damaged", `Cannot unpack "${what}": the file "${shown(path)}" ${why}.`, {
      data: { file: shown(path) },
    });
  const tooLarge = (why: string, file?: string) =>
    new PluginError("too_large", `Cannot unpack "${what}": ${why}.`, {
      ...(file === undefined ? {} : { data: { file: shown(file) } }),
    });

  function add(given: string, folder: boolean): string {
    if (++entries > limits.files) {
      throw tooLarge(`it holds more than ${limits.files} files and folders`);
    }
    const path = given.replace(/^(\.\/)+/, "").replace(folder ? /\/+$/ : /$^/, "");
    if (folder && (path === "" || path === ".")) return "";
    const wrong = pathProblem(path);
    if (wrong !== undefined) throw refuse(given, wrong);
    const parts = path.split("/");
    for (let i = 1; i < parts.length; i++) claim(parts.slice(0, i).join("/"), true, given);
    claim(path, folder, given);
    return path;
  }

  /** Two names that some file system takes for one would overwrite each other. */
  function claim(path: string, folder: boolean, given: string): void {
    const folded = fold(path);
    const other = seen.get(folded);
    if (other === undefined) {
      seen.set(folded, { path, folder });
    } else if (other.path !== path) {
      throw refuse(given, `differs from "${shown(other.path)}" in upper and lower case only`);
    } else if (!folder || !other.folder) {
      throw refuse(given, folder === other.folder ? "is there twice" : "is a folder as well");
    }
  }

  return {
    file: (path) => add(path, false),
    folder: (path) => void add(path, true),
    count(path, bytes, ofFile) {
      total += bytes;
      if (ofFile > limits.fileBytes) {
        throw tooLarge(
          `the file "${shown(path)}" is larger than ${sizeText(limits.fileBytes)}`,
          path,
        );
      }
      if (total > limits.totalBytes) {
        throw tooLarge(`its files come to more than ${sizeText(limits.totalBytes)}`);
      }
    },
  };
}

/** What is wrong with a path, as the rest of a sentence; undefined for a good one. */
export function pathProblem(path: string): string | undefined {
  if (path === "") return "has no name";
  const encoder = new TextEncoder();
  if (encoder.encode(path).length > MAX_PATH_BYTES) {
    return `has a path longer than ${MAX_PATH_BYTES} bytes`;
  }
  if (!path.isWellFormed() || path.includes("\uFFFD")) return "has a name that is not UTF-8";
  // deno-lint-ignore no-control-regex
  if (/[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/.test(path)) {
    return "has control characters in its name";
  }
  if (/^[/\\]|^[a-z]:/i.test(path)) return "has an absolute path";
  if (path.includes("\\")) return "has a backslash in its name";
  const parts = path.split("/");
  if (parts.includes("..")) return "leads out of the folder";
  if (parts.some((part) => part === "" || part === ".")) return "has a path that is not plain";
  if (parts.length > MAX_DEPTH) return `lies more than ${MAX_DEPTH} folders deep`;
  if (parts.some((part) => encoder.encode(part).length > MAX_PART_BYTES)) {
    return `has a name longer than ${MAX_PART_BYTES} bytes`;
  }
  return undefined;
}

/** As a file system that knows neither case nor composition sees it. */
function fold(path: string): string {
  return path.normalize("NFKC").toUpperCase().toLowerCase().normalize("NFKC");
}

function shown(path: string): string {
  // deno-lint-ignore no-control-regex
  const plain = path.replace(/[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, "\uFFFD");
  return plain.length > 120 ? `${plain.slice(0, 120)}…` : plain;
}

/**
 * Packages are wrapped in a folder often (`package/` of npm, `name-1.2.0/` of a forge): takes it off when
 * the wanted file lies in it and nothing beside it.
 */
export function withoutWrapper(entries: readonly Entry[], wanted: string): readonly Entry[] {
  if (entries.some(({ path }) => path === wanted)) return entries;
  const wrapper = entries[0]?.path.split("/", 1)[0];
  const wrapped = wrapper !== undefined &&
    entries.every(({ path }) => path.startsWith(`${wrapper}/`));
  if (!wrapped) return entries;
  return entries.map(({ path, bytes }) => ({ path: path.slice(wrapper.length + 1), bytes }));
}
