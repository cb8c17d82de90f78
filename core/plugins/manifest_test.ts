import assert from "node:assert/strict";
import { CarrelError } from "../errors.ts";
import { parseManifest, propertiesOf } from "./manifest.ts";
import type { YamlProblem } from "./yaml.ts";

const MINIMAL = `id: import.arxiv
version: 1.2.0
name: arXiv papers
description: Imports a paper.
entry: mod.ts
`;

/** What is wrong with a manifest, by field. */
function problems(yaml: string, hostVersion?: string): Record<string, YamlProblem> {
  try {
    parseManifest(yaml, { hostVersion });
  } catch (error) {
    assert.ok(error instanceof CarrelError, String(error));
    assert.equal(error.code, "invalid_manifest");
    const list = error.details?.errors as YamlProblem[];
    return Object.fromEntries(list.map((problem) => [problem.field, problem]));
  }
  assert.fail("no error");
}

Deno.test("parseManifest() fills in the defaults", () => {
  const manifest = parseManifest(MINIMAL);
  assert.deepEqual(manifest.permissions, {
    net: [],
    read: [],
    write: [],
    env: [],
    run: [],
    services: [],
    calls: [],
    limits: {},
  });
  assert.deepEqual(manifest.match, []);
  assert.deepEqual(manifest.config, {});
});

Deno.test("parseManifest() takes every field, permissions with and without a reason", () => {
  const manifest = parseManifest(
    `${MINIMAL}author: Ann
license: MIT
homepage: https://example.org/
carrel: ">=0.1 <1"
match: ["https://arxiv.org/abs/*", "arxiv:*", "*.tex"]
media_types: [application/pdf, text/*]
content_types: [academic_paper]
provides: [text.extract_pdf]
permissions:
  net: [{value: "arxiv.org:443", reason: "the paper"}, "\${source.site}", "\${config.base_url}"]
  read: [/srv/papers]
  write: ["\${data}/cache"]
  env: [HOME_PAGE]
  services: [library.read]
  calls: ["text.generate"]
  limits: {memory_mb: 128, wall_s: 1.5}
config:
  type: object
  properties: {base_url: {type: string}}
`,
    { hostVersion: "0.1.0" },
  );
  assert.deepEqual(manifest.permissions.net.map(({ value, reason }) => [value, reason]), [
    ["arxiv.org:443", "the paper"],
    ["${source.site}", undefined],
    ["${config.base_url}", undefined],
  ]);
  assert.equal(manifest.permissions.limits.memory_mb, 128);
  assert.equal(manifest.permissions.limits.cpu_s, undefined);
  assert.deepEqual(Object.keys(propertiesOf(manifest.config)), ["base_url"]);
});

Deno.test("parseManifest() names file, line and field of every error at once", () => {
  const yaml = MINIMAL.replace("1.2.0", "one") + `colour: red
permissions:
  net:
    - value: "http://x"
  files: []
`;
  const found = problems(yaml);
  assert.deepEqual(
    Object.values(found).map(({ line, field }) => [line, field]),
    [[2, "version"], [6, "colour"], [9, "permissions.net[0].value"], [10, "permissions.files"]],
  );
  assert.match(found["colour"]!.message, /unknown key: expected one of id, version/);
  assert.throws(
    () => parseManifest(yaml, { file: "x/carrel.yaml" }),
    /\n {2}x\/carrel\.yaml:9: permissions\.net\[0\]\.value: expected host/,
  );
});

Deno.test("parseManifest() refuses ids that are not <kind>.<name>, or are reserved", () => {
  const ids = [
    "arxiv",
    "import",
    "import.",
    "import.Arxiv",
    "foo.bar",
    "import.import",
    "import.available",
    "import.a.install",
    "export.../x",
    "import.ünder",
  ];
  for (const id of ids) {
    const found = problems(MINIMAL.replace("import.arxiv", `"${id}"`));
    assert.match(found["id"]!.message, /expected/, id);
  }
  assert.equal(
    parseManifest(MINIMAL.replace("import.arxiv", "import.ar_x-iv.v2")).id,
    "import.ar_x-iv.v2",
  );
});

Deno.test("parseManifest() refuses paths, variables and entries that lead astray", () => {
  const wrong: Record<string, string> = {
    "permissions: {read: [relative]}": "permissions.read[0].value",
    "permissions: {read: [/a/../b]}": "permissions.read[0].value",
    'permissions: {read: ["/a,b"]}': "permissions.read[0].value",
    "permissions: {read: [/proc/1/environ]}": "permissions.read[0].value",
    'permissions: {write: ["${data}/../x"]}': "permissions.write[0].value",
    'permissions: {write: ["${data}x"]}': "permissions.write[0].value",
    'permissions: {write: ["${home}/x"]}': "permissions.write[0].value",
    "permissions: {env: [LD_PRELOAD]}": "permissions.env[0].value",
    "permissions: {env: [DENO_DIR]}": "permissions.env[0].value",
    'permissions: {env: ["A=B"]}': "permissions.env[0].value",
    "permissions: {services: [root]}": "permissions.services[0].value",
    "permissions: {calls: [generate]}": "permissions.calls[0].value",
    "permissions: {limits: {memory_mb: 1}}": "permissions.limits.memory_mb",
    "permissions: {limits: {memory_mb: 999999999}}": "permissions.limits.memory_mb",
    "permissions: {limits: {concurrency: 1.5}}": "permissions.limits.concurrency",
    'permissions: {net: ["${config.nothing}"]}': "permissions.net[0].value",
    "permissions: {net: [public], write: [/srv]}": "permissions.write[0].value",
    "match: [nonsense]": "match[0]",
    "media_types: [pdf]": "media_types[0]",
    "homepage: javascript:alert(1)": "homepage",
    "formats: [ebook]": "formats",
    "parameters: {type: object}": "parameters",
    "carrel: newest": "carrel",
  };
  for (const [line, field] of Object.entries(wrong)) {
    const found = problems(MINIMAL + line);
    assert.deepEqual(Object.keys(found), [field], line);
    assert.equal(found[field]!.line, 6, line);
  }
  for (const entry of ["../mod.ts", "/mod.ts", "mod.txt", "a//b.ts", "https://x/mod.ts"]) {
    assert.ok(problems(MINIMAL.replace("mod.ts", entry))["entry"], entry);
  }
});

Deno.test("parseManifest() wants a format of an export plugin, and no URL patterns", () => {
  const yaml = MINIMAL.replace("import.arxiv", "export.book");
  assert.match(problems(yaml)["formats"]!.message, /missing/);
  assert.deepEqual(parseManifest(yaml + "formats: [ebook]").formats, ["ebook"]);
  assert.match(
    problems(`${yaml}formats: [ebook]\nmatch: ["https://*"]`)["match"]!.message,
    /import, connector/,
  );
});

Deno.test("parseManifest() wants the events of a hook, and of no other plugin", () => {
  const yaml = MINIMAL.replace("import.arxiv", "hook.mail");
  assert.match(problems(yaml)["events"]!.message, /missing/);
  const events = ["content.imported", "job.*", "*"];
  assert.deepEqual(parseManifest(`${yaml}events: ${JSON.stringify(events)}`).events, events);
  for (const event of ["job.", "*.job", "Job", "job*"]) {
    assert.ok(problems(`${yaml}events: ["${event}"]`)["events[0]"], event);
  }
  const known = ["run.waits", "custom.rain", "custom.*", "artifact.*"];
  assert.deepEqual(parseManifest(`${yaml}events: ${JSON.stringify(known)}`).events, known);
  const unheard = (event: string) => problems(`${yaml}events: ["${event}"]`)["events[0]"]!.message;
  assert.match(unheard("contnet.imported"), /did you mean "content\.imported"/);
  assert.match(unheard("contnet.*"), /did you mean "content\.\*"/);
  assert.match(unheard("weather"), /there are content\.imported, .* and custom\.<word>/);
  assert.match(problems(`${MINIMAL}events: ["job.*"]`)["events"]!.message, /hook/);
});

Deno.test("parseManifest() refuses a plugin for another Carrel", () => {
  const yaml = `${MINIMAL}carrel: ">=2"\n`;
  assert.throws(
    () => parseManifest(yaml, { hostVersion: "0.1.0" }),
    /works with Carrel >=2, and this is 0\.1\.0/,
  );
  assert.equal(parseManifest(yaml).carrel, ">=2");
});

Deno.test("parseManifest() refuses schemas that the host cannot check in bounded time, with line and field", () => {
  const wrong: Record<string, [string, RegExp]> = {
    "{properties: {x: {pattern: '(a+)+\\1'}}}": ["properties.x.pattern", /RE2/],
    "{properties: {x: {type: nonsense}}}": ["properties.x.type", /one of null/],
    '{$schema: "http://nope.test/x"}': ["$schema", /json-schema\.org/],
    '{$ref: "http://nope.test/x"}': ["$ref", /#\/\$defs/],
    '{$ref: "#/$defs/a", $defs: {a: {$ref: "#/$defs/a"}}}': ["", /leads back/],
  };
  for (const kind of ["config", "parameters"]) {
    const yaml = `${MINIMAL.replace("import.arxiv", "export.arxiv")}formats: [ebook]\n`;
    for (const [schema, [place, why]] of Object.entries(wrong)) {
      const found = problems(`${yaml}${kind}: ${schema}`);
      const field = place === "" ? kind : `${kind}.${place}`;
      assert.deepEqual(Object.keys(found), [field], schema);
      assert.match(found[field]!.message, why);
      assert.equal(found[field]!.line, 7);
    }
    parseManifest(`${yaml}${kind}: {properties: {x: {default: aa!, pattern: "^(a+)+$"}}}`);
  }
});

Deno.test("parseManifest() refuses a manifest of more than 64 KiB unread", () => {
  const found = problems(`${MINIMAL}author: ${"é".repeat(33_000)}`);
  assert.match(found[""]!.message, /larger than 65536 bytes/);
});
