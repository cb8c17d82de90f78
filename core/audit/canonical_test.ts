import assert from "node:assert/strict";
import { canonicalJson } from "./canonical.ts";

Deno.test("canonicalJson() gives equal values one spelling", () => {
  assert.equal(
    canonicalJson({ b: [{ z: 1, a: null }], a: "x", 10: true, 9: -0 }),
    `{"10":true,"9":0,"a":"x","b":[{"a":null,"z":1}]}`,
  );
});

Deno.test("canonicalJson() writes ASCII only, and can be read back", () => {
  const value = { "ключ": '\u007f é 世界 😀 \ud800 \n "\\' };
  const text = canonicalJson(value);
  assert.match(text, /^[\x20-\x7e]*$/);
  assert.deepEqual(JSON.parse(text), value);
});

Deno.test("canonicalJson() throws for a number that JSON does not have", () => {
  for (const value of [NaN, Infinity]) assert.throws(() => canonicalJson([value]), TypeError);
});
