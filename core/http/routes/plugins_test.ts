import assert from "node:assert/strict";
import { consentSchema, pluginSchema } from "../schemas.ts";
import { type TestApp, testApp } from "../testing/memory_host.ts";
import { problemOf } from "../testing/problem.ts";

async function listOf(app: TestApp, path: string) {
  const response = await app.request("reader", "GET", path);
  assert.equal(response.status, 200);
  const { items } = await response.json();
  return items.map((item: unknown) => pluginSchema.parse(item));
}

const idsOf = async (app: TestApp, path: string) =>
  (await listOf(app, path)).map(({ id }: { id: string }) => id);

Deno.test("GET plugins filters by kind and by whether they are enabled", async () => {
  await using app = await testApp();
  const imports = ["import.text", "import.broken", "import.off"];
  assert.deepEqual(await idsOf(app, "/api/plugins"), [...imports, "export.ebook"]);
  assert.deepEqual(await idsOf(app, "/api/plugins?kind=import"), imports);
  assert.deepEqual(await idsOf(app, "/api/plugins/import?enabled=false"), ["import.off"]);
  assert.deepEqual(await idsOf(app, "/api/plugins/export"), ["export.ebook"]);
});

Deno.test("GET plugins checks the health of the enabled ones when asked, and takes a failure for an answer", async () => {
  await using app = await testApp();
  const plugins = await listOf(app, "/api/plugins/import?include_health=true");
  assert.deepEqual(plugins.map(({ health }: { health?: unknown }) => health), [
    { status: "healthy", message: null },
    { status: "unhealthy", message: "Cannot check: too slow." },
    undefined,
  ]);
});

Deno.test("GET a plugin's health shares the check that runs, and starts another after its end", async () => {
  await using app = await testApp();
  const started: string[] = [];
  const done = Promise.withResolvers<void>();
  const ASKED = 21;
  let seen = 0;
  const { get } = app.host.plugins;
  Object.assign(app.host.plugins, {
    get(id: string) {
      // Right after it the last one asks for the check too, before anything waits.
      if (++seen === ASKED) done.resolve();
      return get(id);
    },
  });
  Object.assign(app.host, {
    async pluginHealth(id: string) {
      started.push(id);
      await done.promise;
      return { status: "healthy" };
    },
  });
  const check = (path: string) => app.request("reader", "GET", `/api/plugins${path}`);
  const asked = Array.from(
    { length: ASKED },
    (_, i) => check(i === 0 ? "/export.ebook/health" : "/import.text/health"),
  );
  for (const response of await Promise.all(asked)) assert.equal(response.status, 200);
  assert.deepEqual(started.toSorted(), ["export.ebook", "import.text"]);
  await check("/import.text/health");
  assert.equal(started.length, 3);
});

Deno.test("GET a plugin shows it, its manifest, its settings' schema and its health", async () => {
  await using app = await testApp();
  const get = async (path: string) => {
    const response = await app.request("reader", "GET", `/api/plugins/${path}`);
    return { status: response.status, body: await response.json() };
  };
  const plugin = pluginSchema.parse((await get("import.text")).body);
  assert.deepEqual([plugin.permissions[0]?.risk, plugin.config], ["medium", { depth: 1 }]);
  assert.equal((await get("import.text/manifest")).body.entry, "mod.ts");
  assert.equal((await get("import.text/config-schema")).body.properties.depth.type, "integer");
  assert.deepEqual((await get("import.text/health")).body, { status: "healthy", message: null });
  const slow = await get("import.broken/health");
  assert.deepEqual([slow.status, slow.body.code], [504, "timed_out"]);
  for (const part of ["", "/manifest", "/config-schema", "/health"]) {
    assert.equal((await get(`import.none${part}`)).status, 404);
  }
});

Deno.test("POST install shows a consent, and the decision enables the plugin or drops it", async () => {
  await using app = await testApp();
  const install = async () => {
    const response = await app.request("admin", "POST", "/api/plugins/install", {
      json: { url: "file:///srv/my%20plugin" },
    });
    assert.equal(response.status, 202);
    return consentSchema.parse((await response.json()).consent);
  };
  const decide = async (json: unknown) => {
    const path = `/api/plugins/consents/${(await install()).id}`;
    const response = await app.request("admin", "POST", path, { json });
    assert.equal(response.status, 200);
    return (await response.json()).plugin;
  };
  assert.equal((await install()).origin, "/srv/my plugin");
  const waiting = await app.request("admin", "GET", "/api/plugins/consents");
  assert.equal((await waiting.json()).items.length, 1);
  assert.equal(await decide({ decision: "deny" }), null);
  const granted = await decide({ decision: "grant", grants: ["net:${source.site}"] });
  assert.equal(pluginSchema.parse(granted).permissions[0]?.granted, true);
  const none = await decide({ decision: "grant" });
  assert.equal(pluginSchema.parse(none).permissions[0]?.granted, false);
  assert.deepEqual(await (await app.request("admin", "GET", "/api/plugins/consents")).json(), {
    items: [],
  });
});

Deno.test("POST install takes absolute paths and file: URLs only", async () => {
  await using app = await testApp();
  const install = (url: string) =>
    app.request("admin", "POST", "/api/plugins/install", { json: { url } });
  assert.equal((await install("/srv/plugin")).status, 202);
  for (
    const url of ["plugin", "https://example.org/carrel.yaml", "file://elsewhere/x", "file:%zz"]
  ) {
    const problem = await problemOf(await install(url));
    assert.deepEqual([problem.code, problem.details?.["field"]], ["invalid_url", "url"], url);
  }
});

Deno.test("POST enable and disable, DELETE uninstall", async () => {
  await using app = await testApp();
  const post = async (action: string) => {
    const response = await app.request("admin", "POST", `/api/plugins/import.text/${action}`);
    return pluginSchema.parse(await response.json()).enabled;
  };
  assert.equal(await post("disable"), false);
  assert.equal(await post("enable"), true);
  assert.equal((await app.request("admin", "DELETE", "/api/plugins/import.text")).status, 204);
  assert.equal((await app.request("reader", "GET", "/api/plugins/import.text")).status, 404);
});
