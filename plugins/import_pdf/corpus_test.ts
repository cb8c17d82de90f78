import assert from "node:assert/strict";
import type { ExtractedContent } from "@carrel/sdk";
import { checkExtractedContent, checkPluginError, fakeContext } from "@carrel/sdk/testing";
import plugin from "./mod.ts";

/** Documents of all kinds, many of them made to break readers; not part of the project. */
const DOCUMENTS = new URL("../../../shared/data/pdf/", import.meta.url);

function names(): string[] {
  try {
    return [...Deno.readDirSync(DOCUMENTS)].map((entry) => entry.name).sort();
  } catch {
    return [];
  }
}

async function extract(name: string): Promise<ExtractedContent> {
  assert.equal(plugin.kind, "import");
  const bytes = await Deno.readFile(new URL(encodeURIComponent(name), DOCUMENTS));
  const raw = { bytes, mediaType: "application/pdf", url: `upload:${name}`, filename: name };
  const content = await plugin.methods.extract(raw, fakeContext());
  checkExtractedContent(content);
  return content;
}

/** What each of these must fail with; all others are imported. */
const FAILURES = new Map(
  [
    ["bug1889122.pdf", "empty"],
    ["empty#hash.pdf", "empty"],
    ["empty.pdf", "empty"],
    ["empty_protected.pdf", "empty"],
    ["encrypted-attachment.pdf", "encrypted"],
    ["issue18529.pdf", "empty"],
    ["issue5946.pdf", "empty"],
  ] as const,
);

Deno.test({
  name: "import.pdf takes each document of a collection or fails with a code",
  ignore: names().length === 0,
  async fn(t) {
    for (const name of names()) {
      await t.step(name, async () => {
        const code = FAILURES.get(name as never);
        if (code === undefined) {
          const { title } = await extract(name);
          assert.doesNotMatch(title, /^Microsoft Word|\.pdf$/);
        } else {
          await assert.rejects(extract(name), (error) => {
            checkPluginError(error, code);
            return true;
          });
        }
      });
    }
  },
});

Deno.test({
  name: "import.pdf reads a paper in two columns in its order",
  ignore: !names().includes("tracemonkey.pdf"),
  async fn() {
    const { title, markdown, pages, warnings } = await extract("tracemonkey.pdf");
    assert.equal(title, "Trace-based Just-in-Time Type Specialization for Dynamic Languages");
    assert.equal(pages!.length, 14);
    assert.deepEqual(warnings, []);
    const places = [
      "## Abstract",
      "more difficult to compile than statically typed ones",
      "## 1. Introduction",
      "We present a trace-based compilation technique",
      "This paper makes the following contributions",
      "## References",
    ].map((part) => markdown.indexOf(part));
    assert.ok(!places.includes(-1), String(places));
    assert.deepEqual(places, [...places].sort((a, b) => a - b));
  },
});

Deno.test({
  name: "import.pdf says that the text map of a document is broken",
  ignore: !names().includes("TAMReview.pdf"),
  async fn() {
    const { title, markdown, metadata, warnings } = await extract("TAMReview.pdf");
    assert.match(title, /^Overview of the Technology Acceptance Model/);
    assert.deepEqual(metadata.authors, []);
    assert.match(warnings!.join(" "), /fonts on pages 2–22 do not say which letters/);
    assert.match(markdown, /Abstract User acceptance of technology/);
    assert.doesNotMatch(markdown.replaceAll("\n", " "), /[\p{Cc}\p{Co}]/u);
  },
});
