import assert from "node:assert/strict";
import { join } from "node:path";
import type { Plugins } from "./plugins.ts";
import { exists, failsWith, offered, withWorld, type World, yaml } from "./testing.ts";

const ID = "import.news";
const manifest = (version: string, more = "") => yaml(ID, more, version);
const NET = (...hosts: string[]) => `permissions: {net: [${hosts.join(", ")}]}\n`;

/** A plugin that says its version, and how it is. */
const code = (version: string, health = `({ status: "healthy" })`) =>
  `import { definePlugin } from "@carrel/sdk";
export default definePlugin.import({
  extract: () => ({ version: ${JSON.stringify(version)} }),
  healthCheck: (ctx) => ${health},
});
`;

/** What the live version answers, from a runner. */
async function ask(
  plugins: Plugins,
  world: Pick<World, "pool">,
  job = "import_1",
): Promise<string> {
  await using desk = await world.pool.acquire(await plugins.runnerSpec(ID, undefined, { job }));
  const answer = await desk.call("extract", [{}], { job: { id: job, idempotencyKey: job } });
  return (answer as { version: string }).version;
}

Deno.test("a new version goes live when it answers, and the one before serves until then", async () => {
  await withWorld(async (world) => {
    const plugins = await world.restart({ pool: world.pool });
    await using _ = plugins;
    const folder = await world.plugin("news", manifest("1.0.0"), code("1.0.0"));
    await plugins.decide((await offered(plugins, folder)).id, []);
    assert.equal(await ask(plugins, world), "1.0.0");

    const wrong: [string, RegExp][] = [
      [
        code("1.1.0", `({ status: "unhealthy", message: "no key" })`),
        /1\.1\.0 did not go live: no key/,
      ],
      [`${code("1.1.0")}throw new Error("at load");`, /did not go live: .*at load/],
      [`${code("1.1.0")}Deno.exit(3);`, /did not go live: /],
    ];
    for (const [text, words] of wrong) {
      await world.plugin("news", manifest("1.1.0"), text);
      const made = await plugins.decide((await offered(plugins, folder)).id, []);
      assert.equal(made?.version, "1.0.0");
      assert.match(made?.error ?? "", words);
      assert.equal(await ask(plugins, world), "1.0.0");
      assert.deepEqual(plugins.consents(), []);
      assert.ok(!(await exists(join(world.dataDir, "plugins", ID, "1.1.0"))));
    }
    assert.deepEqual(
      plugins.versions(ID).map(({ version, state, live }) => [version, state, live]),
      [["1.1.0", "disabled", false], ["1.0.0", "enabled", true]],
    );

    await world.plugin("news", manifest("1.2.0"), code("1.2.0"));
    const made = await plugins.decide((await offered(plugins, folder)).id, []);
    assert.deepEqual([made?.version, made?.error, made?.health?.status], [
      "1.2.0",
      undefined,
      "healthy",
    ]);
    assert.equal(await ask(plugins, world), "1.2.0");
    await using again = await world.restart({ pool: world.pool });
    assert.equal(await ask(again, world), "1.2.0");
  });
});

Deno.test("a first version that does not answer is installed, and off until it does", async () => {
  await withWorld(async (world) => {
    await using plugins = await world.restart({ pool: world.pool });
    const settings = "config: {required: [key], properties: {key: {type: string}}}\n";
    const check =
      `({ status: ctx.config.key === "right" ? "healthy" : "unhealthy", message: "wrong key" })`;
    const folder = await world.plugin("news", manifest("1.0.0", settings), code("1.0.0", check));
    const made = await plugins.decide((await offered(plugins, folder)).id, []);
    assert.deepEqual([made?.enabled, made?.state], [false, "disabled"]);
    assert.match(made?.error ?? "", /Version 1\.0\.0 is off: .*"key".*must be set/);
    await plugins.setConfig(ID, { config: { key: "left" } });
    await assert.rejects(plugins.setEnabled(ID, true), failsWith("unhealthy", /wrong key/));
    await using again = await world.restart({ pool: world.pool });
    assert.equal(again.get(ID).enabled, false);
    await again.setConfig(ID, { config: { key: "right" } });
    const enabled = await again.setEnabled(ID, true);
    assert.deepEqual([enabled.state, enabled.error], ["enabled", undefined]);
    assert.equal(await ask(again, world), "1.0.0");
  });
});

Deno.test("rollback() brings back the version before, with what it had been granted", async () => {
  await withWorld(async (world) => {
    await using plugins = await world.restart({ pool: world.pool });
    const folder = await world.plugin("news", manifest("1.0.0", NET("a.example")), code("1.0.0"));
    await plugins.decide((await offered(plugins, folder)).id, ["net:a.example"]);
    await assert.rejects(plugins.rollback(ID), failsWith("conflict", /no version was live before/));
    await world.plugin("news", manifest("2.0.0", NET("b.example")), code("2.0.0"));
    await plugins.decide((await offered(plugins, folder)).id, ["net:b.example"]);
    assert.deepEqual((await plugins.runnerSpec(ID)).grants.net, ["b.example:443"]);

    const back = await plugins.rollback(ID);
    assert.deepEqual([back.version, back.granted.net], ["1.0.0", ["a.example"]]);
    assert.equal(await ask(plugins, world), "1.0.0");
    await using again = await world.restart({ pool: world.pool });
    assert.equal(await ask(again, world), "1.0.0");
    assert.equal((await again.rollback(ID, { version: "2.0.0" })).version, "2.0.0");
    assert.deepEqual((await again.runnerSpec(ID)).grants.net, ["b.example:443"]);
    await assert.rejects(
      again.rollback(ID, { version: "3.0.0" }),
      failsWith("conflict", /no version "3\.0\.0" on disk/),
    );
    await assert.rejects(
      again.rollback(ID, { version: "2.0.0" }),
      failsWith("conflict", /2\.0\.0 is the version that is live/),
    );
    // On disk, and it never answered.
    await world.plugin("news", manifest("2.1.0"), "export default 1;");
    const ill = await again.decide((await offered(again, folder)).id, []);
    assert.equal(ill?.version, "2.0.0");
    await assert.rejects(
      again.rollback(ID, { version: "2.1.0" }),
      failsWith("conflict", /2\.1\.0 was never live/),
    );
    assert.deepEqual(
      again.versions(ID).map(({ version, live }) => [version, live]),
      [["2.1.0", false], ["2.0.0", true], ["1.0.0", false]],
    );
  });
});

Deno.test("a permission that a version no longer asked for is asked about when it comes back", async () => {
  await withWorld(async ({ plugins, plugin }) => {
    const folder = await plugin("news", manifest("1.0.0", NET("a.example")));
    await plugins.decide((await offered(plugins, folder)).id, ["net:a.example"]);
    await plugin("news", manifest("2.0.0"));
    await plugins.decide((await offered(plugins, folder)).id, []);
    await plugin("news", manifest("3.0.0", NET("a.example")));
    const [asked] = (await offered(plugins, folder)).permissions;
    assert.deepEqual([asked?.granted, asked?.denied], [false, false]);
  });
});

Deno.test("only the last versions are kept on disk, and none after uninstall()", async () => {
  await withWorld(async (world) => {
    await using plugins = await world.restart({ pool: world.pool });
    const folder = join(world.root, "news");
    for (let i = 0; i < 8; i++) {
      await world.plugin("news", manifest(`1.${i}.0`), code(`1.${i}.0`));
      await plugins.decide((await offered(plugins, folder)).id, []);
      await ask(plugins, world);
    }
    const versions = [...Deno.readDirSync(join(world.dataDir, "plugins", ID))].map(({ name }) =>
      name
    );
    assert.deepEqual(versions.sort(), ["1.3.0", "1.4.0", "1.5.0", "1.6.0", "1.7.0"]);
    assert.equal(plugins.versions(ID).length, 5);
    const caches = () =>
      [...Deno.readDirSync(join(world.dataDir, "runners"))].map(({ name }) => name)
        .filter((name) => name !== "watchdog");
    const spec = await plugins.runnerSpec(ID);
    await using busy = await world.pool.acquire(spec);
    await plugins.uninstall(ID, { deleteData: true });
    assert.equal((await busy.ended).reason, "closed");
    assert.deepEqual(await exists(join(world.dataDir, "plugins", ID)), false);
    assert.deepEqual([...Deno.readDirSync(join(world.dataDir, "bundles"))], []);
    assert.deepEqual(caches(), []);
  });
});

Deno.test("a plugin that goes on crashing is set aside, and gets another chance by hand", async () => {
  await withWorld(async (world) => {
    let now = Date.now();
    const options = { pool: world.pool, now: () => now };
    const plugins = await world.restart(options);
    const exit = `${code("1.0.0")}`.replace(
      `({ version: "1.0.0" })`,
      `Deno.exit(7)`,
    );
    const folder = await world.plugin("news", manifest("1.0.0"), exit);
    await plugins.decide((await offered(plugins, folder)).id, []);
    const crash = () => assert.rejects(ask(plugins, world), { code: "crashed" });
    await crash();
    await crash();
    now += 11 * 60_000;
    await crash();
    assert.equal(plugins.get(ID).state, "enabled", "three, but not within ten minutes");
    await crash();
    await crash();
    await plugins[Symbol.asyncDispose](); // what is written in the background is written then
    await using again = await world.restart(options);
    assert.deepEqual([again.get(ID).state, again.get(ID).enabled], ["quarantined", false]);
    assert.match(again.get(ID).error ?? "", /crashed again and again; .*its process/);
    await assert.rejects(again.runnerSpec(ID), failsWith("quarantined", /was set aside/));
    assert.deepEqual(again.versions(ID)[0]?.state, "quarantined");
    assert.equal((await again.setEnabled(ID, true)).state, "enabled");
    await again.runnerSpec(ID);
  });
});

Deno.test("a version that was being checked when the host stopped did not go live", async () => {
  await withWorld(async ({ plugins, plugin, restart, sql, dataDir }) => {
    const folder = await plugin("news", manifest("1.0.0"), code("1.0.0"));
    await plugins.decide((await offered(plugins, folder)).id, []);
    await plugin("news", manifest("1.1.0"), code("1.1.0"));
    const waiting = await offered(plugins, folder);
    await sql.db.updateTable("plugin_version").set({ state: "checking" })
      .where("version", "=", "1.1.0").execute();
    await Deno.mkdir(join(dataDir, "plugins", ID, "1.1.0"));
    await using again = await restart();
    assert.deepEqual(again.versions(ID).map(({ version, state }) => [version, state]), [
      ["1.1.0", "awaiting_consent"],
      ["1.0.0", "enabled"],
    ]);
    assert.ok(!(await exists(join(dataDir, "plugins", ID, "1.1.0"))));
    await again.runnerSpec(ID);
    assert.equal((await again.decide(waiting.id, []))?.version, "1.1.0");
  });
});
