import assert from "node:assert/strict";
import { clampLines, textWidth, wrapText } from "./wrap.ts";

Deno.test("wrapText() keeps every line within the width and every letter of the text", () => {
  for (
    const text of [
      "A short history of the carrel",
      "Donaudampfschifffahrtsgesellschaft",
      "日本語の長い題名です",
    ]
  ) {
    const lines = wrapText(text, 6);
    assert.ok(lines.every((line) => textWidth(line) <= 6), text);
    assert.equal(lines.join("").replaceAll(" ", ""), text.replaceAll(" ", ""));
  }
  assert.deepEqual(wrapText("", 6), []);
});

Deno.test("wrapText() never cuts a grapheme in two", () => {
  const family = "👩‍👩‍👧‍👦";
  assert.deepEqual(wrapText(family.repeat(3), 1.5), [family, family, family]);
});

Deno.test("clampLines() marks what it leaves out", () => {
  assert.deepEqual(clampLines(["one", "two"], 2), ["one", "two"]);
  assert.deepEqual(clampLines(["one", "two three,", "four"], 2), ["one", "two…"]);
  assert.deepEqual(clampLines(["日本語", "です"], 1), ["日本…"]);
});
