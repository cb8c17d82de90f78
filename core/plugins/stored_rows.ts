/** Rows of plugins, between what stands in the database and what is made of it. */
import { z } from "zod";
import type {
  ConsentTable,
  GrantTable,
  PluginConfigTable,
  PluginVersionTable,
} from "../stores/sql.ts";
import { type Manifest, manifestSchema } from "./manifest.ts";
import { CONSENT_KINDS, DURATIONS, VERSION_STATES } from "./plugins.ts";
import type { ConsentKind, Duration, Place, VersionState } from "./plugins.ts";

/** A version of an installed plugin, or one that waits. */
export interface VersionRow {
  readonly id: string;
  readonly plugin: string;
  readonly version: string;
  readonly digest: string;
  readonly manifestDigest: string;
  readonly state: VersionState;
  readonly origin: string;
  readonly reference: string;
  readonly resolved: string;
  readonly signedBy: string | undefined;
  readonly verified: boolean;
  readonly manifest: Manifest;
  readonly manifestText: string;
  /** JSON, as whoever fetched it made it. */
  readonly lock: string | undefined;
  /** The decisions when it was last live. */
  readonly grants: readonly GrantRow[];
  readonly error: string | undefined;
  readonly created: string;
  readonly lastLive: string | undefined;
}

/** One decision about one permission. */
export interface GrantRow {
  readonly key: string;
  /** Empty, the job that it holds for, or `*` for the first one that needs it. */
  readonly job: string;
  readonly decision: "granted" | "denied";
  readonly duration: Duration;
  readonly until: string | undefined;
  /** Where a setting led when it was decided. */
  readonly place: Place | undefined;
  readonly decidedBy: string;
  readonly decided: string;
}

/** What is set of a plugin. */
export interface ConfigRow {
  /** Undefined where nobody said: then the operator's file counts. */
  readonly enabled: boolean | undefined;
  readonly autoUpdate: boolean | undefined;
  readonly config: Readonly<Record<string, unknown>>;
  readonly limits: Readonly<Record<string, number>>;
  readonly health:
    | { status: "healthy" | "unhealthy" | "unknown"; message?: string; time: string }
    | undefined;
  readonly error: string | undefined;
  readonly quarantined: string | undefined;
}

export interface ConsentRow {
  readonly id: string;
  readonly plugin: string;
  readonly kind: ConsentKind;
  readonly versionId: string;
  /** Undefined: all that the version declares. */
  readonly keys: readonly string[] | undefined;
  readonly places: Readonly<Record<string, Place>>;
  readonly job: string | undefined;
  readonly askedBy: string;
  readonly created: string;
}

export interface PluginRow {
  readonly id: string;
  readonly kind: string;
  readonly origin: string;
  readonly signedBy: string | undefined;
  /** The live version's id. */
  readonly live: string;
  readonly trust: "sandboxed" | "restricted" | "trusted";
  readonly builtin: boolean;
  readonly installed: string;
}

/** All of one plugin. */
export interface StoredPlugin {
  readonly row: PluginRow;
  readonly config: ConfigRow;
  readonly grants: readonly GrantRow[];
  /** The newest first. */
  readonly versions: readonly VersionRow[];
}

export const NO_CONFIG: ConfigRow = {
  enabled: undefined,
  autoUpdate: undefined,
  config: {},
  limits: {},
  health: undefined,
  error: undefined,
  quarantined: undefined,
};

const place = z.object({ host: z.string(), port: z.number(), addresses: z.array(z.string()) });
const plain = z.record(z.string(), z.unknown());
const grantSchema = z.object({
  key: z.string(),
  job: z.string(),
  decision: z.enum(["granted", "denied"]),
  duration: z.enum(DURATIONS),
  until: z.string().nullish().transform((value) => value ?? undefined),
  place: place.nullish().transform((value) => value ?? undefined),
  decidedBy: z.string(),
  decided: z.string(),
});

// Made once: a schema costs far more to make than a row to read.
const grantsSchema = z.array(grantSchema);
const keysSchema = z.array(z.string());
const limitsSchema = z.record(z.string(), z.number());
const placesSchema = z.record(z.string(), place);
export const trustSchema = z.enum(["sandboxed", "restricted", "trusted"]);
const healthSchema = z.enum(["healthy", "unhealthy", "unknown"]);
const stateSchema = z.enum(VERSION_STATES);
const consentKindSchema = z.enum(CONSENT_KINDS);

export function readVersion(
  row: PluginVersionTable,
  trusted: (key: string) => boolean,
): VersionRow {
  return {
    id: row.id,
    plugin: row.plugin,
    version: row.version,
    digest: row.digest,
    manifestDigest: row.manifest_digest,
    state: stateSchema.parse(row.state),
    origin: row.origin,
    reference: row.reference,
    resolved: row.resolved,
    signedBy: row.signed_by ?? undefined,
    // A signature that does not fit its files is never installed.
    verified: row.signed_by !== null && trusted(row.signed_by),
    manifest: manifestSchema.parse(JSON.parse(row.manifest_json)),
    manifestText: row.manifest_text,
    lock: row.lock_json ?? undefined,
    grants: grantsSchema.parse(JSON.parse(row.grants_json)),
    error: row.error ?? undefined,
    created: row.created,
    lastLive: row.last_live ?? undefined,
  };
}

export function writeVersion(row: VersionRow): Omit<PluginVersionTable, "id"> {
  return {
    plugin: row.plugin,
    version: row.version,
    digest: row.digest,
    manifest_digest: row.manifestDigest,
    state: row.state,
    origin: row.origin,
    reference: row.reference,
    resolved: row.resolved,
    signed_by: row.signedBy ?? null,
    verified: row.verified ? 1 : 0,
    manifest_json: JSON.stringify(row.manifest),
    manifest_text: row.manifestText,
    lock_json: row.lock ?? null,
    grants_json: JSON.stringify(row.grants),
    error: row.error ?? null,
    created: row.created,
    last_live: row.lastLive ?? null,
  };
}

export function readGrant(row: GrantTable): GrantRow {
  return grantSchema.parse({
    ...row,
    place: row.place_json === null ? undefined : JSON.parse(row.place_json),
    decidedBy: row.decided_by,
  });
}

export function writeGrant(plugin: string, row: GrantRow): GrantTable {
  return {
    plugin,
    key: row.key,
    job: row.job,
    decision: row.decision,
    duration: row.duration,
    until: row.until ?? null,
    place_json: row.place === undefined ? null : JSON.stringify(row.place),
    decided_by: row.decidedBy,
    decided: row.decided,
  };
}

export function readConfig(row: PluginConfigTable): ConfigRow {
  const yes = (value: number | null) => value === null ? undefined : value === 1;
  return {
    enabled: yes(row.enabled),
    autoUpdate: yes(row.auto_update),
    config: plain.parse(JSON.parse(row.config_json)),
    limits: limitsSchema.parse(JSON.parse(row.limits_json)),
    health: row.health === null || row.checked === null ? undefined : {
      status: healthSchema.parse(row.health),
      ...(row.health_message === null ? {} : { message: row.health_message }),
      time: row.checked,
    },
    error: row.error ?? undefined,
    quarantined: row.quarantined ?? undefined,
  };
}

export function readConsent(row: ConsentTable): ConsentRow {
  const keys = keysSchema.parse(JSON.parse(row.keys_json));
  return {
    id: row.id,
    plugin: row.plugin,
    kind: consentKindSchema.parse(row.kind),
    versionId: row.version_id,
    keys: keys[0] === "*" ? undefined : keys,
    places: placesSchema.parse(JSON.parse(row.places_json)),
    job: row.job ?? undefined,
    askedBy: row.asked_by,
    created: row.created,
  };
}
