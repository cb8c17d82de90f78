/** The data folder is its owner's alone, and the configuration may lie anywhere. */
import assert from "node:assert/strict";
import { startTestHost } from "./host.ts";

Deno.test("carrel serve --config takes its settings from there, and keeps the library private", async () => {
  const base = await Deno.makeTempDir({ prefix: "carrel-folders-" });
  try {
    const [dataDir, config] = [`${base}/data`, `${base}/config`];
    await Promise.all([dataDir, config].map((folder) => Deno.mkdir(folder)));
    await Deno.chmod(dataDir, 0o755);
    const flags = ["--config", config];
    await Deno.writeTextFile(`${config}/carrel.yaml`, "htpp: {}\n");
    await assert.rejects(startTestHost({ dataDir, flags }), /htpp/);
    await Deno.remove(`${config}/carrel.yaml`);
    await Deno.remove(dataDir, { recursive: true });
    await Deno.mkdir(dataDir);
    await Deno.chmod(dataDir, 0o755);
    await using _host = await startTestHost({ dataDir, flags });
    const open: string[] = [];
    for (
      const name of [
        "",
        "library.db",
        "library.db-wal",
        "queue.kv",
        "objects",
        "audit.key",
        "host.json",
      ]
    ) {
      const { mode } = await Deno.stat(`${dataDir}/${name}`);
      if ((mode! & 0o077) !== 0) open.push(`${name} ${(mode! & 0o777).toString(8)}`);
    }
    assert.deepEqual(open, []);
  } finally {
    await Deno.remove(base, { recursive: true });
  }
});
