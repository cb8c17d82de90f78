import assert from "node:assert/strict";
import { gitOrigin, parseReference, type Reference, webOrigin } from "./reference.ts";
import { failsWith } from "./testing/kit.ts";

Deno.test("parseReference() tells the kinds of references apart", () => {
  const expected: Record<string, Reference> = {
    "https://example.org/p/carrel.yaml?v=2#top": {
      kind: "manifest",
      url: "https://example.org/p/carrel.yaml?v=2",
    },
    " HTTPS://Example.org/x.YML ": { kind: "manifest", url: "https://example.org/x.YML" },
    "https://example.org/x-1.0.0.tgz": {
      kind: "archive",
      url: "https://example.org/x-1.0.0.tgz",
      format: "tar",
    },
    "https://example.org/x.tar.gz?a": {
      kind: "archive",
      url: "https://example.org/x.tar.gz?a",
      format: "tar",
    },
    "https://example.org/x.carrel": {
      kind: "archive",
      url: "https://example.org/x.carrel",
      format: "zip",
    },
    "npm:name": { kind: "npm", name: "name", wanted: "" },
    "npm:name@1.0.0": { kind: "npm", name: "name", wanted: "1.0.0" },
    "npm:@scope/name": { kind: "npm", name: "@scope/name", wanted: "" },
    "npm:@scope/name@^1.2 || 2.x": { kind: "npm", name: "@scope/name", wanted: "^1.2 || 2.x" },
    "git+https://example.org/a/b.git#v1.0.0": {
      kind: "git",
      url: "https://example.org/a/b.git",
      ref: "v1.0.0",
    },
    "git+https://example.org/a/b/": {
      kind: "git",
      url: "https://example.org/a/b",
      ref: undefined,
    },
    "/plugins/my plugin": { kind: "path", path: "/plugins/my plugin" },
    "file:///plugins/my%20plugin": { kind: "path", path: "/plugins/my plugin" },
  };
  for (const [text, reference] of Object.entries(expected)) {
    assert.deepEqual(parseReference(text), reference, text);
  }
});

Deno.test("parseReference() refuses what it does not know, and repeats no password", () => {
  const bad = [
    "",
    "name",
    "./folder",
    "ftp://example.org/carrel.yaml",
    "data:text/yaml,id: x",
    "https://example.org/",
    "https://example.org/plugin.zip",
    "https://",
    "npm:",
    "npm:Name",
    "npm:../x",
    "npm:a/b",
    "npm:@scope",
    "npm:name@https://example.org/x.tgz",
    "git+ssh://example.org/x",
    "git+file:///x",
    "git+https://example.org/",
    "git+https://example.org/x?y",
    "git+https://example.org/x#../../y",
    "git+https://example.org/x#-upload-pack=x",
    "git+https://example.org/x#a%20b",
    "file://elsewhere/x",
    "/x\ny",
    `/${"x".repeat(5000)}`,
  ];
  for (const text of bad) {
    assert.throws(() => parseReference(text), failsWith("invalid_url", /^Cannot install/), text);
  }
  for (
    const text of ["https://ann:hunter2@example.org/x.tgz", "git+https://ann:hunter2@example.org/x"]
  ) {
    assert.throws(() => parseReference(text), (error: Error) => {
      assert.doesNotMatch(error.message, /hunter2/);
      return failsWith("invalid_url", /user name or password/)(error as never);
    });
  }
});

Deno.test("webOrigin() is the same for two versions, and another for everything else", () => {
  const same = [
    ["https://h.example/p/carrel.yaml", "https://h.example/p/carrel.yaml?v=2#x"],
    ["https://h.example/o/r/v1.0.0/carrel.yaml", "https://h.example/o/r/v1.10.3-rc.1/carrel.yaml"],
    ["https://h.example/o/r/dl/1.0.0/x-1.0.0.tgz", "https://h.example/o/r/dl/2.0.0/x-2.0.0.tgz"],
    ["https://h.example/npm/x@1.0.0/carrel.yaml", "https://h.example/npm/x@2.0.0/carrel.yaml"],
    ["https://h.example/x-1.0.0.carrel", "https://h.example/x-v1.0.1.carrel?v=3"],
    ["https://h.example/a.tgz?k=1&v=2", "https://h.example/a.tgz?k=1"],
  ];
  for (const [a, b] of same) assert.equal(webOrigin(a!), webOrigin(b!), `${a} ${b}`);
  const other = [
    ["https://h.example/p/carrel.yaml", "https://h.example/q/carrel.yaml"],
    ["https://h.example/p/carrel.yaml", "https://i.example/p/carrel.yaml"],
    ["https://h.example/p/carrel.yaml", "https://h.example:8443/p/carrel.yaml"],
    ["https://h.example/p/carrel.yaml", "http://h.example/p/carrel.yaml"],
    ["https://h.example/p/carrel.yaml", "https://h.example/p/carrel.yaml?user=mallory"],
    // Somebody who calls himself 1.0.0 is not ann, and not everybody.
    ["https://h.example/ann/carrel.yaml", "https://h.example/1.0.0/ann/carrel.yaml"],
    ["https://h.example/ann/carrel.yaml", "https://h.example/1.0.0/carrel.yaml"],
    ["https://h.example/1.0.0/carrel.yaml", "https://h.example/2.0.0/carrel.yaml"],
    ["https://h.example/o/r/carrel.yaml", "https://h.example/o/r/1.0.0/carrel.yaml"],
    ["https://h.example/o/r/{version}/carrel.yaml", "https://h.example/o/r/1.0.0/carrel.yaml"],
    ["https://h.example/ann/carrel.yaml", "https://h.example/@1.0.0/ann/carrel.yaml"],
    ["https://h.example/x.tgz", "https://h.example/x-1.0.0.tgz"],
  ];
  for (const [a, b] of other) assert.notEqual(webOrigin(a!), webOrigin(b!), `${a} ${b}`);
});

Deno.test("gitOrigin() is the same with .git and without", () => {
  assert.equal(gitOrigin("https://h.example/a/b.git"), gitOrigin("https://h.example/a/b"));
});
