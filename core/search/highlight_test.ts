import assert from "node:assert/strict";
import { highlight } from "./highlight.ts";

const marked = (text: string, query: string) =>
  highlight(text, query).map(([s, e]) => text.slice(s, e));

Deno.test("highlight() marks words whatever their case and accents", () => {
  assert.deepEqual(marked("Café and cafe, CAFÉ; decaf", "café x"), ["Café", "cafe", "CAFÉ"]);
});

Deno.test("highlight() takes the last word as a beginning", () => {
  assert.deepEqual(marked("lineage of lines", "the line"), ["lineage", "lines"]);
  assert.deepEqual(marked("lineage of liners", "line the"), []);
});

Deno.test("highlight() marks other forms of a word", () => {
  assert.deepEqual(marked("A lineage, two lineages", "lineages of"), ["lineage", "lineages"]);
});

Deno.test("highlight() marks nothing for a query without words", () => {
  assert.deepEqual(marked("text", " ?! "), []);
});

Deno.test("highlight() finds words inside a sentence without spaces", () => {
  assert.deepEqual(marked("我的图书馆里有很多书，图书馆很大。", "图书馆 大"), [
    "图书馆",
    "图书馆",
    "大",
  ]);
});
