// deno-lint-ignore-file no-regex-spaces -- columns are what is tested
import assert from "node:assert/strict";
import { setup } from "../testing/carrel.ts";

Deno.test("carrel search shows passages, or JSON, or that there is none", async () => {
  await using t = await setup();
  const found = await t.carrel(["search", "a", "desk", "-k", "3", "--type", "webpage"]);
  assert.match(found.out, / 1  A page  webpage · page 3 · Desks\n    a \[desk\] for a reader\./);
  assert.deepEqual(t.host.last("GET", "/api/search")!.query, {
    q: "a desk",
    k: "3",
    type: "webpage",
  });
  assert.match(found.err, /1 passage\./);
  assert.match((await t.carrel(["search", "nothing"])).err, /Nothing found for “nothing”/);
  assert.equal(JSON.parse((await t.carrel(["search", "x", "--json"])).out).hits.length, 1);
});
