import assert from "node:assert/strict";
import { dataDir } from "./data_dir.ts";

function dir(env: Record<string, string>, os: typeof Deno.build.os = "linux", flag?: string) {
  return dataDir({ flag, env: (name) => env[name], os, cwd: "/work" });
}

Deno.test("dataDir() takes the flag, then CARREL_DATA, then the system's place", () => {
  const env = { CARREL_DATA: "/lib", XDG_DATA_HOME: "/xdg", HOME: "/home/a" };
  assert.equal(dir(env, "linux", "here/x"), "/work/here/x");
  assert.equal(dir(env), "/lib");
  assert.equal(dir({ XDG_DATA_HOME: "/xdg", HOME: "/home/a" }), "/xdg/carrel");
  assert.equal(dir({ XDG_DATA_HOME: "relative", HOME: "/home/a" }), "/home/a/.local/share/carrel");
  assert.equal(
    dir({ XDG_DATA_HOME: "/xdg", HOME: "/Users/a" }, "darwin"),
    "/Users/a/Library/Application Support/Carrel",
  );
});

Deno.test("dataDir() says what to do when there is no home folder", () => {
  assert.throws(() => dir({}), { code: "no_data_folder", hint: /--data/ });
});
