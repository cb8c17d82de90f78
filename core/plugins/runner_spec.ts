/** What a runner is started with: code, grants resolved for one job, settings, limits. */
import { basename, dirname, join, normalize } from "node:path";
import { covers } from "../../sandbox/covers.ts";
import type { RunnerSpec } from "../../sandbox/types.ts";
import { denoPath, PROGRAM_DIR } from "../assets.ts";
import { CarrelError } from "../errors.ts";
import type { Network } from "../network/private.ts";
import type { Secrets } from "../secrets.ts";
import { checkConfig, splitSecrets } from "./config.ts";
import { effective } from "./decisions.ts";
import type { Entry } from "./entry.ts";
import { resolveGrants } from "./grants.ts";
import { findPlaces, type Places } from "./places.ts";
import { realPlace } from "./real_place.ts";
import type { GrantRow } from "./store.ts";

export interface SpecOptions {
  readonly entry: Entry;
  readonly bundle: { readonly digest: string; readonly path: string };
  /** The URL that the job starts from, if it does from one. */
  readonly source?: string | undefined;
  readonly job?: string | undefined;
  /** Whether grants for one start count. */
  readonly start: boolean;
  /** The plugin's own directory, `${data}`. Absolute, real. */
  readonly ownData: string;
  readonly nowMs: number;
}

export interface SpecContext {
  readonly network: Network;
  readonly secrets: Secrets;
  /** The host's data folder. */
  readonly dataDir: string;
  /** Files and folders outside of it that no plugin may read or change: see `PluginsOptions`. @default none */
  readonly closed?: readonly string[] | undefined;
}

export interface Spec {
  readonly spec: RunnerSpec;
  /** Grants that count for this start or this job only. */
  readonly used: readonly GrantRow[];
  /** Keys that were granted for another place than their setting leads to now. */
  readonly moved: readonly string[];
  readonly places: Places;
}

/** Throws `private_address`, `invalid_config`, `denied`. */
export async function makeSpec(options: SpecOptions, context: SpecContext): Promise<Spec> {
  const { entry, bundle, source, ownData } = options;
  const { plugin } = entry;
  const { network, secrets } = context;
  checkConfig(plugin.manifest, plugin.config);
  const isWeb = source !== undefined && /^https?:/i.test(source);
  const [checked, places, dataDir] = await Promise.all([
    isWeb ? network.checkSource(source) : undefined,
    findPlaces(plugin.manifest, plugin.config, network),
    Deno.realPath(context.dataDir),
  ]);
  const { granted, pinned, used, moved } = effective(plugin.manifest, entry.grants, {
    nowMs: options.nowMs,
    places,
    job: options.job,
    start: options.start,
    builtin: plugin.builtin,
    trusted: plugin.trust === "trusted",
  });
  // Paths are looked at anew for each start: where they lead may have changed since they were granted.
  const [read, write, programs, shut, shutToWriting] = await Promise.all([
    withRealPaths(granted.read),
    withRealPaths(granted.write),
    Promise.all(granted.run.map((path) => findProgram(plugin.id, path))),
    allPlaces([dataDir, ...context.closed ?? []]),
    allPlaces([PROGRAM_DIR, dirname(denoPath())]),
  ]);
  const { plain, secrets: references } = splitSecrets(plugin.manifest, plugin.config);
  const grants = resolveGrants({ ...granted, read, write }, {
    dataDir: ownData,
    config: plugin.config,
    source: checked,
    privateGrant: network.privateGrant,
    pinned: (field) => pinned[`net:\${config.${field}}`],
    protectedRead: shut,
    protectedWrite: [...shut, ...shutToWriting],
  });
  checkPrograms([...granted.run, ...programs], [dataDir, ...grants.write]);
  const hasOwnData = [...grants.read, ...grants.write].some((path) => path.startsWith(ownData));
  if (hasOwnData) {
    await Deno.mkdir(ownData, { recursive: true, mode: 0o700 });
  }
  const spec: RunnerSpec = {
    plugin: plugin.id,
    version: plugin.version,
    digest: bundle.digest,
    bundle: bundle.path,
    grants,
    config: plain,
    dataDir: hasOwnData ? ownData : undefined,
    trust: plugin.trust,
    limits: plugin.limits,
    secrets: secrets.source(plugin.id, references),
  };
  return { spec, used, moved, places };
}

/** What a plugin may change, or another one has put down, is no program that an operator has looked at. */
function checkPrograms(programs: readonly string[], folders: readonly string[]): void {
  for (const program of programs) {
    const folder = folders.find((folder) => covers(folder, program));
    if (folder === undefined) continue;
    throw new CarrelError(
      "denied",
      `Cannot grant "run:${program}": it lies in ${folder}, where plugins can change it.`,
    );
  }
}

/** The plugin's own directory. */
export async function ownDataOf(dataDir: string, id: string): Promise<string> {
  return join(await Deno.realPath(dataDir), "plugins", id, "data");
}

/** Throws unless the plugin may be started; `details` say which one is off, for the jobs that need it. */
export function checkStartable({ plugin }: Entry): void {
  const details = { plugin: plugin.id, state: plugin.state };
  if (plugin.state === "quarantined") {
    throw new CarrelError(
      "quarantined",
      `Cannot start the plugin "${plugin.id}": it was set aside. ${
        plugin.error ?? ""
      } Enable it to try again.`,
      { details },
    );
  }
  if (!plugin.enabled) {
    throw new CarrelError("conflict", `Cannot start the plugin "${plugin.id}": it is disabled.`, {
      details,
    });
  }
}

/**
 * The granted paths and, where one is or lies behind a symbolic link, also where it leads: the grant is
 * about that place, and what is refused there must not be had through a link. That of a file which is not there yet
 * is where it would be made.
 */
async function withRealPaths(paths: readonly string[]): Promise<readonly string[]> {
  const own = paths.filter((path) => !path.startsWith("/"));
  return [...own, ...await allPlaces(paths.filter((path) => path.startsWith("/")))];
}

/** As they are called, and where they lead. */
async function allPlaces(paths: readonly string[]): Promise<readonly string[]> {
  const places = await Promise.all(paths.map(async (path) => {
    const plain = normalize(path);
    try {
      // A link in what lies above it is one that a grant of that folder could change.
      return [
        plain,
        join(await realPlace(dirname(plain)), basename(plain)),
        await realPlace(plain),
      ];
    } catch {
      throw new CarrelError("denied", `Cannot grant "${path}": nobody can say where it leads.`);
    }
  }));
  return [...new Set(places.flat())];
}

/**
 * Where a granted program lies. Throws `denied` when there is none: a runner does not start with such a grant, and
 * would not say why.
 */
async function findProgram(plugin: string, path: string): Promise<string> {
  const real = await realPlace(path).catch(() => path);
  const found = await Deno.stat(real).catch(() => undefined);
  const why = found === undefined
    ? "there is no such program on this machine"
    : !found.isFile || found.mode !== null && (found.mode & 0o111) === 0
    ? "it is no program"
    : undefined;
  if (why === undefined) return real;
  throw new CarrelError(
    "denied",
    `Cannot start the plugin "${plugin}": it may run ${path}, and ${why}. Install it, or take the permission "run:${path}" back.`,
  );
}
