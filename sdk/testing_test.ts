import assert from "node:assert/strict";
import { definePlugin, PluginError } from "./mod.ts";
import {
  checkExportOutput,
  checkExtractedContent,
  fakeContext,
  testCapabilityPlugin,
  testExportPlugin,
  testImportPlugin,
} from "./testing.ts";
import type {
  ExportInput,
  ExportOutput,
  ExtractedContent,
  ImportPlugin,
  Plain,
  RawContent,
} from "./types.ts";

const raw: RawContent = {
  bytes: new TextEncoder().encode("words"),
  mediaType: "text/plain",
  url: "upload:words.txt",
};
const content: ExtractedContent = {
  type: "document",
  title: "Words",
  markdown: "words",
  metadata: {},
};

const importing = (extract: ImportPlugin["extract"], download?: ImportPlugin["download"]) =>
  definePlugin.import(download === undefined ? { extract } : { extract, download });

Deno.test("testImportPlugin() passes a plugin that keeps the contract", async () => {
  let checked = 0;
  await testImportPlugin(
    importing(
      (given, ctx) => {
        ctx.progress(0.5, "half");
        ctx.log.info("working");
        if (given.bytes.length === 0) {
          throw new PluginError("empty", 'Cannot read "words": there is nothing.');
        }
        return content;
      },
      () => ({ ...raw, url: "https://example.org/words" }),
    ),
    [
      {
        name: "words",
        raw,
        check(given, ctx) {
          assert.equal(given.title, "Words");
          assert.deepEqual(ctx.progressed, [{ fraction: 0.5, message: "half" }]);
          assert.deepEqual(ctx.logged, [{ level: "info", message: "working" }]);
          checked++;
        },
      },
      { name: "from a server", source: { url: "https://example.org/words" } },
      { name: "nothing", raw: { ...raw, bytes: new Uint8Array() }, error: "empty" },
    ],
  );
  assert.equal(checked, 1);
});

Deno.test("testImportPlugin() names the case when a plugin breaks the contract", async () => {
  const cases = [{ name: "the case", raw }] as const;
  let calls = 0;
  for (
    const [extract, message] of [
      [() => ({ ...content, title: " " }), /title is empty/],
      [() => ({ ...content, title: `Words ${calls++}` }), /another content/],
      [() => {
        throw new Error("oh");
      }, /oh/],
      [(given: RawContent) => {
        given.bytes[0] = (given.bytes[0] ?? 0) ^ 1;
        return content;
      }, /changed the bytes/],
      [(_given: RawContent, ctx: { progress(fraction: number): void }) => {
        ctx.progress(7);
        return content;
      }, /progress\(7\)/],
    ] as const
  ) {
    await assert.rejects(testImportPlugin(importing(extract as never), cases), (error: Error) => {
      assert.ok(error instanceof assert.AssertionError);
      assert.match(error.message, /^case "the case": /);
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("testImportPlugin() wants the error that the case names", async () => {
  const expected = [{ name: "bad", raw, error: "damaged" }] as const;
  await assert.rejects(testImportPlugin(importing(() => content), expected), /should have failed/);
  for (
    const [error, message] of [
      [new Error("oh"), /oh/],
      [new PluginError("empty", 'Cannot read "x": empty.'), /failed with empty/],
      [new PluginError("damaged", "broken"), /no sentence/],
    ] as const
  ) {
    const plugin = importing(() => {
      throw error;
    });
    await assert.rejects(testImportPlugin(plugin, expected), message);
  }
});

Deno.test("testImportPlugin() refuses a plugin of another kind, or one that cannot download", async () => {
  const exporting = definePlugin.export({ generate: () => output });
  await assert.rejects(testImportPlugin(exporting, []), /definePlugin\.import/);
  await assert.rejects(
    testImportPlugin(importing(() => content), [{ name: "u", source: { url: "https://e.org" } }]),
    /no download/,
  );
});

Deno.test("checkExtractedContent() refuses what is malformed", () => {
  for (
    const [wrong, message] of [
      [{ type: "poem" }, /no content type/],
      [{ title: "two\nlines" }, /more than one line/],
      [{ markdown: "" }, /no text/],
      [{ markdown: "a\r\nb" }, /carriage returns/],
      [{ metadata: { published: "yesterday" } }, /ISO 8601/],
      [{ metadata: { published: "2024-13-41" } }, /calendar/],
      [{ metadata: { language: "en_us" } }, /language tag|Incorrect/],
      [{ metadata: { canonicalUrl: "/here" } }, /absolute/],
      [{ metadata: { images: [{ url: "a.png" }] } }, /absolute/],
      [{ metadata: { authors: [""] } }, /empty/],
      [{ metadata: { when: new Date() } }, /plain data/],
      [{ metadata: { count: NaN } }, /NaN/],
      [{ pages: [{ page: 1, offset: 9 }] }, /after the end/],
      [{ pages: [{ page: 2, offset: 0 }, { page: 1, offset: 1 }] }, /not in order/],
      [{ warnings: ["no sentence"] }, /no sentence/],
    ] as const
  ) {
    assert.throws(
      () => checkExtractedContent({ ...content, ...wrong } as unknown as ExtractedContent),
      message,
    );
  }
  checkExtractedContent({ ...content, markdown: "", warnings: ["It is a picture."] });
});

const input: ExportInput = {
  now: "2024-01-01T00:00:00Z",
  sources: [{
    id: "s1",
    revision: "r1",
    type: "document",
    title: "Words",
    authors: [],
    imported: "2024-01-01T00:00:00Z",
    markdown: "words",
    chunks: [{ id: "c1", start: 0, end: 5 }],
  }],
};
const output: ExportOutput = {
  title: "Book",
  files: [{ name: "book.txt", mediaType: "text/plain", bytes: new Uint8Array([1]) }],
  attributions: [{ part: { id: "p1", kind: "chapter" }, source: "s1", chunks: ["c1"] }],
};

Deno.test("testExportPlugin() passes a plugin that keeps the contract", async () => {
  await testExportPlugin(definePlugin.export({ generate: () => output }), [{
    name: "a book",
    input,
  }]);
});

Deno.test("testExportPlugin() refuses a plugin that is not reproducible or changes its input", async () => {
  let calls = 0;
  const cases = [{ name: "a book", input: structuredClone(input) }];
  await assert.rejects(
    testExportPlugin(
      definePlugin.export({ generate: () => ({ ...output, title: `${calls++}` }) }),
      cases,
    ),
    /another output/,
  );
  await assert.rejects(
    testExportPlugin(
      definePlugin.export({
        generate(given) {
          (given.sources as unknown[]).length = 0;
          return output;
        },
      }),
      cases,
    ),
    /changed the input/,
  );
});

Deno.test("checkExportOutput() refuses what is malformed or attributed to nothing", () => {
  const [file] = output.files;
  const [attribution] = output.attributions;
  for (
    const [wrong, message] of [
      [{ files: [] }, /no file/],
      [{ files: [{ ...file, name: "../book.txt" }] }, /plain file name/],
      [{ files: [file, file] }, /two files/],
      [{ files: [{ ...file, bytes: new Uint8Array() }] }, /is empty/],
      [{ attributions: [] }, /nothing is attributed/],
      [{ attributions: [{ ...attribution, source: "s2" }] }, /no source/],
      [{ attributions: [{ ...attribution, chunks: ["c2"] }] }, /no chunk/],
      [{
        attributions: [attribution, { ...attribution, part: { id: "p1", kind: "scene" } }],
      }, /two parts/],
      [{
        attributions: [{ ...attribution, part: { id: "p", kind: "chapter", location: "x#y" } }],
      }, /in no file/],
    ] as const
  ) {
    assert.throws(
      () => checkExportOutput({ ...output, ...wrong } as unknown as ExportOutput, input),
      message,
    );
  }
});

Deno.test("fakeContext() answers the services that it was given, and no others", async () => {
  const ctx = fakeContext({ services: { double: (n) => Number(n) * 2 }, config: { depth: 3 } });
  assert.equal(await ctx.service("double", 4), 8);
  await assert.rejects(ctx.service("triple", 4), /not granted/);
  assert.deepEqual(ctx.config, { depth: 3 });
  assert.equal(ctx.signal.aborted, false);
});

Deno.test("testCapabilityPlugin() passes what keeps the contract and names the case that does not", async () => {
  let calls = 0;
  const plugin = definePlugin.generator({
    capabilities: {
      "text.generate": ({ prompt }, ctx) => {
        ctx.usage({ model: "m" });
        return { text: prompt, model: prompt === "odd" ? "" : "m", used: ["a"] };
      },
      "test.relay": (input, ctx) => ctx.call("text.translate", input),
      "test.count": () => ++calls,
      "test.fail": () => {
        throw new PluginError("empty", 'Cannot do "that": no.');
      },
    },
  });
  const sources = [{ id: "a", text: "t" }];
  await testCapabilityPlugin(plugin, [
    {
      name: "a text",
      capability: "text.generate",
      input: { prompt: "p", sources },
      deterministic: true,
      check: (result, ctx) => assert.deepEqual([result.text, ctx.used], ["p", [{ model: "m" }]]),
    },
    {
      name: "a call",
      capability: "test.relay",
      input: 1,
      calls: { "text.translate": (input) => [input] },
      check: (result) => assert.deepEqual(result, [1]),
    },
    { name: "a failure", capability: "test.fail", input: 1, error: "empty" },
  ]);
  const wrong: [string, Plain, RegExp, boolean?][] = [
    ["text.generate", { prompt: "odd", sources }, /what made it/],
    ["text.generate", { prompt: "p" }, /used "a", which is no source/],
    ["test.none", 1, /no function "test.none"/],
    ["test.count", 1, /another result/, true],
  ];
  for (const [capability, input, words, deterministic] of wrong) {
    const cases = [{ name: "the case", capability, input, deterministic }];
    await assert.rejects(testCapabilityPlugin(plugin, cases), (error: Error) => {
      assert.match(error.message, /case "the case"/);
      assert.match(error.message, words);
      return true;
    });
  }
});
