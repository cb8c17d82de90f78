/**
 * What can be installed: a registry is a YAML file, `config/registry.yaml` or one behind a URL, that lists
 * plugins with their versions and where each is. A list behind a URL is kept in a file and asked for again
 * when it is old; when the network is away, the old one is shown, and said to be old.
 */
import { dirname } from "node:path";
import { z } from "zod";
import { CarrelError } from "../errors.ts";
import type { Network } from "../network/private.ts";
import {
  type AvailablePlugin,
  type AvailableVersion,
  isUrl,
  MAX_REGISTRY_BYTES,
  parseRegistry,
} from "./available_parse.ts";
import { writeAtomically } from "./bundle_cache.ts";
import { DEFAULT_SOURCE_LIMITS } from "./sources/fetcher/limits.ts";
import { type Fetcher, originOf } from "./sources/source.ts";

export { type AvailablePlugin, type AvailableVersion, parseRegistry } from "./available_parse.ts";

const HOUR_MS = 3_600_000;

export interface AvailableList {
  /** By id. */
  readonly plugins: readonly AvailablePlugin[];
  /** The registry's path or URL. */
  readonly registry: string;
  /** When it was read or fetched, ISO 8601. */
  readonly fetched: string;
  /** Whether it is older than it should be, because it could not be fetched anew. */
  readonly stale: boolean;
  /** Why not. */
  readonly problem?: string | undefined;
}

export interface AvailableOptions {
  /** An absolute path or a URL. A file that is not there lists nothing. */
  readonly registry: string;
  /** Where a list behind a URL is kept. Absolute. */
  readonly cacheFile: string;
  readonly hostVersion: string;
  readonly fetcher: Fetcher;
  readonly network: Network;
  /** How old a list may grow, milliseconds. @default 3600000 (one hour) */
  readonly maxAgeMs?: number | undefined;
  /** @default the clock */
  readonly now?: (() => number) | undefined;
}

export interface Available {
  /**
   * The list; fetched anew when it is old or `refresh` is set. Throws `invalid_config` for a registry that
   * cannot be read, and what fetching throws when there is no older list to show.
   */
  list(options?: { refresh?: boolean }): Promise<AvailableList>;
}

const cacheSchema = z.object({ registry: z.string(), fetched: z.string(), text: z.string() });
type Cached = z.output<typeof cacheSchema>;

export function createAvailable(options: AvailableOptions): Available {
  const { registry, hostVersion, cacheFile } = options;
  const now = options.now ?? Date.now;
  let running: Promise<Cached> | undefined;

  const shown = ({ text, fetched }: Omit<Cached, "registry">): AvailableList => ({
    plugins: parseRegistry(text, { registry, hostVersion }),
    registry,
    fetched,
    stale: false,
  });

  async function cached(): Promise<Cached | undefined> {
    try {
      const found = cacheSchema.parse(JSON.parse(await Deno.readTextFile(cacheFile)));
      return found.registry === registry ? found : undefined;
    } catch {
      return undefined;
    }
  }

  async function fetched(): Promise<Cached> {
    const limits = { ...DEFAULT_SOURCE_LIMITS, downloadBytes: MAX_REGISTRY_BYTES, timeMs: 30_000 };
    await using session = options.fetcher.open({ network: options.network, limits });
    const { bytes } = await session.get(registry, { accept: "application/yaml, text/*;q=0.8" });
    const found = {
      registry,
      fetched: new Date(now()).toISOString(),
      text: new TextDecoder().decode(bytes),
    };
    // Only what can be read takes the place of what could be.
    parseRegistry(found.text, { registry, hostVersion });
    await Deno.mkdir(dirname(cacheFile), { recursive: true, mode: 0o700 });
    await writeAtomically(cacheFile, new TextEncoder().encode(JSON.stringify(found)));
    return found;
  }

  return {
    async list({ refresh = false } = {}) {
      if (!isUrl(registry)) {
        const text = await Deno.readTextFile(registry).catch((error) => {
          if (error instanceof Deno.errors.NotFound) return "";
          throw error;
        });
        return shown({ text: text || "plugins: []", fetched: new Date(now()).toISOString() });
      }
      const before = await cached();
      const age = before === undefined ? Infinity : now() - Date.parse(before.fetched);
      if (before !== undefined && !refresh && age < (options.maxAgeMs ?? HOUR_MS)) {
        return shown(before);
      }
      try {
        // One for all who ask meanwhile.
        running ??= fetched().finally(() => running = undefined);
        return shown(await running);
      } catch (error) {
        if (before === undefined) throw error;
        const problem = error instanceof Error ? error.message : String(error);
        return { ...shown(before), stale: true, problem };
      }
    },
  };
}

/** Whether a registry lists a plugin of this id as coming from this origin. */
export async function isListed(
  plugins: readonly AvailablePlugin[],
  { id, origin }: { readonly id: string; readonly origin: string },
): Promise<boolean> {
  const versions = plugins.find((plugin) => plugin.id === id)?.versions ?? [];
  for (const { reference } of versions) {
    if (await originOf(reference) === origin) return true;
  }
  return false;
}

/**
 * Whether a fetched plugin is the one that the registry speaks of. Throws `damaged`. `digest` is its
 * `lockDigest`.
 */
export function checkAgainstRegistry(
  plugin: Pick<AvailablePlugin, "id">,
  version: Pick<AvailableVersion, "version" | "sha256">,
  found: { readonly id: string; readonly version: string; readonly digest: string },
): void {
  const fail = (why: string) =>
    new CarrelError(
      "damaged",
      `Cannot install "${plugin.id}" ${version.version}: ${why}; the registry speaks of another plugin.`,
    );
  if (found.id !== plugin.id || found.version !== version.version) {
    throw fail(`what was fetched is ${found.id} ${found.version}`);
  }
  if (version.sha256 !== undefined && version.sha256 !== found.digest) {
    throw fail(`its contents have the digest ${found.digest}`);
  }
}
