import assert from "node:assert/strict";
import { join } from "node:path";
import type { CarrelError } from "../errors.ts";
import { createNetwork } from "../network/private.ts";
import { CONFIG_DIR, VERSION } from "../assets.ts";
import { checkAgainstRegistry, createAvailable, isListed, parseRegistry } from "./available.ts";
import { parseManifest } from "./manifest.ts";
import { createKit, failsWith } from "./sources/testing/kit.ts";
import type { YamlProblem } from "./yaml.ts";

const LIST = `plugins:
  - id: import.b
    name: B
    description: The second.
    author: Ann
    repository: https://h.example/b
    verified: true
    versions:
      - {version: 1.0.0, reference: "npm:b@1.0.0", carrel: ">=0.1 <1"}
      - {version: 1.10.0, reference: "npm:b@1.10.0", carrel: ">=0.1 <1"}
      - {version: 2.0.0-rc.1, reference: "npm:b@2.0.0-rc.1"}
      - {version: 3.0.0, reference: "npm:b@3.0.0", carrel: ">=9"}
  - id: export.a
    kind: export
    name: A
    description: The first.
    versions: [{version: 1.0.0, reference: ./a/carrel.yaml, carrel: ">=9", sha256: ${
  "a".repeat(64)
}}]
`;
const REGISTRY = "https://h.example/list/registry.yaml";
const parse = (text: string, registry = REGISTRY) =>
  parseRegistry(text, { registry, hostVersion: "0.1.0" });

Deno.test("parseRegistry() sorts versions and says which of them work here", () => {
  const [a, b] = parse(LIST);
  assert.deepEqual([a?.id, a?.kind, a?.compatible, a?.latest], [
    "export.a",
    "export",
    false,
    undefined,
  ]);
  assert.equal(a?.versions[0]?.reference, "https://h.example/list/a/carrel.yaml");
  assert.deepEqual(b?.versions.map(({ version, compatible }) => [version, compatible]), [
    ["3.0.0", false],
    ["2.0.0-rc.1", true],
    ["1.10.0", true],
    ["1.0.0", true],
  ]);
  assert.equal(b?.latest?.version, "1.10.0");
  assert.deepEqual([b?.kind, b?.verified, b?.author, b?.repository], [
    "import",
    true,
    "Ann",
    "https://h.example/b",
  ]);
  assert.deepEqual(parse("plugins: []"), []);
  assert.deepEqual(parse("plugins:\n"), []);
});

Deno.test("parseRegistry() names line and field of everything that is wrong", () => {
  const text = `plugins:
  - id: fruit.apple
    name: Apple
    description: x
    versions: [{version: 1.0.0, reference: npm:a}]
  - id: import.b
    kind: export
    name: B
    description: x
    colour: red
    versions:
      - {version: one, reference: npm:a}
      - {version: 1.0.0, reference: "ftp://x", carrel: newest}
      - {version: 1.0.0, reference: npm:a, sha256: abc}
  - {id: import.c, name: C, description: x, versions: []}
  - {id: import.d, name: D, description: x, versions: [{version: 1.0.0, reference: /etc}]}
  - {id: import.d, name: D, description: x, repository: "javascript:1", versions: [{version: 1.0.0, reference: npm:a}]}
`;
  const problems = (registry: string) => {
    try {
      parse(text, registry);
    } catch (error) {
      assert.equal((error as CarrelError).code, "invalid_config");
      return ((error as CarrelError).details?.errors as YamlProblem[])
        .map(({ line, field }) => `${line} ${field}`);
    }
    throw new Error("it was taken");
  };
  const local = problems("/config/registry.yaml");
  for (
    const expected of [
      "10 plugins[1].colour",
      "12 plugins[1].versions[0].version",
      "13 plugins[1].versions[1].carrel",
      "14 plugins[1].versions[2].sha256",
      "15 plugins[2].versions",
      "17 plugins[4].repository",
    ]
  ) assert.ok(local.includes(expected), `${expected} in ${local}`);
  assert.ok(!problems(REGISTRY).includes("10 plugins[1].colour"));
});

Deno.test("parseRegistry() checks what lies across fields", () => {
  const one = (fields: string, version = "{version: 1.0.0, reference: npm:a}") =>
    `plugins:\n  - id: import.a\n    name: A\n    description: x\n    ${fields}\n    versions: [${version}]\n`;
  const bad: [string, RegExp][] = [
    [one("kind: export"), /:5: plugins\[0\]\.kind: expected import/],
    [one("").replace("import.a", "fruit.a"), /:2: plugins\[0\]\.id: expected <kind>/],
    [
      one("", "{version: 1.0.0, reference: npm:a}, {version: 1.0.0, reference: npm:a}"),
      /"1\.0\.0" is there twice/,
    ],
    [one("") + one("").slice(9), /"import\.a" is there twice/],
    [one("", "{version: 1.0.0, reference: 'ftp://x'}"), /reference: expected the URL of a/],
    [one("", "{version: 1.0.0, reference: /etc}"), /cannot speak of files of this machine/],
    [
      one("", "{version: 1.0.0, reference: 'file:///etc'}"),
      /cannot speak of files of this machine/,
    ],
  ];
  for (const [text, words] of bad) {
    assert.throws(() => parse(text), failsWith("invalid_config", words), String(words));
  }
  const [plugin] = parse(one("", "{version: 1.0.0, reference: ../p}"), "/config/registry.yaml");
  assert.equal(plugin?.versions[0]?.reference, "/p");
});

Deno.test("createAvailable() reads a file anew each time, and lists nothing when there is none", async () => {
  await using kit = await createKit();
  const registry = join(kit.dir, "registry.yaml");
  const available = createAvailable({
    registry,
    cacheFile: join(kit.dir, "cache.json"),
    hostVersion: "0.1.0",
    fetcher: kit.fetcher,
    network: await createNetwork(),
  });
  assert.deepEqual((await available.list()).plugins, []);
  await Deno.writeTextFile(registry, LIST);
  const list = await available.list();
  assert.deepEqual(list.plugins.map(({ id }) => id), ["export.a", "import.b"]);
  assert.equal(list.stale, false);
});

Deno.test("createAvailable() keeps a list from the network, and shows the old one when it is away", async () => {
  await using kit = await createKit();
  let answer = () => new Response(LIST);
  const server = kit.serve(() => answer());
  let now = Date.parse("2026-01-01T00:00:00Z");
  const make = async () =>
    createAvailable({
      registry: `${server.url}/registry.yaml`,
      cacheFile: join(kit.dir, "deep", "cache.json"),
      hostVersion: "0.1.0",
      fetcher: kit.fetcher,
      network: await createNetwork({ allowPrivate: [server.host] }),
      now: () => now,
    });
  const available = await make();
  answer = () => new Response("gone", { status: 500 });
  await assert.rejects(available.list(), failsWith("http_error", /HTTP 500/));
  answer = () => new Response(LIST);
  const [first, second] = await Promise.all([available.list(), available.list()]);
  assert.deepEqual(first, second);
  assert.equal(first.fetched, "2026-01-01T00:00:00.000Z");
  assert.equal(server.asked.length, 2);

  now += 3_599_000;
  await (await make()).list(); // After a restart, from the file.
  assert.equal(server.asked.length, 2);
  now += 2_000;
  await available.list();
  assert.equal(server.asked.length, 3);
  await available.list({ refresh: true });
  assert.equal(server.asked.length, 4);

  for (const broken of [() => new Response("gone", { status: 500 }), () => new Response("- {")]) {
    answer = broken;
    const old = await available.list({ refresh: true });
    assert.equal(old.stale, true);
    assert.match(old.problem!, /HTTP 500|not valid YAML/);
    assert.equal(old.fetched, "2026-01-01T01:00:01.000Z");
    assert.equal(old.plugins.length, 2);
  }
  // What could not be read has not taken the place of what could.
  assert.equal((await available.list()).stale, false);
  const other = createAvailable({
    registry: `${server.url}/other.yaml`,
    cacheFile: join(kit.dir, "deep", "cache.json"),
    hostVersion: "0.1.0",
    fetcher: kit.fetcher,
    network: await createNetwork({ allowPrivate: [server.host] }),
  });
  // The list of another registry is not this one's.
  await assert.rejects(other.list(), failsWith("invalid_config", /other\.yaml/));
});

Deno.test("checkAgainstRegistry() refuses another plugin, version or contents", () => {
  const [a] = parse(LIST);
  const version = a!.versions[0]!;
  const good = { id: "export.a", version: "1.0.0", digest: "a".repeat(64) };
  checkAgainstRegistry(a!, version, good);
  for (const change of [{ id: "export.b" }, { version: "1.0.1" }, { digest: "b".repeat(64) }]) {
    assert.throws(
      () => checkAgainstRegistry(a!, version, { ...good, ...change }),
      failsWith("damaged", /the registry speaks of another plugin/),
    );
  }
});

Deno.test("isListed() knows a plugin by id and origin, in any version", async () => {
  const list = parse(LIST);
  assert.ok(await isListed(list, { id: "import.b", origin: "npm:b" }));
  assert.ok(
    await isListed(list, { id: "export.a", origin: "https://h.example/list/a/carrel.yaml" }),
  );
  assert.ok(!await isListed(list, { id: "import.b", origin: "npm:evil" }));
  assert.ok(!await isListed(list, { id: "export.a", origin: "npm:b" }));
  assert.ok(!await isListed(list, { id: "import.c", origin: "npm:b" }));
});

Deno.test("config/registry.yaml lists plugins that are there", async () => {
  const registry = join(CONFIG_DIR, "registry.yaml");
  const list = parseRegistry(await Deno.readTextFile(registry), { registry, hostVersion: VERSION });
  assert.ok(list.length > 0);
  for (const { id, name, versions } of list) {
    const { version, reference, carrel } = versions[0]!;
    const manifest = parseManifest(await Deno.readTextFile(join(reference, "carrel.yaml")));
    assert.deepEqual(
      [manifest.id, manifest.name, manifest.version, manifest.carrel],
      [id, name, version, carrel],
    );
  }
});
