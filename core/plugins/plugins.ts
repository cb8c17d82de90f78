/**
 * The use cases of plugins: what HTTP, the command line and the pipelines call.
 *
 * - **origin**: where a plugin came from, without its version; **identity** is the id and the origin, or the
 *   id and the key that signed it.
 * - **version**: one state of a plugin's code and manifest; several are on disk, one is live.
 * - **decision**: what a person said about one permission, and for how long it holds.
 * - **place**: host and port that a setting leads to, with the private addresses behind it.
 */
import type { Grants, Limits, Pool, RunnerSpec, TrustLevel } from "../../sandbox/types.ts";
import type { Health, PluginKind } from "../../sdk/types.ts";
import type { Tx } from "../stores/sql.ts";
import type { LimitRequest } from "./limits.ts";
import type { Manifest } from "./manifest.ts";
import type { Take } from "./takes.ts";

/** Where an installed plugin or one of its versions is in its life. */
export const VERSION_STATES = [
  "awaiting_consent",
  "checking",
  "enabled",
  "disabled",
  "quarantined",
] as const;
export type VersionState = typeof VERSION_STATES[number];

export interface Plugin {
  readonly id: string;
  readonly kind: PluginKind;
  readonly version: string;
  readonly manifest: Manifest;
  /** `builtin`, or where it was installed from. */
  readonly origin: string;
  readonly builtin: boolean;
  readonly enabled: boolean;
  readonly state: "enabled" | "disabled" | "quarantined";
  readonly trust: TrustLevel;
  /** SHA-256 of the bundle, hex; empty for a built-in one that has not been bundled in this start yet (`warm`). */
  readonly digest: string;
  /** Fingerprint of the key that signed the live version. */
  readonly signedBy: string | undefined;
  /** Whether the operator trusts that key. Built-in plugins are. */
  readonly verified: boolean;
  /** Whether a new version that asks for nothing more goes live without a yes. */
  readonly autoUpdate: boolean;
  /** What the operator approved, for now and for good, `${…}` unresolved. */
  readonly granted: DeclaredGrants;
  readonly config: Readonly<Record<string, unknown>>;
  /** Those that hold. */
  readonly limits: Limits;
  /** What its manifest asks for above the default. */
  readonly limitRequests: readonly LimitRequest[];
  /** What the last health check said. */
  readonly health: CheckedHealth | undefined;
  /** Why a new version did not go live, or why it was set aside. */
  readonly error: string | undefined;
}

export interface CheckedHealth extends Health {
  /** When it was asked. */
  readonly time: string;
}

/**
 * What is granted, each a list of strings. `match`: URL patterns for which an installed plugin is asked before
 * the built-in ones. `events`: those that a hook is told of.
 */
export const PERMISSIONS = [
  "net",
  "read",
  "write",
  "env",
  "run",
  "services",
  "calls",
  "match",
  "events",
] as const;
export type PermissionName = typeof PERMISSIONS[number];

/** Permissions as a manifest spells them: the strings may hold `${…}`. */
export type DeclaredGrants = Readonly<Record<PermissionName, readonly string[]>>;

/** `once`: one start of a runner · `job`: one job · `until`: to a time · `always`: for good. */
export const DURATIONS = ["once", "job", "until", "always"] as const;
export type Duration = typeof DURATIONS[number];

/** A yes to one permission. */
export interface GrantRequest {
  /** `net:arxiv.org:443` */
  readonly key: string;
  /** @default "always" */
  readonly duration?: Duration | undefined;
  /** ISO 8601, for `until`. */
  readonly until?: string | undefined;
  /** For `job`: which one. @default the first that needs it */
  readonly job?: string | undefined;
}

/** Where a setting leads. */
export interface Place {
  readonly host: string;
  readonly port: number;
  /** The private addresses among those behind it; what is granted is pinned to them. */
  readonly addresses: readonly string[];
}

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
  /** Whether somebody said no. */
  readonly denied: boolean;
  /** For how long it is granted or denied. */
  readonly duration: Duration | undefined;
  readonly until: string | undefined;
  /** Where the setting leads that the permission names. */
  readonly place: Place | undefined;
}

export const CONSENT_KINDS = ["install", "update", "replace", "setting", "request"] as const;
/**
 * `install`: a new plugin · `update`: a new version of one · `replace`: a plugin that takes the id of another ·
 * `setting`: a setting leads elsewhere now · `request`: a job needs what is not granted
 */
export type ConsentKind = typeof CONSENT_KINDS[number];

/** What a new version asks for, beside what the live one asked for. */
export interface Difference {
  /** Keys of permissions. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly same: readonly string[];
  /** Limits of which it asks for more or less than before, whatever it gets of them. */
  readonly limits: Readonly<Partial<Record<keyof Limits, { from: number; to: number }>>>;
  /** What it is handed now, and what no longer. */
  readonly takes: { readonly added: readonly Take[]; readonly removed: readonly Take[] };
}

/** Something that waits for a person. */
export interface Consent {
  readonly id: string;
  readonly kind: ConsentKind;
  readonly plugin: string;
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly origin: string;
  readonly digest: string;
  readonly signedBy: string | undefined;
  readonly verified: boolean;
  readonly permissions: readonly PermissionRequest[];
  /** What it is handed without a permission. */
  readonly takes: readonly Take[];
  /** Dangerous combinations and what is odd about it, in plain words. */
  readonly warnings: readonly string[];
  /** Those that it gets. */
  readonly limits: Limits;
  /** What it asks for above the default. */
  readonly limitRequests: readonly LimitRequest[];
  /** The plugin that is installed under this id. */
  readonly before: { readonly version: string; readonly origin: string } | undefined;
  /** Set for an update. */
  readonly difference: Difference | undefined;
  readonly job: string | undefined;
  readonly askedBy: string;
  readonly created: string;
}

/** What came of an install. */
export interface Installed {
  /** What waits; undefined where nothing had to be asked. */
  readonly consent: Consent | undefined;
  /** The plugin as it is now; undefined for a new one that waits. */
  readonly plugin: Plugin | undefined;
  /** Whether just this version was live before. */
  readonly unchanged: boolean;
}

/** A version on disk, or one that waits. */
export interface PluginVersion {
  readonly version: string;
  readonly digest: string;
  readonly state: VersionState;
  readonly live: boolean;
  readonly origin: string;
  readonly reference: string;
  /** The reference with its version pinned. */
  readonly resolved: string;
  readonly signedBy: string | undefined;
  readonly verified: boolean;
  readonly error: string | undefined;
  readonly created: string;
  readonly lastLive: string | undefined;
}

/** What of a plugin's settings is changed; what is left out stays. */
export interface ConfigChange {
  /** All settings that are set; the others take their defaults. */
  readonly config?: Readonly<Record<string, unknown>> | undefined;
  /** Limits that are other than the manifest's, beside those set before; null takes one back. */
  readonly limits?: Readonly<Record<string, number | null>> | undefined;
  readonly autoUpdate?: boolean | undefined;
}

/** Who did it, for the audit. @default "operator" */
export type Actor = string;

/** What a runner is started for. */
export interface RunnerUse {
  /** Grants for this job alone count too. */
  readonly job?: string | undefined;
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
  /** The newest first; none for a built-in plugin. */
  versions(id: string): readonly PluginVersion[];

  /** The enabled import plugins that match, best first: operator's priority, built-in, more specific pattern. */
  matchUrl(url: string): readonly Plugin[];
  /** The enabled import plugins that take this media type or file name, best first. */
  matchMedia(mediaType: string, filename: string | undefined): readonly Plugin[];
  matchFormat(format: string): readonly Plugin[];
  /** The plugins that provide it, enabled or not, in the same order. */
  matchCapability(name: string): readonly Plugin[];

  /**
   * What a runner of this plugin is started with, for one job: bundles it if that has not been done, resolves
   * `${source.site}` and private addresses. A grant for one start is used up by it. Throws `private_address`,
   * `conflict` if the plugin is disabled, `quarantined`, `invalid_config`.
   */
  runnerSpec(id: string, source?: { url: string }, use?: RunnerUse): Promise<RunnerSpec>;
  /** SHA-256 of the bundle, hex; bundles the plugin if that has not been done. */
  bundleDigest(id: string): Promise<string>;
  /** Runs the plugin's health check in a runner, bounded in time. */
  health(id: string, pool: Pool): Promise<Health>;

  /**
   * Fetches, reads and bundles a plugin; nothing of it runs until `decide`, but for an update that needs no
   * yes. Throws `invalid_manifest`, `conflict`, `forbidden` by the install policy.
   */
  install(reference: string, options?: InstallOptions): Promise<Installed>;
  consents(): readonly Consent[];
  /** Throws `not_found`. */
  consent(id: string): Consent;
  /**
   * Grants just what is named, denies the rest and puts the version live once it has answered its health
   * check; or drops it (`undefined`). A version that does not answer leaves the one before in place: `error`
   * of the plugin says so.
   */
  decide(
    consent: string,
    grants: readonly (string | GrantRequest)[] | undefined,
    by?: Actor,
  ): Promise<Plugin | undefined>;
  /**
   * Asks for permissions that a job needs: declared, not granted. The same question is asked once. Throws
   * `denied` for what the manifest does not declare.
   */
  ask(
    id: string,
    keys: readonly string[],
    options?: { job?: string | undefined },
  ): Promise<Consent>;
  /** Takes a question of kind `request` away, undecided. One that waits no more is no error. */
  withdraw(consent: string): Promise<void>;
  /** Off: its runners end at once, and its jobs are held until it is on again. */
  setEnabled(id: string, enabled: boolean, by?: Actor): Promise<Plugin>;
  /** Puts the version that was live before live again. Throws `conflict` when there is none. */
  rollback(id: string, options?: { version?: string | undefined; by?: Actor }): Promise<Plugin>;
  /** Throws `invalid_config` that names the field. A consent waits when a setting leads to another place. */
  setConfig(
    id: string,
    change: ConfigChange,
    by?: Actor,
  ): Promise<{ readonly plugin: Plugin; readonly consent: Consent | undefined }>;
  /** Denies all grants but these, as `revoke` does. */
  tighten(id: string, keep: readonly string[], by?: Actor): Promise<Plugin>;
  /**
   * Denies these grants from now on, for jobs and starts too: its runners end at once, and jobs that were at work in
   * them begin that stage again without. A key may be spelled as a manifest or a setting spells its host. Throws
   * `not_found` for one that is not granted.
   */
  revoke(id: string, keys: readonly string[], by?: Actor): Promise<Plugin>;
  /** Ends its runners and removes its files. Its data folder is kept unless asked otherwise. */
  uninstall(id: string, options?: { deleteData?: boolean; by?: Actor }): Promise<void>;

  /**
   * Calls it when a plugin is uninstalled or another one takes its id, in the transaction in which that happens. It
   * must not fail. Until the returned function is called.
   */
  onGone(listener: OnGone): () => void;

  /** To be told how each runner ended: three crashes in ten minutes set a plugin aside. */
  runnerEnded(
    runner: { readonly plugin: string; readonly digest: string },
    end: { readonly reason: string; readonly message: string },
  ): void;
}

/** A plugin that is there no more. */
export interface Gone {
  readonly plugin: string;
  /** Where the one comes from that has taken its id; undefined where it was uninstalled. */
  readonly replacedBy: string | undefined;
}

export type OnGone = (tx: Tx, gone: Gone) => Promise<void>;

export interface InstallOptions {
  readonly by?: Actor | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type { Grants };
