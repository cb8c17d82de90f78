import assert from "node:assert/strict";
import { Ajv2020 } from "ajv/dist/2020.js";
import { type JsonSchema, schemaProblems } from "./inspect.ts";
import { validate } from "./validate.ts";

type Fields = Record<string, unknown>;

/** What is wrong, as `field: problem`, with a schema that must be a good one. */
function faults(schema: JsonSchema, value: Fields): string[] {
  assert.deepEqual(schemaProblems(schema), []);
  return validate(schema, value).map(({ field, problem }) => `${field}: ${problem}`);
}

const properties = (fields: Fields): JsonSchema => ({ properties: fields });

Deno.test("validate() names every field that is wrong, and what is expected there", () => {
  const schema = {
    required: ["title", "missing"],
    additionalProperties: false,
    properties: {
      title: { type: "string", maxLength: 3 },
      depth: { type: "integer", minimum: 1, maximum: 6 },
      voice: { enum: ["low", "high"] },
      list: { type: "array", items: { type: ["string", "null"] }, uniqueItems: true },
      code: { pattern: "^[a-z]+$" },
      missing: {},
    },
  };
  const value = { title: "long", depth: 1.5, voice: "x", list: [1, "a", "a"], code: "A", more: 1 };
  assert.deepEqual(faults(schema, value), [
    "missing: missing",
    "title: expected at most 3 characters",
    "depth: expected integer",
    "voice: expected one of low, high",
    "list.0: expected string or null",
    "list: expected no entry twice",
    "code: expected what the pattern ^[a-z]+$ matches",
    "more: there is no such field",
  ]);
});

Deno.test("validate() takes no field for there that every object inherits", () => {
  const schema = {
    required: ["toString"],
    properties: { constructor: { type: "string" } },
    dependentRequired: { valueOf: ["more"] },
  };
  assert.deepEqual(faults(schema, {}), ["toString: missing"]);
  assert.deepEqual(faults(schema, { toString: 1 }), []);
});

Deno.test("validate() fills in defaults, in maps within lists and by reference too, but not below anyOf", () => {
  const schema = {
    properties: {
      a: { default: { x: {} } },
      list: { items: { $ref: "#/$defs/item" } },
      any: { anyOf: [{ properties: { no: { default: 1 } } }] },
      ["__proto__"]: { default: { polluted: 1 } },
    },
    $defs: { item: { properties: { n: { default: 7 } } } },
  };
  const value = { list: [{}, { n: 1 }], any: {} } as Fields;
  assert.deepEqual(faults(schema, value), []);
  assert.deepEqual(JSON.parse(JSON.stringify(value)).list, [{ n: 7 }, { n: 1 }]);
  assert.deepEqual([value.a, value.any], [{ x: {} }, {}]);
  assert.ok(Object.hasOwn(value, "__proto__"));
  assert.equal(({} as Fields).polluted, undefined);
  // Each gets its own.
  (value.a as { x: Fields }).x.changed = true;
  const other: Fields = {};
  faults(schema, other);
  assert.deepEqual(other.a, { x: {} });
});

Deno.test("validate() ends in bounded steps whatever plugin and request say", () => {
  const text = "a".repeat(200_000) + "!";
  const many = Array.from({ length: 60_000 }, (_, i) => i);
  const bombs: [JsonSchema, Fields][] = [
    [properties({ x: { allOf: Array(30).fill({ pattern: "^([a-z]{1,50})+$" }) } }), { x: text }],
    [properties({ x: { items: { allOf: Array(900).fill({ type: "integer" }) } } }), { x: many }],
    [
      properties({
        x: { items: { not: { enum: Array.from(Array(5000).keys(), (i) => -i - 1) } } },
      }),
      {
        x: many,
      },
    ],
    [
      properties({
        x: { items: { properties: { y: { default: Array(1000).fill("d") } } } },
      }),
      { x: many.map(() => ({})) },
    ],
    [
      properties({
        x: { allOf: Array(50).fill({ items: { anyOf: [...Array(50).fill(false), true] } }) },
      }),
      { x: many },
    ],
  ];
  for (const [schema, value] of bombs) {
    assert.deepEqual(faults(schema, value), [
      ": it takes too long to check against the plugin's schema",
    ]);
  }
  const unique = properties({ x: { uniqueItems: true } });
  assert.deepEqual(faults(unique, { x: many.map((n) => ({ n })) }), []);
});

Deno.test("validate() says twenty faults at most", () => {
  const names = Array.from({ length: 1000 }, (_, i) => `n${i}`);
  assert.equal(faults({ required: names }, {}).length, 20);
  const list = properties({ x: { items: { items: false } } });
  assert.equal(faults(list, { x: [names, names] }).length, 20);
});

/** Numbers from 0 to 1, always the same for a seed. */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return state / 4_294_967_296;
  };
}

Deno.test("validate() agrees with Ajv about random schemas and values", () => {
  const random = dice(7);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const upTo = (most: number) => Math.floor(random() * (most + 1));
  const several = <T>(make: () => T, most = 3) => Array.from({ length: upTo(most) }, make);
  const name = () => pick(["a", "b", "c", "length"]);

  function value(depth: number): unknown {
    switch (upTo(depth > 0 ? 6 : 4)) {
      case 0:
        return null;
      case 1:
        return random() < 0.5;
      case 2:
        return pick([-1, 0, 1, 2, 2.5, 10]);
      case 3:
      case 4:
        return pick(["", "a", "ab", "😀", "abc", "length"]);
      case 5:
        return several(() => value(depth - 1));
      default:
        return Object.fromEntries(several(() => [name(), value(depth - 1)]));
    }
  }

  function schema(depth: number): unknown {
    if (random() < 0.1) return random() < 0.7;
    const made: Fields = {};
    const inner = () => schema(depth - 1);
    const list = () => [inner(), ...several(inner, 2)];
    const map = () => Object.fromEntries(several(() => [name(), inner()]));
    const keywords: Record<string, () => unknown> = {
      type: () =>
        random() < 0.5
          ? pick(["string", "integer", "number", "array", "object"])
          : ["null", "object"],
      enum: () => [value(1), value(1)],
      const: () => value(1),
      minimum: () => upTo(2),
      exclusiveMaximum: () => upTo(3),
      multipleOf: () => pick([1, 2, 0.5]),
      minLength: () => upTo(2),
      maxLength: () => upTo(2),
      pattern: () => pick(["^a", "b$", "^.$"]),
      minItems: () => upTo(2),
      maxItems: () => upTo(2),
      uniqueItems: () => true,
      minProperties: () => upTo(2),
      maxProperties: () => upTo(2),
      required: () => [...new Set(several(name))],
      dependentRequired: () => ({ a: ["b"] }),
    };
    const nested: Record<string, () => unknown> = {
      properties: map,
      patternProperties: () => ({ "^[ab]": inner() }),
      additionalProperties: inner,
      propertyNames: () => ({ maxLength: upTo(2) }),
      items: inner,
      prefixItems: list,
      // Simple ones: beside others, Ajv finds what an empty list does not contain.
      contains: () => schema(0),
      minContains: () => upTo(2),
      maxContains: () => 1 + upTo(1),
      allOf: list,
      anyOf: list,
      oneOf: list,
      not: inner,
      if: inner,
      then: inner,
      else: inner,
      $ref: () => `#/$defs/${pick(["x", "y"])}`,
    };
    const all = Object.entries(depth > 0 ? { ...keywords, ...nested } : keywords);
    for (let i = 0; i < 1 + upTo(2); i++) {
      const [keyword, make] = pick(all);
      made[keyword] = make();
    }
    return made;
  }

  let good = 0;
  for (let round = 0; round < 300; round++) {
    const $defs = { x: schema(0), y: schema(0) };
    const root = { $defs, properties: { v: schema(2) } };
    assert.deepEqual(schemaProblems(root), [], JSON.stringify(root));
    const peer = new Ajv2020({ strict: false, logger: false, ownProperties: true }).compile(root);
    for (let i = 0; i < 6; i++) {
      const given = { v: value(3) };
      const fits = validate(root, given).length === 0;
      assert.equal(fits, peer(given), `${JSON.stringify(root)} ${JSON.stringify(given)}`);
      if (fits) good++;
    }
  }
  // Neither all nor nothing: the test has both.
  assert.ok(good > 300 && good < 1500, String(good));
});
