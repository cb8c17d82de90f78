import assert from "node:assert/strict";
import { checkAgainst } from "./json_schema.ts";

const schema = {
  properties: { title: { type: "string" }, depth: { type: "integer", default: 2, maximum: 6 } },
  additionalProperties: false,
};

Deno.test("checkAgainst() fills in defaults and leaves the input alone", () => {
  const input = { title: "x" };
  assert.deepEqual(checkAgainst(schema, input, "invalid_parameters", "it"), {
    title: "x",
    depth: 2,
  });
  assert.deepEqual(input, { title: "x" });
});

Deno.test("checkAgainst() names every field that is wrong", () => {
  assert.throws(
    () => checkAgainst(schema, { title: 1, depth: 9, colour: "red" }, "invalid_parameters", "it"),
    (error: Error & { code?: string }) => {
      assert.equal(error.code, "invalid_parameters");
      return ["title", "depth", "colour"].every((field) => error.message.includes(field));
    },
  );
});

Deno.test("checkAgainst() is not held up by a pattern that takes JavaScript for ever", () => {
  const text = "a".repeat(40) + "!";
  const trap = { properties: { x: { type: "string", default: text, pattern: "^(a+)+$" } } };
  const expected = /^Error: Cannot use it: x: expected what the pattern \^\(a\+\)\+\$ matches$/;
  const check = (value: Record<string, unknown>) => () =>
    checkAgainst(trap, value, "invalid_parameters", "it");
  for (const value of [{}, { x: text }]) {
    assert.throws(check(value), (error: Error) => {
      assert.match(`Error: ${error.message}`, expected);
      return true;
    });
  }
  assert.deepEqual(check({ x: "aaa" })(), { x: "aaa" });
});

Deno.test("checkAgainst() refuses a value that is too deep or too large, with the defaults too", () => {
  const check = (schema: Record<string, unknown>, value: Record<string, unknown>) => () =>
    checkAgainst(schema, value, "invalid_parameters", "it");
  const deep = JSON.parse(`${'{"a":'.repeat(400_000)}1${"}".repeat(400_000)}`);
  assert.throws(check({}, deep), { code: "invalid_parameters", message: /16 levels deep/ });
  const large = { text: "x".repeat(300_000) };
  assert.throws(check({}, large), { code: "invalid_parameters", message: /longer than 262144/ });
  const item = { properties: { text: { default: "x".repeat(1000) } } };
  const many = { list: Array.from({ length: 1000 }, () => ({})) };
  assert.throws(check({ properties: { list: { items: item } } }, many), {
    code: "invalid_parameters",
    message: /longer than 262144/,
  });
});

Deno.test("checkAgainst() refuses a schema that cannot be checked, and names the place in it", () => {
  const schema = { properties: { x: { $ref: "http://nope.test/x" } } };
  assert.throws(() => checkAgainst(schema, {}, "invalid_parameters", "it"), {
    code: "invalid_parameters",
    message: /^Cannot use it: properties\.x\.\$ref: the plugin's schema cannot be used: expected/,
  });
});
