import assert from "node:assert/strict";
import { originalName } from "./layout.ts";

Deno.test("originalName() names by type and media type, else by the original's own extension", () => {
  assert.equal(originalName("webpage", "text/html; charset=utf-8", "index"), "page.html");
  assert.equal(originalName("document", "application/pdf", "x"), "document.pdf");
  assert.equal(originalName("document", "application/x-odd", "a.TEX"), "document.tex");
  assert.equal(originalName("video", "application/x-odd", "no extension"), "video.bin");
});
