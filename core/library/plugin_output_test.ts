import assert from "node:assert/strict";
import { parseExtracted, parseOutput, parseRaw } from "./plugin_output.ts";

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
