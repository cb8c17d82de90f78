import assert from "node:assert/strict";
import { splitMarkdown } from "./split.ts";

const joined = (text: string, max: number) =>
  splitMarkdown(text, max).map(({ text, gap }) => text + gap).join("");

Deno.test("splitMarkdown() parts at blank lines and loses nothing", () => {
  const text = "# One\n\nTwo two.\n \n\nThree.\n";
  assert.deepEqual(splitMarkdown(text, 15), [
    { text: "# One\n\nTwo two.", gap: "\n \n\n" },
    { text: "Three.\n", gap: "" },
  ]);
  assert.deepEqual(splitMarkdown(text, 100), [{ text, gap: "" }]);
  assert.deepEqual(splitMarkdown("", 10), []);
});

Deno.test("splitMarkdown() keeps a block of code together where it can", () => {
  const code = "```js\na();\n\nb();\n```";
  const parts = splitMarkdown(`Before.\n\n${code}\n\nAfter.`, 22);
  assert.deepEqual(parts.map(({ text }) => text), ["Before.", code, "After."]);
});

Deno.test("splitMarkdown() parts what has no blank lines at lines, sentences, words, else anywhere", () => {
  const texts = (text: string) => splitMarkdown(text, 10).map(({ text }) => text);
  assert.deepEqual(texts("one two\nthree four"), ["one two", "three four"]);
  assert.deepEqual(texts("One. Two and three"), ["One.", "Two and", "three"]);
  assert.deepEqual(texts("x".repeat(25)), ["x".repeat(10), "x".repeat(10), "xxxxx"]);
  assert.deepEqual(texts("🌱".repeat(11)).every((part) => part.isWellFormed()), true);
});

Deno.test("splitMarkdown() gives back any text, in parts that are not too long", () => {
  const signs = [
    "a",
    "bc ",
    "\n",
    "\n\n",
    "\r\n",
    " ",
    "```\n",
    "\n \n",
    "~~~",
    "é. ",
    "🌱",
    "# x",
  ];
  let seed = 1;
  const random = (below: number) => (seed = seed * 48271 % 2147483647) % below;
  for (let round = 0; round < 500; round++) {
    const text = Array.from({ length: random(80) }, () => signs[random(signs.length)]).join("");
    const max = 4 + random(40);
    assert.equal(joined(text, max), text, JSON.stringify(text));
    for (const part of splitMarkdown(text, max)) assert.ok(part.text.length <= max);
  }
});
