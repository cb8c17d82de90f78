import assert from "node:assert/strict";
import { join } from "node:path";
import { SandboxError } from "../sandbox/types.ts";
import { createSecrets } from "./secrets.ts";
import { failsWith, offered, withWorld, yaml } from "./plugins/testing.ts";

const CANARY = "canary/4f9d+secret=value";

const MANIFEST = yaml(
  "import.keyed",
  `config: {properties: {key: {type: object, format: secret}, base: {type: string}}}\n`,
);

/** Shows its secret in every way that a plugin has. */
const CODE = `import { definePlugin, PluginError } from "@carrel/sdk";
export default definePlugin.import({
  extract(raw, ctx) {
    const { key } = ctx.secrets;
    ctx.log.info("the key is " + key, { key });
    console.log("on stdout", key);
    console.error("on stderr", encodeURIComponent(key));
    ctx.progress(0.5, "with " + key);
    const shown = "https://api.example/?key=" + encodeURIComponent(key) + "#" + btoa(key);
    if (raw.fail) throw new PluginError("http_error", "GET " + shown, { data: { [key]: key } });
    return { shown, length: key?.length, bytes: new TextEncoder().encode("<" + key + ">"), config: ctx.config };
  },
});
`;

Deno.test("a secret reaches its guest, and comes back in nothing that the guest says", async () => {
  await withWorld(async (world) => {
    const env: Record<string, string> = { MODEL_KEY: CANARY };
    const secrets = createSecrets({ closed: [world.dataDir], env: (name) => env[name] });
    await using plugins = await world.restart({ secrets });
    const folder = await world.plugin("keyed", MANIFEST, CODE);
    await plugins.decide((await offered(plugins, folder)).id, []);
    await assert.rejects(
      plugins.setConfig("import.keyed", { config: { key: CANARY } }),
      (error: Error) => {
        assert.match(error.message, /"key".*never written out/);
        assert.ok(!error.message.includes(CANARY));
        return true;
      },
    );
    await plugins.setConfig("import.keyed", { config: { key: "${MODEL_KEY}", base: "x" } });
    assert.deepEqual(plugins.get("import.keyed").config, { key: { env: "MODEL_KEY" }, base: "x" });

    const heard: string[] = [];
    const call = async (fail: boolean) => {
      await using desk = await world.pool.acquire(await plugins.runnerSpec("import.keyed"));
      return await desk.call("extract", [{ fail }], {
        job: { id: "j", idempotencyKey: "j" },
        onLog: ({ message }) => heard.push(message),
        onProgress: (_, message) => heard.push(message ?? ""),
      });
    };
    const answer = await call(false) as { length: number; bytes: Uint8Array; config: unknown };
    assert.equal(answer.length, CANARY.length, "the guest has it");
    assert.deepEqual(answer.config, { base: "x" });
    assert.equal(new TextDecoder().decode(answer.bytes), `<${"*".repeat(CANARY.length)}>`);
    await assert.rejects(call(true), (error: unknown) => {
      assert.ok(error instanceof SandboxError);
      assert.equal(error.code, "http_error");
      heard.push(JSON.stringify([error.message, error.data, error.logTail, error.stack]));
      return true;
    });
    assert.ok(heard.some((text) => text.includes("[secret]")));
    heard.push(JSON.stringify(answer));
    for (const spelling of [CANARY, encodeURIComponent(CANARY), btoa(CANARY)]) {
      assert.ok(!heard.join("\n").includes(spelling), spelling);
      assert.ok(!secrets.mask(`GET ${spelling}`).includes(spelling));
    }
    const other = await plugins.runnerSpec("import.web");
    assert.equal(other.secrets, undefined);
  });
});

Deno.test("secrets are read at each call, from where the operator says and nowhere else", async () => {
  const root = await Deno.realPath(await Deno.makeTempDir());
  try {
    const data = join(root, "data");
    await Deno.mkdir(data);
    await Deno.writeTextFile(join(root, "key"), "first\n");
    await Deno.writeTextFile(join(data, "host.json"), "the host's own");
    await Deno.symlink(join(data, "host.json"), join(root, "link"));
    const secrets = createSecrets({ closed: [data], env: () => undefined });
    const read = async (from: { env: string } | { file: string }) =>
      (await secrets.source("import.x", { key: from })!.resolve())["key"];
    const file = { file: join(root, "key") };
    assert.equal(await read(file), "first");
    await Deno.writeTextFile(join(root, "key"), "second");
    assert.equal(await read(file), "second");
    const wrong: [{ env: string } | { file: string }, RegExp][] = [
      [
        { env: "NOT_SET" },
        /"key" of the plugin "import\.x": the environment variable NOT_SET is not set/,
      ],
      [{ env: "CARREL_TOKEN" }, /belongs to the host/],
      [{ file: join(root, "none") }, /there is no file/],
      [{ file: join(data, "host.json") }, /Carrel's own files/],
      [{ file: join(root, "link") }, /Carrel's own files/],
      [{ file: root }, /no file of at most/],
    ];
    for (const [from, words] of wrong) {
      await assert.rejects(read(from), failsWith("invalid_config", words));
    }
    assert.equal(secrets.source("import.x", {}), undefined);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
