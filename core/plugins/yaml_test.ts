import assert from "node:assert/strict";
import { z } from "zod";
import { CarrelError } from "../errors.ts";
import { problemLine, readYaml, type YamlProblem } from "./yaml.ts";
import { brokenBound } from "./yaml_bounds.ts";

const schema = z.strictObject({
  name: z.string().min(2),
  list: z.array(z.strictObject({ n: z.number().max(3) })).max(2).optional(),
  kind: z.enum(["a", "b"]).optional(),
  any: z.unknown().optional(),
});

const read = (text: string) =>
  readYaml(text, {
    file: "f.yaml",
    schema,
    code: "invalid_config",
    what: "file",
    maxBytes: 300_000,
  });

/** `line:column field: message` of every problem. */
function problems(text: string): string[] {
  try {
    read(text);
  } catch (error) {
    assert.ok(error instanceof CarrelError, String(error));
    assert.equal(error.code, "invalid_config");
    return (error.details?.errors as YamlProblem[]).map((p) =>
      `${p.line}:${p.column} ${p.field}: ${p.message}`
    );
  }
  return [];
}

Deno.test("readYaml() gives the parsed value", () => {
  assert.deepEqual(read("name: xy\nlist: [{n: 1}]"), { name: "xy", list: [{ n: 1 }] });
});

Deno.test("readYaml() finds the place of every problem", () => {
  assert.deepEqual(problems("name: x\nlist:\n  - n: 1\n  - n: 9\n    m: 1\nkind: c\n"), [
    "1:1 name: expected at least 2 characters",
    "4:5 list[1].n: expected at most 3",
    '5:5 list[1].m: Unrecognized key: "m"',
    "6:1 kind: expected one of a, b",
  ]);
  assert.deepEqual(problems("list: [{}, {n: x}]\n"), [
    "1:1 name: missing: expected a text",
    "1:8 list[0].n: missing: expected a number",
    "1:13 list[1].n: expected a number, not a text",
  ]);
  assert.deepEqual(problems("name: [a]\nlist: [{n: 1}, {n: 1}, {n: 1}]\n"), [
    "1:1 name: expected a text, not a list",
    "2:1 list: expected at most 2 entries",
  ]);
});

Deno.test("readYaml() shows twenty problems and counts the rest", () => {
  const text = `name: xy\n${Array.from({ length: 30 }, (_, i) => `k${i}: 1`).join("\n")}`;
  assert.equal(problems(text).length, 20);
  assert.throws(() => read(text), /… and 10 more$/);
});

Deno.test("readYaml() refuses what is not plain YAML, with the line", () => {
  assert.match(
    problems("name: xy\nname: yx")[0]!,
    /^2:1 : not valid YAML: map keys must be unique/,
  );
  assert.match(problems("name: xy\nany: [1")[0]!, /^2:\d+ : not valid YAML/);
  assert.match(
    problems("name: xy\nany: !!js/function x")[0]!,
    /^2:\d+ : not valid YAML: unresolved tag/,
  );
  assert.match(problems("name: xy\n---\nname: xy")[0]!, /not valid YAML/);
  assert.match(problems("")[0]!, /^1:1 : expected a map, not nothing/);
  assert.match(problems("__proto__: {name: xy}").join("\n"), /__proto__: Unrecognized key/);
});

Deno.test("readYaml() refuses a key that stands twice, however it is written, and one that is no word", () => {
  const twice = /not valid YAML: map keys must be unique/;
  for (const text of ["any:\n  a: 1\n  'a': 2", "any: [{b: 1, b: 2}]", 'any: {1: x, "1": y}']) {
    assert.match(problems(`name: xy\n${text}`)[0]!, twice, text);
  }
  assert.match(problems("name: xy\nany: {~: 1, '': 2}")[0]!, /^2:13 .*unique/);
  assert.match(problems("name: xy\nany: {? [a, b] : 1}")[0]!, /^2:9 .*a key must be a plain word/);
  assert.match(problems("name: &n xy\nany: {*n : 1}")[0]!, /a key must be a plain word/);
  assert.deepEqual(read("name: xy\nany: [{a: 1}, {a: 2}]").any, [{ a: 1 }, { a: 2 }]);
});

Deno.test("readYaml() reads a file full of keys, and shows twenty of thousands of wrong ones", () => {
  const keys = Array.from({ length: 20_000 }, (_, i) => `k${i.toString(36)}`);
  const any = Object.fromEntries(keys.map((key) => [key, null]));
  assert.deepEqual(read(`name: xy\nany:\n${keys.map((key) => ` ${key}:`).join("\n")}`).any, any);
  assert.throws(
    () => read(`name: xy\n${keys.map((key) => `${key}: 1`).join("\n")}`),
    /… and 19980 more$/,
  );
});

Deno.test("readYaml() is not blown up by aliases, depth or size", () => {
  const laughs = ["name: xy", "any:", "  - &a0 [x,x,x,x,x,x,x,x,x,x]"];
  for (let i = 1; i < 9; i++) laughs.push(`  - &a${i} [${Array(10).fill(`*a${i - 1}`).join(",")}]`);
  assert.match(problems(laughs.join("\n"))[0]!, /aliases/);
  assert.match(problems("name: *nobody")[0]!, /aliases|not valid YAML/);
  assert.match(problems(`name: xy\nany: ${"[".repeat(100)}${"]".repeat(100)}`)[0]!, /levels deep/);
  for (const mark of ["[", "{a: ", "- ", "? ", "- ? "]) {
    assert.match(problems(mark.repeat(60_000))[0]!, /levels deep/, mark);
  }
  const stairs = Array.from({ length: 400 }, (_, i) => `${" ".repeat(i)}a:`).join("\n");
  assert.match(problems(stairs)[0]!, /levels deep/);
  assert.deepEqual(read(`name: xy\nany: ${JSON.stringify("[".repeat(100))}`).any, "[".repeat(100));
  assert.match(problems(`name: ${"x".repeat(300_000)}`)[0]!, /larger than 300000 bytes/);
});

Deno.test("brokenBound() counts marks, not what stands in texts", () => {
  const bounds = { maxDepth: 3, maxTokens: 20, maxAliases: 2 };
  const broken = (text: string) => brokenBound(text, bounds);
  assert.equal(broken("a: [1, 2]\n"), undefined);
  assert.equal(broken("[".repeat(4)), "depth");
  assert.equal(broken("a: 1\n".repeat(10)), "tokens");
  for (const mark of ["\n", "#\n", "- ", "%x\n", "---\n"]) {
    assert.ok(broken(mark.repeat(100)), mark);
  }
  assert.equal(broken(`[${"[],".repeat(20)}]`), "tokens");
  assert.equal(broken("[&a 1, *a, *a]"), "aliases");
  assert.equal(broken('["&a", "*a", "*a"]'), undefined);
  assert.equal(broken("a: |\n  &a\n  *a\n  *a [[[[[[\n"), undefined);
  assert.equal(broken("a: |\n  text\n&a b: &b c\n&c d: 1\n"), "aliases");
});

Deno.test("problemLine() leaves the field out where there is none", () => {
  assert.equal(problemLine({ file: "f", line: 1, column: 1, field: "", message: "m" }), "f:1: m");
});
