import assert from "node:assert/strict";
import type { ContentMetadata } from "@carrel/sdk";
import { checkExtractedContent, fakeContext } from "@carrel/sdk/testing";
import plugin from "./mod.ts";
import { firstLanguage, isoTime } from "./normalise.ts";
import { textOfHtml, textOfMarkdown, tokenF1 } from "./token_f1.ts";

/** Saved pages with the article that belongs to each; not part of the project. */
const PAGES = new URL("../../../shared/data/webpages/", import.meta.url);
const ADDRESS = "http://fakehost/test/page.html";

function names(): string[] {
  try {
    return [...Deno.readDirSync(PAGES)].map((entry) => entry.name).sort();
  } catch {
    return [];
  }
}

interface Expected {
  readonly title: string;
  readonly byline: string | null;
  readonly excerpt: string;
  readonly siteName: string | null;
  readonly lang?: string | null;
  readonly publishedTime: string | null;
}

Deno.test({
  name: "import.webpage finds the articles of saved pages, and what they say about themselves",
  ignore: names().length === 0,
  async fn() {
    assert.equal(plugin.kind, "import");
    const scores: { name: string; score: number }[] = [];
    for (const name of names()) {
      const read = (file: string) => Deno.readTextFile(new URL(`${name}/${file}`, PAGES));
      const bytes = await Deno.readFile(new URL(`${name}/source.html`, PAGES));
      const content = await plugin.methods.extract(
        { bytes, mediaType: "text/html", url: ADDRESS },
        fakeContext(),
      );
      checkExtractedContent(content);
      const score = tokenF1(
        textOfHtml(await read("expected.html")),
        await textOfMarkdown(content.markdown),
      );
      scores.push({ name, score });

      const expected: Expected = JSON.parse(await read("expected-metadata.json"));
      const metadata: ContentMetadata = content.metadata;
      assert.equal(content.title, expected.title, name);
      assert.equal(metadata.byline, expected.byline ?? undefined, name);
      assert.equal(metadata.siteName, expected.siteName ?? undefined, name);
      assert.equal(metadata.language, firstLanguage(expected.lang), name);
      assert.equal(metadata.published, isoTime(expected.publishedTime ?? undefined), name);
      assert.equal(metadata.summary, expected.excerpt.replace(/\s+/g, " "), name);
    }
    const mean = scores.reduce((sum, { score }) => sum + score, 0) / scores.length;
    const worst = scores.sort((a, b) => a.score - b.score).slice(0, 3);
    assert.ok(mean >= 0.97, `mean token F1 is ${mean.toFixed(4)}; worst: ${JSON.stringify(worst)}`);
  },
});
