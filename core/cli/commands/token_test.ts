// deno-lint-ignore-file no-regex-spaces -- columns are what is tested
import assert from "node:assert/strict";
import { EXIT } from "../errors.ts";
import { setup } from "../testing/carrel.ts";

Deno.test("carrel token lists, creates and revokes", async () => {
  await using t = await setup();
  assert.match((await t.carrel(["token", "list"])).out, /token_1  laptop  reader/);
  const made = await t.carrel([
    "token",
    "create",
    "--name",
    "x",
    "--role",
    "editor",
    "--expires",
    "2030-01-31",
  ]);
  assert.equal(made.out, "carrel_new\n");
  assert.deepEqual(t.host.last("POST", "/api/tokens")!.body, {
    name: "x",
    role: "editor",
    expires: "2030-01-31T00:00:00.000Z",
  });
  assert.equal(
    (await t.carrel(["token", "create", "--name", "x", "--expires", "soon"])).exit,
    EXIT.usage,
  );
  assert.match((await t.carrel(["token", "revoke", "token_1"])).out, /revoked token_1/);
});
