import assert from "node:assert/strict";
import { join } from "node:path";
import type { ErrorCode } from "../errors.ts";
import { BUILTIN, CODE, exists, failsWith, ids, offered, withWorld, yaml } from "./testing.ts";

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
    const consent = await offered(
      plugins,
      await plugin("news", NEWS, CODE + "throw new Error();"),
    );
    assert.match(consent.id, /^consent_/);
    assert.deepEqual(
      [consent.kind, consent.plugin, consent.version, consent.origin.startsWith("file:///")],
      ["install", "import.news", "1.0.0", true],
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
    for (const table of ["plugin_version", "consent", "grant"] as const) {
      assert.deepEqual(await sql.db.selectFrom(table).selectAll().execute(), [], table);
    }
    const left = [...Deno.readDirSync(join(dataDir, "bundles"))].map(({ name }) => name);
    assert.deepEqual(left, []);
    await assert.rejects(plugins.decide(consent.id, []), failsWith("not_found", /no such consent/));
    await assert.rejects(plugins.decide(consent.id, undefined), failsWith("not_found", /no such/));
  });
});

Deno.test("a consent waits over a restart, and can be decided then", async () => {
  await withWorld(async ({ plugins, plugin, restart }) => {
    const consent = await offered(plugins, await plugin("news", NEWS));
    await using again = await restart();
    assert.deepEqual(again.consents(), [consent]);
    assert.deepEqual(again.consent(consent.id), consent);
    const made = await again.decide(consent.id, ["net:api.news.example"]);
    assert.deepEqual(made?.granted.net, ["api.news.example"]);
    await using third = await restart();
    assert.deepEqual(third.consents(), []);
  });
});

Deno.test("decide() grants just what was named, for good, without the source folder", async () => {
  await withWorld(async ({ plugins, plugin, root, dataDir, restart }) => {
    const folder = await plugin("news", NEWS);
    const consent = await offered(plugins, folder);
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
      const permissions = now.permissions("import.news");
      assert.deepEqual(permissions.filter(({ granted }) => granted).map(({ key }) => key), [
        "net:api.news.example",
        "write:${data}",
      ]);
      assert.ok(permissions.every(({ granted, denied }) => granted !== denied));
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
    await plugins.decide((await offered(plugins, folder)).id, []);
    assert.deepEqual(ids(plugins.matchUrl(url)), ["import.web", "import.news"]);
    assert.deepEqual(ids(plugins.matchMedia("text/html", undefined)), [
      "import.web",
      "import.text",
      "import.news",
    ]);
    await plugin("news", NEWS.replace("1.0.0", "1.0.1"));
    await plugins.decide((await offered(plugins, folder)).id, ["match:https://news.example/*"]);
    assert.deepEqual(ids(plugins.matchUrl(url)), ["import.news", "import.web"]);
  });
});

Deno.test("install() of what is live already changes nothing", async () => {
  await withWorld(async ({ plugins, plugin, restart }) => {
    const folder = await plugin("news", NEWS);
    await plugins.decide((await offered(plugins, folder)).id, []);
    const again = await plugins.install(folder);
    assert.deepEqual([again.unchanged, again.consent, again.plugin?.version], [
      true,
      undefined,
      "1.0.0",
    ]);
    assert.deepEqual(plugins.consents(), []);
    await plugins.runnerSpec("import.news");
    // The manifest counts too.
    await plugin("news", NEWS + "author: somebody else\n");
    assert.match((await offered(plugins, folder)).warnings[0]!, /calls itself 1\.0\.0/);
    await using later = await restart();
    await later.runnerSpec("import.news");
  });
});

Deno.test("install() of a new version shows the difference and keeps settings and data", async () => {
  await withWorld(async ({ plugins, plugin, dataDir, sql }) => {
    const folder = await plugin("news", NEWS);
    await plugins.decide((await offered(plugins, folder)).id, ["write:${data}"]);
    await plugins.runnerSpec("import.news");
    const kept = join(dataDir, "plugins", "import.news", "data", "kept.txt");
    await Deno.writeTextFile(kept, "x");
    await plugins.setConfig("import.news", { config: { depth: 5 } });

    const more = NEWS.replace("1.0.0", "1.1.0").replace(
      `{value: "api.news.example", reason: "the text"}`,
      `"new.example"`,
    );
    await plugin("news", more, `${CODE}export const more = 1;`);
    const update = await offered(plugins, folder);
    assert.equal(update.kind, "update");
    assert.deepEqual(update.before?.version, "1.0.0");
    assert.deepEqual(update.difference, {
      added: ["net:new.example"],
      removed: ["net:api.news.example"],
      same: [
        "net:${source.site}",
        "write:${data}",
        "services:library.read",
        "match:https://news.example/*",
      ],
      limits: {},
      takes: { added: [], removed: [] },
    });
    assert.deepEqual(update.permissions.filter(({ granted }) => granted).map(({ key }) => key), [
      "write:${data}",
    ]);
    // What was refused before is shown as refused; what is new is neither.
    assert.deepEqual(
      update.permissions.filter(({ granted, denied }) => !granted && !denied).map(({ key }) => key),
      ["net:new.example"],
    );
    assert.equal(plugins.get("import.news").version, "1.0.0", "the old one stays until the answer");
    const made = await plugins.decide(update.id, ["write:${data}"]);
    assert.deepEqual([made?.version, made?.config], ["1.1.0", { depth: 5 }]);
    assert.ok(await exists(kept));

    const other = await offered(plugins, await plugin("elsewhere", NEWS.replace("1.0.0", "9.0.0")));
    assert.equal(other.kind, "replace");
    assert.match(other.warnings[0]!, /Another plugin with this id is installed/);
    assert.ok(other.permissions.every(({ granted, denied }) => !granted && !denied));
    const replaced = await plugins.decide(other.id, []);
    assert.deepEqual(replaced?.config, { depth: 1 });
    assert.ok(!(await exists(kept)), "another origin inherits no data");
    assert.equal((await sql.db.selectFrom("plugin").selectAll().execute()).length, 1);
    assert.deepEqual(plugins.versions("import.news").map(({ version }) => version), ["9.0.0"]);
  });
});

Deno.test("install() keeps settings that the new version knows, and drops them all else", async () => {
  await withWorld(async ({ plugins, plugin }) => {
    const folder = await plugin("news", NEWS);
    await plugins.decide((await offered(plugins, folder)).id, []);
    await plugins.setConfig("import.news", { config: { depth: 5 } });
    await plugin("news", NEWS.replace("1.0.0", "1.1.0"));
    const same = await plugins.decide((await offered(plugins, folder)).id, []);
    assert.deepEqual(same?.config, { depth: 5 });
    await plugin("news", NEWS.replace("1.0.0", "1.2.0").replace("depth:", "levels:"));
    const changed = await plugins.decide((await offered(plugins, folder)).id, []);
    assert.deepEqual(changed?.config, { levels: 1 });
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
    await refused("relative/folder", "invalid_url", /absolute path/);
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
    const secret = (field: string) =>
      yaml("import.d", `config: {properties: {key: {format: secret, ${field}}}}\n`);
    await refused(
      await plugin("d", secret("default: {env: HOME}")),
      "invalid_manifest",
      /a secret has no default/,
    );
    await refused(await plugin("d", secret("type: string")), "invalid_manifest", /type object/);
    await refused(
      await plugin("d", yaml("import.d", "config: {properties: {a: {items: {format: secret}}}}\n")),
      "invalid_manifest",
      /a setting of its own/,
    );
    await refused(
      await plugin("d", yaml("import.d", "config: {properties: {a: {type: nothing}}}\n")),
      "invalid_manifest",
      /config\.properties\.a\.type: expected one of/,
    );
    assert.deepEqual(plugins.consents(), []);
    const ok = await offered(plugins, `file://${await plugin("f", yaml("import.f"))}`);
    assert.equal(ok.plugin, "import.f");
  });
});

Deno.test("install() obeys the install policy", async () => {
  await withWorld(async ({ plugin, restart }) => {
    const folder = await plugin("a", yaml("import.a"));
    await using verified = await restart({ policy: "verified", inRegistry: async () => true });
    await assert.rejects(verified.install(folder), failsWith("forbidden", /signed by a trusted/));
    await using registry = await restart({
      policy: "registry",
      inRegistry: async ({ id }) => id === "import.a",
    });
    assert.equal((await offered(registry, folder)).plugin, "import.a");
    const other = await plugin("b", yaml("import.b"));
    await assert.rejects(registry.install(other), failsWith("forbidden", /of the registry/));
  });
});

Deno.test("install() asks once a plugin, and drops the oldest of too many", async () => {
  await withWorld(async ({ plugins, plugin }) => {
    const folder = await plugin("a", yaml("import.a"));
    const first = await offered(plugins, folder);
    const second = await offered(plugins, folder);
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
    const waiting = await offered(plugins, folder);
    await Deno.remove(join(dataDir, "bundles", `${waiting.digest}.js`));
    await assert.rejects(plugins.decide(waiting.id, []), failsWith("conflict", /install it again/));
    await plugins.decide((await offered(plugins, folder)).id, []);
    const { bundle } = await plugins.runnerSpec("import.news");
    await Deno.writeTextFile(bundle, "export default 'evil';");
    await using again = await restart();
    await assert.rejects(again.runnerSpec("import.news"), failsWith("unavailable", /was changed/));
  });
});

Deno.test("uninstall() leaves nothing, and no built-in plugin goes", async () => {
  await withWorld(async ({ plugins, plugin, dataDir, sql }) => {
    const consent = await offered(plugins, await plugin("news", NEWS));
    await plugins.decide(consent.id, ["write:${data}"]);
    await plugins.runnerSpec("import.news");
    await plugins.uninstall("import.news", { deleteData: true });
    assert.equal(plugins.find("import.news"), undefined);
    assert.ok(!(await exists(join(dataDir, "plugins", "import.news"))));
    for (
      const table of ["plugin", "plugin_version", "grant", "plugin_config", "consent"] as const
    ) {
      assert.deepEqual(await sql.db.selectFrom(table).selectAll().execute(), [], table);
    }
    assert.deepEqual([...Deno.readDirSync(join(dataDir, "bundles"))], []);
    await assert.rejects(plugins.uninstall("import.news"), failsWith("not_found", /not installed/));
    await assert.rejects(plugins.uninstall("import.web"), failsWith("conflict", /built in/));
  });
});

Deno.test("uninstall() keeps the data for the same plugin, and for no other", async () => {
  await withWorld(async ({ plugins, plugin, dataDir }) => {
    const kept = join(dataDir, "plugins", "import.news", "data", "kept.txt");
    const folder = await plugin("news", NEWS);
    for (
      const [from, inherits] of [[folder, true], [await plugin("other", NEWS), false]] as const
    ) {
      await plugins.decide((await offered(plugins, folder)).id, ["write:${data}"]);
      await plugins.runnerSpec("import.news");
      await Deno.writeTextFile(kept, "x");
      await plugins.uninstall("import.news");
      assert.ok(await exists(kept));
      assert.ok(!(await exists(join(dataDir, "plugins", "import.news", "1.0.0"))));
      const consent = await offered(plugins, from);
      assert.equal(
        consent.warnings.some((text) =>
          /has left data behind: this one does not get it/.test(text)
        ),
        !inherits,
      );
      await plugins.decide(consent.id, []);
      assert.equal(await exists(kept), inherits);
      await plugins.uninstall("import.news", { deleteData: true });
    }
    assert.ok(!(await exists(join(dataDir, "plugins", "import.news"))));
  });
});

Deno.test("a plugin that was replaced finds its data again when it comes back, and nobody else does", async () => {
  await withWorld(async ({ plugins, plugin, dataDir }) => {
    const kept = join(dataDir, "plugins", "import.news", "data", "kept.txt");
    const folders = [await plugin("news", NEWS), await plugin("other", NEWS)];
    const install = async (folder: string) =>
      await plugins.decide((await offered(plugins, folder)).id, ["write:${data}"]);
    for (const folder of folders) {
      await install(folder);
      assert.ok(!(await exists(kept)), "a stranger's data");
      await plugins.runnerSpec("import.news");
      await Deno.writeTextFile(kept, folder);
    }
    for (const folder of folders) {
      await install(folder);
      assert.equal(await Deno.readTextFile(kept), folder);
    }
  });
});

Deno.test("uninstall() deletes data that was left behind, of a plugin that is gone", async () => {
  await withWorld(async ({ plugins, plugin, dataDir }) => {
    const folder = join(dataDir, "plugins", "import.news");
    await plugins.decide((await offered(plugins, await plugin("news", NEWS))).id, [
      "write:${data}",
    ]);
    await plugins.runnerSpec("import.news");
    await plugins.uninstall("import.news");
    assert.ok(await exists(join(folder, "data")));
    await assert.rejects(plugins.uninstall("import.news"), failsWith("not_found", /not installed/));
    await plugins.uninstall("import.news", { deleteData: true });
    assert.ok(!(await exists(folder)));
    await assert.rejects(
      plugins.uninstall("import.news", { deleteData: true }),
      failsWith("not_found", /not installed/),
    );
  });
});
