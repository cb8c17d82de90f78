/** What the sql store keeps of plugins: rows in, parsed values out. */
import { z } from "zod";
import { type AuditEvent, type AuditSink, NO_AUDIT } from "../audit/audit.ts";
import { CarrelError } from "../errors.ts";
import type {
  ConsentTable,
  GrantTable,
  PluginConfigTable,
  PluginVersionTable,
  SqlStore,
  Tx,
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
const trustSchema = z.enum(["sandboxed", "restricted", "trusted"]);
const healthSchema = z.enum(["healthy", "unhealthy", "unknown"]);
const stateSchema = z.enum(VERSION_STATES);
const consentKindSchema = z.enum(CONSENT_KINDS);

export interface PluginStore {
  /** All plugins and consents that can be read; what this host does not understand is reported. */
  load(report: (error: unknown) => void): Promise<{
    readonly plugins: readonly StoredPlugin[];
    /** With the versions that they are about; none for a built-in plugin. */
    readonly waiting: readonly {
      readonly consent: ConsentRow;
      readonly version: VersionRow | undefined;
    }[];
    /** Versions that were being checked when the host stopped. */
    readonly checking: readonly VersionRow[];
  }>;
  transaction<T>(work: (tx: PluginTx) => Promise<T>): Promise<T>;
}

/** Changes, within one transaction. */
export interface PluginTx {
  savePlugin(row: PluginRow): Promise<void>;
  saveVersion(row: VersionRow): Promise<void>;
  saveConfig(plugin: string, row: ConfigRow): Promise<void>;
  /** These and no others. */
  saveGrants(plugin: string, rows: readonly GrantRow[]): Promise<void>;
  saveConsent(row: ConsentRow): Promise<void>;
  removeConsent(id: string): Promise<void>;
  removeVersion(id: string): Promise<void>;
  /** The plugin and all that belongs to it. */
  removePlugin(id: string): Promise<void>;
  /** Writes down what was done, or neither. */
  audit(event: AuditEvent): Promise<void>;
}

export function createPluginStore(sql: SqlStore, audit: AuditSink = NO_AUDIT): PluginStore {
  return {
    load: (report) => load(sql, report),
    transaction: (work) => sql.transaction((tx) => work(pluginTx(tx, audit))),
  };
}

async function load(sql: SqlStore, report: (error: unknown) => void) {
  const { db } = sql;
  const [plugins, versions, grants, configs, consents] = await Promise.all([
    db.selectFrom("plugin").selectAll().orderBy("id").execute(),
    db.selectFrom("plugin_version").selectAll().orderBy("created", "desc").execute(),
    db.selectFrom("grant").selectAll().execute(),
    db.selectFrom("plugin_config").selectAll().execute(),
    db.selectFrom("consent").selectAll().orderBy("created").execute(),
  ]);
  const unreadable = (id: string, cause: unknown) =>
    report(
      new CarrelError("invalid_manifest", `Cannot load the plugin "${id}": install it again.`, {
        cause,
      }),
    );
  const read = versions.flatMap((row) => {
    try {
      return [readVersion(row)];
    } catch (cause) {
      unreadable(row.plugin, cause);
      return [];
    }
  });
  const found = plugins.flatMap((row): StoredPlugin[] => {
    try {
      const config = configs.find((config) => config.plugin === row.id);
      const stored: StoredPlugin = {
        row: {
          id: row.id,
          kind: row.kind,
          origin: row.origin,
          signedBy: row.signed_by ?? undefined,
          live: row.live,
          trust: trustSchema.parse(row.trust),
          builtin: row.builtin === 1,
          installed: row.installed,
        },
        config: config === undefined ? NO_CONFIG : readConfig(config),
        grants: grants.filter((grant) => grant.plugin === row.id).map(readGrant),
        versions: read.filter((version) => version.plugin === row.id),
      };
      const live = stored.versions.some((version) => version.id === row.live);
      // Its version was reported.
      return row.builtin === 1 || live ? [stored] : [];
    } catch (cause) {
      unreadable(row.id, cause);
      return [];
    }
  });
  const waiting = consents.flatMap((row) => {
    try {
      const consent = readConsent(row);
      const version = read.find(({ id }) => id === consent.versionId);
      return version === undefined && consent.versionId !== "" ? [] : [{ consent, version }];
    } catch (cause) {
      unreadable(row.plugin, cause);
      return [];
    }
  });
  return { plugins: found, waiting, checking: read.filter(({ state }) => state === "checking") };
}

function pluginTx(tx: Tx, audit: AuditSink): PluginTx {
  return {
    audit: (event) => audit.appendIn(tx, event),
    async savePlugin(row) {
      const { id, signedBy, builtin, ...same } = row;
      const values = { ...same, signed_by: signedBy ?? null, builtin: builtin ? 1 : 0 };
      await tx.insertInto("plugin").values({ id, ...values })
        .onConflict((conflict) => conflict.column("id").doUpdateSet(values)).execute();
    },
    async saveVersion(row) {
      const values = writeVersion(row);
      await tx.insertInto("plugin_version").values({ id: row.id, ...values })
        .onConflict((conflict) => conflict.column("id").doUpdateSet(values)).execute();
    },
    async saveConfig(plugin, row) {
      const values = {
        enabled: row.enabled === undefined ? null : row.enabled ? 1 : 0,
        auto_update: row.autoUpdate === undefined ? null : row.autoUpdate ? 1 : 0,
        config_json: JSON.stringify(row.config),
        limits_json: JSON.stringify(row.limits),
        health: row.health?.status ?? null,
        health_message: row.health?.message ?? null,
        checked: row.health?.time ?? null,
        error: row.error ?? null,
        quarantined: row.quarantined ?? null,
      };
      await tx.insertInto("plugin_config").values({ plugin, ...values })
        .onConflict((conflict) => conflict.column("plugin").doUpdateSet(values)).execute();
    },
    async saveGrants(plugin, rows) {
      await tx.deleteFrom("grant").where("plugin", "=", plugin).execute();
      if (rows.length === 0) return;
      await tx.insertInto("grant").values(rows.map((row) => writeGrant(plugin, row))).execute();
    },
    async saveConsent(row) {
      await tx.insertInto("consent").values({
        id: row.id,
        plugin: row.plugin,
        kind: row.kind,
        version_id: row.versionId,
        keys_json: JSON.stringify(row.keys ?? ["*"]),
        places_json: JSON.stringify(row.places),
        job: row.job ?? null,
        asked_by: row.askedBy,
        created: row.created,
      }).execute();
    },
    async removeConsent(id) {
      await tx.deleteFrom("consent").where("id", "=", id).execute();
    },
    async removeVersion(id) {
      await tx.deleteFrom("plugin_version").where("id", "=", id).execute();
    },
    async removePlugin(id) {
      await tx.deleteFrom("plugin").where("id", "=", id).execute();
      for (const table of ["plugin_version", "grant", "plugin_config", "consent"] as const) {
        await tx.deleteFrom(table).where("plugin", "=", id).execute();
      }
    },
  };
}

function readVersion(row: PluginVersionTable): VersionRow {
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
    verified: row.verified === 1,
    manifest: manifestSchema.parse(JSON.parse(row.manifest_json)),
    manifestText: row.manifest_text,
    lock: row.lock_json ?? undefined,
    grants: grantsSchema.parse(JSON.parse(row.grants_json)),
    error: row.error ?? undefined,
    created: row.created,
    lastLive: row.last_live ?? undefined,
  };
}

function writeVersion(row: VersionRow): Omit<PluginVersionTable, "id"> {
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

function readGrant(row: GrantTable): GrantRow {
  return grantSchema.parse({
    ...row,
    place: row.place_json === null ? undefined : JSON.parse(row.place_json),
    decidedBy: row.decided_by,
  });
}

function writeGrant(plugin: string, row: GrantRow): GrantTable {
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

function readConfig(row: PluginConfigTable): ConfigRow {
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

function readConsent(row: ConsentTable): ConsentRow {
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
