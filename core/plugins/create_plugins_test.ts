import assert from "node:assert/strict";
import { join } from "node:path";
import { NODE_MODULES_DIR, SDK_DIR, SQL_MIGRATIONS_DIR, VERSION } from "../assets.ts";
import type { CarrelError, ErrorCode } from "../errors.ts";
import { createNetwork } from "../network/private.ts";
import { openSqlite } from "../stores/sqlite.ts";
import type { SqlStore } from "../stores/sql.ts";
import { createBundler } from "./bundle.ts";
import { createPlugins, type PluginsOptions } from "./create_plugins.ts";
import type { Plugins } from "./plugins.ts";

interface World {
  readonly root: string;
  readonly dataDir: string;
  readonly sql: SqlStore;
  readonly plugins: Plugins & AsyncDisposable;
  /** What was reported instead of thrown. */
  readonly reports: unknown[];
  /** The same data folder, after a restart. */
  restart(options?: Partial<PluginsOptions>): Promise<Plugins & AsyncDisposable>;
  /** Writes a plugin's folder and gives its path. */
  plugin(folder: string, yaml: string, code?: string): Promise<string>;
}

const CODE = `import { definePlugin } from "@carrel/sdk";
export default definePlugin.import({ extract: () => ({}) });
`;

const yaml = (id: string, more = "", version = "1.0.0") =>
  `id: ${id}\nversion: ${version}\nname: ${id}\ndescription: A plugin.\nentry: mod.ts\n${more}`;

/** Four built-in plugins, one broken folder, and one that is no plugin. */
const BUILTIN: Record<string, string> = {
  import_web: yaml(
    "import.web",
    `match: ["https://*", "http://*"]
media_types: [text/html]
permissions: {net: ["\${source.site}"]}
config: {properties: {timeout: {type: number, default: 30}}}
`,
  ),
  import_pdf: yaml("import.pdf", `match: ["*.pdf"]\nmedia_types: [application/pdf]\n`),
  import_text: yaml("import.text", "media_types: [text/*]\n"),
  export_book: yaml("export.book", "formats: [ebook]\n"),
  broken: yaml("import.broken", "colour: red\n"),
};

async function withWorld(
  work: (world: World) => Promise<void>,
  setup: (world: World) => Promise<Partial<PluginsOptions> | void> = () => Promise.resolve(),
): Promise<void> {
  const root = await Deno.realPath(await Deno.makeTempDir());
  const dataDir = join(root, "data");
  const builtinDir = join(root, "builtin");
  try {
    await Deno.mkdir(dataDir);
    await using sql = await openSqlite(join(dataDir, "library.db"), {
      migrationsDir: SQL_MIGRATIONS_DIR,
    });
    const reports: unknown[] = [];
    const plugin: World["plugin"] = async (folder, text, code = CODE) => {
      const path = join(root, folder);
      await Deno.mkdir(path, { recursive: true });
      await Deno.writeTextFile(join(path, "carrel.yaml"), text);
      await Deno.writeTextFile(join(path, "mod.ts"), code);
      return path;
    };
    for (const [name, text] of Object.entries(BUILTIN)) await plugin(`builtin/${name}`, text);
    await Deno.mkdir(join(builtinDir, "no_plugin"));
    const restart = async (options: Partial<PluginsOptions> = {}) =>
      await createPlugins({
        sql,
        dataDir,
        builtinDir,
        bundler: createBundler({
          cacheDir: join(dataDir, "bundles"),
          sdkDir: SDK_DIR,
          nodeModulesDir: NODE_MODULES_DIR,
        }),
        network: await createNetwork({ allowPrivate: ["127.0.0.1:8080"] }),
        report: (error) => reports.push(error),
        ...options,
      });
    const world = { root, dataDir, sql, reports, restart, plugin };
    const options = await setup(world as unknown as World);
    await using plugins = await restart(options ?? {});
    await work({ ...world, plugins });
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

const failsWith = (code: ErrorCode, words: RegExp) => (error: CarrelError) => {
  assert.equal(error.code, code, error.message);
  assert.match(error.message, words);
  return true;
};

const exists = (path: string) => Deno.lstat(path).then(() => true, () => false);
const ids = (plugins: readonly { id: string }[]) => plugins.map(({ id }) => id);

Deno.test("createPlugins() lists the built-in plugins and reports a broken one", async () => {
  await withWorld(async ({ plugins, reports }) => {
    assert.deepEqual(ids(plugins.list()), [
      "export.book",
      "import.pdf",
      "import.text",
      "import.web",
    ]);
    assert.deepEqual(ids(plugins.list({ kind: "export" })), ["export.book"]);
    assert.deepEqual(plugins.list({ enabled: false }), []);
    assert.equal(reports.length, 1);
    assert.match(String(reports[0]), /broken\/carrel\.yaml:6: colour: unknown key/);
    const web = plugins.get("import.web");
    assert.deepEqual([web.builtin, web.trust, web.origin, web.digest], [
      true,
      "trusted",
      "builtin",
      "",
    ]);
    assert.deepEqual(web.config, { timeout: 30 });
    assert.deepEqual(plugins.permissions("import.web").map(({ key, granted }) => [key, granted]), [
      ["net:${source.site}", true],
    ]);
    assert.equal(plugins.find("import.none"), undefined);
    assert.throws(() => plugins.get("import.none"), failsWith("not_found", /import\.none/));
  });
});

Deno.test("createPlugins() does without a folder of built-in plugins", async () => {
  await withWorld(async ({ restart, root }) => {
    await using plugins = await restart({ builtinDir: join(root, "none") });
    assert.deepEqual(plugins.list(), []);
  });
});

Deno.test("matchUrl(), matchMedia() and matchFormat() give the enabled ones, best first", async () => {
  await withWorld(async ({ plugins }) => {
    assert.deepEqual(ids(plugins.matchUrl("https://a.example/x.pdf")), [
      "import.web",
      "import.pdf",
    ]);
    assert.deepEqual(ids(plugins.matchUrl("ftp://a.example/")), []);
    assert.deepEqual(ids(plugins.matchMedia("text/html; charset=utf-8", undefined)), [
      "import.web",
      "import.text",
    ]);
    assert.deepEqual(ids(plugins.matchMedia("", "a.pdf")), ["import.pdf"]);
    assert.deepEqual(ids(plugins.matchMedia("application/octet-stream", "a.md")), ["import.text"]);
    assert.deepEqual(plugins.matchMedia("application/octet-stream", undefined), []);
    assert.deepEqual(ids(plugins.matchFormat("ebook")), ["export.book"]);
    assert.deepEqual(plugins.matchFormat("podcast"), []);
    await plugins.setEnabled("import.web", false);
    assert.deepEqual(ids(plugins.matchUrl("https://a.example/x.pdf")), ["import.pdf"]);
  });
});

Deno.test("createPlugins() obeys the operator's file, and the API's word before it", async () => {
  await withWorld(async ({ plugins, restart, root }) => {
    assert.deepEqual(ids(plugins.matchUrl("https://a.example/x.pdf")), [
      "import.pdf",
      "import.web",
    ]);
    assert.deepEqual(plugins.get("import.web").config, { timeout: 10 });
    assert.equal(plugins.get("export.book").enabled, false);
    await plugins.setEnabled("export.book", true);
    await plugins.setEnabled("import.text", false);
    await using again = await restart({ configDir: root });
    assert.equal(again.get("export.book").enabled, true);
    assert.equal(again.get("import.text").enabled, false);
  }, async ({ root }) => {
    await Deno.writeTextFile(
      join(root, "plugins.yaml"),
      `import_plugins:
  - {plugin_id: import.pdf, priority: 1}
  - {plugin_id: import.web, config: {timeout: 10}}
export_plugins:
  - {plugin_id: export.book, enabled: false}
`,
    );
    return { configDir: root };
  });
});

Deno.test("createPlugins() refuses an operator's file that sets what is not there", async () => {
  await withWorld(async ({ restart, root }) => {
    const text = "import_plugins:\n  - {plugin_id: import.web, config: {time: 10}}\n";
    await Deno.writeTextFile(join(root, "plugins.yaml"), text);
    await assert.rejects(
      restart({ configDir: root }),
      failsWith("invalid_config", /"time" of the plugin "import\.web": there is no such setting/),
    );
  });
});

Deno.test("runnerSpec() bundles a built-in plugin and resolves its grants for the job", async () => {
  await withWorld(async ({ plugins, dataDir }) => {
    const spec = await plugins.runnerSpec("import.web", { url: "https://en.example.org/a" });
    assert.deepEqual(spec.grants.net, [
      "*.example.org:443",
      "*.example.org:80",
      "example.org:443",
      "example.org:80",
    ]);
    assert.equal(spec.bundle, join(dataDir, "bundles", `${spec.digest}.js`));
    assert.equal(plugins.get("import.web").digest, spec.digest);
    assert.equal(await plugins.bundleDigest("import.web"), spec.digest);
    assert.deepEqual([spec.trust, spec.config], ["trusted", { timeout: 30 }]);
    assert.deepEqual((await plugins.runnerSpec("import.web")).grants.net, []);
    assert.deepEqual((await plugins.runnerSpec("import.web", { url: "arxiv:1" })).grants.net, []);

    const opened = await plugins.runnerSpec("import.web", { url: "http://127.0.0.1:8080/" });
    assert.deepEqual(opened.grants.private, [
      { host: "127.0.0.1", port: 8080, addresses: ["127.0.0.1"] },
    ]);
    await assert.rejects(
      plugins.runnerSpec("import.web", { url: "http://127.0.0.1:8081/" }),
      failsWith("private_address", /--allow-private 127\.0\.0\.1:8081/),
    );
    await plugins.setEnabled("import.web", false);
    await assert.rejects(plugins.runnerSpec("import.web"), failsWith("conflict", /is disabled/));
  });
});

Deno.test("warm() bundles all that is enabled and reports what cannot be", async () => {
  await withWorld(async ({ plugins, reports, plugin }) => {
    await plugins.setEnabled("import.pdf", false);
    await plugin("builtin/export_book", BUILTIN.export_book!, "export default {};\nconst = 1;\n");
    reports.length = 0;
    await Promise.all([plugins.warm(), plugins.warm()]);
    assert.match(plugins.get("import.web").digest, /^[0-9a-f]{64}$/);
    assert.equal(plugins.get("import.pdf").digest, "");
    assert.equal(reports.length, 1);
    assert.match(String(reports[0]), /mod\.ts:2: /);
    // Mended: the next use tries again.
    await plugin("builtin/export_book", BUILTIN.export_book!);
    assert.match(await plugins.bundleDigest("export.book"), /^[0-9a-f]{64}$/);
  });
});

Deno.test("disposing plugins stops warming between two plugins", async () => {
  await withWorld(async ({ restart }) => {
    const plugins = await restart();
    const warming = plugins.warm();
    await plugins[Symbol.asyncDispose]();
    await warming;
    assert.equal(plugins.get("import.web").digest, "");
  });
});

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
      /at most 256 KiB/,
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

Deno.test("runnerSpec() never opens Carrel's own files, not even through a link", async () => {
  await withWorld(async ({ plugins, plugin, root, dataDir }) => {
    const papers = join(root, "papers");
    await Deno.mkdir(papers);
    await Deno.symlink(dataDir, join(root, "link"));
    await Deno.symlink(papers, join(root, "shelf"));
    for (
      const [i, path] of [dataDir, root, join(root, "link"), `${root}/link/library.db`].entries()
    ) {
      const folder = await plugin(
        `r${i}`,
        yaml(`import.r${i}`, `permissions: {read: ["${path}"]}\n`),
      );
      await plugins.decide((await plugins.install(folder)).id, [`read:${path}`]);
      await assert.rejects(
        plugins.runnerSpec(`import.r${i}`),
        failsWith("denied", /Carrel's own files lie there/),
        path,
      );
    }
    const shelf = join(root, "shelf");
    const ok = await plugin("ok", yaml("import.ok", `permissions: {read: ["${shelf}"]}\n`));
    await plugins.decide((await plugins.install(ok)).id, [`read:${shelf}`]);
    assert.deepEqual((await plugins.runnerSpec("import.ok")).grants.read, [papers, shelf]);
  });
});

Deno.test("createPlugins() starts whatever the rows hold, and without the installed ones in safe mode", async () => {
  await withWorld(async ({ plugins, plugin, sql, restart, reports }) => {
    for (const id of ["import.a", "import.b"]) {
      await plugins.decide((await plugins.install(await plugin(id, yaml(id)))).id, []);
    }
    await using safe = await restart({ safeMode: true });
    assert.deepEqual(safe.list().filter(({ builtin }) => !builtin), []);
    await sql.db.updateTable("plugin").set({ manifest_json: "{}" }).where("id", "=", "import.a")
      .execute();
    reports.length = 0;
    await using again = await restart();
    assert.equal(again.find("import.a"), undefined);
    assert.equal(again.get("import.b").version, "1.0.0");
    assert.ok(reports.some((error) => /"import\.a": install it again/.test(String(error))));
    // A later Carrel brings a built-in plugin of the same id.
    await plugin("builtin/b", yaml("import.b", "", "2.0.0"));
    await using third = await restart();
    assert.deepEqual([third.get("import.b").builtin, third.get("import.b").version], [
      true,
      "2.0.0",
    ]);
    assert.ok(reports.some((error) => /a built-in plugin has this id now/.test(String(error))));
  });
});

Deno.test("createPlugins() takes this program's version unless told otherwise", async () => {
  await withWorld(async ({ plugins }) => {
    assert.deepEqual(ids(plugins.list()), ["import.text"]);
  }, async ({ plugin, root }) => {
    await plugin("other/text", yaml("import.text", `carrel: "${VERSION}"\n`));
    await plugin("other/web", yaml("import.web", 'carrel: ">99"\n'));
    return { builtinDir: join(root, "other") };
  });
});
