import assert from "node:assert/strict";
import type { CarrelError } from "../errors.ts";
import { resolveConfig } from "./config.ts";
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
    odd: 1,
    plain: 2,
  };
  assert.deepEqual(resolveConfig(manifest, all), all);
});

Deno.test("resolveConfig() names the setting that is wrong and what is expected", () => {
  const wrong: [string, unknown, RegExp][] = [
    ["max", 1.5, /expected integer/],
    ["max", 0, /at least 1/],
    ["max", 11, /at most 10/],
    ["base", 1, /expected string/],
    ["base", "toolong", /at most 5 characters/],
    ["ratio", "1", /expected number/],
    ["on", 1, /expected boolean/],
    ["tags", {}, /expected array/],
    ["map", [], /expected object/],
    ["none", 1, /expected null/],
    ["size", "l", /one of s, m/],
    ["nothing", 1, /no such setting; known are: max, base/],
  ];
  for (const [name, value, words] of wrong) {
    assert.throws(() => resolveConfig(manifest, { [name]: value }), (error: CarrelError) => {
      assert.equal(error.code, "invalid_config");
      assert.match(error.message, words);
      assert.equal(error.details?.field, name);
      return true;
    });
  }
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
