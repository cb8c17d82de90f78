import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { SQL_MIGRATIONS_DIR } from "../assets.ts";
import { migrate, readMigrations } from "../stores/migrate.ts";
import { openSqlite } from "../stores/sqlite.ts";
import { parseManifest } from "./manifest.ts";
import { createPluginStore } from "./store.ts";
import { yaml } from "./testing.ts";

const NOW = "2026-01-02T03:04:05.000Z";

const manifest = parseManifest(yaml(
  "import.old",
  `match: ["https://old.example/*"]
permissions:
  net: [a.example, b.example, "\${config.base}"]
  services: [search]
config: {properties: {base: {type: string}, depth: {type: integer}}}
`,
));

Deno.test("plugins of an older Carrel keep their state, their grants, their refusals and their settings", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/library.db`;
  try {
    const migrations = await readMigrations(SQL_MIGRATIONS_DIR);
    const before = migrations.findIndex(({ name }) => name === "plugins");
    const db = new DatabaseSync(path);
    migrate(db, migrations.slice(0, before), { path, now: NOW });
    const insert = db.prepare(
      "insert into plugin (id, kind, origin, version, digest, trust, enabled, builtin, manifest_json, " +
        "grants_json, config_json, installed) values (?, 'import', ?, '1.0.0', ?, ?, ?, ?, ?, ?, ?, ?)",
    );
    const none = JSON.stringify({ net: [] });
    const grants = JSON.stringify({ net: ["a.example", "${config.base}"], match: [] });
    insert.run(
      "import.old",
      "file:///old",
      "d1",
      "sandboxed",
      0,
      0,
      JSON.stringify(manifest),
      grants,
      `{"depth":5}`,
      NOW,
    );
    insert.run("import.text", "builtin", "", "trusted", 0, 1, "{}", none, "{}", NOW);
    insert.run("import.broken", "file:///x", "d2", "sandboxed", 1, 0, "not json", "no", "{}", NOW);
    db.close();

    await using sql = await openSqlite(path, { migrationsDir: SQL_MIGRATIONS_DIR });
    const reports: string[] = [];
    const { plugins } = await createPluginStore(sql).load((error) => reports.push(String(error)));
    assert.equal(reports.length, 1);
    assert.match(reports[0]!, /"import\.broken": install it again/);
    const [old, text] = plugins;
    assert.deepEqual([old?.row.id, old?.row.origin, old?.config.enabled, old?.config.config], [
      "import.old",
      "file:///old",
      false,
      { depth: 5 },
    ]);
    assert.deepEqual(
      old?.versions.map((
        { id, digest, state, lastLive },
      ) => [id === old.row.live, digest, state, lastLive]),
      [[true, "d1", "disabled", NOW]],
    );
    assert.deepEqual(old?.grants.map(({ key, decision }) => [key, decision]).sort(), [
      ["match:https://old.example/*", "denied"],
      ["net:a.example", "granted"],
      ["net:b.example", "denied"],
      ["services:search", "denied"],
    ]);
    assert.deepEqual([text?.row.builtin, text?.config.enabled, text?.versions], [true, false, []]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
