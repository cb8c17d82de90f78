/** The use cases of plugins: what HTTP, the command line and the pipelines call. */
import type { Grants, Limits, Pool, RunnerSpec, TrustLevel } from "../../sandbox/types.ts";
import type { Health, PluginKind } from "../../sdk/types.ts";
import type { Manifest } from "./manifest.ts";

export interface Plugin {
  readonly id: string;
  readonly kind: PluginKind;
  readonly version: string;
  readonly manifest: Manifest;
  /** `builtin`, or where it was installed from. */
  readonly origin: string;
  readonly builtin: boolean;
  readonly enabled: boolean;
  readonly trust: TrustLevel;
  /** SHA-256 of the bundle, hex; empty for a built-in one that has not been bundled in this start yet (`warm`). */
  readonly digest: string;
  /** What the operator approved, `${…}` unresolved. */
  readonly granted: DeclaredGrants;
  readonly config: Readonly<Record<string, unknown>>;
  readonly limits: Limits;
}

/** Permissions as a manifest spells them: the strings may hold `${…}`. */
export interface DeclaredGrants {
  readonly net: readonly string[];
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly env: readonly string[];
  readonly services: readonly string[];
  readonly calls: readonly string[];
  /** URL patterns for which an installed plugin is asked before the built-in ones. */
  readonly match: readonly string[];
}

export type PermissionName = keyof DeclaredGrants;

/** One permission as it is shown to a person who has to decide. */
export interface PermissionRequest {
  /** `net:arxiv.org:443`: names it in a decision. */
  readonly key: string;
  readonly permission: PermissionName;
  readonly value: string;
  /** In plain words: "Send requests to arxiv.org (port 443)". */
  readonly text: string;
  readonly risk: "low" | "medium" | "high";
  /** The manifest's reason, if it gives one. */
  readonly reason: string | undefined;
  readonly granted: boolean;
}

/** A plugin version that waits for a person. */
export interface Consent {
  readonly id: string;
  readonly plugin: string;
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly origin: string;
  readonly digest: string;
  readonly permissions: readonly PermissionRequest[];
  /** Dangerous combinations, in plain words. */
  readonly warnings: readonly string[];
}

export interface Plugins {
  /**
   * Bundles the built-in plugins, one after another, so that the first job finds them ready; unchanged ones
   * cost a look at their files. Call it in the background after the start. Reports failures, throws none.
   */
  warm(): Promise<void>;
  list(filter?: { kind?: string | undefined; enabled?: boolean | undefined }): readonly Plugin[];
  /** Throws `not_found`. */
  get(id: string): Plugin;
  find(id: string): Plugin | undefined;
  /** All permissions of a plugin, with what is granted. */
  permissions(id: string): readonly PermissionRequest[];

  /** The enabled import plugins that match, best first: operator's priority, built-in, more specific pattern. */
  matchUrl(url: string): readonly Plugin[];
  /** The enabled import plugins that take this media type or file name, best first. */
  matchMedia(mediaType: string, filename: string | undefined): readonly Plugin[];
  matchFormat(format: string): readonly Plugin[];

  /**
   * What a runner of this plugin is started with, for one job: bundles it if that has not been done, resolves
   * `${source.site}` and private addresses. Throws `private_address`, `conflict` if it is disabled.
   */
  runnerSpec(id: string, source?: { url: string }): Promise<RunnerSpec>;
  /** SHA-256 of the bundle, hex; bundles the plugin if that has not been done. */
  bundleDigest(id: string): Promise<string>;
  /** Runs the plugin's health check in a runner, bounded in time. */
  health(id: string, pool: Pool): Promise<Health>;

  /** Reads and bundles a plugin folder; nothing of it runs until `decide`. Throws `invalid_manifest`. */
  install(folder: string): Promise<Consent>;
  consents(): readonly Consent[];
  /** Grants just the named keys and enables the plugin, or drops it (`undefined`). */
  decide(consent: string, grants: readonly string[] | undefined): Promise<Plugin | undefined>;
  setEnabled(id: string, enabled: boolean): Promise<Plugin>;
  uninstall(id: string): Promise<void>;
}

export type { Grants };
