import assert from "node:assert/strict";
import { dangerousCombinations, permissionRequests } from "./consent.ts";
import { decisionRows } from "./decisions.ts";
import { declaredGrants, NOTHING_DECLARED } from "./grants.ts";
import { parseManifest } from "./manifest.ts";

const NOW = "2030-01-01T00:00:00.000Z";

const manifest = parseManifest(`id: import.x
version: 1.0.0
name: X
description: X
entry: mod.ts
match: ["https://x.example/*"]
permissions:
  net: ["\${source.site}", {value: "a.example:8080", reason: "the papers"}, "*.b.example", "\${config.base}", public]
  read: ["\${data}/cache", /srv/papers]
  write: ["\${data}"]
  env: [TOKEN]
  services: [library.read, library.write, search, cache, events, spawn, ask]
  calls: [text.generate]
config: {properties: {base: {type: string}}}
`);

Deno.test("permissionRequests() says every permission in plain words, with its risk", () => {
  const requests = permissionRequests(manifest, [], { builtin: false });
  assert.deepEqual(requests.map(({ key, risk }) => `${risk} ${key}`), [
    "low net:${source.site}",
    "low net:a.example:8080",
    "medium net:*.b.example",
    "low net:${config.base}",
    "high net:public",
    "medium read:${data}/cache",
    "high read:/srv/papers",
    "medium write:${data}",
    "high env:TOKEN",
    "medium services:library.read",
    "high services:library.write",
    "medium services:search",
    "low services:cache",
    "medium services:events",
    "medium services:spawn",
    "low services:ask",
    "medium calls:text.generate",
    "medium match:https://x.example/*",
  ]);
  const paper = requests[1]!;
  assert.equal(requests[5]!.text, 'Read "cache" in a directory of its own');
  assert.equal(requests[7]!.text, "Keep files in a directory of its own");
  assert.equal(paper.text, "Send requests to a.example (port 8080)");
  assert.equal(paper.reason, "the papers");
  assert.equal(paper.granted, false);
  assert.ok(requests.every(({ text }) => /^[A-Z]/.test(text) && !text.includes("${")));
});

Deno.test("permissionRequests() says what is granted, and asks no built-in plugin for its URLs", () => {
  const asked = ["env:TOKEN", "net:public", "services:ask"];
  const rows = decisionRows(asked, ["env:TOKEN"], { by: "ada", now: NOW, places: {} });
  const requests = permissionRequests(manifest, rows, { builtin: false });
  assert.deepEqual(requests.filter(({ granted }) => granted).map(({ key }) => key), ["env:TOKEN"]);
  assert.deepEqual(requests.filter(({ denied }) => denied).map(({ key }) => key), [
    "net:public",
    "services:ask",
  ]);
  const builtin = permissionRequests(manifest, [], { builtin: true });
  assert.ok(builtin.every(({ granted }) => granted));
  assert.ok(!builtin.some(({ permission }) => permission === "match"));
});

Deno.test("permissionRequests() writes a change of a real path plainly", () => {
  const other = parseManifest(`id: import.x
version: 1.0.0
name: X
description: X
entry: mod.ts
permissions: {write: [/srv/out]}
`);
  const [write] = permissionRequests(other, [], { builtin: false });
  assert.deepEqual([write?.text, write?.risk], [
    "Change /srv/out and all below it on this machine",
    "high",
  ]);
});

Deno.test("dangerousCombinations() warns of what can be read and sent away", () => {
  assert.deepEqual(dangerousCombinations(NOTHING_DECLARED), []);
  assert.deepEqual(dangerousCombinations({ ...NOTHING_DECLARED, services: ["search"] }), []);
  const warnings = dangerousCombinations({
    ...declaredGrants(manifest),
    write: ["/srv/out"],
  });
  assert.equal(warnings.length, 3);
  assert.match(warnings[0]!, /your library, \/srv\/papers and the environment variable TOKEN/);
  assert.match(
    warnings[0]!,
    /send it to the site that you import from, a\.example, \*\.b\.example, the host in its setting "base" and any public host/,
  );
  assert.match(warnings[1]!, /other plugins through text\.generate/);
  assert.match(warnings[2]!, /write what it fetched to \/srv\/out/);
  const many = dangerousCombinations({
    ...NOTHING_DECLARED,
    env: ["A"],
    net: [
      "a.example",
      "b.example",
      "c.example",
      "d.example",
      "e.example",
      "f.example",
      "nonsense/",
    ],
  });
  assert.match(many[0]!, /and 2 more\.$/);
});

Deno.test("permissionRequests() shows where a setting leads, and that a private address is a high risk", () => {
  const key = "net:${config.base}";
  const shown = (place: { host: string; addresses: string[]; closed?: string }) =>
    permissionRequests(manifest, [], {
      builtin: false,
      places: { [key]: { port: 11434, ...place } },
    }).find((one) => one.key === key)!;
  const open = shown({ host: "api.example", addresses: [] });
  assert.deepEqual([open.risk, open.place?.host], ["low", "api.example"]);
  assert.match(open.text, /api\.example \(port 11434\), which its setting "base" names$/);
  const inside = shown({ host: "model.lan", addresses: ["10.0.0.5"] });
  assert.equal(inside.risk, "high");
  assert.match(inside.text, /a private address \(10\.0\.0\.5\)/);
  assert.deepEqual(inside.place, { host: "model.lan", port: 11434, addresses: ["10.0.0.5"] });
  const shut = shown({
    host: "127.0.0.1",
    addresses: ["127.0.0.1"],
    closed: "it is Carrel itself",
  });
  assert.match(shut.text, /refused, for it is Carrel itself/);
});
