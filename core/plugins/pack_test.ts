import assert from "node:assert/strict";
import { join } from "node:path";
import { lockDigest } from "./lock_file.ts";
import { packPlugin } from "./pack.ts";
import { generateKeyPair, signPlugin, verifySignature } from "./signature.ts";
import { originOf } from "./sources/source.ts";
import { readZip } from "./sources/fetcher/zip.ts";
import { DEFAULT_SOURCE_LIMITS } from "./sources/fetcher/limits.ts";
import { createKit, failsWith, filesHandler, PLUGIN, writeFiles } from "./sources/testing/kit.ts";

Deno.test("packPlugin() makes the same bytes of the same folder, wherever and whenever", async () => {
  await using kit = await createKit();
  const one = await writeFiles(join(kit.dir, "one"), { ...PLUGIN, ".env": "SECRET=1" });
  const two = await writeFiles(
    join(kit.dir, "two"),
    Object.fromEntries(Object.entries(PLUGIN).reverse()),
  );
  await Deno.utime(join(two, "mod.ts"), 1, 1);
  await Deno.chmod(join(two, "mod.ts"), 0o755);
  const [a, b] = [await packPlugin(one), await packPlugin(two)];
  assert.equal(a.name, "import.sample-1.0.0.carrel");
  assert.deepEqual(a.bytes, b.bytes);
  const entries = await readZip(a.bytes, a.name, DEFAULT_SOURCE_LIMITS);
  assert.deepEqual(entries.map(({ path }) => path), [
    "carrel.lock.json",
    "carrel.yaml",
    "lib/list.json",
    "lib/words.ts",
    "mod.ts",
  ]);
  // In another time zone too.
  const code = `import { packPlugin } from ${JSON.stringify(import.meta.resolve("./pack.ts"))};
    console.log((await packPlugin(Deno.args[0])).bytes.toHex());`;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--allow-all",
      "--no-check",
      `--config=${join(import.meta.dirname!, "../../deno.json")}`,
      `data:text/javascript,${encodeURIComponent(code)}`,
      one,
    ],
    env: { TZ: "Pacific/Kiritimati" },
  }).output();
  assert.equal(new TextDecoder().decode(stdout).trim(), a.bytes.toHex());
});

Deno.test("packPlugin() and fetchPlugin() give back what was packed, signed or not, by path and by URL", async () => {
  await using kit = await createKit();
  const folder = await writeFiles(join(kit.dir, "sample"));
  const { publicKey, privateKey } = await generateKeyPair();
  const trusted = [{ name: "Ann", key: publicKey }];
  const plain = await packPlugin(folder);
  const signed = await packPlugin(folder, { privateKey });
  assert.equal(plain.signature, undefined);
  for (
    const { packed, verified } of [{ packed: plain, verified: false }, {
      packed: signed,
      verified: true,
    }]
  ) {
    const path = join(kit.dir, packed.name);
    await Deno.writeFile(path, packed.bytes);
    const server = kit.serve(filesHandler({ [`/${packed.name}`]: packed.bytes }));
    for (const reference of [path, `${server.url}/${packed.name}`]) {
      const plugin = await kit.fetch(reference);
      assert.deepEqual(plugin.files.map(({ path }) => path), Object.keys(PLUGIN).sort());
      assert.equal(plugin.origin, await originOf(reference));
      assert.match(plugin.origin, /import\.sample-\{version\}\.carrel$/);
      assert.equal(await lockDigest(plugin.lock), await lockDigest(packed.lock));
      const result = await verifySignature(plugin.lock, plugin.signature, trusted);
      assert.equal(result.verified, verified);
    }
  }
});

Deno.test("packPlugin() takes along the signature of the folder while it fits", async () => {
  await using kit = await createKit();
  const folder = await writeFiles(join(kit.dir, "sample"));
  const { privateKey } = await generateKeyPair();
  const { signature } = await signPlugin(folder, privateKey);
  assert.deepEqual((await packPlugin(folder)).signature, signature);
  await Deno.writeTextFile(join(folder, "mod.ts"), "export default 2;");
  await assert.rejects(packPlugin(folder), failsWith("damaged", /"mod\.ts" is not the one/));
  await packPlugin(folder, { privateKey });
  await Deno.remove(join(folder, "carrel.lock.json"));
  await assert.rejects(packPlugin(folder), failsWith("damaged", /sign the plugin again/));
});

Deno.test("packPlugin() refuses links, a missing manifest and a missing entry", async () => {
  await using kit = await createKit();
  const folder = await writeFiles(join(kit.dir, "sample"));
  await Deno.symlink("/etc/passwd", join(folder, "x.txt"));
  await assert.rejects(packPlugin(folder), failsWith("damaged", /"x\.txt" is a symbolic link/));
  await Deno.remove(join(folder, "x.txt"));
  await Deno.remove(join(folder, "mod.ts"));
  await assert.rejects(
    packPlugin(folder),
    failsWith("invalid_manifest", /entry "mod\.ts" is not there/),
  );
  await Deno.remove(join(folder, "carrel.yaml"));
  await assert.rejects(packPlugin(folder), failsWith("invalid_manifest", /a file carrel\.yaml/));
  await assert.rejects(
    packPlugin(join(kit.dir, "nowhere")),
    failsWith("invalid_manifest", /a file carrel\.yaml/),
  );
});
