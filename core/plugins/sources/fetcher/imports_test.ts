import assert from "node:assert/strict";
import type { PluginError } from "@carrel/sdk";
import { relativeImports } from "./imports.ts";
import { resolve } from "./web.ts";

Deno.test("relativeImports() finds all that a bundler would follow, and nothing in comments or texts", () => {
  const found = relativeImports(
    `#!/usr/bin/env -S deno run
import a from "./a.ts";
import "./side.js";
import { type T } from "../up.ts";
import type { Gone } from "./types.ts";
import data from "./data.json" with { type: "json" };
export * from './all.ts';
export { x } from "./x.ts";
export type { Y } from "./y.ts";
import { definePlugin } from "@carrel/sdk";
import fs from "node:fs";
// import "./comment.ts"
const text = 'import "./text.ts"', re = /import ".\\/re.ts"/;
const lazy = () => import("./lazy.ts");
const computed = import("./" + text);
const old = require("./old.cjs");
@decorated class C { accessor x = 1; }
const y = <T,>(t: T) => t satisfies unknown as never;
`,
    "mod.ts",
  );
  assert.deepEqual(found, [
    "../up.ts",
    "./a.ts",
    "./all.ts",
    "./data.json",
    "./lazy.ts",
    "./old.cjs",
    "./side.js",
    "./x.ts",
  ]);
  assert.deepEqual(
    relativeImports(`import "./a.js"; const x = <p>{import("./b.js")}</p>;`, "m.jsx"),
    [
      "./a.js",
      "./b.js",
    ],
  );
});

Deno.test("relativeImports() names the line of what it cannot read, and survives deep nesting", () => {
  assert.throws(() => relativeImports(`let a = 1;\nimport {{ "./a"`, "lib/bad.ts"), (error) => {
    const { code, message } = error as PluginError;
    assert.equal(code, "unreadable");
    assert.match(message, /^Cannot read "lib\/bad\.ts": line 2: /);
    return true;
  });
  assert.throws(
    () => relativeImports("[".repeat(200_000), "deep.js"),
    (error) => (error as PluginError).code === "unreadable",
  );
});

Deno.test("resolve() stays in the plugin's folder", () => {
  const base = "https://example.org/p/carrel.yaml";
  assert.equal(resolve("a/b/c.ts", "../d.ts", base), "a/d.ts");
  assert.equal(resolve("mod.ts", "./x/./y.json", base), "x/y.json");
  for (
    const specifier of ["../x.ts", "./a/../../x.ts", "./x%2e%2e.ts", "./x.ts?raw", "./x", "./"]
  ) {
    assert.throws(() => resolve("mod.ts", specifier, base), (error) => {
      const { code, message } = error as PluginError;
      assert.equal(code, "unreadable");
      assert.match(message, /mod\.ts imports "/);
      return true;
    }, specifier);
  }
});
