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
