import assert from "node:assert/strict";
import { join } from "node:path";
import { unzipSync, zipSync } from "fflate";
import type { CarrelError } from "../../errors.ts";
import { offered, withWorld, yaml } from "../../plugins/testing.ts";
import { EXIT } from "../errors.ts";
import { carrel } from "../testing/carrel.ts";

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function writePlugin(folder: string, manifest: string, code: string): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(join(folder, "carrel.yaml"), manifest);
  await Deno.writeTextFile(join(folder, "mod.ts"), code);
}

const CODE = `import { definePlugin } from "@carrel/sdk";
export default definePlugin.import({ extract: () => ({}) });
`;

Deno.test("carrel plugin keygen, pack and install: a trusted key verifies, a changed byte is refused", () =>
  withWorld(async (world) => {
    const { root: cwd } = world;
    const json = async (...args: string[]) => {
      const { exit, out, err } = await carrel(["plugin", ...args, "--json"], { cwd });
      assert.equal(exit, EXIT.ok, out + err);
      return JSON.parse(out);
    };
    await writePlugin(join(cwd, "sample"), yaml("import.sample"), CODE);
    const made = await json("keygen", "--name", "Ann", "-o", "ann.key");
    const { mode } = await Deno.stat(join(cwd, "ann.key"));
    assert.equal(mode! & 0o777, 0o600);
    assert.deepEqual(made.trusted_key, { name: "Ann", key: made.public_key });
    assert.doesNotMatch(JSON.stringify(made), /MC4CAQAwBQYDK2Vw/);

    const packed = await json("pack", "sample", "--key", "ann.key");
    assert.equal(packed.saved, join(cwd, "import.sample-1.0.0.carrel"));
    assert.equal(packed.signed_by, made.public_key);
    await using plugins = await world.restart({ trustedKeys: [made.trusted_key] });
    const consent = await offered(plugins, packed.saved);
    assert.equal(consent.verified, true);
    assert.equal(consent.signedBy, made.public_key);
    const plugin = await plugins.decide(consent.id, []);
    assert.equal(plugin?.verified, true);

    const bytes = await Deno.readFile(packed.saved);
    const changed = join(cwd, "changed.carrel");
    for (const name of ["mod.ts", "carrel.yaml", "carrel.lock.json", "carrel.sig.json"]) {
      const files = unzipSync(bytes);
      files[name]![files[name]!.length - 10]! ^= 1;
      await Deno.writeFile(changed, zipSync(files));
      await assert.rejects(
        plugins.install(changed),
        (error: CarrelError) => ["damaged", "invalid_manifest"].includes(error.code),
        name,
      );
    }
    // A byte that is none of a file, such as a time, changes nothing of what was signed.
    for (let at = 0; at < bytes.length; at += 97) {
      const other = bytes.slice();
      other[at]! ^= 1;
      await Deno.writeFile(packed.saved, other);
      const came = await plugins.install(packed.saved).catch((error: CarrelError) => error.code);
      if (typeof came === "string") assert.match(came, /^(damaged|invalid_manifest|too_large)$/);
      else assert.equal(came.unchanged, true);
    }
    // Packed again from other files, without the key.
    const text = await Deno.readTextFile(join(cwd, "sample", "mod.ts"));
    await Deno.writeTextFile(join(cwd, "sample", "mod.ts"), text.replace("({})", "({a: 1})"));
    const unsigned = await json("pack", "sample", "--force");
    assert.equal(unsigned.signed_by, null);
    assert.equal((await offered(plugins, unsigned.saved)).verified, false);
  }));

Deno.test("carrel plugin pack says what it packs, and writes over no other file", () =>
  withFolder(async (cwd) => {
    await writePlugin(join(cwd, "sample"), yaml("import.sample"), CODE);
    await Deno.writeTextFile(join(cwd, "sample", ".env"), "TOKEN=1");
    const pack = (...more: string[]) => carrel(["plugin", "pack", "sample", ...more], { cwd });
    const first = await pack();
    assert.equal(first.exit, EXIT.ok);
    assert.match(first.out, /import\.sample-1\.0\.0\.carrel +\d/);
    assert.match(first.err, /2 files: carrel\.yaml, mod\.ts\nNot signed/);
    // The same bytes again are no conflict.
    assert.equal((await pack()).exit, EXIT.ok);
    await Deno.writeTextFile(join(cwd, "sample", "more.ts"), "");
    const refused = await pack();
    assert.equal(refused.exit, EXIT.failed);
    assert.match(refused.err, /file_exists/);
    assert.equal((await pack("--force")).exit, EXIT.ok);
    const missing = await pack("--key", "none.key");
    assert.match(missing.err, /it cannot be read[\s\S]*keygen/);
    assert.match(
      (await carrel(["plugin", "pack", "none"], { cwd })).err,
      /expected a folder with a file carrel\.yaml/,
    );
  }));

Deno.test("carrel plugin keygen keeps a key that is there, and pack publishes none", () =>
  withFolder(async (cwd) => {
    await writePlugin(join(cwd, "sample"), yaml("import.sample"), CODE);
    const inFolder = ["plugin", "keygen", "-o", "sample/my.key", "--name", "Ann"];
    const { out, err } = await carrel(inFolder, { cwd });
    assert.match(out, /^ {4}- \{ name: "Ann", key: "[A-Za-z0-9+/]{43}=" \}\n$/);
    assert.match(err, /trusted_keys/);
    const key = await Deno.readTextFile(join(cwd, "sample/my.key"));
    const again = await carrel(inFolder, { cwd });
    assert.equal(again.exit, EXIT.failed);
    assert.match(again.err, /never written over/);
    assert.equal(await Deno.readTextFile(join(cwd, "sample/my.key")), key);
    for (const more of [[], ["--key", "sample/my.key"]]) {
      const packed = await carrel(["plugin", "pack", "sample", ...more], { cwd });
      assert.equal(packed.exit, EXIT.failed);
      assert.match(packed.err, /"my\.key" is a private key/);
    }
    await Deno.rename(join(cwd, "sample/my.key"), join(cwd, "my.key"));
    await Deno.chmod(join(cwd, "my.key"), 0o644);
    const open = await carrel(["plugin", "pack", "sample", "--key", "my.key"], { cwd });
    assert.match(open.err, /others may read it[\s\S]*chmod 600/);
  }));

Deno.test("carrel plugin validate shows what people would be asked", () =>
  withFolder(async (cwd) => {
    const more = `permissions:
  net: [{value: "api.example:8443", reason: "to ask it"}]
  services: [library.read]
`;
    await writePlugin(join(cwd, "sample"), yaml("import.sample", more), CODE);
    const good = await carrel(["plugin", "validate", "sample"], { cwd });
    assert.equal(good.exit, EXIT.ok);
    assert.match(good.out, /✓ import\.sample 1\.0\.0 can be installed: .* of code, not signed/);
    assert.match(good.out, /! It can read your library and can send it to api\.example/);
    assert.match(
      good.out,
      /low +Send requests to api\.example \(port 8443\)\n +it says: to ask it/,
    );
    const json = await carrel(["plugin", "validate", "sample", "--json"], { cwd });
    const { ok, bundle, permissions } = JSON.parse(json.out);
    assert.equal(ok, true);
    assert.match(bundle.digest, /^[0-9a-f]{64}$/);
    assert.deepEqual(permissions.map(({ key }: { key: string }) => key), [
      "net:api.example:8443",
      "services:library.read",
    ]);
    assert.deepEqual((await Array.fromAsync(Deno.readDir(join(cwd, "sample")))).length, 2);
  }));

Deno.test("carrel plugin validate refuses a built-in id, and shows limits and what a plugin is handed", () =>
  withFolder(async (cwd) => {
    await writePlugin(join(cwd, "sample"), yaml("import.text"), CODE);
    const taken = await carrel(["plugin", "validate", "sample"], { cwd });
    assert.equal(taken.exit, EXIT.failed);
    assert.match(taken.out, /carrel\.yaml: id: a built-in plugin has the id "import\.text"/);
    const more = `media_types: ["*/*"]\npermissions: {limits: {memory_mb: 65536}}\n`;
    await writePlugin(join(cwd, "sample"), yaml("import.sample", more), CODE);
    const good = await carrel(["plugin", "validate", "sample"], { cwd });
    assert.equal(good.exit, EXIT.ok);
    assert.match(good.out, /\^ Asks for 64 GiB of memory; this host gives at most/);
    assert.match(good.out, /· Read files of every type that you import/);
  }));

Deno.test("carrel plugin validate names file and line of all that keeps a plugin from being installed", () =>
  withFolder(async (cwd) => {
    const validate = async (more: string, code: string) => {
      await writePlugin(join(cwd, "sample"), yaml("import.sample", more), code);
      const { exit, out } = await carrel(["plugin", "validate", "sample"], { cwd });
      assert.equal(exit, EXIT.failed);
      return out;
    };
    const manifest = await validate("permissions:\n  net: [a b]\ncolour: red\n", CODE);
    assert.match(manifest, /2 problems/);
    assert.match(manifest, /\n {2}carrel\.yaml:7: permissions\.net\[0\]\.value: expected host/);
    assert.match(manifest, /\n {2}carrel\.yaml:8: colour: unknown key/);
    const code = await validate('carrel: ">=9"\n', `import "./none.ts";\nimport "lodash";\n`);
    assert.match(code, /3 problems/);
    assert.match(code, /it works with Carrel >=9/);
    assert.match(code, /\n {2}mod\.ts:1: there is no file ".\/none\.ts"/);
    assert.match(code, /\n {2}mod\.ts:2: "lodash" is not a file of the plugin/);
    const config = "config: {properties: {key: {type: object, format: secret, default: {}}}}\n";
    assert.match(await validate(config, CODE), /a secret has no default/);
    // A signature of other files.
    await writePlugin(join(cwd, "sample"), yaml("import.sample"), CODE);
    const { generateKeyPair, signPlugin } = await import("../../plugins/signature.ts");
    await signPlugin(join(cwd, "sample"), (await generateKeyPair()).privateKey);
    const signed = await carrel(["plugin", "validate", "sample"], { cwd });
    assert.match(signed.out, /signed by the key/);
    assert.match(await validate("", CODE + "// more"), /"mod\.ts" is not the one that/);
  }));
