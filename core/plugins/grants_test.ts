import assert from "node:assert/strict";
import type { CarrelError } from "../errors.ts";
import type { PrivateGrant } from "../../sandbox/types.ts";
import type { CheckedSource } from "../network/private.ts";
import {
  declaredGrants,
  type GrantContext,
  intersect,
  NOTHING_DECLARED,
  resolveGrants,
  siteRules,
} from "./grants.ts";
import { parseManifest } from "./manifest.ts";
import type { DeclaredGrants } from "./plugins.ts";

const OPENED: PrivateGrant = { host: "10.0.0.5", port: 8080, addresses: ["10.0.0.5"] };

const declare = (grants: Partial<DeclaredGrants>): DeclaredGrants => ({
  ...NOTHING_DECLARED,
  ...grants,
});

function resolve(grants: Partial<DeclaredGrants>, context: Partial<GrantContext> = {}) {
  return resolveGrants(declare(grants), {
    dataDir: "/data/plugins/import.x/data",
    config: {},
    privateGrant: (host, port) => host === OPENED.host && port === OPENED.port ? OPENED : undefined,
    protectedRead: ["/data"],
    protectedWrite: ["/data", "/opt/carrel"],
    ...context,
  });
}

const source = (host: string, port = 443, opened?: PrivateGrant): CheckedSource => ({
  url: `https://${host}:${port}/`,
  host,
  port,
  site: host,
  private: opened,
});

Deno.test("resolveGrants() makes nothing of nothing", () => {
  assert.deepEqual(resolve({}), {
    net: [],
    netPublic: false,
    private: [],
    read: [],
    write: [],
    env: [],
    run: [],
    services: [],
    calls: [],
  });
});

Deno.test("resolveGrants() makes the site of this job's URL, and nothing without one", () => {
  const net = ["${source.site}"];
  assert.deepEqual(resolve({ net }).net, []);
  assert.deepEqual(resolve({ net }, { source: source("en.wikipedia.org", 8443) }).net, [
    "*.wikipedia.org:443",
    "*.wikipedia.org:80",
    "*.wikipedia.org:8443",
    "wikipedia.org:443",
    "wikipedia.org:80",
    "wikipedia.org:8443",
  ]);
});

Deno.test("siteRules() keeps tenants of one suffix and lone hosts apart", () => {
  assert.deepEqual(siteRules("alice.github.io", 443), [
    "alice.github.io:443",
    "alice.github.io:80",
    "*.alice.github.io:443",
    "*.alice.github.io:80",
  ]);
  assert.deepEqual(siteRules("1.1.1.1", 80), ["1.1.1.1:443", "1.1.1.1:80"]);
  assert.deepEqual(siteRules("wiki", 81), ["wiki:443", "wiki:80", "wiki:81"]);
});

Deno.test("resolveGrants() gives an opened private host on its port alone", () => {
  const context = { source: source("10.0.0.5", 8080, OPENED) };
  const grants = resolve({ net: ["${source.site}"] }, context);
  assert.deepEqual([grants.net, grants.private], [[], [OPENED]]);
});

Deno.test("resolveGrants() never puts an opened address beside any public host", () => {
  const context = { source: source("10.0.0.5", 8080, OPENED), config: { base: "10.0.0.5:8080" } };
  const both = resolve({ net: ["public", "${source.site}"] }, context);
  assert.deepEqual([both.netPublic, both.private], [false, [OPENED]]);
  const other = resolve({ net: ["public", "${config.base}"] }, context);
  assert.deepEqual([other.netPublic, other.private], [true, []]);
});

Deno.test("resolveGrants() takes hosts, wildcards and hosts of settings", () => {
  const net = [
    "arxiv.org:443",
    "*.example.com",
    "${config.url}",
    "${config.place}",
    "${config.none}",
  ];
  const config = { url: "http://Api.Example.org/v1", place: "b.example:99" };
  assert.deepEqual(resolve({ net }, { config }).net, [
    "*.example.com:443",
    "api.example.org:80",
    "arxiv.org:443",
    "b.example:99",
    "example.com:443",
  ]);
  const opened = resolve({ net: ["${config.url}"] }, { config: { url: "http://10.0.0.5:8080" } });
  assert.deepEqual([opened.net, opened.private], [[], [OPENED]]);
});

Deno.test("resolveGrants() refuses a setting that is no host, or a private one", () => {
  const wrong: [unknown, string][] = [
    [5, "invalid_config"],
    ["http://", "invalid_config"],
    ["a b", "invalid_config"],
    ["a:b:c", "invalid_config"],
    ["http://127.0.0.1:7420/", "private_address"],
    ["http://[::1]:80/", "private_address"],
    ["http://[2606:4700::1]/", "invalid_config"],
    ["http://a,b.example/", "invalid_config"],
    ["10.0.0.5:8081", "private_address"],
  ];
  for (const [url, code] of wrong) {
    assert.throws(
      () => resolve({ net: ["${config.url}"] }, { config: { url } }),
      (error: CarrelError) => error.code === code,
      String(url),
    );
  }
});

Deno.test("resolveGrants() resolves the plugin's own directory and keeps Carrel's files shut", () => {
  const grants = resolve({ read: ["${data}/", "/srv/x/", "/srv/x"], write: ["${data}/a"] });
  assert.deepEqual(grants.read, ["/data/plugins/import.x/data", "/srv/x"]);
  assert.deepEqual(grants.write, ["/data/plugins/import.x/data/a"]);
  for (const path of ["/", "/data", "/data/library.db", "/data/"]) {
    assert.throws(() => resolve({ read: [path] }), /Carrel's own files/, path);
  }
  assert.throws(() => resolve({ write: ["/opt"] }), /Carrel's own files/);
  assert.deepEqual(resolve({ read: ["/opt/carrel", "/database"] }).read, [
    "/database",
    "/opt/carrel",
  ]);
});

Deno.test("resolveGrants() is the same for the same grants in another order", () => {
  const one = resolve({
    net: ["a.example", "b.example"],
    env: ["B", "A"],
    services: ["search", "cache"],
  });
  const two = resolve({
    net: ["b.example", "a.example"],
    env: ["A", "B"],
    services: ["cache", "search"],
  });
  assert.deepEqual(one, two);
  assert.equal(JSON.stringify(one), JSON.stringify(two));
});

Deno.test("resolveGrants() grants nothing for an entry that no longer means anything", () => {
  assert.deepEqual(resolve({ net: ["127.0.0.1:80", "http://x"] }).net, []);
});

Deno.test("intersect() grants what is both declared and approved", () => {
  const manifest = parseManifest(`id: import.x
version: 1.0.0
name: X
description: X
entry: mod.ts
match: ["https://x.example/*"]
permissions: {net: [a.example, a.example, b.example], services: [search]}
`);
  const declared = declaredGrants(manifest);
  assert.deepEqual(declared.net, ["a.example", "b.example"]);
  assert.deepEqual(declared.match, ["https://x.example/*"]);
  const approved = declare({
    net: ["b.example", "c.example"],
    env: ["HOME"],
    match: declared.match,
  });
  assert.deepEqual(
    intersect(declared, approved),
    declare({ net: ["b.example"], match: ["https://x.example/*"] }),
  );
});
