import assert from "node:assert/strict";
import { type JsonSchema, schemaProblems } from "./inspect.ts";

const problems = (schema: JsonSchema) =>
  schemaProblems(schema).map(({ path, message }) => `${path.join(".")}: ${message}`);

Deno.test("schemaProblems() finds nothing wrong with a schema of known keywords", () => {
  const schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Settings",
    type: "object",
    required: ["voice"],
    additionalProperties: false,
    properties: {
      voice: { $ref: "#/$defs/voice" },
      other: { anyOf: [{ $ref: "#/$defs/voice" }, { type: ["null", "integer"], minimum: 0 }] },
      token: { type: "object", format: "secret", "x-order": [{ anything: 1 }] },
      list: { type: "array", items: { type: "string", pattern: "^[a-z]+$" }, uniqueItems: true },
    },
    patternProperties: { "^x-": true },
    $defs: { voice: { enum: ["a", "b"], default: "a" } },
  };
  assert.deepEqual(problems(schema), []);
  assert.deepEqual(problems({}), []);
});

Deno.test("schemaProblems() names the place and what is expected there", () => {
  const property = (schema: unknown) => ({ properties: { a: schema } });
  const wrong: [JsonSchema, RegExp][] = [
    [{ type: "nonsense" }, /^type: expected one of null, boolean/],
    [{ type: "string" }, /^type: expected object/],
    [{ $schema: "http://nope.test/x" }, /^\$schema: expected https:/],
    [{ $ref: "http://nope.test/x" }, /^\$ref: expected "#\/\$defs\/<name>"/],
    [{ $ref: "#/$defs/none" }, /^\$ref: expected/],
    [{ $ref: "#/$defs/toString", $defs: {} }, /^\$ref: expected/],
    [{ $ref: "#" }, /^\$ref: expected/],
    [{ $id: "http://x.test/" }, /^\$id: unknown or unsupported/],
    [{ $dynamicRef: "#x" }, /^\$dynamicRef: unknown/],
    [{ requird: ["a"] }, /^requird: unknown/],
    [{ constructor: 1 }, /^constructor: unknown/],
    [property({ $defs: {} }), /^properties\.a\.\$defs: expected definitions at the top/],
    [property("string"), /^properties\.a: expected a schema/],
    [property({ items: [{}] }), /^properties\.a\.items: expected a schema/],
    [property({ enum: [] }), /^properties\.a\.enum: expected a list/],
    [property({ maxLength: -1 }), /^properties\.a\.maxLength: expected a count/],
    [property({ pattern: "(?=a)" }), /^properties\.a\.pattern: expected a pattern that RE2/],
    [{ patternProperties: { "(": {} } }, /^patternProperties\.\(: expected a regular/],
    [{ allOf: [{}, { required: "a" }] }, /^allOf\.1\.required: expected a list of names/],
  ];
  for (const [schema, expected] of wrong) {
    assert.match(problems(schema)[0] ?? "none", expected, JSON.stringify(schema));
  }
});

Deno.test("schemaProblems() refuses references that lead back, and those that multiply", () => {
  const circle = { $defs: { a: { items: { $ref: "#/$defs/b" } }, b: { $ref: "#/$defs/a" } } };
  assert.match(problems(circle)[0]!, /leads back to itself/);
  assert.match(problems({ $defs: { a: { $ref: "#/$defs/a" } } })[0]!, /leads back to itself/);
  const $defs: Record<string, unknown> = { d26: { type: "object" } };
  for (let i = 0; i < 26; i++) {
    $defs[`d${i}`] = { allOf: [{ $ref: `#/$defs/d${i + 1}` }, { $ref: `#/$defs/d${i + 1}` }] };
  }
  assert.match(problems({ $defs, $ref: "#/$defs/d0" })[0]!, /at most 10000 schemas/);
  const chain = Object.fromEntries(
    Array.from(
      { length: 1500 },
      (_, i) => [`d${i}`, i === 1499 ? {} : { $ref: `#/$defs/d${i + 1}` }],
    ),
  );
  assert.match(problems({ $defs: chain, $ref: "#/$defs/d0" })[0]!, /64 levels deep/);
});

Deno.test("schemaProblems() refuses what is too large, too deep, or full of patterns, and stops at twenty", () => {
  assert.match(problems({ description: "x".repeat(70_000) })[0]!, /longer than 65536/);
  let deep: JsonSchema = {};
  for (let i = 0; i < 5000; i++) deep = { not: deep };
  assert.match(problems(deep)[0]!, /16 levels deep/);
  const many = (value: unknown, count: number) => ({
    properties: Object.fromEntries(Array.from({ length: count }, (_, i) => [`p${i}`, value])),
  });
  assert.deepEqual(problems(many({ pattern: "^(a+)+$" }, 32)), []);
  assert.match(problems(many({ pattern: "a" }, 33))[0]!, /at most 32 patterns/);
  assert.equal(problems(many({ typ: "string" }, 500)).length, 20);
});
