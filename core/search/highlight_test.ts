import assert from "node:assert/strict";
import { highlight } from "./highlight.ts";

const marked = (text: string, query: string) =>
  highlight(text, query).map(([s, e]) => text.slice(s, e));

Deno.test("highlight() marks words whatever their case and accents", () => {
  assert.deepEqual(marked("Café and cafe, CAFÉ; decaf", "café x"), ["Café", "cafe", "CAFÉ"]);
});

Deno.test("highlight() takes the last word as a beginning", () => {
  assert.deepEqual(marked("lineage of lines", "the line"), ["lineage", "lines"]);
  assert.deepEqual(marked("lineage of lines", "line the"), []);
});

Deno.test("highlight() marks nothing for a query without words", () => {
  assert.deepEqual(marked("text", " ?! "), []);
});
