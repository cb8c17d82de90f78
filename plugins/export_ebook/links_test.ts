import assert from "node:assert/strict";
import { resolveLink, safeUrl } from "./links.ts";

Deno.test("safeUrl() lets only http, https and mailto out of the book", () => {
  assert.equal(safeUrl("https://example.org/a"), "https://example.org/a");
  assert.equal(safeUrl("mailto:a@example.org"), "mailto:a@example.org");
  for (const url of ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "", "::"]) {
    assert.equal(safeUrl(url), undefined, url);
  }
});

Deno.test("safeUrl() encodes what validators do not take, and drops a password", () => {
  assert.equal(
    safeUrl("http://me:secret@example.org/a|b[1]?q={x}%zz#f#g"),
    "http://example.org/a%7Cb%5B1%5D?q=%7Bx%7D%25zz#f%23g",
  );
  assert.equal(safeUrl("http://[2001:db8::1]/[x]"), "http://[2001:db8::1]/%5Bx%5D");
  assert.equal(safeUrl("http://exa mple.org/"), undefined);
});

Deno.test("resolveLink() leads to a chapter where the target is in the book", () => {
  const targets = {
    base: "https://example.org/one",
    anchors: new Map([["part", "b7"]]),
    chapters: new Map([["https://example.org/two", "chapter-2.xhtml"]]),
  };
  const resolve = (href: string) => resolveLink(href, targets);
  assert.equal(resolve("two#x"), "chapter-2.xhtml");
  assert.equal(resolve("#part"), "#b7");
  assert.equal(resolve("https://example.org/one#part"), "#b7");
  assert.equal(resolve("#elsewhere"), "https://example.org/one#elsewhere");
  assert.equal(resolve("three"), "https://example.org/three");
  assert.equal(resolveLink("three", { ...targets, base: undefined }), undefined);
  assert.equal(resolveLink("#elsewhere", { ...targets, base: undefined }), undefined);
});
