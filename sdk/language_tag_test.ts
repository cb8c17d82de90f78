import assert from "node:assert/strict";
import { languageTag } from "./language_tag.ts";

Deno.test("languageTag() gives the canonical form, and nothing for what is none", () => {
  const tags: [unknown, string | undefined][] = [
    ["EN", "en"],
    ["en_us", "en-US"],
    [" zh-hant-tw ", "zh-Hant-TW"],
    ["de, en", undefined],
    ["", undefined],
    [" ", undefined],
    ["english language", undefined],
    [5, undefined],
    [null, undefined],
    [undefined, undefined],
  ];
  for (const [tag, expected] of tags) assert.equal(languageTag(tag), expected, String(tag));
});
