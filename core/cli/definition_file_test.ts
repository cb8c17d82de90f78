import assert from "node:assert/strict";
import { isFile, problemLines, readDefinition } from "./definition_file.ts";
import { createStyle } from "./format.ts";
import { testIo } from "./testing/io.ts";
import { widthOf } from "./width.ts";

const plain = createStyle(false);

Deno.test("isFile() tells files from names", () => {
  for (const word of ["-", "a.yaml", "a.YML", "./a", "dir/a"]) assert.ok(isFile(word), word);
  for (const word of ["story", "single-text", "yaml"]) assert.ok(!isFile(word), word);
});

Deno.test("problemLines() shows the place in the source", () => {
  const problem = { line: 2, column: 7, message: "no\x1b[2J such" };
  assert.deepEqual(problemLines("a.yaml", "one\nsteps: [x]\n", problem, plain), [
    "a.yaml:2:7: no\ufffd[2J such",
    "  2 | steps: [x]",
    "    |       ^",
  ]);
  assert.equal(problemLines("a.yaml", "", problem, plain).length, 1);
  const wide = problemLines("a", "名前: x", { line: 1, column: 5, message: "m" }, plain);
  assert.equal(wide[2]!.indexOf("^"), widthOf("  1 | 名前: "));
});

Deno.test("problemLines() cuts a long line around the place", () => {
  const source = `${"x".repeat(500)}!${"y".repeat(500)}`;
  const [, line, caret] = problemLines("a", source, { line: 1, column: 501, message: "m" }, plain);
  assert.ok(line!.length < 120);
  assert.equal(line![caret!.indexOf("^")], "!");
});

Deno.test("readDefinition() reads a file or standard input, and says where it is wrong", async () => {
  const stdin = "name: said\nsteps:\n  - cal: x.y\n";
  const { file, definition, problems } = await readDefinition(testIo({ stdin }), "-");
  assert.deepEqual([file, definition], ["<stdin>", undefined]);
  assert.ok(problems.some(({ line }) => line === 3));
  await assert.rejects(readDefinition(testIo(), "./nothing.yaml"), {
    code: "file_not_found",
    exit: 2,
  });
});
