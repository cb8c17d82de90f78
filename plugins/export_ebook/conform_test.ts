import assert from "node:assert/strict";
import { conform } from "./conform.ts";
import { parseHtml } from "./html_tree.ts";
import { serialize } from "./links.ts";

function xhtml(html: string, title = ""): string {
  const { blocks, anchors } = conform(parseHtml(html), title);
  return serialize(blocks, { base: undefined, anchors, chapters: new Map() })
    .replace(/ id="b\d+"/g, "").replaceAll("\n", "");
}

Deno.test("conform() keeps blocks out of paragraphs and inline elements", () => {
  assert.equal(xhtml("<p>a<div>b</div>c"), "<p>a</p><p>b</p><p>c</p>");
  assert.equal(xhtml("<b><p>a</p><p>b</p></b>"), "<p>a</p><p>b</p>");
  assert.equal(xhtml("<h2><div>a</div></h2>"), "<h2>a</h2>");
});

Deno.test("conform() makes lists of items and tables of rows, whatever they held", () => {
  assert.equal(xhtml("<ul>a<li>b<p>c</p></ul>"), "<ul><li>a</li><li><p>b</p><p>c</p></li></ul>");
  assert.equal(xhtml("<ul> </ul><table></table><blockquote></blockquote><p> </p>"), "");
  assert.equal(
    xhtml("<table>lost<td colspan=2>a<tr><th>b</table>"),
    '<p>lost</p><div class="table"><table><tbody><tr><td colspan="2">a</td></tr>' +
      "<tr><th>b</th></tr></tbody></table></div>",
  );
  assert.equal(xhtml("<li>a<td>b"), "<p>a</p><p>b</p>");
});

Deno.test("conform() drops scripts, styles and handlers, and puts a link in place of an image", () => {
  assert.equal(
    xhtml("a<script>x</script><style>y</style><p onclick=z style=w>b"),
    "<p>a</p><p>b</p>",
  );
  assert.equal(
    xhtml("<img src='https://example.org/i.png' alt='A cat'>"),
    '<p><a class="image" href="https://example.org/i.png">A cat</a></p>',
  );
  assert.equal(xhtml("<a href='javascript:x'>y</a>"), "<p><span>y</span></p>");
});

Deno.test("conform() never nests links", () => {
  assert.equal(
    xhtml("<a href='https://a.example/'>x <img src='https://b.example/' alt=y></a>"),
    '<p><a href="https://a.example/">x y</a></p>',
  );
});

Deno.test("conform() leaves out a first heading that repeats the title and starts at level 2", () => {
  assert.equal(
    xhtml("<h1>The title!</h1><h3>a</h3><h4>b</h4>", "The Title"),
    "<h2>a</h2><h3>b</h3>",
  );
  assert.equal(
    xhtml("<h1>Another</h1><h2>a</h2><h3>b</h3>", "T"),
    "<h2>Another</h2><h2>a</h2><h3>b</h3>",
  );
});

Deno.test("conform() gives every block an id of its own and finds the source's anchors again", () => {
  const { blocks, anchors, headings } = conform(
    parseHtml("<h2 id=x>One</h2><div id='a b'><p id=x>p</div><p><a name=y>q</a><h2>One</h2>"),
    "",
  );
  const text = serialize(blocks, { base: undefined, anchors, chapters: new Map() });
  const ids = [...text.matchAll(/ id="([^"]*)"/g)].map((match) => match[1]!);
  assert.equal(new Set(ids).size, ids.length);
  for (const name of ["x", "a b", "y", "one"]) assert.ok(ids.includes(anchors.get(name)!), name);
  assert.deepEqual(headings.map(({ text }) => text), ["One", "One"]);
});

Deno.test("parseHtml() stands a million open tags and keeps their text", () => {
  const text = xhtml("<div>".repeat(20_000) + "deep" + "<b><i>".repeat(2_000) + "er");
  assert.match(text, /deep/);
  assert.match(text, /er/);
});
