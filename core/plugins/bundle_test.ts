import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { NODE_MODULES_DIR, SDK_DIR } from "../assets.ts";
import type { CarrelError } from "../errors.ts";
import { type BundleOptions, createBundler } from "./bundle.ts";
import { MAX_FILE_BYTES } from "./bundle_resolve.ts";

interface Bench {
  /** The temporary folder around all. */
  readonly root: string;
  readonly plugin: string;
  readonly cacheDir: string;
  write(name: string, text: string | Uint8Array): Promise<string>;
  bundle(options?: Partial<BundleOptions>): ReturnType<ReturnType<typeof createBundler>["bundle"]>;
}

async function withPlugin(
  files: Record<string, string>,
  work: (bench: Bench) => Promise<void>,
): Promise<void> {
  const root = await Deno.realPath(await Deno.makeTempDir());
  const plugin = join(root, "plugin");
  const cacheDir = join(root, "cache");
  const write = async (name: string, text: string | Uint8Array) => {
    const path = join(plugin, name);
    await Deno.mkdir(dirname(path), { recursive: true });
    await (typeof text === "string" ? Deno.writeTextFile(path, text) : Deno.writeFile(path, text));
    return path;
  };
  try {
    for (const [name, text] of Object.entries(files)) await write(name, text);
    const bundler = createBundler({ cacheDir, sdkDir: SDK_DIR, nodeModulesDir: NODE_MODULES_DIR });
    const bundle = (options: Partial<BundleOptions> = {}) =>
      bundler.bundle(plugin, { entry: "mod.ts", packages: false, ...options });
    await work({ root, plugin, cacheDir, write, bundle });
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

/** Bundles files that must be refused, and gives the message. */
async function refusal(
  files: Record<string, string>,
  prepare: (bench: Bench) => Promise<unknown> = () => Promise.resolve(),
  options: Partial<BundleOptions> = {},
): Promise<string> {
  let message = "";
  await withPlugin(files, async (bench) => {
    await prepare(bench);
    await assert.rejects(bench.bundle(options), (error: CarrelError) => {
      assert.equal(error.code, "invalid_manifest", error.message);
      message = error.message.replaceAll(bench.root, "");
      return true;
    });
    const made: string[] = [];
    for await (const { name } of Deno.readDir(bench.cacheDir)) made.push(name);
    assert.deepEqual(made, [], "nothing is left in the cache");
  });
  return message;
}

const DEFAULT = "export default {};\n";

Deno.test("bundle() makes one module of TypeScript, JSON, text, bytes and the SDK", async () => {
  await withPlugin({
    "mod.ts": `import { definePlugin, PluginError } from "@carrel/sdk";
import data from "./lib/data.json" with { type: "json" };
import { word } from "./lib/word";
import page from "./page.html";
import source from "./lib/word.ts" with { type: "text" };
import raw from "./mod.ts" with { type: "bytes" };
import font from "./font.woff2";
import { Buffer } from "node:buffer";
import { sep } from "path";
export const seen = { data, word, page, source, raw: raw.length > 0, font, PluginError, sep, Buffer };
export default definePlugin.import({ extract: () => { throw new Error(word); } });
`,
    "lib/data.json": `{"a": 1}`,
    "lib/word.ts": `export const word: string = "straße";`,
    "page.html": "<p>hi</p>",
  }, async ({ write, bundle }) => {
    await write("font.woff2", new Uint8Array([0, 255, 7]));
    const made = await bundle();
    const text = await Deno.readTextFile(made.path);
    assert.match(made.digest, /^[0-9a-f]{64}$/);
    assert.equal(made.path.endsWith(`/${made.digest}.js`), true);
    assert.equal(made.size, new TextEncoder().encode(text).byteLength);
    assert.ok(text.includes("straße"), "not escaped");
    assert.match(text, /from"node:buffer"/);
    assert.match(text, /from"node:path"/);
    const { default: plugin, seen } = await import(pathToFileURL(made.path).href);
    assert.equal(plugin.kind, "import");
    assert.deepEqual(seen.data, { a: 1 });
    assert.equal(seen.page, "<p>hi</p>");
    assert.match(seen.source, /word: string/);
    assert.equal(seen.raw, true);
    assert.deepEqual([...seen.font], [0, 255, 7]);
    assert.ok(made.inputs.some((path) => path.startsWith(SDK_DIR)));
  });
});

Deno.test("bundle() gives the same digest for the same files in another folder", async () => {
  const files = { "mod.ts": `import "./a.ts";\n${DEFAULT}`, "a.ts": "globalThis.a = 1;\n" };
  const digests: string[] = [];
  for (let i = 0; i < 2; i++) {
    await withPlugin(files, async ({ bundle }) => void digests.push((await bundle()).digest));
  }
  assert.equal(digests[0], digests[1]);
});

Deno.test("bundle() refuses every way out of the plugin's folder", async () => {
  const secret = { "mod.ts": "" };
  const statements: [string, RegExp][] = [
    [`import x from "../secret.txt";`, /mod\.ts:1: "\.\.\/secret\.txt" leads out/],
    [`import x from "./a/../../secret.txt";`, /leads out/],
    [`import x from "/etc/passwd" with { type: "text" };`, /neither a relative path nor a package/],
    [`import x from "file:///etc/passwd" with { type: "text" };`, /neither a relative path/],
    [`import x from "https://example.org/x.js";`, /neither a relative path/],
    [`import x from "npm:left-pad";`, /neither a relative path/],
    [`import x from "data:text/javascript,export default 1";`, /neither a relative path/],
    [`import x from "left-pad";`, /mod\.ts:1: "left-pad" is not a file of the plugin/],
    [`import x from "@carrel/sdk/types.ts";`, /is not a file of the plugin/],
    [`const x = require("../secret.txt");`, /leads out/],
    [`const x = await import("../secret.txt");`, /leads out/],
    [
      `const x = new URL("../secret.txt", import.meta.url); export * from "../secret.txt";`,
      /leads out/,
    ],
    [`import x from "./link.txt";`, /symbolic link/],
    [`import x from "./linked/secret.txt";`, /symbolic link/],
    [`import x from "./nothing.ts";`, /there is no file "\.\/nothing\.ts"/],
    [`import x from "./folder";`, /there is no file/],
    [`import x from "./program.exe";`, /cannot import "program\.exe"/],
    [`import x from "./page.html" with { type: "shell" };`, /cannot import "page\.html"/],
    [`/// <reference path="../secret.txt" />\nimport x from "./a.css";`, /there is no file/],
  ];
  for (const [statement, words] of statements) {
    const message = await refusal({
      ...secret,
      "mod.ts": `${statement} globalThis.x = x;\n${DEFAULT}`,
    }, async (bench) => {
      await Deno.writeTextFile(join(bench.root, "secret.txt"), "hunter2");
      await Deno.symlink(join(bench.root, "secret.txt"), join(bench.plugin, "link.txt"));
      await Deno.symlink(bench.root, join(bench.plugin, "linked"));
      await bench.write("folder/x.txt", "x");
      await bench.write("program.exe", "x");
      await bench.write("page.html", "x");
    });
    assert.match(message, words, statement);
    assert.doesNotMatch(message, /hunter2/);
  }
});

Deno.test("bundle() refuses an entry that is a link, outside, or missing", async () => {
  const outside = async (bench: Bench) => {
    await Deno.writeTextFile(join(bench.root, "out.ts"), DEFAULT);
    await Deno.symlink(join(bench.root, "out.ts"), join(bench.plugin, "link.ts"));
  };
  const files = { "mod.ts": DEFAULT };
  assert.match(await refusal(files, outside, { entry: "link.ts" }), /symbolic link/);
  assert.match(await refusal(files, outside, { entry: "../out.ts" }), /leads out/);
  assert.match(await refusal(files, outside, { entry: "none.ts" }), /there is no file/);
});

Deno.test("bundle() reads no tsconfig.json, of the plugin or behind its extends", async () => {
  const files = {
    "mod.ts": `import x from "secret"; globalThis.x = x;\n${DEFAULT}`,
    "tsconfig.json":
      `{"extends": "../outer.json", "compilerOptions": {"paths": {"secret": ["../secret.ts"]}}}`,
    "package.json": `{"imports": {"#x": "../secret.ts"}, "browser": {"secret": "../secret.ts"}}`,
  };
  const prepare = async (bench: Bench) => {
    await Deno.writeTextFile(join(bench.root, "secret.ts"), `export default "hunter2";`);
    await Deno.writeTextFile(
      join(bench.root, "outer.json"),
      `{"compilerOptions": {"jsxFactory": "hunter2"}}`,
    );
  };
  assert.match(await refusal(files, prepare), /"secret" is not a file of the plugin/);
  await withPlugin({
    "mod.tsx": `const React = { createElement: () => 1 };\nexport default () => <a/>;\n`,
    "tsconfig.json": `{"extends": "../outer.json"}`,
  }, async (bench) => {
    await prepare(bench);
    const { path } = await bench.bundle({ entry: "mod.tsx" });
    assert.doesNotMatch(await Deno.readTextFile(path), /hunter2/);
  });
});

Deno.test("bundle() takes packages only for built-in plugins, and only from the packages' folder", async () => {
  const files = { "mod.ts": `import { strToU8 } from "fflate";\nexport default strToU8;\n` };
  assert.match(await refusal(files), /mod\.ts:1: "fflate" is not a file of the plugin/);
  await withPlugin(files, async ({ bundle }) => {
    const made = await bundle({ packages: true });
    assert.ok(made.inputs.some((path) => path.includes("/node_modules/")));
    const { default: strToU8 } = await import(pathToFileURL(made.path).href);
    assert.deepEqual([...strToU8("a")], [97]);
  });
  const none = { "mod.ts": `import x from "no-such-package"; globalThis.x = x;\n${DEFAULT}` };
  assert.match(await refusal(none, undefined, { packages: true }), /no package "no-such-package"/);
  const up = {
    "mod.ts": `import * as x from "fflate/../../core/ids.ts"; globalThis.x = x;\n${DEFAULT}`,
  };
  await refusal(up, undefined, { packages: true });
});

Deno.test("bundle() follows the imports among packages, and bundles anew when a package was exchanged", async () => {
  await withPlugin({
    "mod.ts": `import TurndownService from "turndown";\nexport default TurndownService;\n`,
  }, async (bench) => {
    // Packages of our own making: a link to a version, as package managers leave them.
    const packages = join(bench.root, "node_modules");
    for (const version of ["1", "2"]) {
      const folder = join(packages, ".store", version);
      await Deno.mkdir(folder, { recursive: true });
      await Deno.writeTextFile(
        join(folder, "package.json"),
        `{"name": "turndown", "main": "index.js"}`,
      );
      await Deno.writeTextFile(
        join(folder, "index.js"),
        `import word from "./word.js"; import { sep } from "path";
let extra; try { extra = require("not-there"); } catch { extra = "none"; }
export default [word, sep, extra];`,
      );
      await Deno.writeTextFile(join(folder, "word.js"), `export default "version ${version}";`);
    }
    const link = join(packages, "turndown");
    await Deno.symlink(join(packages, ".store", "1"), link);
    const bundle = () =>
      createBundler({ cacheDir: bench.cacheDir, sdkDir: SDK_DIR, nodeModulesDir: packages })
        .bundle(bench.plugin, { entry: "mod.ts", packages: true });
    const first = await bundle();
    assert.deepEqual((await import(pathToFileURL(first.path).href)).default, [
      "version 1",
      "/",
      "none",
    ]);
    assert.equal((await bundle()).digest, first.digest);
    await Deno.remove(link);
    await Deno.symlink(join(packages, ".store", "2"), link);
    const second = await bundle();
    assert.deepEqual((await import(pathToFileURL(second.path).href)).default[0], "version 2");
    await Deno.remove(link);
    await assert.rejects(bundle(), /there is no package "turndown"/);

    // A package that is a link to elsewhere.
    await Deno.mkdir(join(bench.root, "elsewhere"));
    await Deno.writeTextFile(
      join(bench.root, "elsewhere", "index.js"),
      "export default 'hunter2';",
    );
    await Deno.symlink(join(bench.root, "elsewhere"), link);
    await assert.rejects(bundle(), /"turndown" leads out of the packages/);
  });
});

Deno.test("bundle() refuses a file that is too large before it reads it", async () => {
  const files = { "mod.ts": `import x from "./big.bin"; globalThis.x = x;\n${DEFAULT}` };
  const message = await refusal(files, async ({ plugin }) => {
    using file = await Deno.open(join(plugin, "big.bin"), { write: true, create: true });
    await file.truncate(MAX_FILE_BYTES + 1);
  });
  assert.match(message, /"big\.bin" is too large: a file may have 48 MiB/);
});

Deno.test("bundle() names line and file of code that cannot be read, and of a missing default export", async () => {
  assert.match(
    await refusal({ "mod.ts": `import "./lib/a.ts";\n${DEFAULT}`, "lib/a.ts": "\nconst = 1;\n" }),
    /Cannot bundle "\/plugin": lib\/a\.ts:2: /,
  );
  const several = await refusal({ "mod.ts": `import "./a.ts";\nimport "./b.ts";\n${DEFAULT}` });
  assert.match(several, /\n {2}mod\.ts:1: .*\n {2}mod\.ts:2: /);
  assert.match(await refusal({ "mod.ts": "export const x = 1;" }), /expected a default export/);
});

Deno.test("bundle() says so when there is no folder", async () => {
  await withPlugin({ "mod.ts": DEFAULT }, async ({ plugin, root }) => {
    const bundler = createBundler({ cacheDir: join(root, "cache"), sdkDir: SDK_DIR });
    const how = { entry: "mod.ts", packages: false };
    await assert.rejects(bundler.bundle(join(root, "none"), how), /there is no such folder/);
    await assert.rejects(bundler.bundle(join(plugin, "mod.ts"), how), /there is no such folder/);
  });
});

Deno.test("bundle() takes the bundle of the last time while nothing has changed", async () => {
  await withPlugin(
    { "mod.ts": `import "./a.ts";\n${DEFAULT}`, "a.ts": "globalThis.a = 1;" },
    async (bench) => {
      const first = await bench.bundle();
      // A second bundler, as after a restart. The bundle's own time shows that it was not written again.
      const written = (await Deno.stat(first.path)).mtime?.getTime();
      await Deno.utime(first.path, new Date(0), new Date(0));
      const again = () =>
        createBundler({ cacheDir: bench.cacheDir, sdkDir: SDK_DIR })
          .bundle(bench.plugin, { entry: "mod.ts", packages: false });
      const untouched = async () => (await Deno.stat(first.path)).mtime?.getTime() === 0;
      assert.deepEqual({ ...await again(), inputs: [] }, { ...first, inputs: [] });
      assert.ok(await untouched());

      // Other times, same bytes: still not bundled.
      await Deno.utime(join(bench.plugin, "a.ts"), new Date(1000), new Date(1000));
      assert.equal((await again()).digest, first.digest);
      assert.equal((await again()).digest, first.digest);
      assert.ok(await untouched());

      // A bundle that was tampered with, or a record that cannot be read, is made anew.
      await Deno.writeTextFile(first.path, "export default 'evil';");
      assert.equal((await again()).digest, first.digest);
      assert.ok(!(await untouched()) && written !== undefined);
      assert.doesNotMatch(await Deno.readTextFile(first.path), /evil/);
      for await (const { name } of Deno.readDir(bench.cacheDir)) {
        if (name.endsWith(".json")) await Deno.writeTextFile(join(bench.cacheDir, name), "{}");
      }
      assert.equal((await again()).digest, first.digest);

      // Other bytes of the same length, and a file that is gone.
      await bench.write("a.ts", "globalThis.a = 2;");
      const changed = await again();
      assert.notEqual(changed.digest, first.digest);
      await Deno.remove(join(bench.plugin, "a.ts"));
      await assert.rejects(again(), /there is no file/);
    },
  );
});

Deno.test("bundle() runs once for many that ask at the same time, and leaves no process behind", async () => {
  await withPlugin({ "mod.ts": DEFAULT }, async ({ bundle }) => {
    const all = await Promise.all([bundle(), bundle(), bundle()]);
    assert.equal(new Set(all).size, 1);
  });
  // Reaped a moment after it was ended.
  const deadline = Date.now() + 20_000;
  while ((await bundlers()).length > 0) {
    assert.ok(Date.now() < deadline, "esbuild is still there");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
});

Deno.test({
  name: "bundle() is unavailable for now when its bundler is ended from outside, as by Ctrl-C",
  ignore: Deno.build.os !== "linux",
  async fn() {
    // So much that it is under way for a while.
    const code = Array.from({ length: 100_000 }, (_, i) => `export const a${i} = ${i};\n`).join("");
    await withPlugin({ "mod.ts": code + DEFAULT }, async ({ bundle }) => {
      const stopped = assert.rejects(bundle(), { code: "unavailable", retryable: true });
      const deadline = Date.now() + 20_000;
      let [pid] = await bundlers();
      while (pid === undefined) {
        assert.ok(Date.now() < deadline, "esbuild does not start");
        await new Promise((resolve) => setTimeout(resolve, 1));
        [pid] = await bundlers();
      }
      Deno.kill(pid, "SIGINT");
      await stopped;
      assert.match((await bundle()).digest, /^[0-9a-f]{64}$/);
    });
  },
});

Deno.test("bundle() refuses code that is too large or nested too deep, and data only when it is too large", async () => {
  const deep = "[".repeat(200_000) + "]".repeat(200_000);
  const wrong: [Record<string, string>, RegExp][] = [
    [{ "mod.ts": `${DEFAULT}\nexport const x = ${deep};` }, /"mod\.ts" is nested too deep/],
    [{ "mod.ts": `import "./a/x.js";\n${DEFAULT}`, "a/x.js": "(".repeat(10_001) }, /"a\/x\.js" is/],
    [{ "mod.ts": `import x from "./x.json";\n${DEFAULT}\nx;`, "x.json": deep }, /too deep/],
    [
      { "mod.ts": `${DEFAULT}\n//${"x".repeat(5 * 1024 * 1024)}` },
      /"mod\.ts" is too large: a file of code may have 5 MiB/,
    ],
  ];
  for (const [files, why] of wrong) assert.match(await refusal(files), why);
  await withPlugin({
    "mod.ts": `import x from "./x.txt";\n${DEFAULT}\nconsole.log(x);`,
    "x.txt": "(".repeat(6 * 1024 * 1024),
  }, async ({ bundle }) => assert.ok((await bundle()).size > 6 * 1024 * 1024));
});

Deno.test({
  name: "bundle() says invalid_manifest when its bundler ends over the same plugin twice in a row",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const code = Array.from({ length: 100_000 }, (_, i) => `export const b${i} = ${i};\n`).join("");
    await withPlugin({ "mod.ts": code + DEFAULT }, async ({ bundle }) => {
      const seen = new Set<number>();
      for (const expected of ["unavailable", "invalid_manifest"]) {
        const ended = assert.rejects(bundle(), { code: expected });
        const deadline = Date.now() + 20_000;
        const next = async () => (await bundlers()).find((pid) => !seen.has(pid));
        let pid = await next();
        while (pid === undefined) {
          assert.ok(Date.now() < deadline, "esbuild does not start");
          await new Promise((resolve) => setTimeout(resolve, 1));
          pid = await next();
        }
        seen.add(pid);
        // As the system does to one that takes all memory.
        Deno.kill(pid, "SIGKILL");
        await ended;
      }
    });
  },
});

/** The esbuild processes among this process's children. */
async function bundlers(): Promise<number[]> {
  if (Deno.build.os !== "linux") return [];
  const found: number[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await Deno.readTextFile(`/proc/${name}/stat`).catch(() => "");
    const [, command, parent] = /^\d+ \((.*)\) \S (\d+) /.exec(stat) ?? [];
    if (Number(parent) === Deno.pid && command === "esbuild") found.push(Number(name));
  }
  return found;
}
