import assert from "node:assert/strict";
import { clean, cut, fit, widthOf, wrap, wrapRanges } from "./width.ts";

Deno.test("clean() disarms escape sequences and bidi overrides and keeps offsets", () => {
  const wild = "a\x1b[2Jb\r\nc\u202ed\u009b0me\x07";
  const tame = clean(wild);
  assert.equal(tame.length, wild.length);
  assert.equal(tame, "a\ufffd[2Jb  c\ufffdd\ufffd0me\ufffd");
});

Deno.test("clean() leaves nothing that could pass for a line end, or that nobody sees", () => {
  const wild = `trust me${"\u2800".repeat(200)}signed by a key that you trust`;
  assert.equal(clean(wild).length, wild.length);
  assert.deepEqual(wrap(clean(wild), 60), ["trust me signed by a key that you trust"]);
  for (const filler of "\u115f\u1160\u3164\uffa0") assert.equal(clean(filler), " ");
  for (const hidden of "\u00ad\u034f\u180e\u200b\u2060\u2064\u206a\ufeff\ufff9") {
    assert.equal(clean(`/etc/${hidden}x`), "/etc/\ufffdx");
  }
  assert.equal(clean("a\u{e0041}b"), "a\ufffd\ufffdb");
  // What emoji and scripts need stays.
  for (const text of ["👩\u200d🔬", "می\u200cخواهم", "é", "ｶﾞ"]) assert.equal(clean(text), text);
});

Deno.test("widthOf() counts columns, not code units", () => {
  assert.equal(widthOf("carrel"), 6);
  assert.equal(widthOf("書見台"), 6);
  assert.equal(widthOf("e\u0301tude"), 5);
  assert.equal(widthOf("📚"), 2);
  assert.equal(widthOf("👩‍🔬 x"), 4);
  assert.equal(widthOf("\u200b"), 0);
  assert.equal(widthOf("ＡＢ"), 4);
  assert.equal(widthOf("–…█"), 3);
});

Deno.test("cut() never exceeds its columns when wide characters stand at the edge", () => {
  assert.equal(cut("short", 10), "short");
  assert.equal(cut("a long title", 7), "a long…");
  assert.equal(cut("書見台です", 6), "書見…");
  assert.equal(cut("x", 0), "");
  for (let columns = 1; columns < 12; columns++) {
    assert.ok(widthOf(cut("a書b見c台d", columns)) <= columns);
  }
});

Deno.test("fit() fills up to exactly its columns", () => {
  assert.equal(fit("ab", 4), "ab  ");
  assert.equal(fit("ab", 4, "right"), "  ab");
  assert.equal(widthOf(fit("書見台です", 6)), 6);
});

Deno.test("wrapRanges() gives ranges of the text when it wraps, and breaks words that are too long", () => {
  const text = "one two three\nfour";
  assert.deepEqual(wrapRanges(text, 8).map(([a, b]) => text.slice(a, b)), [
    "one two",
    "three\nfour".slice(0, 5),
    "four",
  ]);
  assert.deepEqual(wrap("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
  assert.deepEqual(wrap("   ", 4), []);
  assert.deepEqual(wrap("a  b", 10), ["a b"]);
});
