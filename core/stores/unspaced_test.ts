import assert from "node:assert/strict";
import { isUnspaced, spaced } from "./unspaced.ts";

Deno.test("spaced() parts the letters of scripts without spaces and leaves others alone", () => {
  assert.equal(spaced("plain words, naïve"), "plain words, naïve");
  assert.equal(spaced("知識库 v2").replace(/ +/g, " ").trim(), "知 識 库 v2");
  // A mark stays with its letter.
  assert.equal(spaced("ที่").trim().split(/ +/).length, 1);
});

Deno.test("isUnspaced() knows the script whatever was asked before", () => {
  assert.deepEqual(["図書館", "desk", "図書館", "desk"].map(isUnspaced), [
    true,
    false,
    true,
    false,
  ]);
});
