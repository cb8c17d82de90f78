import assert from "node:assert/strict";
import { join } from "node:path";
import type { CarrelError } from "../errors.ts";
import { hostLimits } from "./limits.ts";
import { readOperatorFile } from "./operator_file.ts";

async function read(text: string) {
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "plugins.yaml");
    await Deno.writeTextFile(path, text);
    return await readOperatorFile(path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("readOperatorFile() reads what is set of each plugin", async () => {
  const settings = await read(`import_plugins:
  - plugin_id: import.webpage
    enabled: true
    priority: 3
    config: {timeout: 10}
    limits: {wall_s: 60}
    trust: restricted
    auto_update: true
  - plugin_id: import.pdf
export_plugins:
`);
  assert.deepEqual([...settings.plugins], [
    ["import.webpage", {
      enabled: true,
      priority: 3,
      config: { timeout: 10 },
      limits: { wall_s: 60 },
      trust: "restricted",
      autoUpdate: true,
    }],
    ["import.pdf", {
      enabled: undefined,
      priority: undefined,
      config: {},
      limits: {},
      trust: undefined,
      autoUpdate: undefined,
    }],
  ]);
  assert.deepEqual(settings.limits, hostLimits());
});

Deno.test("readOperatorFile() is empty for an empty file, a missing one, and none", async () => {
  assert.equal((await read("")).plugins.size, 0);
  assert.equal((await readOperatorFile("/nowhere/plugins.yaml")).plugins.size, 0);
  assert.equal((await readOperatorFile(undefined)).plugins.size, 0);
});

Deno.test("readOperatorFile() names the line of what is wrong", async () => {
  const wrong: [string, RegExp][] = [
    [
      "podcast_plugins: []",
      /:1: podcast_plugins: unknown key: expected one of import_plugins/,
    ],
    [
      "import_plugins:\n  - {plugin_id: import.a, prio: 1}",
      /:2: import_plugins\[0\]\.prio: unknown key/,
    ],
    [
      "import_plugins:\n  - {plugin_id: export.a}",
      /:2: import_plugins\[0\]\.plugin_id: expected a plugin of the kind import/,
    ],
    [
      "import_plugins:\n  - {plugin_id: import.a}\n  - {plugin_id: import.a}",
      /:3: .*stands here twice/,
    ],
  ];
  for (const [text, words] of wrong) {
    await assert.rejects(read(text), (error: CarrelError) => {
      assert.equal(error.code, "invalid_config");
      assert.match(error.message, words);
      return true;
    });
  }
});

Deno.test("readOperatorFile() says so when the file cannot be opened", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await assert.rejects(readOperatorFile(folder), /it cannot be opened/);
  } finally {
    await Deno.remove(folder);
  }
});
