import assert from "node:assert/strict";
import { join } from "node:path";
import { checkedRegistry, findNpmRegistry } from "./npm_registry.ts";
import { failsWith } from "./testing/kit.ts";

Deno.test("findNpmRegistry() looks where npm looks, and says what to set when there is nothing", async () => {
  const home = await Deno.makeTempDir();
  try {
    const find = (name: string, variables: Record<string, string> = {}) =>
      findNpmRegistry({ name, env: (key) => ({ HOME: home, ...variables })[key] });
    await assert.rejects(find("x"), failsWith("invalid_config", /Set NPM_CONFIG_REGISTRY/));
    assert.equal(
      await find("x", { NPM_CONFIG_REGISTRY: "https://a.example" }),
      "https://a.example/",
    );
    assert.equal(
      await find("x", { npm_config_registry: "https://b.example/npm/" }),
      "https://b.example/npm/",
    );
    await Deno.writeTextFile(
      join(home, ".npmrc"),
      `; a comment\nfund=false\nregistry = "https://\${WHERE}.example/"\n@team:registry=https://team.example\n`,
    );
    assert.equal(await find("x", { WHERE: "c" }), "https://c.example/");
    assert.equal(await find("@team/x", { WHERE: "c" }), "https://team.example/");
    assert.equal(await find("@other/x", { WHERE: "c" }), "https://c.example/");
    const moved = { NPM_CONFIG_USERCONFIG: join(home, "nowhere"), WHERE: "c" };
    await assert.rejects(find("x", moved), failsWith("invalid_config", /NPM_CONFIG_REGISTRY/));
  } finally {
    await Deno.remove(home, { recursive: true });
  }
});

Deno.test("checkedRegistry() refuses what is no address, and repeats no password", () => {
  for (const address of ["x", "file:///x", "https://ann:hunter2@r.example/"]) {
    assert.throws(() => checkedRegistry(address), (error: Error) => {
      assert.doesNotMatch(error.message, /hunter2/);
      return failsWith("invalid_config", /expected an http\(s\) URL/)(error as never);
    });
  }
});
