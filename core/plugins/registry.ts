/** The plugins of a host: the built-in ones, the installed ones, and which of them takes what. */
import { join } from "node:path";
import type { PluginKind } from "../../sdk/types.ts";
import { CarrelError } from "../errors.ts";
import type { Entry } from "./entry.ts";
import { type Manifest, MANIFEST_FILE, parseManifest } from "./manifest.ts";
import { bestPattern, mediaScore } from "./match.ts";
import { mediaTypeOfName, namedType } from "./media.ts";
import type { Plugin } from "./plugins.ts";

export interface Registry {
  list(): readonly Entry[];
  /** Throws `CarrelError` `not_found`. */
  get(id: string): Entry;
  find(id: string): Entry | undefined;
  set(entry: Entry): void;
  delete(id: string): void;
  matchUrl(url: string): readonly Plugin[];
  matchMedia(mediaType: string, filename: string | undefined): readonly Plugin[];
  matchFormat(format: string): readonly Plugin[];
  matchCapability(name: string): readonly Plugin[];
}

/** One that could do a piece of work, and how well. */
interface Candidate {
  readonly entry: Entry;
  /** 0 before 1: built-in plugins and those that were let in among them. */
  readonly group: 0 | 1;
  /** Higher is better. */
  readonly score: number;
}

export interface RegistryOptions {
  /** Makes an entry anew when a grant of it is over. */
  readonly renew: (entry: Entry) => Entry;
  /** Milliseconds since 1970. @default Date.now */
  readonly now?: (() => number) | undefined;
}

export function createRegistry({ renew, now = Date.now }: RegistryOptions): Registry {
  const entries = new Map<string, Entry>();

  function current(entry: Entry): Entry {
    if (entry.expires === undefined || now() < entry.expires) return entry;
    const renewed = renew(entry);
    entries.set(entry.plugin.id, renewed);
    return renewed;
  }

  const list = () => [...entries.values()].map(current);

  const enabled = (kind: PluginKind) =>
    list().filter(({ plugin }) => plugin.enabled && plugin.kind === kind);

  function find(id: string): Entry | undefined {
    const entry = entries.get(id);
    return entry && current(entry);
  }

  return {
    list,
    find,
    get(id) {
      const entry = find(id);
      if (entry === undefined) {
        throw new CarrelError("not_found", `Cannot find the plugin "${id}": it is not installed.`);
      }
      return entry;
    },
    set: (entry) => void entries.set(entry.plugin.id, entry),
    delete: (id) => void entries.delete(id),

    matchUrl(url) {
      return ranked(
        enabled("import").flatMap((entry) => {
          const first = bestPattern(entry.firstPatterns, url);
          const best = first ?? bestPattern(entry.patterns, url);
          return best === undefined
            ? []
            : [{ entry, group: first === undefined ? 1 : 0, score: best.specificity }];
        }),
      );
    },

    matchMedia(mediaType, filename) {
      const type = namedType(mediaType) ?? mediaTypeOfName(filename);
      if (type === undefined) return [];
      return ranked(
        enabled("import").flatMap((entry) => {
          const score = mediaScore(entry.plugin.manifest.media_types, type);
          return score === 0 ? [] : [{ entry, group: entry.plugin.builtin ? 0 : 1, score }];
        }),
      );
    },

    matchFormat(format) {
      return ranked(
        enabled("export").filter(({ plugin }) => plugin.manifest.formats.includes(format))
          .map((entry) => ({ entry, group: entry.plugin.builtin ? 0 : 1, score: 1 })),
      );
    },

    matchCapability(name) {
      return ranked(
        list().filter(({ plugin }) => plugin.manifest.provides.includes(name))
          .map((entry) => ({ entry, group: entry.plugin.builtin ? 0 : 1, score: 1 })),
      );
    },
  };
}

/** Best first: by the operator's priority, then built-in, then the more specific. */
function ranked(candidates: readonly Candidate[]): readonly Plugin[] {
  const last = Number.MAX_SAFE_INTEGER;
  return candidates.toSorted((a, b) =>
    (a.entry.priority ?? last) - (b.entry.priority ?? last) ||
    a.group - b.group || b.score - a.score ||
    Number(b.entry.plugin.builtin) - Number(a.entry.plugin.builtin) ||
    (a.entry.plugin.id < b.entry.plugin.id ? -1 : 1)
  ).map(({ entry }) => entry.plugin);
}

/** What a built-in plugin is made an entry of. */
export interface BuiltinSource {
  readonly folder: string;
  readonly manifest: Manifest;
}

/** Reads the manifests of the built-in plugins. One that is wrong is reported and left out. */
export async function readBuiltins(
  builtinDir: string,
  options: {
    readonly hostVersion: string | undefined;
    readonly report: (error: unknown) => void;
  },
): Promise<readonly BuiltinSource[]> {
  const folders: string[] = [];
  try {
    for await (const entry of Deno.readDir(builtinDir)) {
      if (entry.isDirectory && !entry.name.startsWith(".")) folders.push(entry.name);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const read = await Promise.all(
    folders.sort().map(async (name) => {
      const folder = join(builtinDir, name);
      try {
        const yaml = await Deno.readTextFile(join(folder, MANIFEST_FILE));
        const file = `${name}/${MANIFEST_FILE}`;
        return [{
          folder,
          manifest: parseManifest(yaml, { file, hostVersion: options.hostVersion }),
        }];
      } catch (error) {
        // A folder without a manifest is no plugin.
        if (!(error instanceof Deno.errors.NotFound)) options.report(error);
        return [];
      }
    }),
  );
  return read.flat();
}
