/** The rows of plugins: installed ones whole, built-in ones only once somebody switched them. */
import { z } from "zod";
import { CarrelError } from "../errors.ts";
import type { PluginTable, SqlStore } from "../stores/sql.ts";
import { NOTHING_DECLARED } from "./grants.ts";
import { type Manifest, manifestSchema } from "./manifest.ts";
import type { DeclaredGrants } from "./plugins.ts";

export interface PluginRow {
  readonly id: string;
  readonly kind: string;
  readonly origin: string;
  readonly version: string;
  /** Empty for a built-in plugin. */
  readonly digest: string;
  readonly enabled: boolean;
  readonly builtin: boolean;
  readonly manifest: Manifest;
  readonly granted: DeclaredGrants;
  readonly config: Readonly<Record<string, unknown>>;
  readonly installed: string;
}

const names = z.array(z.string()).default([]);
const grantsSchema = z.object({
  net: names,
  read: names,
  write: names,
  env: names,
  services: names,
  calls: names,
  match: names,
});

export interface PluginStore {
  /** All rows that can be read; what an older or newer host wrote and this one does not understand is reported. */
  load(report: (error: unknown) => void): Promise<readonly PluginRow[]>;
  save(row: PluginRow): Promise<void>;
  /** Whether there was one. */
  remove(id: string): Promise<boolean>;
}

export function createPluginStore(sql: SqlStore): PluginStore {
  return {
    async load(report) {
      const rows = await sql.db.selectFrom("plugin").selectAll().orderBy("id").execute();
      return rows.flatMap((row) => {
        try {
          return [readRow(row)];
        } catch (cause) {
          report(
            new CarrelError(
              "invalid_manifest",
              `Cannot load the plugin "${row.id}": install it again.`,
              {
                cause,
              },
            ),
          );
          return [];
        }
      });
    },
    async save(row) {
      const values = writeRow(row);
      const { id: _, ...changes } = values;
      await sql.transaction((tx) =>
        tx.insertInto("plugin").values(values)
          .onConflict((conflict) => conflict.column("id").doUpdateSet(changes)).execute()
      );
    },
    async remove(id) {
      const result = await sql.transaction((tx) =>
        tx.deleteFrom("plugin").where("id", "=", id).executeTakeFirst()
      );
      return result.numDeletedRows > 0n;
    },
  };
}

function readRow(row: PluginTable): PluginRow {
  const { id, kind, origin, version, digest, installed } = row;
  return {
    id,
    kind,
    origin,
    version,
    digest,
    installed,
    enabled: row.enabled === 1,
    builtin: row.builtin === 1,
    manifest: manifestSchema.parse(JSON.parse(row.manifest_json)),
    granted: row.builtin === 1 ? NOTHING_DECLARED : grantsSchema.parse(JSON.parse(row.grants_json)),
    config: z.record(z.string(), z.unknown()).parse(JSON.parse(row.config_json)),
  };
}

function writeRow(row: PluginRow): PluginTable {
  const { id, kind, origin, version, digest, installed } = row;
  return {
    id,
    kind,
    origin,
    version,
    digest,
    installed,
    trust: row.builtin ? "trusted" : "sandboxed",
    enabled: row.enabled ? 1 : 0,
    builtin: row.builtin ? 1 : 0,
    manifest_json: JSON.stringify(row.manifest),
    grants_json: JSON.stringify(row.granted),
    config_json: JSON.stringify(row.config),
  };
}
