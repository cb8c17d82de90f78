import assert from "node:assert/strict";
import { configDir, dataDir, dataDirError } from "./data_dir.ts";
import { type CliError, EXIT } from "./errors.ts";

function dir(env: Record<string, string>, os: typeof Deno.build.os = "linux", flag?: string) {
  return dataDir({ flag, env: (name) => env[name], os, cwd: "/srv" });
}

Deno.test("dataDir() takes the flag, then CARREL_DATA, then the system's place", () => {
  const env = { CARREL_DATA: "/lib", XDG_DATA_HOME: "/xdg", HOME: "/home/a" };
  assert.equal(dir(env, "linux", "here/x"), "/srv/here/x");
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

Deno.test("dataDir() refuses an empty --data, which would be the current folder", () => {
  assert.throws(() => dir({ HOME: "/home/a" }, "linux", ""), { exit: EXIT.usage });
});

Deno.test("dataDirError() says what is wrong with the folder, and leaves other errors alone", () => {
  const errors = Deno.errors;
  for (
    const [error, why] of [
      [new errors.AlreadyExists("os"), /it is a file/],
      [new errors.NotADirectory("os"), /it is a file/],
      [new errors.PermissionDenied("os"), /you may not write there/],
      [new Error("Read-only file system (os error 30)"), /you may not write there/],
      [new errors.NotFound("os"), /cannot be made/],
    ] as const
  ) {
    const said = dataDirError("/x", error) as CliError;
    assert.equal(said.code, "data_folder");
    assert.match(said.message, why);
    assert.match(said.hint!, /--data FOLDER/);
  }
  const other = new Error("other");
  assert.equal(dataDirError("/x", other), other);
});

Deno.test("configDir() takes the flag, then CARREL_CONFIG, then the program's own", () => {
  const env = (name: string) => name === "CARREL_CONFIG" ? "/env" : undefined;
  assert.equal(configDir({ flag: "here", env, cwd: "/srv" }), "/srv/here");
  assert.equal(configDir({ env, cwd: "/srv" }), "/env");
  assert.equal(configDir({ env: () => "", cwd: "/srv" }), undefined);
  assert.throws(() => configDir({ flag: "", env, cwd: "/srv" }), /empty --config/);
});
