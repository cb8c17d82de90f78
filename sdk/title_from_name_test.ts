import assert from "node:assert/strict";
import { titleFromName } from "./title_from_name.ts";

Deno.test("titleFromName() makes words of the last part of a name", () => {
  assert.equal(titleFromName("upload:my_notes.md"), "my notes");
  assert.equal(titleFromName("https://example.com/a/Gr%C3%B6%C3%9Fe.txt?x=1#y"), "Größe");
  assert.equal(titleFromName("100%.txt"), "100%");
  assert.equal(titleFromName("https://example.com/"), "https://example.com/");
});

Deno.test("titleFromName() cuts only the ending that it is told", () => {
  assert.equal(titleFromName("https://example.com/2301.12345", /\.pdf$/i), "2301.12345");
  assert.equal(titleFromName("Report.PDF", /\.pdf$/i), "Report");
});
