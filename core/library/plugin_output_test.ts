import assert from "node:assert/strict";
import { MAX_METADATA_BYTES } from "./metadata.ts";
import {
  MAX_ATTRIBUTIONS,
  parseExtracted,
  parseExtraction,
  parseOutput,
  parseOverrides,
  parseRaw,
} from "./plugin_output.ts";

const bytes = new Uint8Array([1]);
const good = { type: "webpage", title: "T", markdown: "text", metadata: {} };
const output = {
  title: "B",
  files: [{ name: "b.epub", mediaType: "application/epub+zip", bytes }],
  attributions: [],
};

Deno.test("parseExtracted() takes what fits and cleans what stands in lists", () => {
  const parsed = parseExtracted({
    ...good,
    title: " a\u0007\nb ",
    metadata: { authors: ["x\u0000y"], odd: 1 },
  }, "import.x");
  assert.equal(parsed.title, "a b");
  assert.deepEqual(parsed.metadata.authors, ["x y"]);
  assert.equal(parsed.metadata["odd"], 1);
});

Deno.test("parseExtracted() drops a language that is none", () => {
  assert.equal(
    parseExtracted({ ...good, metadata: { language: "<script>" } }, "import.x").metadata.language,
    undefined,
  );
  assert.equal(
    parseExtracted({ ...good, metadata: { language: "pt-BR" } }, "import.x").metadata.language,
    "pt-BR",
  );
});

Deno.test("parseExtracted() refuses what is no content, and names plugin and field", () => {
  for (
    const [value, field] of [
      [undefined, "value"],
      [{ ...good, type: "spell" }, "type"],
      [{ ...good, markdown: 5 }, "markdown"],
      [{ ...good, metadata: { authors: "x" } }, "metadata.authors"],
      [{ ...good, pages: [{ page: 1, offset: 9 }, { page: 2, offset: 3 }] }, "pages"],
    ] as const
  ) {
    assert.throws(() => parseExtracted(value, "import.x"), (error: Error & { code?: string }) => {
      assert.equal(error.code, "invalid_output");
      return error.message.includes("import.x") && error.message.includes(field);
    });
  }
});

Deno.test("parseRaw() wants bytes", () => {
  assert.deepEqual(
    parseRaw({ bytes, mediaType: "text/html", url: "https://x/" }, "p").bytes,
    bytes,
  );
  assert.throws(
    () => parseRaw({ bytes: [1], mediaType: "text/html", url: "https://x/" }, "p"),
    /bytes/,
  );
});

Deno.test("parseOutput() refuses a file name that leads anywhere", () => {
  assert.equal(parseOutput(output, "export.x").files.length, 1);
  for (const name of ["../b", "a/b", ".hidden", "", "a\\b", "a\u0000b", "/etc/passwd"]) {
    const file = { ...output.files[0], name };
    assert.throws(() => parseOutput({ ...output, files: [file] }, "export.x"), {
      code: "invalid_output",
    }, name);
  }
});

Deno.test("parseOutput() refuses no file, and the same name twice", () => {
  assert.throws(() => parseOutput({ ...output, files: [] }, "export.x"), {
    code: "invalid_output",
  });
  assert.throws(
    () => parseOutput({ ...output, files: [...output.files, ...output.files] }, "export.x"),
    /same name/,
  );
});

const withMetadata = (metadata: object) =>
  parseExtracted({ ...good, metadata }, "import.x").metadata;
const refusedMetadata = (metadata: object, why: RegExp) => {
  assert.throws(() => withMetadata(metadata), { code: "invalid_output", message: why });
  assert.throws(() => parseOutput({ ...output, metadata }, "export.x"), {
    code: "invalid_output",
    message: why,
  });
  assert.throws(() => parseOverrides({ ...metadata }), {
    code: "invalid_parameters",
    message: why,
  });
};

Deno.test("parseExtracted() and parseOutput() refuse metadata that is large, and name the field", () => {
  refusedMetadata({ small: 1, junk: "y".repeat(MAX_METADATA_BYTES) }, /metadata\.junk: larger/);
  const half = "y".repeat(MAX_METADATA_BYTES / 2);
  refusedMetadata({ a: half, b: half }, /metadata\.b: .*larger/);
  assert.equal(withMetadata({ a: half })["a"], half);
  assert.throws(() => withMetadata({ authors: Array(1000).fill("x".repeat(300)) }), {
    code: "invalid_output",
    message: /metadata\.authors: larger/,
  });
});

Deno.test("parseExtracted() and parseOutput() refuse metadata that JSON cannot keep", () => {
  refusedMetadata({ a: { deep: new Uint8Array(20) } }, /metadata\.a\.deep: bytes/);
  refusedMetadata({ a: [NaN] }, /metadata\.a\.0: NaN/);
  let deep: unknown = 1;
  for (let i = 0; i < 20; i++) deep = { deep };
  refusedMetadata({ a: deep }, /deeper/);
});

Deno.test("parseExtracted() keeps as many images as fit", () => {
  const images = Array.from({ length: 5000 }, (_, i) => ({ url: `https://a.example/${i}.png` }));
  const kept = withMetadata({ images }).images!;
  assert.ok(kept.length > 1000 && kept.length < images.length, `${kept.length}`);
  assert.deepEqual(kept, images.slice(0, kept.length));
  assert.deepEqual(withMetadata({ images: images.slice(0, 3) }).images, images.slice(0, 3));
});

Deno.test("parseExtracted() gives texts that every store keeps whole, of the same length", () => {
  const parsed = parseExtracted({
    ...good,
    title: "a\ud800b",
    markdown: "before\0after \udfff 😀",
    metadata: { summary: "s\0", "k\0": ["\ud800"], keywords: ["a\0b"] },
  }, "import.x");
  assert.equal(parsed.markdown, "before\ufffdafter \ufffd 😀");
  assert.equal(parsed.title, "a\ufffdb");
  assert.deepEqual({ ...parsed.metadata }, {
    summary: "s\ufffd",
    keywords: ["a b"],
    "k\ufffd": ["\ufffd"],
  });
});

Deno.test("parseExtracted() cuts a long title between characters", () => {
  const { title } = parseExtracted({ ...good, title: "x" + "😀".repeat(2000) }, "import.x");
  assert.ok(title.length <= 1000 && title.isWellFormed());
  assert.ok(title.endsWith("😀"));
});

Deno.test("parseOutput() refuses a name that cannot stand in a URL or on a disk as it is", () => {
  for (
    const name of [
      "\ud800.txt",
      "a\u202etxt.exe",
      "a\u2028b",
      " ",
      " a.txt",
      "a.txt ",
      "a.",
      "ü".repeat(130),
    ]
  ) {
    assert.throws(
      () => parseOutput({ ...output, files: [{ ...output.files[0], name }] }, "export.x"),
      {
        code: "invalid_output",
      },
      JSON.stringify(name),
    );
  }
  for (const name of ["Größe 📚.epub", "a%2fb.txt", "50%.txt", '"quoted".html', "~", "知識.pdf"]) {
    const files = [{ ...output.files[0], name }];
    assert.equal(parseOutput({ ...output, files }, "export.x").files[0]!.name, name);
  }
});

Deno.test("parseOutput() refuses more claims than the lineage should take", () => {
  const attributions = (count: number) =>
    Array.from({ length: count }, (_, i) => ({
      part: { id: `p${i}`, kind: "chapter" },
      source: "content_1",
      chunks: [],
    }));
  const some = { ...output, attributions: attributions(MAX_ATTRIBUTIONS) };
  assert.equal(parseOutput(some, "export.x").attributions.length, MAX_ATTRIBUTIONS);
  const many = { ...output, attributions: attributions(MAX_ATTRIBUTIONS + 1) };
  assert.throws(() => parseOutput(many, "export.x"), { code: "invalid_output" });
});

Deno.test("parseOverrides() takes a title and metadata, and cleans them", () => {
  assert.deepEqual(parseOverrides({ title: " A\nB ", topic: "x\0", licence: "MIT" }), {
    title: "A B",
    topic: "x\ufffd",
    licence: "MIT",
  });
  assert.deepEqual(parseOverrides({ title: "" }), {});
  assert.throws(() => parseOverrides({ title: 5 }), {
    code: "invalid_parameters",
    message: /title/,
  });
});

Deno.test("parseExtraction() takes a list of items, each address once", () => {
  const metadata = { language: "en" };
  const list = parseExtraction({
    items: [
      { url: "https://x.org/a#top", title: " One\n", metadata },
      { url: "HTTPS://X.org/a", title: "Again" },
      { url: "http://x.org" },
    ],
  }, "import.x");
  assert.deepEqual(list, {
    items: [{ url: "https://x.org/a", title: "One", metadata }, { url: "http://x.org/" }],
  });
  assert.equal("items" in parseExtraction(good, "import.x"), false);
});

Deno.test("parseExtraction() refuses a list that is too long, or leads nowhere", () => {
  const many = Array.from({ length: 10_001 }, (_, index) => ({ url: `https://x.org/${index}` }));
  for (
    const items of [
      many,
      [{ url: "file:///etc/passwd" }],
      [{ url: "/relative" }],
      [{ url: "https://user:secret@x.org/" }],
      [{ url: `https://x.org/${"a".repeat(9000)}` }],
      [{ title: "no address" }],
      "https://x.org",
    ]
  ) {
    assert.throws(() => parseExtraction({ items }, "import.x"), {
      code: "invalid_output",
      message: /^Cannot use what "import.x" returned from extract: items/,
    });
  }
});
