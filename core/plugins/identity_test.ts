import assert from "node:assert/strict";
import { join } from "node:path";
import { MANIFEST_FILE } from "./manifest.ts";
import { isSamePlugin } from "./identity.ts";
import { createLock, formatLock, LOCK_FILE, SIGNATURE_FILE } from "./lock_file.ts";
import { sha256 } from "./bundle_cache.ts";
import { formatSignature, generateKeyPair, signLock } from "./signature.ts";
import { CODE, exists, failsWith, offered, withWorld, type World, yaml } from "./testing.ts";

const ID = "import.news";
const WANTS = `permissions: {net: [a.example], write: ["\${data}"]}\n`;
const manifest = (version: string, more = WANTS) => yaml(ID, more, version);

/** Signs a plugin's folder as its author does. */
async function sign(folder: string, id: string, version: string, privateKey: string) {
  const files = await Promise.all([MANIFEST_FILE, "mod.ts"].map(async (path) => {
    const bytes = await Deno.readFile(join(folder, path));
    return { path, sha256: await sha256(bytes), size: bytes.length };
  }));
  const lock = createLock({ id, version, files });
  await Deno.writeTextFile(join(folder, LOCK_FILE), formatLock(lock));
  await Deno.writeTextFile(
    join(folder, SIGNATURE_FILE),
    formatSignature(await signLock(lock, privateKey)),
  );
}

/** A signed plugin, version 1.0.0, with all that it asks for and a file of its own. */
async function withSigned(
  work: (
    world: World & {
      readonly folder: string;
      readonly kept: string;
      readonly mine: { publicKey: string; privateKey: string };
      /** Writes the next version there, signed if a key is given. */
      next(where: string, version: string, key?: string, more?: string): Promise<string>;
    },
  ) => Promise<void>,
): Promise<void> {
  const mine = await generateKeyPair();
  await withWorld(async (world) => {
    const { plugins, plugin, dataDir } = world;
    const next = async (where: string, version: string, key?: string, more = WANTS) => {
      const folder = join(world.root, where);
      await Deno.remove(folder, { recursive: true }).catch(() => {});
      await plugin(where, manifest(version, more), `${CODE}export const v = "${version}";`);
      if (key !== undefined) await sign(folder, ID, version, key);
      return folder;
    };
    const folder = await next("news", "1.0.0", mine.privateKey);
    const consent = await offered(plugins, folder);
    assert.deepEqual([consent.verified, consent.signedBy], [true, mine.publicKey]);
    await plugins.decide(consent.id, ["net:a.example", "write:${data}"]);
    await plugins.runnerSpec(ID);
    const kept = join(dataDir, "plugins", ID, "data", "kept.txt");
    await Deno.writeTextFile(kept, "x");
    await work({ ...world, folder, kept, mine, next });
  }, async () => ({ trustedKeys: [{ name: "The author", key: mine.publicKey }] }));
}

Deno.test("an update by the same key that asks for nothing more needs no yes, wherever it comes from", async () => {
  await withSigned(async ({ plugins, mine, next, kept }) => {
    for (const [where, version] of [["news", "1.1.0"], ["mirror", "1.2.0"]] as const) {
      const { consent, plugin, unchanged } = await plugins.install(
        await next(where, version, mine.privateKey),
      );
      assert.deepEqual([consent, plugin?.version, unchanged], [undefined, version, false]);
      assert.deepEqual(plugin?.granted.net, ["a.example"]);
    }
    assert.ok(await exists(kept));
  });
});

Deno.test("an update by the same key waits when it asks for more, wants higher limits, or goes back", async () => {
  await withSigned(async ({ plugins, mine, next }) => {
    const more = [
      ["1.1.0", WANTS.replace("a.example", "a.example, b.example"), ["net:b.example"]],
      ["1.1.0", `${WANTS}match: ["https://news.example/*"]\n`, ["match:https://news.example/*"]],
      ["1.1.0", WANTS.replace("{net", "{limits: {memory_mb: 4096}, net"), []],
      ["1.1.0", `${WANTS}media_types: ["*/*"]\n`, []],
      ["0.9.0", WANTS, []],
    ] as const;
    for (const [version, asks, added] of more) {
      const consent = await offered(plugins, await next("news", version, mine.privateKey, asks));
      assert.equal(consent.kind, "update");
      assert.deepEqual(consent.difference?.added, added);
    }
    assert.equal(plugins.get(ID).version, "1.0.0");
    const [waiting] = plugins.consents();
    assert.match(waiting!.warnings[0]!, /older than the version that is installed, 1\.0\.0/);
  });
});

Deno.test("nobody takes the place of a signed plugin: not from its own address, not with another key, not with its name", async () => {
  await withSigned(async ({ plugins, next, kept }) => {
    const other = await generateKeyPair();
    const impostors: [string, string | undefined][] = [
      ["news", undefined], // from its own address, no longer signed
      ["news", other.privateKey], // from its own address, by another key
      ["elsewhere", undefined],
      ["elsewhere", other.privateKey],
    ];
    for (const [where, key] of impostors) {
      const consent = await offered(plugins, await next(where, "1.1.0", key));
      assert.equal(consent.kind, "replace", `${where} ${key}`);
      assert.match(
        consent.warnings[0]!,
        /this one replaces it\. The other one's permissions, settings and versions are deleted/,
      );
      assert.ok(consent.permissions.every(({ granted, denied }) => !granted && !denied));
      assert.equal(consent.verified, false);
      await plugins.decide(consent.id, undefined);
    }
    assert.deepEqual([plugins.get(ID).version, plugins.get(ID).granted.net], [
      "1.0.0",
      ["a.example"],
    ]);
    assert.ok(await exists(kept));
    // With a yes it is another plugin under that name: nothing is left of the first one.
    const { id } = await offered(plugins, await next("elsewhere", "1.1.0", other.privateKey));
    const replaced = await plugins.decide(id, []);
    assert.deepEqual([replaced?.granted.net, replaced?.signedBy], [[], other.publicKey]);
    assert.ok(!(await exists(kept)));
    assert.deepEqual(plugins.versions(ID).map(({ version }) => version), ["1.1.0"]);
    await assert.rejects(plugins.rollback(ID), failsWith("conflict", /no version/));
  });
});

Deno.test("a signature that does not fit is refused, and files that are not those signed too", async () => {
  await withSigned(async ({ plugins, next, mine, folder }) => {
    await next("news", "1.1.0", mine.privateKey);
    await Deno.writeTextFile(join(folder, "mod.ts"), `${CODE}export const evil = 1;`);
    await assert.rejects(plugins.install(folder), failsWith("damaged", /./));
    // A good signature of another version, put beside it.
    await next("news", "1.1.0", mine.privateKey);
    const old = await Deno.readTextFile(join(folder, SIGNATURE_FILE));
    await next("news", "1.2.0", mine.privateKey);
    await Deno.writeTextFile(join(folder, SIGNATURE_FILE), old);
    await assert.rejects(plugins.install(folder), failsWith("damaged", /does not fit its files/));
    assert.equal(plugins.get(ID).version, "1.0.0");
  });
});

Deno.test("nobody takes a name that looks like another", async () => {
  await withSigned(async ({ plugins, plugin }) => {
    for (
      const id of ["import.News", "import.nеws", "import.news ", "import..news", "import.import"]
    ) {
      await assert.rejects(
        plugins.install(await plugin("lookalike", yaml(JSON.stringify(id)))),
        failsWith("invalid_manifest", /id/),
        id,
      );
    }
  });
});

Deno.test("an unsigned plugin is its address: an update waits, unless auto_update is on", async () => {
  await withWorld(async ({ plugins, plugin, restart, root }) => {
    const folder = await plugin("news", manifest("1.0.0"));
    await plugins.decide((await offered(plugins, folder)).id, ["net:a.example"]);
    await plugin("news", manifest("1.1.0"), `${CODE}export const more = 1;`);
    const consent = await offered(plugins, folder);
    assert.deepEqual([consent.kind, consent.difference?.added], ["update", []]);
    await plugins.decide(consent.id, undefined);
    assert.equal(plugins.get(ID).version, "1.0.0");
    await plugins.setConfig(ID, { autoUpdate: true });
    await using again = await restart({ configDir: root });
    const { plugin: updated } = await again.install(folder);
    assert.deepEqual([updated?.version, updated?.granted.net, updated?.granted.write], [
      "1.1.0",
      ["a.example"],
      [],
    ]);
    // Through a link it is the same folder; a copy is not.
    await Deno.symlink(folder, join(root, "link"));
    assert.equal((await again.install(join(root, "link"))).unchanged, true);
    const copy = await plugin("copy", manifest("1.1.0"), `${CODE}export const more = 1;`);
    assert.equal((await offered(again, copy)).kind, "replace");
  });
});

Deno.test("an update says what the plugin is handed now, and what no longer", async () => {
  await withSigned(async ({ plugins, mine, next }) => {
    const types = (...list: string[]) => `${WANTS}media_types: [${list.join(", ")}]\n`;
    const first = await offered(
      plugins,
      await next("news", "1.1.0", mine.privateKey, types("text/rtf")),
    );
    assert.deepEqual(first.takes.map(({ key }) => key), ["media_types:text/rtf"]);
    await plugins.decide(first.id, []);
    const wide = await offered(
      plugins,
      await next("news", "1.2.0", mine.privateKey, types('"*/*"')),
    );
    const { added, removed } = wide.difference!.takes;
    assert.deepEqual(added.map(({ key }) => key), ["media_types:*/*"]);
    assert.deepEqual(removed.map(({ key }) => key), ["media_types:text/rtf"]);
  });
});

Deno.test("what an operator has set of a limit hides no update that asks for more", async () => {
  await withSigned(async ({ plugins, mine, next }) => {
    await plugins.setConfig(ID, { limits: { memory_mb: 4096 } });
    const greedy = WANTS.replace("{net", "{limits: {memory_mb: 4096}, net");
    const consent = await offered(plugins, await next("news", "1.1.0", mine.privateKey, greedy));
    assert.deepEqual(consent.difference?.limits, { memory_mb: { from: 512, to: 4096 } });
    await plugins.decide(consent.id, ["net:a.example", "write:${data}"]);
    // Above the ceiling as well.
    const above = greedy.replace("4096", "8192");
    const more = await offered(plugins, await next("news", "1.2.0", mine.privateKey, above));
    assert.deepEqual(more.difference?.limits, { memory_mb: { from: 4096, to: 8192 } });
  });
});

Deno.test("verified is what the operator's keys say now, not what they said at the install", async () => {
  await withSigned(async ({ plugins, restart, mine, next }) => {
    assert.equal(plugins.get(ID).verified, true);
    {
      await using without = await restart({ trustedKeys: [] });
      assert.deepEqual([without.get(ID).verified, without.get(ID).signedBy], [
        false,
        mine.publicKey,
      ]);
      assert.deepEqual(without.versions(ID).map(({ verified }) => verified), [false]);
      const consent = await offered(without, await next("news", "1.1.0", mine.privateKey));
      assert.deepEqual([consent.kind, consent.verified], ["update", false], "it needs a yes now");
    }
    await using again = await restart({ trustedKeys: [{ name: "Again", key: mine.publicKey }] });
    assert.equal(again.get(ID).verified, true);
    const [waiting] = again.consents();
    assert.equal(waiting!.verified, true, "what waits, too");
  });
});

Deno.test("isSamePlugin() takes the key before the origin", () => {
  const at = (origin: string, signedBy?: string) => ({ origin, signedBy });
  assert.ok(isSamePlugin(at("a"), at("a")));
  assert.ok(!isSamePlugin(at("a"), at("b")));
  assert.ok(isSamePlugin(at("a"), at("a", "k")), "it begins to be signed");
  assert.ok(!isSamePlugin(at("a"), at("b", "k")));
  assert.ok(isSamePlugin(at("a", "k"), at("b", "k")));
  assert.ok(!isSamePlugin(at("a", "k"), at("a")));
  assert.ok(!isSamePlugin(at("a", "k"), at("a", "l")));
});
