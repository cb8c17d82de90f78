import assert from "node:assert/strict";
import {
  availableSchema,
  consentSchema,
  pluginSchema,
  pluginVersionSchema,
  verificationSchema,
} from "../schemas.ts";
import { type TestApp, testApp, type TestInit } from "../testing/memory_host.ts";
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
  assert.equal((await install()).origin, "file:///srv/my%20plugin");
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

Deno.test("POST install says where nothing had to be asked", async () => {
  await using app = await testApp();
  const response = await app.request("admin", "POST", "/api/plugins/install", {
    json: { url: "import.text" },
  });
  const { job, consent, plugin, unchanged } = await response.json();
  assert.deepEqual([response.status, job, consent, unchanged], [202, null, null, true]);
  assert.equal(pluginSchema.parse(plugin).id, "import.text");
});

Deno.test("GET a consent shows it while it waits", async () => {
  await using app = await testApp();
  const path = "/api/plugins/consents/consent_1";
  assert.equal((await app.request("admin", "GET", path)).status, 404);
  await app.request("admin", "POST", "/api/plugins/install", { json: { url: "/srv/new" } });
  const consent = await (await app.request("admin", "GET", path)).json();
  assert.equal(consentSchema.parse(consent).kind, "install");
  assert.equal((await app.request("reader", "GET", path)).status, 403);
});

Deno.test("PUT config sets what is named and leaves the rest", async () => {
  await using app = await testApp();
  const put = async (json: unknown) => {
    const response = await app.request("admin", "PUT", "/api/plugins/import.text/config", { json });
    assert.equal(response.status, 200);
    const { plugin, consent } = await response.json();
    assert.equal(consent, null);
    return pluginSchema.parse(plugin);
  };
  assert.deepEqual((await put({ config: { depth: 2 } })).config, { depth: 2 });
  const plugin = await put({ limits: { wall_s: 5 }, auto_update: true });
  assert.deepEqual([plugin.config, plugin.limits["wall_s"], plugin.auto_update], [
    { depth: 2 },
    5,
    true,
  ]);
  const unknown = await app.request("admin", "PUT", "/api/plugins/import.text/config", {
    json: { colour: "red" },
  });
  assert.equal((await problemOf(unknown)).code, "bad_request");
});

Deno.test("POST rollback, GET versions", async () => {
  await using app = await testApp();
  const rollback = async (init?: TestInit) => {
    const path = "/api/plugins/import.text/rollback";
    return (await (await app.request("admin", "POST", path, init)).json()).version;
  };
  assert.equal(await rollback(), "0.9.0");
  assert.equal(await rollback({ json: { version: "0.8.0" } }), "0.8.0");
  const versions = await app.request("reader", "GET", "/api/plugins/import.text/versions");
  const [version] = (await versions.json()).items;
  assert.equal(pluginVersionSchema.parse(version).version, "0.8.0");
});

Deno.test("POST revoke takes a grant back, for admins", async () => {
  await using app = await testApp();
  const revoke = (role: "admin" | "editor") =>
    app.request(role, "POST", "/api/plugins/import.text/revoke", {
      json: { grants: ["net:${source.site}"] },
    });
  assert.equal((await revoke("editor")).status, 403);
  const after = await revoke("admin");
  assert.equal(after.status, 200);
  assert.equal((await after.json()).permissions[0].granted, false);
});

Deno.test("GET audit shows what was done with a plugin that is gone, and knows no other", async () => {
  await using app = await testApp();
  const gone = await app.request("admin", "DELETE", "/api/plugins/import.text");
  assert.equal(gone.status, 204);
  const path = "/api/plugins/import.text/audit";
  const audit = await (await app.request("reader", "GET", path)).json();
  assert.deepEqual([audit.items.length, audit.observed], [2, []]);
  const none = await app.request("reader", "GET", `${path}?event=plugin.disabled`);
  assert.deepEqual((await none.json()).items, []);
  assert.equal((await app.request("reader", "GET", "/api/plugins/no.such/audit")).status, 404);
});

Deno.test("GET audit shows what was observed, and POST tighten drops what was not", async () => {
  await using app = await testApp();
  const audit = await (await app.request("reader", "GET", "/api/plugins/import.text/audit")).json();
  assert.deepEqual(audit.items.map(({ event }: { event: string }) => event), [
    "permission.used",
    "plugin.installed",
  ]);
  const tighten = async (query = "") => {
    const path = `/api/plugins/import.text/tighten${query}`;
    return await (await app.request("admin", "POST", path)).json();
  };
  assert.deepEqual((await tighten("?dry_run=true")).dropped, ["net:${source.site}"]);
  assert.equal((await tighten()).plugin.permissions[0].granted, false);
  assert.deepEqual((await tighten()).dropped, []);
  const found = await (await app.request("admin", "GET", "/api/audit/verification")).json();
  assert.equal(verificationSchema.parse(found).ok, true);
  const rows = await (await app.request("admin", "GET", "/api/audit?event=plugin.installed"))
    .json();
  assert.equal(rows.items.length, 1);
});

Deno.test("GET available shows what the registry lists, and what of it is installed", async () => {
  await using app = await testApp();
  const get = async (query = "") =>
    availableSchema.parse(
      await (await app.request("reader", "GET", `/api/plugins/available${query}`)).json(),
    );
  const { items, stale } = await get();
  assert.equal(stale, false);
  assert.deepEqual(
    items.map(({ id, latest, installed, compatible }) => [id, latest, installed, compatible]),
    [
      ["export.book", null, null, false],
      ["import.text", "2.0.0", "1.0.0", true],
    ],
  );
  assert.deepEqual((await get("?kind=import")).items.length, 1);
  assert.equal((await get("?refresh=true")).fetched, "2030-01-02");
});

Deno.test("what changes a plugin takes an admin", async () => {
  await using app = await testApp();
  const one = "/api/plugins/import.text";
  for (
    const [method, path, json] of [
      ["POST", "/api/plugins/install", { url: "/srv/x" }],
      ["GET", "/api/plugins/consents", undefined],
      ["POST", "/api/plugins/consents/x", { decision: "deny" }],
      ["POST", `${one}/enable`, undefined],
      ["POST", `${one}/disable`, undefined],
      ["POST", `${one}/rollback`, undefined],
      ["POST", `${one}/tighten`, undefined],
      ["PUT", `${one}/config`, { config: {} }],
      ["DELETE", one, undefined],
      ["GET", "/api/audit", undefined],
    ] as const
  ) {
    const init = json === undefined ? {} : { json };
    assert.equal((await app.request("editor", method, path, init)).status, 403, path);
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
