import assert from "node:assert/strict";
import { createKit, failsWith, type Kit, packageTgz, PLUGIN, yaml } from "./testing/kit.ts";

const sha512 = async (bytes: Uint8Array) =>
  new Uint8Array(await crypto.subtle.digest("SHA-512", bytes as Uint8Array<ArrayBuffer>))
    .toBase64();

/** A registry that answers as npm's does: packuments and archives. */
async function serveRegistry(kit: Kit, name: string, broken: { integrity?: string } = {}) {
  const archives = new Map<string, Uint8Array>();
  for (const version of ["1.0.0", "1.2.0", "2.0.0-beta.1"]) {
    const files = {
      ...PLUGIN,
      "carrel.yaml": yaml("import.sample", version),
      "package.json": "{}",
    };
    archives.set(version, await packageTgz(files));
  }
  const server = kit.serve(async (request, { pathname }) => {
    if (pathname === `/npm/${name.replace("/", "%2f")}`) {
      assert.match(request.headers.get("accept")!, /application\/vnd\.npm\.install-v1\+json/);
      const versions = await Promise.all([...archives].map(async ([version, bytes]) => [version, {
        name,
        version,
        dist: {
          tarball: `${server.url}/npm/${name}/-/x-${version}.tgz`,
          integrity: broken.integrity ?? `sha512-${await sha512(bytes)}`,
        },
      }]));
      return Response.json({
        name,
        "dist-tags": { latest: "1.2.0", beta: "2.0.0-beta.1" },
        versions: Object.fromEntries(versions),
      }, { headers: { "content-type": "application/vnd.npm.install-v1+json" } });
    }
    const version = /\/-\/x-(.*)\.tgz$/.exec(pathname)?.[1];
    const bytes = archives.get(version ?? "");
    return bytes === undefined
      ? Response.json({ error: "Not found" }, { status: 404 })
      : new Response(bytes as BodyInit);
  });
  return server;
}

Deno.test("fetchPlugin() takes versions, tags and ranges from an npm registry", async () => {
  await using kit = await createKit();
  for (const name of ["carrel-sample", "@ann/sample"]) {
    const server = await serveRegistry(kit, name);
    const npmRegistry = `${server.url}/npm`;
    for (
      const [wanted, version] of [["", "1.2.0"], ["@1.0.0", "1.0.0"], ["@^1.0.0", "1.2.0"], [
        "@beta",
        "2.0.0-beta.1",
      ]]
    ) {
      const plugin = await kit.fetch(`npm:${name}${wanted}`, { npmRegistry });
      assert.equal(plugin.origin, `npm:${name}`);
      assert.equal(plugin.resolved, `npm:${name}@${version}`);
      assert.equal(plugin.lock.version, version);
      assert.equal(
        plugin.files[0]?.url,
        `${server.url}/npm/${name}/-/x-${version}.tgz#carrel.yaml`,
      );
    }
    await assert.rejects(
      kit.fetch(`npm:${name}@9`, { npmRegistry }),
      failsWith("unreadable", /no such version/),
    );
    await assert.rejects(
      kit.fetch("npm:nowhere", { npmRegistry }),
      failsWith("http_error", /there is no such page/),
    );
  }
});

Deno.test("fetchPlugin() refuses an npm archive that is not the registry's", async () => {
  await using kit = await createKit();
  const integrity = `sha512-${"A".repeat(86)}==`;
  const server = await serveRegistry(kit, "x", { integrity });
  await assert.rejects(
    kit.fetch("npm:x", { npmRegistry: `${server.url}/npm/` }),
    failsWith("damaged", /npm:x@1\.2\.0.*SHA-512 differs/),
  );
});

Deno.test("fetchPlugin() says what to set when no npm registry is known", async () => {
  await using kit = await createKit();
  const before = ["NPM_CONFIG_REGISTRY", "npm_config_registry", "NPM_CONFIG_USERCONFIG"]
    .map((name) => [name, Deno.env.get(name)] as const);
  try {
    for (const [name] of before) Deno.env.delete(name);
    Deno.env.set("NPM_CONFIG_USERCONFIG", `${kit.dir}/nowhere`);
    await assert.rejects(
      kit.fetch("npm:x"),
      failsWith("invalid_config", /no npm registry is set\. Set NPM_CONFIG_REGISTRY/),
    );
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
  }
});
