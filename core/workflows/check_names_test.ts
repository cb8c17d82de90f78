import assert from "node:assert/strict";
import { didYouMean } from "./check_names.ts";

Deno.test("didYouMean() names the nearest of what there is", () => {
  assert.equal(didYouMean("titel", ["name", "title"]), '; did you mean "title"?');
  assert.equal(didYouMean("Prmpt", ["prompt"]), '; did you mean "prompt"?');
  assert.equal(didYouMean("text.generatt", ["text.generate"]), '; did you mean "text.generate"?');
  assert.equal(didYouMean("abcdefghijkl", ["lkjihgfedcba"]), "");
  assert.equal(didYouMean("a", ["abc"]), "");
  assert.equal(didYouMean("", ["abc"]), "");
});

Deno.test("didYouMean() looks at a bounded number of names, none of them long", () => {
  let looked = 0;
  function* names() {
    for (let i = 0; i < 3_000; i++) {
      looked++;
      yield `abcdefghijklmnopq${i}`;
    }
  }
  assert.match(didYouMean("abcdefghijklmnopr1", names()), /did you mean "abcdefghijklmnopq1"/);
  assert.ok(looked <= 101, `${looked}`);
  looked = 0;
  assert.equal(didYouMean("a".repeat(65), names()), "");
  assert.equal(looked, 0);
  assert.equal(didYouMean("a".repeat(64), ["a".repeat(65)]), "");
});
