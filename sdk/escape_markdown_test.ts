import assert from "node:assert/strict";
import { marked } from "marked";
import { escapeMarkdown } from "./escape_markdown.ts";

Deno.test("escapeMarkdown() makes Markdown say what the text says", async () => {
  for (
    const text of [
      "*stars* and __lines__ and `ticks`",
      "# no heading",
      "1. no list",
      "2) no list",
      "- no list",
      "+ no list",
      "> no quote",
      "---",
      "===",
      "~~~",
      "~~not struck~~",
      "[no](link) and ![no](image)",
      "<b>no tag</b> and <!-- no comment -->",
      "&amp; stays, as does &#60;",
      "back\\slash and C:\\*.*",
      "snake_case_name and _start",
      "a < b && c > d",
    ]
  ) {
    const html = await marked.parse(escapeMarkdown(text));
    const shown = html.replace(/<\/?p>|\n/g, "").replaceAll("&lt;", "<").replaceAll("&gt;", ">")
      .replaceAll("&#39;", "'").replaceAll("&amp;", "&");
    assert.equal(shown, text);
  }
});

Deno.test("escapeMarkdown() leaves plain text alone", () => {
  for (
    const text of [
      "snake_case",
      "a - b",
      "5 > 3",
      "2 × 3",
      "#hashtag",
      "R&D",
    ]
  ) {
    assert.equal(escapeMarkdown(text), text);
  }
});

Deno.test("escapeMarkdown() marks what may become a sign with the part behind it", () => {
  assert.equal(escapeMarkdown("<"), "\\<");
  assert.equal(escapeMarkdown("this &"), "this \\&");
});

Deno.test("escapeMarkdown() leaves the signs of a line's beginning when it is none", () => {
  assert.equal(escapeMarkdown("1. First", { lineStart: false }), "1. First");
  assert.equal(escapeMarkdown("# *x*", { lineStart: false }), "# \\*x\\*");
});
