/**
 * From a reference to a version that waits: fetched, read, bundled. Nothing of the plugin runs here, and what
 * was fetched is not needed once it is bundled.
 */
import { CarrelError } from "../errors.ts";
import { newId } from "../ids.ts";
import type { Bundler } from "./bundle.ts";
import { sha256 } from "./bundle_cache.ts";
import { checkConfigSchema } from "./config.ts";
import { createLock, formatLock } from "./lock_file.ts";
import { MANIFEST_FILE, parseManifest } from "./manifest.ts";
import { type TrustedKey, verifySignature } from "./signature.ts";
import type { FetchedPlugin } from "./sources/types.ts";
import type { VersionRow } from "./store.ts";

/** A plugin that was fetched, perhaps because the registry says where it is. */
export type Fetched = FetchedPlugin & {
  /** Set when the reference was an id of the registry: whether the registry vouches for it. */
  readonly listed?: { readonly verified: boolean } | undefined;
};

/** Brings a plugin's files to this machine: `fetchPlugin`, with its options. */
export type Fetch = (
  reference: string,
  options: { readonly signal?: AbortSignal | undefined },
) => Promise<Fetched>;

/**
 * What may be installed. `verified`: what a trusted key signed · `registry`: that, and what the registry lists ·
 * `any`.
 */
export const INSTALL_POLICIES = ["verified", "registry", "any"] as const;
export type InstallPolicy = typeof INSTALL_POLICIES[number];

export interface PrepareOptions {
  readonly fetch: Fetch;
  readonly bundler: Bundler;
  readonly hostVersion: string | undefined;
  readonly trustedKeys: readonly TrustedKey[];
  /** @default "verified" for what is installed by its id in the registry, else "any" */
  readonly policy: InstallPolicy | undefined;
  /** Whether the registry lists a plugin as coming from there. */
  readonly inRegistry: (plugin: { id: string; origin: string }) => Promise<boolean>;
  readonly isBuiltin: (id: string) => boolean;
}

export interface Prepared {
  /** In the state `awaiting_consent`. */
  readonly version: VersionRow;
  /** In the bundler's cache. */
  readonly bundle: string;
}

/** Throws what `fetch` and the bundler throw, `conflict` for the id of a built-in plugin, `forbidden`, `damaged`. */
export async function prepare(
  reference: string,
  options: PrepareOptions,
  signal?: AbortSignal,
): Promise<Prepared> {
  await using fetched = await options.fetch(reference, { signal });
  const yaml = await Deno.readTextFile(`${fetched.folder}/${MANIFEST_FILE}`);
  const manifest = parseManifest(yaml, { hostVersion: options.hostVersion });
  const { id, version } = manifest;
  if (options.isBuiltin(id)) {
    throw new CarrelError(
      "conflict",
      `Cannot install "${id}": a built-in plugin has this id; choose another one.`,
    );
  }
  checkConfigSchema(manifest);
  const signed = await verifySignature(fetched.lock, fetched.signature, options.trustedKeys);
  if (!signed.verified && signed.why === "broken") {
    throw new CarrelError("damaged", `Cannot install "${id}": ${signed.reason}`);
  }
  await obeyPolicy(options, {
    id,
    origin: fetched.origin,
    signed: signed.verified,
    listed: fetched.listed,
  });
  const bundle = await options.bundler.bundle(fetched.folder, {
    entry: manifest.entry,
    packages: false,
  });
  const { files } = fetched;
  const lock = createLock({ id, version, origin: fetched.origin, bundle: bundle.digest, files });
  return {
    bundle: bundle.path,
    version: {
      id: newId("version"),
      plugin: id,
      version,
      digest: bundle.digest,
      manifestDigest: await sha256(yaml),
      state: "awaiting_consent",
      origin: fetched.origin,
      reference,
      resolved: fetched.resolved,
      signedBy: signed.key,
      verified: signed.verified,
      manifest,
      manifestText: yaml,
      lock: formatLock(lock),
      grants: [],
      error: undefined,
      created: new Date().toISOString(),
      lastLive: undefined,
    },
  };
}

async function obeyPolicy(
  options: PrepareOptions,
  plugin: {
    readonly id: string;
    readonly origin: string;
    readonly signed: boolean;
    readonly listed: Fetched["listed"];
  },
): Promise<void> {
  const policy = options.policy ?? (plugin.listed === undefined ? "any" : "verified");
  if (policy === "any" || plugin.signed) return;
  if (options.policy === undefined && plugin.listed?.verified) return;
  if (policy === "registry") {
    if (plugin.listed !== undefined || await options.inRegistry(plugin)) return;
  }
  if (options.policy === undefined) {
    throw new CarrelError(
      "forbidden",
      `Cannot install "${plugin.id}": the registry does not vouch for it, and no trusted key signed it (setting plugins.install_policy).`,
      { details: { policy } },
    );
  }
  const allowed = policy === "verified"
    ? "plugins that are signed by a trusted key"
    : "plugins of the registry, and those that are signed by a trusted key";
  throw new CarrelError(
    "forbidden",
    `Cannot install "${plugin.id}": this Carrel takes only ${allowed} (setting plugins.install_policy).`,
    { details: { policy } },
  );
}
