import assert from "node:assert/strict";
import { bestPattern, essence, mediaScore, urlPattern } from "./match.ts";

Deno.test("urlPattern() holds scheme, host and path apart", () => {
  const cases: [pattern: string, takes: string[], leaves: string[]][] = [
    ["https://arxiv.org/abs/*", ["https://arxiv.org/abs/1", "https://ARXIV.org/abs/1?x"], [
      "http://arxiv.org/abs/1",
      "https://arxiv.org/pdf/1",
      "https://evil.example/?u=https://arxiv.org/abs/1",
      "https://arxiv.org.evil.example/abs/1",
    ]],
    ["https://*", ["https://a.example/", "https://a.example:8443/b/c?d"], ["http://a.example/"]],
    ["https://*.example.org/*", ["https://a.example.org/x"], [
      "https://example.org/x",
      "https://evil.test/a.example.org/x",
    ]],
    ["http*://a.example/x", ["http://a.example/x", "https://a.example/x?y"], [
      "https://a.example/xy",
    ]],
    ["https://*/*.pdf", ["https://a.example/b/c.pdf?download=1"], ["https://a.example/?x=c.pdf"]],
    ["https://a.example/watch?v=*", ["https://a.example/watch?v=1"], ["https://a.example/watch"]],
    ["https://a.example:8080/*", ["https://a.example:8080/x"], ["https://a.example/x"]],
    ["arxiv:*", ["arxiv:2301.00001", "ARXIV:1"], ["https://arxiv.org/"]],
    ["*.pdf", ["https://a.example/x.PDF", "x.pdf"], ["https://a.example/x.pdf.html"]],
    ["https://a.example/a+b(c)*", ["https://a.example/a+b(c)d"], ["https://a.example/aab(c)"]],
  ];
  for (const [text, takes, leaves] of cases) {
    const pattern = urlPattern(text);
    for (const url of takes) assert.ok(pattern.test(url), `${text} ${url}`);
    for (const url of leaves) assert.ok(!pattern.test(url), `${text} ${url}`);
  }
  assert.ok(!urlPattern("https://*").test("nonsense"));
});

Deno.test("urlPattern() ends on patterns that would keep a regular expression busy for ever", () => {
  const pattern = urlPattern(`https://a.example/${"*y".repeat(200)}x`);
  assert.ok(!pattern.test(`https://a.example/${"y".repeat(8000)}`));
  assert.ok(urlPattern(`https://a.example/${"*".repeat(300)}x`).test("https://a.example/yx"));
});

Deno.test("bestPattern() takes the one that says most", () => {
  const patterns = ["https://*", "https://a.example/papers/*", "https://a.example/*"].map(
    urlPattern,
  );
  assert.equal(
    bestPattern(patterns, "https://a.example/papers/1")?.text,
    "https://a.example/papers/*",
  );
  assert.equal(bestPattern(patterns, "https://b.example/")?.text, "https://*");
  assert.equal(bestPattern(patterns, "ftp://b.example/"), undefined);
});

Deno.test("mediaScore() prefers the name to the family to anything", () => {
  assert.equal(essence(" Text/HTML; charset=utf-8"), "text/html");
  assert.equal(mediaScore(["text/html", "text/*"], "text/html;charset=x"), 2);
  assert.equal(mediaScore(["text/*"], "text/html"), 1);
  assert.equal(mediaScore(["*/*"], "text/html"), 0.5);
  assert.equal(mediaScore(["application/pdf"], "text/html"), 0);
});
