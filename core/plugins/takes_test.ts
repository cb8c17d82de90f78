import assert from "node:assert/strict";
import { takesOf } from "./takes.ts";

Deno.test("takesOf() names in plain words what a plugin is handed without a permission", () => {
  const takes = takesOf({
    media_types: ["*/*", "text/*"],
    formats: ["ebook"],
    provides: ["embed"],
  });
  assert.deepEqual(takes.map(({ key }) => key), [
    "media_types:*/*",
    "media_types:text/*",
    "formats:ebook",
    "provides:embed",
  ]);
  assert.match(takes[0]!.text, /^Read files of every type that you import/);
  assert.match(takes[1]!.text, /of the type text\/\* that/);
});
