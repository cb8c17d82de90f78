import assert from "node:assert/strict";
import type { CarrelError } from "../errors.ts";
import { checkConfig, resolveConfig, splitSecrets } from "./config.ts";
import { parseManifest } from "./manifest.ts";

const manifest = parseManifest(`id: import.x
version: 1.0.0
name: X
description: X
entry: mod.ts
config:
  type: object
  required: [base]
  properties:
    max: {type: integer, minimum: 1, maximum: 10, default: 5}
    base: {type: string, maxLength: 5}
    ratio: {type: number}
    on: {type: boolean}
    tags: {type: array}
    map: {type: object}
    none: {type: "null"}
    size: {enum: [s, m]}
    odd: {}
    plain: true
    token: {type: object, format: secret}
`);

Deno.test("resolveConfig() lays what was set over the defaults", () => {
  assert.deepEqual(resolveConfig(manifest, {}), { max: 5 });
  const all = {
    max: 1,
    base: "x",
    ratio: 0.5,
    on: true,
    tags: [1],
    map: {},
    none: null,
    size: "s",
    plain: 2,
  };
  assert.deepEqual(resolveConfig(manifest, all), all);
  checkConfig(manifest, all);
});

Deno.test("checkConfig() names the setting that is wrong and what is expected", () => {
  const wrong: [string, unknown, RegExp][] = [
    ["max", 1.5, /must be integer/],
    ["max", 0, />= 1/],
    ["max", 11, /<= 10/],
    ["base", 1, /must be string/],
    ["base", "toolong", /more than 5 characters/],
    ["ratio", "1", /must be number/],
    ["on", 1, /must be boolean/],
    ["tags", {}, /must be array/],
    ["map", [], /must be object/],
    ["none", 1, /must be null/],
    ["size", "l", /one of s, m/],
  ];
  for (const [name, value, words] of wrong) {
    assert.throws(() => checkConfig(manifest, { base: "x", [name]: value }), failed(name, words));
  }
  assert.throws(() => resolveConfig(manifest, { nothing: 1 }), failed("nothing", /known are: max/));
  assert.throws(() => checkConfig(manifest, {}), failed("base", /must be set/));
  checkConfig(manifest, {}, { missing: "allowed" });
});

Deno.test("resolveConfig() takes secrets as references only, and never repeats one", () => {
  assert.deepEqual(resolveConfig(manifest, { token: "${X_TOKEN}" })["token"], { env: "X_TOKEN" });
  assert.deepEqual(resolveConfig(manifest, { token: { env: "A" } })["token"], { env: "A" });
  assert.deepEqual(resolveConfig(manifest, { token: { file: "/run/a" } })["token"], {
    file: "/run/a",
  });
  for (const value of ["hunter2", { env: 1 }, { env: "A", file: "b" }, { raw: "hunter2" }, 5]) {
    assert.throws(() => resolveConfig(manifest, { token: value }), (error: Error) => {
      assert.match(error.message, /never written out/);
      assert.doesNotMatch(error.message, /hunter2/);
      return true;
    });
  }
});

Deno.test("resolveConfig() takes no secret from the manifest, and splitSecrets() parts them from the rest", () => {
  const tricky = parseManifest(`id: import.x
version: 1.0.0
name: X
description: X
entry: mod.ts
config:
  properties: {token: {type: object, format: secret, default: {env: HOME}}, max: {default: 3}}
`);
  assert.deepEqual(resolveConfig(tricky, {}), { max: 3 });
  assert.deepEqual(splitSecrets(tricky, resolveConfig(tricky, { token: "${A}" })), {
    plain: { max: 3 },
    secrets: { token: { env: "A" } },
  });
});

function failed(field: string, words: RegExp) {
  return (error: CarrelError) => {
    assert.equal(error.code, "invalid_config");
    assert.match(error.message, words);
    assert.equal(error.details?.field, field);
    return true;
  };
}
