import assert from "node:assert/strict";
import { markdownToHtml } from "./markdown.ts";

Deno.test("markdownToHtml() links footnotes both ways and leaves code alone", () => {
  const html = markdownToHtml("a[^n] b[^m]\n\n[^n]: One.\n\n    Two.\n\n```\n[^n]: code\n```");
  assert.match(
    html,
    /a<sup><a class="noteref" id="note-reference:n" href="#footnote:n">1<\/a><\/sup> b\[\^m\]/,
  );
  assert.match(
    html,
    /<aside class="footnote" id="footnote:n"><p><a class="backlink"[^>]*>1\.<\/a> One\.<\/p>/,
  );
  assert.match(html, /<p>Two\.<\/p>\s*<\/aside>/);
  assert.match(html, /\[\^n\]: code/);
});

Deno.test("markdownToHtml() keeps TeX as it is and money too", () => {
  const html = markdownToHtml("$a_b * c_d$ costs $5 and $10.");
  assert.match(html, /<code class="math">a_b \* c_d<\/code> costs \$5 and \$10\./);
});

Deno.test("markdownToHtml() ends on quotes and brackets without end", () => {
  assert.match(markdownToHtml(`${">".repeat(20_000)} q`), /q/);
  assert.match(markdownToHtml(`${"[".repeat(5_000)}x`), /x/);
  assert.match(markdownToHtml(`${"*a_".repeat(500)}x`), /x/);
});
