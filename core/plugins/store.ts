/** What the sql store keeps of plugins: rows in, parsed values out. */
import { type AuditEvent, type AuditSink, NO_AUDIT } from "../audit/audit.ts";
import { CarrelError } from "../errors.ts";
import type { SqlStore, Tx } from "../stores/sql.ts";
import {
  type ConfigRow,
  type ConsentRow,
  type GrantRow,
  NO_CONFIG,
  type PluginRow,
  readConfig,
  readConsent,
  readGrant,
  readVersion,
  type StoredPlugin,
  trustSchema,
  type VersionRow,
  writeGrant,
  writeVersion,
} from "./stored_rows.ts";

export {
  type ConfigRow,
  type ConsentRow,
  type GrantRow,
  NO_CONFIG,
  type StoredPlugin,
  type VersionRow,
};

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
  /** The transaction itself, for rows that are not a plugin's own. */
  readonly tx: Tx;
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

/** @param trusted Whether the operator trusts a key now. What a row says of it is of the day it was installed. */
export function createPluginStore(
  sql: SqlStore,
  audit: AuditSink = NO_AUDIT,
  trusted: (key: string) => boolean = () => false,
): PluginStore {
  return {
    load: (report) => load(sql, report, trusted),
    transaction: (work) => sql.transaction((tx) => work(pluginTx(tx, audit))),
  };
}

async function load(
  sql: SqlStore,
  report: (error: unknown) => void,
  trusted: (key: string) => boolean,
) {
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
      return [readVersion(row, trusted)];
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
    tx,
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
      const tables = ["plugin_version", "grant", "plugin_config", "consent", "prompt"] as const;
      for (const table of tables) {
        await tx.deleteFrom(table).where("plugin", "=", id).execute();
      }
    },
  };
}
