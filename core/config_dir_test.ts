import assert from "node:assert/strict";
import { CONFIG_DIR } from "./assets.ts";
import { openConfigDir } from "./config_dir.ts";

Deno.test("openConfigDir() takes what a named folder has, and the rest from the program", async () => {
  const dir = await Deno.makeTempDir({ prefix: "carrel-config-" });
  try {
    await Deno.mkdir(`${dir}/pipelines`);
    const config = await openConfigDir(dir);
    assert.equal(config.path, dir);
    assert.equal(config.shipped("pipelines"), `${dir}/pipelines`);
    assert.equal(config.shipped("registry.yaml"), `${CONFIG_DIR}/registry.yaml`);
    assert.equal(config.registry(undefined), `${CONFIG_DIR}/registry.yaml`);
    assert.equal(config.registry("mine.yaml"), `${dir}/mine.yaml`);
    assert.equal(config.registry("https://a.example/r.yaml"), "https://a.example/r.yaml");
    assert.equal((await openConfigDir(undefined)).path, CONFIG_DIR);
    await Deno.writeTextFile(`${dir}/file`, "");
    for (const wrong of [`${dir}/none`, `${dir}/file`]) {
      await assert.rejects(openConfigDir(wrong), { code: "invalid_config" });
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
