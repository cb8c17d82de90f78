/** Plugins that were granted paths which lead to Carrel's own files: in real runners, and they get nothing. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { closedFiles } from "../../core/audit/files.ts";
import { createPlugins } from "../../core/plugins/create_plugins.ts";
import { failsWith, offered, withWorld, type World, yaml } from "../../core/plugins/testing.ts";

type Opened = Awaited<ReturnType<typeof createPlugins>>;

const ID = "import.writer";
const JOB = { id: "job_hostile", idempotencyKey: "hostile" };
const CODE = `import { definePlugin } from "@carrel/sdk";
export default definePlugin.import({
  extract: async (path) => {
    await Deno.writeTextFile(path, "owned").catch(() => {});
    return await Deno.readTextFile(path).catch(() => "nothing");
  },
});
`;

/** A plugin that was granted to read and write a path; what it gets of it, or the code of what stopped it. */
async function attempt({ plugin, pool }: World, plugins: Opened, path: string, use = path) {
  const both = `permissions: {read: ["${path}"], write: ["${path}"]}\n`;
  const folder = await plugin("writer", yaml(ID, both), CODE);
  const { id } = await offered(plugins, folder);
  await plugins.decide(id, [`read:${path}`, `write:${path}`]);
  return async () => {
    try {
      await using desk = await pool.acquire(await plugins.runnerSpec(ID));
      return await desk.call("extract", [use], { job: JOB });
    } catch (error) {
      return (error as { code?: string }).code;
    } finally {
      await plugins.uninstall(ID, { deleteData: true });
    }
  };
}

const isThere = (path: string) => Deno.lstat(path).then(() => true, () => false);

Deno.test("a plugin never reaches the configuration or the audit's key, though the path is not there yet", () =>
  withWorld(async (world) => {
    const { root, restart, dataDir } = world;
    const configDir = join(root, "config");
    const keys = join(root, "keys");
    const keyFile = join(keys, "audit.key");
    const headFile = join(keys, "audit.head");
    await Promise.all([configDir, keys, join(root, "open")].map((folder) => Deno.mkdir(folder)));
    await Deno.writeTextFile(keyFile, "secret");
    await Deno.symlink(configDir, join(root, "link"));
    await Deno.symlink(join(configDir, "dangling.yaml"), join(root, "dangling"));
    await Deno.symlink(keyFile, join(root, "key_link"));
    await using plugins = await restart({
      configDir,
      closed: closedFiles({ keyFile, headFile }),
    });

    for (
      const path of [
        `${root}/link/plugins.yaml`,
        `${root}/link/deep/er/plugins.yaml`,
        `${root}/dangling`,
        `${dataDir}/new.db`,
        configDir,
        keyFile,
        headFile,
        `${keyFile}.tmp`,
        keys,
        `${root}/key_link`,
      ]
    ) {
      const run = await attempt(world, plugins, path);
      assert.equal(await run(), "denied", path);
    }

    // A folder that becomes a link only after it was granted.
    const later = `${root}/later`;
    const run = await attempt(world, plugins, `${later}/plugins.yaml`);
    await Deno.symlink(configDir, later);
    assert.equal(await run(), "denied");

    const open = `${root}/open/new.txt`;
    assert.equal(await (await attempt(world, plugins, open))(), "owned", "others are granted");
    assert.deepEqual([...Deno.readDirSync(configDir)], []);
    assert.equal(await Deno.readTextFile(keyFile), "secret");
    assert.equal(await isThere(headFile), false);
  }));

Deno.test("a manifest that spells a path in an odd way cannot be installed", () =>
  withWorld(async ({ plugins, plugin, root }) => {
    for (
      const path of [
        `${root}//config/plugins.yaml`,
        "//proc",
        "//dev/mem",
        `${root}/./config`,
        `${root}/open/../config`,
        "${data}//x",
      ]
    ) {
      const folder = await plugin("odd", yaml(ID, `permissions: {write: ["${path}"]}\n`), CODE);
      await assert.rejects(plugins.install(folder), failsWith("invalid_manifest", /without/), path);
    }
  }));
