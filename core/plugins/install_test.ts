import assert from "node:assert/strict";
import { join } from "node:path";
import type { ErrorCode } from "../errors.ts";
import { BUILTIN, CODE, exists, failsWith, ids, withWorld, yaml } from "./testing.ts";

const NEWS = yaml(
  "import.news",
  `match: ["https://news.example/*"]
media_types: [text/html]
permissions:
  net: ["\${source.site}", {value: "api.news.example", reason: "the text"}]
  write: ["\${data}"]
  services: [library.read]
config: {properties: {depth: {type: integer, default: 1}}}
`,
);

Deno.test("install() asks, and nothing of the plugin is kept before the answer", async () => {
  await withWorld(async ({ plugins, plugin, sql, dataDir }) => {
    const consent = await plugins.install(await plugin("news", NEWS, CODE + "throw new Error();"));
    assert.match(consent.id, /^consent_/);
    assert.deepEqual(
      [consent.plugin, consent.version, consent.origin.startsWith("file:///")],
      ["import.news", "1.0.0", true],
    );
    assert.deepEqual(consent.permissions.map(({ key, risk, granted }) => [key, risk, granted]), [
      ["net:${source.site}", "low", false],
      ["net:api.news.example", "low", false],
      ["write:${data}", "medium", false],
      ["services:library.read", "medium", false],
      ["match:https://news.example/*", "medium", false],
    ]);
    assert.match(consent.warnings[0]!, /can read your library and can send it to/);
    assert.deepEqual(plugins.consents(), [consent]);
    assert.equal(plugins.find("import.news"), undefined);
    assert.deepEqual(await sql.db.selectFrom("plugin").selectAll().execute(), []);
    assert.equal(await exists(join(dataDir, "plugins")), false);

    assert.equal(await plugins.decide(consent.id, undefined), undefined);
    assert.deepEqual(plugins.consents(), []);
    const left = [...Deno.readDirSync(join(dataDir, "bundles"))].map(({ name }) => name);
    assert.deepEqual(left.filter((name) => name.endsWith(".js")), []);
    await assert.rejects(plugins.decide(consent.id, []), failsWith("not_found", /no such consent/));
    await assert.rejects(plugins.decide(consent.id, undefined), failsWith("not_found", /no such/));
  });
});

Deno.test("decide() grants just what was named, for good, without the source folder", async () => {
  await withWorld(async ({ plugins, plugin, root, dataDir, restart }) => {
    const folder = await plugin("news", NEWS);
    const consent = await plugins.install(folder);
    await assert.rejects(
      plugins.decide(consent.id, ["net:evil.example"]),
      failsWith("bad_request", /does not ask for it/),
    );
    const made = await plugins.decide(consent.id, ["net:api.news.example", "write:${data}"]);
    assert.deepEqual([made?.trust, made?.enabled, made?.builtin], ["sandboxed", true, false]);
    await Deno.remove(folder, { recursive: true });

    await using again = await restart();
    for (const now of [plugins, again]) {
      const spec = await now.runnerSpec("import.news", { url: "https://news.example/1" });
      const own = join(dataDir, "plugins", "import.news", "data");
      assert.deepEqual(spec.grants.net, ["api.news.example:443"]);
      assert.deepEqual(spec.grants.write, [own]);
      assert.deepEqual(spec.grants.services, []);
      assert.ok((await Deno.stat(own)).isDirectory);
      assert.equal(spec.digest, consent.digest);
      assert.ok(spec.bundle.startsWith(join(dataDir, "plugins", "import.news", "1.0.0")));
      assert.ok(await exists(spec.bundle));
      assert.deepEqual(
        now.permissions("import.news").filter(({ granted }) => granted).map(({ key }) => key),
        ["net:api.news.example", "write:${data}"],
      );
    }
    await plugins.setEnabled("import.news", false);
    await using third = await restart({ configDir: root });
    assert.equal(third.get("import.news").enabled, false);
  });
});

Deno.test("a plugin takes a URL from a built-in one only where it was allowed to", async () => {
  await withWorld(async ({ plugins, plugin }) => {
    const folder = await plugin("news", NEWS);
    const url = "https://news.example/1";
    await plugins.decide((await plugins.install(folder)).id, []);
    assert.deepEqual(ids(plugins.matchUrl(url)), ["import.web", "import.news"]);
    assert.deepEqual(ids(plugins.matchMedia("text/html", undefined)), [
      "import.web",
      "import.text",
      "import.news",
    ]);
    await plugins.decide((await plugins.install(folder)).id, ["match:https://news.example/*"]);
    assert.deepEqual(ids(plugins.matchUrl(url)), ["import.news", "import.web"]);
  });
});

Deno.test("install() of a new version shows what is granted and keeps settings and data", async () => {
  await withWorld(async ({ plugins, plugin, dataDir, sql }) => {
    const folder = await plugin("news", NEWS);
    await plugins.decide((await plugins.install(folder)).id, ["write:${data}"]);
    await plugins.runnerSpec("import.news");
    const kept = join(dataDir, "plugins", "import.news", "data", "kept.txt");
    await Deno.writeTextFile(kept, "x");
    await sql.db.updateTable("plugin").set({ config_json: `{"depth": 5}` }).execute();

    await plugin("news", NEWS.replace("1.0.0", "1.1.0"), `${CODE}export const more = 1;`);
    const update = await plugins.install(folder);
    assert.deepEqual(update.permissions.filter(({ granted }) => granted).map(({ key }) => key), [
      "write:${data}",
    ]);
    assert.equal(plugins.get("import.news").version, "1.0.0", "the old one stays until the answer");
    const made = await plugins.decide(update.id, ["write:${data}"]);
    assert.equal(made?.version, "1.1.0");
    assert.ok(await exists(kept));

    const other = await plugins.install(await plugin("elsewhere", NEWS.replace("1.0.0", "9.0.0")));
    assert.match(other.warnings[0]!, /Another plugin with this id is installed/);
    assert.ok(other.permissions.every(({ granted }) => !granted));
    await plugins.decide(other.id, []);
    assert.ok(!(await exists(kept)), "another origin inherits no data");
    assert.equal((await sql.db.selectFrom("plugin").selectAll().execute()).length, 1);
  });
});

Deno.test("install() keeps settings that the new version takes, and drops them all else", async () => {
  await withWorld(async ({ plugins, plugin, sql, restart }) => {
    const folder = await plugin("news", NEWS);
    await plugins.decide((await plugins.install(folder)).id, []);
    await sql.db.updateTable("plugin").set({ config_json: `{"depth": 5}` }).execute();
    await using again = await restart();
    assert.deepEqual(again.get("import.news").config, { depth: 5 });
    const same = await again.decide((await again.install(folder)).id, []);
    assert.deepEqual(same?.config, { depth: 5 });
    await plugin(
      "news",
      NEWS.replace("depth: {type: integer", "depth: {type: string").replace(
        "default: 1",
        'default: "one"',
      ),
    );
    const changed = await again.decide((await again.install(folder)).id, []);
    assert.deepEqual(changed?.config, { depth: "one" });
  });
});

Deno.test("install() refuses what it must not take", async () => {
  await withWorld(async ({ plugins, plugin, root }) => {
    const refused = (folder: string, code: ErrorCode, words: RegExp) =>
      assert.rejects(plugins.install(folder), failsWith(code, words), folder);
    await refused(
      await plugin("a", BUILTIN.import_web!),
      "conflict",
      /built-in plugin has this id/,
    );
    await refused("relative/folder", "bad_request", /absolute path/);
    await refused(join(root, "none"), "invalid_manifest", /no such folder/);
    await refused(join(root, "a", "mod.ts"), "invalid_manifest", /no such folder/);
    await refused(
      join(root, "builtin", "no_plugin"),
      "invalid_manifest",
      /expected a file carrel\.yaml/,
    );
    await refused(
      await plugin("b", yaml("import.b", 'carrel: ">=9"\n')),
      "invalid_manifest",
      /Carrel >=9, and this is/,
    );
    await refused(
      await plugin("c", yaml("import.c"), `import x from "../a/mod.ts"; export default x;`),
      "invalid_manifest",
      /mod\.ts:1: .*leads out/,
    );
    const linked = await plugin("d", "");
    await Deno.remove(join(linked, "carrel.yaml"));
    await Deno.symlink("/etc/hostname", join(linked, "carrel.yaml"));
    await refused(linked, "invalid_manifest", /expected a file carrel\.yaml/);
    await refused(
      await plugin("e", `# ${"x".repeat(300_000)}`),
      "invalid_manifest",
      /at most 64 KiB/,
    );
    assert.deepEqual(plugins.consents(), []);
    const ok = await plugins.install(`file://${await plugin("f", yaml("import.f"))}`);
    assert.equal(ok.plugin, "import.f");
  });
});

Deno.test("install() asks once a plugin, and drops the oldest of too many", async () => {
  await withWorld(async ({ plugins, plugin }) => {
    const folder = await plugin("a", yaml("import.a"));
    const first = await plugins.install(folder);
    const second = await plugins.install(folder);
    assert.deepEqual(plugins.consents(), [second]);
    await assert.rejects(plugins.decide(first.id, []), failsWith("not_found", /no such consent/));
    for (let i = 0; i < 32; i++) {
      await plugins.install(
        await plugin(`p${i}`, yaml(`import.p${i}`), `${CODE}export const i = ${i};`),
      );
    }
    assert.equal(plugins.consents().length, 32);
    assert.ok(!ids(plugins.consents()).includes(second.id));
  });
});

Deno.test("decide() and runnerSpec() notice a bundle that is missing or was changed", async () => {
  await withWorld(async ({ plugins, plugin, dataDir, restart }) => {
    const folder = await plugin("news", NEWS);
    const waiting = await plugins.install(folder);
    await Deno.remove(join(dataDir, "bundles", `${waiting.digest}.js`));
    await assert.rejects(plugins.decide(waiting.id, []), failsWith("conflict", /install it again/));
    await plugins.decide((await plugins.install(folder)).id, []);
    const { bundle } = await plugins.runnerSpec("import.news");
    await Deno.writeTextFile(bundle, "export default 'evil';");
    await using again = await restart();
    await assert.rejects(again.runnerSpec("import.news"), failsWith("unavailable", /was changed/));
  });
});

Deno.test("uninstall() leaves nothing, and no built-in plugin goes", async () => {
  await withWorld(async ({ plugins, plugin, dataDir, sql }) => {
    await plugins.decide((await plugins.install(await plugin("news", NEWS))).id, ["write:${data}"]);
    await plugins.runnerSpec("import.news");
    await plugins.uninstall("import.news");
    assert.equal(plugins.find("import.news"), undefined);
    assert.ok(!(await exists(join(dataDir, "plugins", "import.news"))));
    assert.deepEqual(await sql.db.selectFrom("plugin").selectAll().execute(), []);
    await assert.rejects(plugins.uninstall("import.news"), failsWith("not_found", /not installed/));
    await assert.rejects(plugins.uninstall("import.web"), failsWith("conflict", /built in/));
  });
});
