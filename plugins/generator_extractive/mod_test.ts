import assert from "node:assert/strict";
import type { TextGenerateInput, TextGenerateResult } from "@carrel/sdk";
import { type CapabilityCase, testCapabilityPlugin } from "@carrel/sdk/testing";
import plugin from "./mod.ts";
import { rank } from "./rank.ts";
import { sentencesOf } from "./sentences.ts";

const fixture = (name: string) =>
  Deno.readTextFileSync(new URL(`fixtures/${name}.md`, import.meta.url));
const DESK = fixture("desk").replace(/^---[^]*?\n---\n/, "");
const HISTORY = fixture("history");
const BOTH = [
  { id: "content_1", title: "Desk *and* runner", text: DESK },
  { id: "content_2", title: "History", text: HISTORY },
];

async function generate(input: TextGenerateInput): Promise<TextGenerateResult> {
  let result: TextGenerateResult | undefined;
  await testCapabilityPlugin(plugin, [{
    name: "text",
    capability: "text.generate",
    input: input as unknown as CapabilityCase["input"],
    deterministic: true,
    check: (checked) => void (result = checked),
  }]);
  return result!;
}

/** The sentences that a text is made of, headings left out. */
const picked = (text: string) => sentencesOf(text, "en").map(({ text }) => text);

Deno.test("generator.extractive picks sentences of its sources, in their order, under their titles", async () => {
  const { text, model, used } = await generate({ prompt: "Summarise.", sources: BOTH });
  assert.equal(model, "extractive summary");
  assert.deepEqual(used, ["content_1", "content_2"]);
  const headings = [...text.matchAll(/^## (.*)$/gm)].map(([, title]) => title);
  assert.deepEqual(headings, ["Desk \\*and\\* runner", "History"]);
  const all = [...picked(DESK), ...picked(HISTORY)];
  const places = picked(text).map((sentence) => all.indexOf(sentence));
  assert.ok(places.length >= 4 && !places.includes(-1), `not from the sources: ${text}`);
  assert.deepEqual(places, places.toSorted((a, b) => a - b));
  assert.equal(new Set(places).size, places.length);
});

Deno.test("generator.extractive keeps to the length that it is given", async () => {
  const long = await generate({ prompt: "Summarise.", sources: BOTH });
  const short = await generate({ prompt: "Summarise.", sources: BOTH, max_tokens: 100 });
  assert.ok(picked(short.text).join("").length <= 400, short.text);
  assert.ok(picked(long.text).join("").length <= 2400);
  assert.ok(short.text.length < long.text.length);
});

Deno.test("generator.extractive prefers what the prompt asks for", async () => {
  const answer = (prompt: string) => generate({ prompt, sources: BOTH, max_tokens: 120 });
  const monks = await answer("What did the monks read in the cloister?");
  const memory = await answer("memory, time limits and a runner that is killed");
  assert.match(monks.text, /monk|cloister/);
  assert.match(memory.text, /runner|limit/);
  assert.notEqual(monks.text, memory.text);
});

Deno.test("generator.extractive says the same thing once", async () => {
  const twin = BOTH.map((source) => ({ ...source, text: HISTORY }));
  const { text } = await generate({ prompt: "Summarise.", sources: twin });
  const sentences = picked(text);
  assert.equal(new Set(sentences).size, sentences.length);
});

Deno.test("generator.extractive takes a long prompt for its source, and a short one for an order", async () => {
  const own = await generate({ prompt: HISTORY });
  assert.ok(picked(own.text).every((sentence) => picked(HISTORY).includes(sentence)));
  assert.deepEqual(own.used, []);
  for (
    const input of [
      { prompt: "Write a story about a fox. Make it sad." },
      { prompt: "Summarise.", sources: [{ id: "a", text: "# A heading\n\n```\ncode.\n```" }] },
    ]
  ) {
    const { text, model } = await generate(input);
    assert.match(text, /^\*Nothing was written: .*only picks sentences/);
    assert.equal(model, "extractive summary");
  }
});

Deno.test("generator.extractive reads other scripts and stands odd input", async () => {
  const japanese = Array.from(
    { length: 6 },
    (_, i) => `これは${i}番目の文であり、修道院の机について書かれている。`,
  )
    .join("");
  const { text } = await generate({
    prompt: "机",
    language: "ja",
    sources: [{ id: "a", text: japanese }],
  });
  assert.match(text, /^これは/);
  for (const language of ["zz-invalid-", "x"]) {
    await generate({ prompt: "a", language, sources: [{ id: "a", text: DESK }] });
  }
  await generate({
    prompt: "a",
    sources: [{ id: "a", text: "The same sentence again. ".repeat(50) }],
  });
});

Deno.test("generator.extractive bounds what it compares", async () => {
  const text = Array.from(
    { length: 9_000 },
    (_, i) => `Sentence number ${i} is about shelf ${i % 97}.`,
  )
    .join(" ");
  const { used } = await generate({ prompt: "shelf 3", sources: [{ id: "a", text }] });
  assert.deepEqual(used, ["a"]);
});

Deno.test("sentencesOf() leaves out headings, code, tables, pictures and addresses", () => {
  const markdown = `# A heading that is a sentence.

An underlined heading that is long
----------------------------------

The first sentence has a [link](https://e.org/a.b) in it. The **second. One** is bold![x](y.png).

| a table | that is not a sentence. |

\`\`\`
Code that looks like a sentence.
\`\`\`

- An item of a list that counts.
> A quotation that counts as well.

[ref]: https://example.org/not.a.sentence
`;
  const found = sentencesOf(markdown, "en").map(({ text }) => text).join(" ");
  assert.match(found, /has a link in it\..*An item of a list.*A quotation/);
  assert.doesNotMatch(found, /heading|table|Code|example|png|\*\*/);
});

Deno.test("rank() scores what is like the others, what is asked for, and what comes first", () => {
  const sentences = ["cats eat fish", "cats eat fish daily", "cats like fish", "stars are far"];
  const flat = { positions: [0, 0, 0, 0], question: "", language: undefined };
  const { scores } = rank({ sentences, ...flat });
  assert.ok(Math.abs(scores.reduce((sum, score) => sum + score, 0) - 1) < 1e-6);
  assert.equal(Math.min(...scores), scores[3]);
  const asked = rank({ sentences, ...flat, question: "far stars" }).scores;
  assert.ok(asked[3]! > scores[3]!);
  const placed = rank({ sentences, ...flat, positions: [1, 1, 1, 0] }).scores;
  assert.ok(placed[3]! > scores[3]!);
});
