import assert from "node:assert/strict";
import { join } from "node:path";
import { VERSION } from "../assets.ts";
import { CarrelError } from "../errors.ts";
import type { Bundler } from "./bundle.ts";
import { BUILTIN, failsWith, ids, offered, withWorld, yaml } from "./testing.ts";

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
      await plugins.decide((await offered(plugins, folder)).id, [`read:${path}`]);
      await assert.rejects(
        plugins.runnerSpec(`import.r${i}`),
        failsWith("denied", /Carrel's own files lie there/),
        path,
      );
    }
    const shelf = join(root, "shelf");
    const ok = await plugin("ok", yaml("import.ok", `permissions: {read: ["${shelf}"]}\n`));
    await plugins.decide((await offered(plugins, ok)).id, [`read:${shelf}`]);
    assert.deepEqual((await plugins.runnerSpec("import.ok")).grants.read, [papers, shelf]);
  });
});

Deno.test("createPlugins() starts whatever the rows hold, and with the installed ones off in safe mode", async () => {
  await withWorld(async ({ plugins, plugin, sql, restart, reports }) => {
    for (const id of ["import.a", "import.b"]) {
      await plugins.decide((await offered(plugins, await plugin(id, yaml(id)))).id, []);
    }
    await using safe = await restart({ safeMode: true });
    assert.deepEqual(
      safe.list().filter(({ builtin }) => !builtin).map(({ id, state }) => [id, state]),
      [["import.a", "disabled"], ["import.b", "disabled"]],
    );
    await assert.rejects(safe.runnerSpec("import.a"), failsWith("conflict", /is disabled/));
    // What is set in safe mode holds after it.
    assert.equal((await safe.setEnabled("import.a", true)).enabled, false);
    await sql.db.updateTable("plugin_version").set({ manifest_json: "{}" })
      .where("plugin", "=", "import.a")
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

Deno.test("warm() says nothing of a bundler that was stopped, and leaves the rest to the first use", async () => {
  await withWorld(async ({ restart, reports }) => {
    const bundler: Bundler = {
      bundle: () => Promise.reject(new CarrelError("unavailable", "the bundler was stopped")),
    };
    reports.length = 0;
    await using plugins = await restart({ bundler });
    reports.length = 0;
    await plugins.warm();
    assert.deepEqual(reports, []);
    await assert.rejects(plugins.bundleDigest("import.web"), failsWith("unavailable", /stopped/));
  });
});

Deno.test("createPlugins() reports to people without a stack", async () => {
  const real = console.error;
  const said: unknown[] = [];
  console.error = (...words) => said.push(...words);
  try {
    await withWorld(async ({ restart }) => {
      said.length = 0;
      await using _plugins = await restart({ report: undefined });
    });
  } finally {
    console.error = real;
  }
  assert.equal(said.length, 1);
  // An error as such would be shown with its stack.
  assert.equal(typeof said[0], "string");
  assert.match(said[0] as string, /colour/);
});
