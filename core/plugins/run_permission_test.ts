/** The permission `run`: for a plugin that the operator marks as trusted, and for no other. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { parseManifest } from "./manifest.ts";
import { failsWith, offered, withWorld, type World, yaml } from "./testing.ts";

const ID = "import.video";
const RUN = "run:/bin/sh";

const manifest = (more = "") =>
  yaml(ID, `permissions: {run: [{value: /bin/sh, reason: "to cut"}]${more}}\n`);

/** A configuration folder that gives the plugin this level. */
async function trusting({ root }: Pick<World, "root">, trust?: string): Promise<string> {
  const folder = join(root, `config_${trust ?? "none"}`);
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(
    join(folder, "plugins.yaml"),
    trust === undefined ? "" : `import_plugins:\n  - {plugin_id: ${ID}, trust: ${trust}}\n`,
  );
  return folder;
}

for (const trust of [undefined, "sandboxed", "restricted"] as const) {
  Deno.test(`a plugin that is ${trust ?? "not marked"} is granted no program, and nobody is asked`, () =>
    withWorld(async (world) => {
      await using plugins = await world.restart({ configDir: await trusting(world, trust) });
      const folder = await world.plugin("video", manifest(`, read: [/srv]`));
      const consent = await offered(plugins, folder);
      assert.deepEqual(consent.permissions.map(({ key }) => key), ["read:/srv"]);
      assert.match(
        consent.warnings.join(" "),
        /would run \/bin\/sh: that can be granted only once config\/plugins\.yaml says "trust: trusted"/,
      );
      await assert.rejects(plugins.decide(consent.id, [RUN]), failsWith("denied", /as trusted/));
      await plugins.decide(consent.id, ["read:/srv"]);
      assert.deepEqual((await plugins.runnerSpec(ID)).grants.run, []);
      await assert.rejects(plugins.ask(ID, [RUN]), failsWith("denied", /not trusted/));
      const shown = plugins.permissions(ID).find(({ key }) => key === RUN)!;
      assert.deepEqual([shown.granted, shown.risk], [false, "high"]);
    }));
}

Deno.test("a trusted plugin is granted the program that it names, for as long as it is trusted", () =>
  withWorld(async (world) => {
    const trusted = await trusting(world, "trusted");
    const restricted = await trusting(world, "restricted");
    {
      await using plugins = await world.restart({ configDir: trusted });
      const consent = await offered(plugins, await world.plugin("video", manifest()));
      const [permission] = consent.permissions;
      assert.deepEqual(
        [permission?.key, permission?.risk, permission?.reason, permission?.granted],
        [RUN, "high", "to cut", false],
      );
      assert.match(permission!.text, /Run the program \/bin\/sh .* outside the sandbox/);
      assert.match(consent.warnings.join(" "), /What \/bin\/sh does .* nothing here holds back/);
      assert.match(consent.warnings.join(" "), /trusts this id/);
      await plugins.decide(consent.id, []);
      assert.deepEqual((await plugins.runnerSpec(ID)).grants.run, [], "trusted is not granted");
      const asked = await plugins.ask(ID, [RUN]);
      await plugins.decide(asked.id, [RUN]);
      const { grants, trust } = await plugins.runnerSpec(ID);
      assert.deepEqual([grants.run, trust], [["/bin/sh"], "trusted"]);
    }
    {
      await using plugins = await world.restart({ configDir: restricted });
      const { grants, trust } = await plugins.runnerSpec(ID);
      assert.deepEqual([grants.run, trust], [[], "restricted"]);
      assert.deepEqual(plugins.get(ID).granted.run, []);
    }
    await using plugins = await world.restart({ configDir: trusted });
    assert.deepEqual((await plugins.runnerSpec(ID)).grants.run, ["/bin/sh"]);
  }));

Deno.test("a program that plugins can change is granted to none, be it named by a link", () =>
  withWorld(async (world) => {
    const configDir = await trusting(world, "trusted");
    await using plugins = await world.restart({ configDir });
    const tools = join(world.root, "tools");
    await Deno.mkdir(tools);
    await Deno.copyFile("/bin/sh", join(tools, "sh"));
    await Deno.symlink(join(tools, "sh"), join(world.root, "link"));
    const link = join(world.root, "link");
    const declared = `permissions: {run: ["${link}"], write: ["${tools}"]}\n`;
    const folder = await world.plugin("video", yaml(ID, declared));
    const { id } = await offered(plugins, folder);
    await plugins.decide(id, [`run:${link}`, `write:${tools}`]);
    await assert.rejects(plugins.runnerSpec(ID), failsWith("denied", /plugins can change it/));
    await plugins.tighten(ID, [`run:${link}`]);
    assert.deepEqual((await plugins.runnerSpec(ID)).grants.run, [link]);
  }));

Deno.test("a granted program that is not there is said, before a runner starts and crashes", () =>
  withWorld(async (world) => {
    const configDir = await trusting(world, "trusted");
    await using plugins = await world.restart({ configDir });
    const none = join(world.root, "ffmpeg");
    const { id } = await offered(
      plugins,
      await world.plugin("video", yaml(ID, `permissions: {run: ["${none}"]}\n`)),
    );
    await plugins.decide(id, [`run:${none}`]);
    const start = () => plugins.runnerSpec(ID);
    await assert.rejects(start(), failsWith("denied", /ffmpeg, and there is no such program/));
    await Deno.writeTextFile(none, "#!/bin/sh\n", { mode: 0o644 });
    await assert.rejects(start(), failsWith("denied", /it is no program/));
    await Deno.chmod(none, 0o755);
    assert.deepEqual((await start()).grants.run, [none]);
  }));

Deno.test("parseManifest() takes programs by their absolute paths alone", () => {
  for (
    const value of [
      "ffmpeg",
      "*",
      "/usr/bin/",
      "/",
      "/usr/bin/a,/bin/sh",
      "/usr/../bin/sh",
      "${data}/tool",
      "/proc/self/exe",
      "",
    ]
  ) {
    const text = yaml(ID, `permissions: {run: [{value: ${JSON.stringify(value)}}]}\n`);
    assert.throws(() => parseManifest(text), failsWith("invalid_manifest", /run/), value);
  }
});
