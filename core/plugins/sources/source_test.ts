import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createLock, formatLock } from "../lock_file.ts";
import { generateKeyPair, signPlugin, verifySignature } from "../signature.ts";
import { originOf } from "./source.ts";
import {
  createKit,
  failsWith,
  filesHandler,
  packageTgz,
  PLUGIN,
  under,
  writeFiles,
} from "./testing/kit.ts";

const paths = (files: readonly { readonly path: string }[]) => files.map(({ path }) => path);
const ALL = Object.keys(PLUGIN).sort();

Deno.test("fetchPlugin() takes a folder as it is, without links, dot files and packages", async () => {
  await using kit = await createKit();
  const folder = await writeFiles(join(kit.dir, "sample"), {
    ...PLUGIN,
    ".env": "SECRET=1",
    "node_modules/x/index.js": "",
  });
  const plugin = await kit.fetch(folder);
  assert.deepEqual(paths(plugin.files), ALL);
  assert.equal(plugin.origin, pathToFileURL(folder).href);
  assert.equal(plugin.origin, await originOf(folder));
  assert.equal(await Deno.readTextFile(join(plugin.folder, "mod.ts")), PLUGIN["mod.ts"]);
  assert.equal((await Deno.stat(plugin.folder)).mode! & 0o777, 0o700);
  assert.equal(plugin.lock.id, "import.sample");
  await plugin[Symbol.asyncDispose]();
  assert.deepEqual(await Array.fromAsync(Deno.readDir(kit.tempDir)), []);
  await Deno.symlink("/etc/passwd", join(folder, "lib", "x.ts"));
  await assert.rejects(kit.fetch(folder), failsWith("damaged", /"lib\/x\.ts" is a symbolic link/));
  assert.deepEqual(await Array.fromAsync(Deno.readDir(kit.tempDir)), []);
});

Deno.test("fetchPlugin() takes a manifest's URL and the modules that it leads to", async () => {
  await using kit = await createKit();
  const server = kit.serve(filesHandler({ ...under("/p/"), "/p/README.md": "not imported" }));
  const plugin = await kit.fetch(`${server.url}/p/carrel.yaml?v=3#x`);
  assert.deepEqual(paths(plugin.files), ALL);
  assert.equal(plugin.origin, `${server.url}/p/carrel.yaml`);
  assert.deepEqual(
    plugin.files.map(({ url }) => url).slice(1),
    ALL.slice(1).map((path) => `${server.url}/p/${path}`),
  );
  assert.equal(plugin.signature, undefined);
});

Deno.test("fetchPlugin() takes an archive's URL, with a folder wrapped around it or not", async () => {
  await using kit = await createKit();
  const server = kit.serve(filesHandler({
    "/sample-1.0.0.tgz": await packageTgz(),
    "/bare.tar.gz": await packageTgz(PLUGIN, "./"),
  }));
  const plugin = await kit.fetch(`${server.url}/sample-1.0.0.tgz`);
  assert.deepEqual(paths(plugin.files), ALL);
  assert.equal(plugin.origin, `${server.url}/sample-{version}.tgz`);
  assert.deepEqual(paths((await kit.fetch(`${server.url}/bare.tar.gz`)).files), ALL);
});

Deno.test("fetchPlugin() takes what the author locked, from wherever, and finds it verified", async () => {
  await using kit = await createKit();
  const folder = await writeFiles(join(kit.dir, "sample"));
  const { publicKey, privateKey } = await generateKeyPair();
  const { lock } = await signPlugin(folder, privateKey);
  const files: Record<string, string> = {};
  for (const path of [...ALL, "carrel.lock.json", "carrel.sig.json"]) {
    files[path] = await Deno.readTextFile(join(folder, path));
  }
  // Not locked: must not get in, for a bundler could take it for a module that has no extension.
  const more = { ...files, "lib/words": "evil", "mod.js": "evil" };
  const server = kit.serve(filesHandler({
    ...under("/p/", files),
    "/x.tgz": await packageTgz(more),
  }));
  await writeFiles(folder, { "mod.js": "evil" });
  for (const reference of [folder, `${server.url}/p/carrel.yaml`, `${server.url}/x.tgz`]) {
    const plugin = await kit.fetch(reference);
    assert.deepEqual(paths(plugin.files), ALL, reference);
    assert.deepEqual(
      plugin.lock.files.map(({ path, sha256 }) => [path, sha256]),
      lock.files.map(({ path, sha256 }) => [path, sha256]),
    );
    const found: string[] = [];
    for await (const { name } of Deno.readDir(plugin.folder)) found.push(name);
    assert.deepEqual(found.sort(), ["carrel.yaml", "lib", "mod.ts"]);
    const trusted = [{ name: "Ann", key: publicKey }];
    assert.deepEqual(await verifySignature(plugin.lock, plugin.signature, trusted), {
      verified: true,
      key: publicKey,
      name: "Ann",
    });
  }
});

Deno.test("fetchPlugin() refuses files that are not those of their lock", async () => {
  await using kit = await createKit();
  const folder = await writeFiles(join(kit.dir, "sample"));
  await signPlugin(folder, (await generateKeyPair()).privateKey);
  const files: Record<string, string> = {};
  for (const path of [...ALL, "carrel.lock.json", "carrel.sig.json"]) {
    files[path] = await Deno.readTextFile(join(folder, path));
  }
  const { "mod.ts": _, ...less } = files;
  const digest = "a".repeat(64);
  const other = formatLock(createLock({
    id: "import.other",
    version: "1.0.0",
    files: [{ path: "carrel.yaml", sha256: digest, size: 1 }],
  }));
  const bad: [Record<string, string>, RegExp, RegExp][] = [
    [{ ...files, "mod.ts": "evil" }, /"mod\.ts" is not the one/, /"mod\.ts" is not the one/],
    [less, /"mod\.ts" stands in/, /mod\.ts": there is no such page/],
    [{ ...files, "carrel.lock.json": "{}" }, /Cannot read the lock/, /Cannot read the lock/],
    [
      { ...files, "carrel.sig.json": "{}" },
      /Cannot read the signature/,
      /Cannot read the signature/,
    ],
    [
      { ...files, "carrel.lock.json": other },
      /"carrel\.yaml" is not the one/,
      /"carrel\.yaml" is not/,
    ],
  ];
  let served: Record<string, string | Uint8Array> = {};
  const server = kit.serve((request, url) => filesHandler(served)(request, url));
  for (const [change, words, byUrl] of bad) {
    served = { ...under("/p/", change), "/x.tgz": await packageTgz(change) };
    await assert.rejects(kit.fetch(`${server.url}/x.tgz`), failsWith("damaged", words));
    await assert.rejects(kit.fetch(`${server.url}/p/carrel.yaml`), (error: Error) => {
      assert.match(error.message, byUrl);
      return true;
    });
  }
  assert.deepEqual(await Array.fromAsync(Deno.readDir(kit.tempDir)), []);
});

Deno.test("fetchPlugin() refuses a lock of another plugin over the same files", async () => {
  await using kit = await createKit();
  const folder = await writeFiles(join(kit.dir, "sample"));
  const plugin = await kit.fetch(folder);
  for (const change of [{ id: "import.other" }, { version: "9.0.0" }]) {
    await writeFiles(folder, { "carrel.lock.json": formatLock({ ...plugin.lock, ...change }) });
    await assert.rejects(
      kit.fetch(folder),
      failsWith("damaged", /carrel\.lock\.json speaks of import\.(other 1\.0\.0|sample 9\.0\.0)/),
    );
  }
});

Deno.test("fetchPlugin() takes a page that a server answers to everything for no lock", async () => {
  await using kit = await createKit();
  const files = filesHandler(under("/p/"));
  const server = kit.serve(async (request, url) => {
    const found = await files(request, url);
    return found.ok ? found : new Response("<html>Welcome</html>");
  });
  const plugin = await kit.fetch(`${server.url}/p/carrel.yaml`);
  assert.deepEqual(paths(plugin.files), ALL);
  const login = kit.serve(async (request, url) => {
    const found = await files(request, url);
    return found.ok ? found : Response.redirect(`${server.url}/login`);
  });
  assert.deepEqual(paths((await kit.fetch(`${login.url}/p/carrel.yaml`)).files), ALL);
});

Deno.test("fetchPlugin() follows a manifest's redirect, and takes its modules from there", async () => {
  await using kit = await createKit();
  const server = kit.serve(filesHandler(under("/p/1.0.0/")));
  const front = kit.serve(() => Response.redirect(`${server.url}/p/1.0.0/carrel.yaml`));
  const plugin = await kit.fetch(`${front.url}/p/carrel.yaml`);
  assert.equal(plugin.origin, `${front.url}/p/carrel.yaml`);
  assert.equal(plugin.files.at(-1)?.url, `${server.url}/p/1.0.0/mod.ts`);
  assert.deepEqual(front.asked, ["/p/carrel.yaml"]);
});

Deno.test("fetchPlugin() says what is missing", async () => {
  await using kit = await createKit();
  const server = kit.serve(filesHandler({
    "/empty.tgz": await packageTgz({ "README.md": "" }),
    "/page/carrel.yaml": "<html>",
    ...under("/old/", { "carrel.yaml": "id: import.x" }),
  }));
  const bad: [string, "invalid_manifest" | "http_error", RegExp][] = [
    [`${server.url}/empty.tgz`, "invalid_manifest", /a file carrel\.yaml at the top/],
    [`${server.url}/page/carrel.yaml`, "invalid_manifest", /page\/carrel\.yaml/],
    [`${server.url}/old/carrel.yaml`, "invalid_manifest", /version: missing/],
    [`${server.url}/gone/carrel.yaml`, "http_error", /there is no such page/],
    [join(kit.dir, "nowhere"), "invalid_manifest", /no such folder/],
    [kit.dir, "invalid_manifest", /a file carrel\.yaml in it/],
    [new URL(import.meta.url).pathname, "invalid_manifest", /no such folder/],
  ];
  for (const [reference, code, words] of bad) {
    await assert.rejects(kit.fetch(reference), failsWith(code, words), reference);
  }
});
