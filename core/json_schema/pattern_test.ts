import assert from "node:assert/strict";
import { compilePattern, type Pattern } from "./pattern.ts";

function good(source: string): Pattern {
  const pattern = compilePattern(source);
  assert.ok(typeof pattern === "object", `${source}: ${pattern}`);
  return pattern;
}

Deno.test("compilePattern() matches as ECMAScript does", () => {
  const texts = ["", "a", "abc", "ABC-12", "x@y.z", "é", "日本", "1.5", "a\nb", "😀", "A.B"];
  const sources = [
    "^[a-z]+$",
    "\\d+(\\.\\d+)?",
    "^\\S+@\\S+$",
    "^\\p{L}+$",
    "^.{1,3}$",
    "[\\w.\\-]{2,}",
    "^(?:a|ab|abc)$",
    "\\u0041",
    "\\u{1F600}|\\x61",
    "(?<year>1)\\.",
    "\\bb\\b",
    "^$",
  ];
  for (const source of sources) {
    const peer = new RegExp(source, "u");
    const pattern = good(source);
    for (const text of texts) {
      assert.equal(pattern.test(text), peer.test(text), `${source} ${text}`);
    }
  }
});

Deno.test("compilePattern() is not kept busy by patterns that take JavaScript for ever", () => {
  for (const source of ["^(a+)+$", "^(a|a)*$", "(x+x+)+y", "^(([a-z])+.)+[A-Z]([a-z])+$"]) {
    assert.equal(good(source).test("a".repeat(100_000) + "!"), false, source);
  }
});

Deno.test("compilePattern() refuses what cannot be matched in linear time, or is too large", () => {
  const wrong: Record<string, RegExp> = {
    "(?=a)b": /RE2/,
    "(?<!a)b": /RE2/,
    "(a)\\1": /RE2/,
    "(": /ECMAScript/,
    "a{2,1}": /ECMAScript/,
    "\\Aa": /ECMAScript/,
    "(?i)a": /ECMAScript/,
    "[]": /without/,
    "[^]": /without/,
    "[[:a]": /without/,
    ["a".repeat(201)]: /200 characters/,
    [`(${"a".repeat(180)}){1000}`]: /repeats less/,
    "((a{10}){20}){20}": /repeats less/,
    "(?:x{100}y){100,}": /repeats less/,
    "(\\p{L}[^a\\]{9}]){1000,1001}": /repeats less/,
  };
  for (const [source, why] of Object.entries(wrong)) {
    assert.match(String(compilePattern(source)), why, source);
  }
});

Deno.test("compilePattern() says how many steps a character takes at most", () => {
  assert.ok(good("^a$").size < 10);
  const repeated = good("^[a-z]{1,200}$").size;
  assert.ok(repeated > 200 && repeated < 1000);
});
