/** The plugins of a host: the built-in ones, the installed ones, and which of them takes what. */
import { join } from "node:path";
import type { PluginKind } from "../../sdk/types.ts";
import { CarrelError } from "../errors.ts";
import { type Config, resolveConfig } from "./config.ts";
import { declaredGrants, intersect } from "./grants.ts";
import { kindOf, type Manifest, MANIFEST_FILE, parseManifest } from "./manifest.ts";
import { bestPattern, mediaScore, type UrlPattern, urlPattern } from "./match.ts";
import { mediaTypeOfName, namedType } from "./media.ts";
import type { OperatorSettings } from "./operator_file.ts";
import type { Plugin } from "./plugins.ts";
import type { PluginRow } from "./store.ts";

/** A plugin and what the host keeps beside it. */
export interface Entry {
  readonly plugin: Plugin;
  /** The folder of a built-in plugin. */
  readonly folder: string | undefined;
  /** The row of an installed plugin. */
  readonly row: PluginRow | undefined;
  readonly priority: number | undefined;
  readonly patterns: readonly UrlPattern[];
  /** Those for which it is asked before, or among, the built-in ones. */
  readonly firstPatterns: readonly UrlPattern[];
}

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
}

/** One that could do a piece of work, and how well. */
interface Candidate {
  readonly entry: Entry;
  /** 0 before 1: built-in plugins and those that were let in among them. */
  readonly group: 0 | 1;
  /** Higher is better. */
  readonly score: number;
}

export function createRegistry(): Registry {
  const entries = new Map<string, Entry>();

  const enabled = (kind: PluginKind) =>
    [...entries.values()].filter(({ plugin }) => plugin.enabled && plugin.kind === kind);

  function find(id: string): Entry | undefined {
    return entries.get(id);
  }

  return {
    list: () => [...entries.values()],
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

/** A built-in plugin: trusted, with all that it declares. `row` says whether somebody switched it. */
export function builtinEntry(
  source: BuiltinSource,
  operator: OperatorSettings | undefined,
  row: PluginRow | undefined,
): Entry {
  const { manifest, folder } = source;
  const patterns = manifest.match.map(urlPattern);
  return {
    folder,
    row: undefined,
    priority: operator?.priority,
    patterns,
    firstPatterns: patterns,
    plugin: {
      ...common(manifest, { ...operator?.config, ...row?.config }),
      origin: "builtin",
      builtin: true,
      enabled: row?.enabled ?? operator?.enabled ?? true,
      trust: "trusted",
      digest: "",
      granted: declaredGrants(manifest),
    },
  };
}

export function installedEntry(row: PluginRow, operator: OperatorSettings | undefined): Entry {
  const { manifest } = row;
  const granted = intersect(declaredGrants(manifest), row.granted);
  return {
    folder: undefined,
    row,
    priority: operator?.priority,
    patterns: manifest.match.map(urlPattern),
    firstPatterns: granted.match.map(urlPattern),
    plugin: {
      ...common(manifest, { ...operator?.config, ...row.config }),
      origin: row.origin,
      builtin: false,
      enabled: row.enabled,
      trust: "sandboxed",
      digest: row.digest,
      granted,
    },
  };
}

function common(manifest: Manifest, config: Config) {
  return {
    id: manifest.id,
    kind: kindOf(manifest.id),
    version: manifest.version,
    manifest,
    config: resolveConfig(manifest, config),
    limits: manifest.permissions.limits,
  };
}
