/**
 * Installing a plugin from a folder: read, bundle, ask, keep. Nothing of the plugin runs here, and the folder
 * is not needed once it is installed.
 */
import { dirname, isAbsolute, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { CarrelError } from "../errors.ts";
import { newId } from "../ids.ts";
import type { Bundle, Bundler } from "./bundle.ts";
import { isWhole, sha256, writeAtomically } from "./bundle_cache.ts";
import { resolveConfig } from "./config.ts";
import { dangerousCombinations, grantsOfKeys, permissionRequests } from "./consent.ts";
import { declaredGrants, intersect, NOTHING_DECLARED } from "./grants.ts";
import { kindOf, type Manifest, MANIFEST_FILE, parseManifest } from "./manifest.ts";
import type { Consent } from "./plugins.ts";
import type { PluginRow } from "./store.ts";

/** Consents that wait at the same time; the oldest is dropped for one more. */
const MAX_CONSENTS = 32;
const MAX_MANIFEST_BYTES = 64 * 1024;

export interface InstallerOptions {
  readonly bundler: Bundler;
  /** One folder for each installed plugin. */
  readonly pluginsDir: string;
  readonly hostVersion: string | undefined;
  readonly isBuiltin: (id: string) => boolean;
  /** The row of an installed plugin. */
  readonly installed: (id: string) => PluginRow | undefined;
}

export interface Installer {
  /** Reads and bundles a folder. Throws `invalid_manifest`, `conflict` for the id of a built-in plugin. */
  prepare(folder: string): Promise<Consent>;
  consents(): readonly Consent[];
  /** Writes the plugin's files; the row that makes it installed. Throws `not_found`, `bad_request`. */
  accept(consent: string, keys: readonly string[]): Promise<PluginRow>;
  /** Throws `not_found`. */
  refuse(consent: string): Promise<void>;
  /** Removes all files of an installed plugin, its data included. */
  removeFiles(id: string): Promise<void>;
}

interface Pending {
  readonly consent: Consent;
  readonly manifest: Manifest;
  readonly yaml: string;
  readonly bundle: Bundle;
}

/** Where the bundle of an installed version is. */
export function installedBundle(pluginsDir: string, row: PluginRow): string {
  return join(pluginsDir, row.id, row.version, `${row.digest}.js`);
}

export function createInstaller(options: InstallerOptions): Installer {
  const pending = new Map<string, Pending>();

  async function prepare(given: string): Promise<Consent> {
    const folder = await realFolder(given);
    const yaml = await readManifestFile(folder);
    const manifest = parseManifest(yaml, { hostVersion: options.hostVersion });
    if (options.isBuiltin(manifest.id)) {
      throw new CarrelError(
        "conflict",
        `Cannot install "${manifest.id}": a built-in plugin has this id; choose another one.`,
      );
    }
    const bundle = await options.bundler.bundle(folder, { entry: manifest.entry, packages: false });
    for (const [id, other] of pending) {
      if (other.consent.plugin === manifest.id) await drop(id, bundle.digest);
    }
    const oldest = [...pending.keys()][0];
    if (pending.size >= MAX_CONSENTS && oldest !== undefined) await drop(oldest);
    const consent = ask(manifest, pathToFileURL(folder).href, bundle.digest);
    pending.set(consent.id, { consent, manifest, yaml, bundle });
    return consent;
  }

  function ask(manifest: Manifest, origin: string, digest: string): Consent {
    const before = options.installed(manifest.id);
    const inherits = before?.origin === origin;
    const granted = inherits ? before.granted : NOTHING_DECLARED;
    const strange = before !== undefined && !inherits
      ? [
        `Another plugin with this id is installed, from ${before.origin}: this one replaces it, and inherits neither its permissions nor its settings nor its data.`,
      ]
      : [];
    return {
      id: newId("consent"),
      plugin: manifest.id,
      name: manifest.name,
      version: manifest.version,
      description: manifest.description,
      origin,
      digest,
      permissions: permissionRequests(manifest, granted, { builtin: false }),
      warnings: [...strange, ...dangerousCombinations(declaredGrants(manifest))],
    };
  }

  async function accept(id: string, keys: readonly string[]): Promise<PluginRow> {
    const { consent, manifest, yaml, bundle } = find(id);
    const granted = intersect(declaredGrants(manifest), grantsOfKeys(manifest, keys));
    const bytes = await Deno.readFile(bundle.path).catch(() => new Uint8Array());
    if (await sha256(bytes) !== bundle.digest) {
      await drop(id);
      throw new CarrelError(
        "conflict",
        `Cannot install "${manifest.id}": its bundle is gone; install it again.`,
      );
    }
    const before = options.installed(manifest.id);
    const inherits = before?.origin === consent.origin;
    if (!inherits) await removeFiles(manifest.id);
    const row: PluginRow = {
      id: manifest.id,
      kind: kindOf(manifest.id),
      origin: consent.origin,
      version: manifest.version,
      digest: bundle.digest,
      enabled: true,
      builtin: false,
      manifest,
      granted,
      config: inherits ? stillValid(manifest, before.config) : {},
      installed: new Date().toISOString(),
    };
    const path = installedBundle(options.pluginsDir, row);
    await Deno.mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeAtomically(join(dirname(path), MANIFEST_FILE), new TextEncoder().encode(yaml));
    await writeAtomically(path, bytes);
    await drop(id);
    return row;
  }

  function find(id: string): Pending {
    const found = pending.get(id);
    if (found === undefined) {
      throw new CarrelError("not_found", `Cannot decide "${id}": no such consent waits.`);
    }
    return found;
  }

  /** Forgets a consent and its bundle, unless the bundle is wanted for another. */
  async function drop(id: string, keep?: string): Promise<void> {
    const dropped = pending.get(id);
    pending.delete(id);
    if (dropped === undefined || dropped.bundle.digest === keep) return;
    const shared = [...pending.values()].some(({ bundle }) =>
      bundle.digest === dropped.bundle.digest
    );
    if (!shared) await Deno.remove(dropped.bundle.path).catch(() => {});
  }

  async function removeFiles(id: string): Promise<void> {
    await Deno.remove(join(options.pluginsDir, id), { recursive: true }).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  }

  return {
    prepare,
    accept,
    removeFiles,
    consents: () => [...pending.values()].map(({ consent }) => consent),
    async refuse(id) {
      find(id);
      await drop(id);
    },
  };
}

/** The settings of the version before, as far as the new one takes them: all or none. */
function stillValid(manifest: Manifest, config: PluginRow["config"]): PluginRow["config"] {
  try {
    resolveConfig(manifest, config);
    return config;
  } catch {
    return {};
  }
}

async function realFolder(given: string): Promise<string> {
  const path = given.startsWith("file:") ? fileURLToPath(given) : given;
  if (!isAbsolute(path)) {
    throw new CarrelError(
      "bad_request",
      `Cannot install "${given}": expected the absolute path of a folder on the host's machine.`,
    );
  }
  try {
    const real = await Deno.realPath(path);
    if ((await Deno.stat(real)).isDirectory) return real;
  } catch {
    // Said below.
  }
  throw new CarrelError("invalid_manifest", `Cannot install "${path}": there is no such folder.`);
}

async function readManifestFile(folder: string): Promise<string> {
  const path = join(folder, MANIFEST_FILE);
  try {
    const { isFile, size } = await Deno.lstat(path);
    if (isFile && size <= MAX_MANIFEST_BYTES) return await Deno.readTextFile(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  throw new CarrelError(
    "invalid_manifest",
    `Cannot install "${folder}": expected a file ${MANIFEST_FILE} of at most ${
      MAX_MANIFEST_BYTES / 1024
    } KiB in it.`,
  );
}

/** Throws `unavailable` unless an installed bundle is there as it was installed. */
export async function checkInstalled(pluginsDir: string, row: PluginRow): Promise<void> {
  if (await isWhole(installedBundle(pluginsDir, row), row.digest)) return;
  throw new CarrelError(
    "unavailable",
    `Cannot start the plugin "${row.id}": its bundle is missing or was changed; install it again.`,
  );
}
