import assert from "node:assert/strict";
import { fillTemplate, isPlain, soleExpression, splitText, templateOf } from "./templates.ts";

/** The sources of the expressions in a text. */
const sources = (text: string) =>
  splitText(text).parts.filter((part) => typeof part === "object").map(({ source }) => source);

Deno.test("splitText() finds where each expression ends", () => {
  const cases: [string, string[]][] = [
    ["no expression, $5 {x}", []],
    ["${ a }", ["a"]],
    ["x ${a} y ${ b } z", ["a", "b"]],
    ['${ {"a": {"b": 1}} }!', ['{"a": {"b": 1}}']],
    ["${ \"}\" & '}' & `}` }", ["\"}\" & '}' & `}`"]],
    ['${ "\\"}" }', ['"\\"}"']],
    ["${ a /* } */ }", ["a /* } */"]],
    ['${ $match(a, /["}]/) }', ['$match(a, /["}]/)']],
    ['${ a / b & "}" }', ['a / b & "}"']],
    ["$${ a } ${ b }", ["b"]],
  ];
  for (const [text, expected] of cases) assert.deepEqual(sources(text), expected, text);
});

Deno.test("splitText() says where an expression begins, and where one has no end", () => {
  assert.deepEqual(splitText("x ${  a }").parts, ["x ", { source: "a", at: 6 }]);
  assert.equal(splitText("ab ${ a").unclosed, 3);
  assert.equal(splitText('ab ${ "}').unclosed, 3);
  assert.equal(splitText("ab $${ a").unclosed, undefined);
});

Deno.test("soleExpression() takes a text that is one expression", () => {
  assert.deepEqual(soleExpression("${ a }"), { source: "a", at: 3 });
  assert.deepEqual(soleExpression("  ${a}\n"), { source: "a", at: 4 });
  for (const text of ["a", "${ a } b", "${ a }${ b }", "${ a", ""]) {
    assert.equal(soleExpression(text), undefined, text);
  }
  assert.equal(soleExpression(String(templateOf("a > 1")))?.source, "a > 1");
});

Deno.test("fillTemplate() keeps the type of a lone expression and makes text of others", () => {
  const values: Record<string, unknown> = { n: 5, list: [1, { a: 2 }], none: null, yes: true };
  const filled = fillTemplate(
    {
      n: "${ n }",
      list: ["${list}", "${ none }"],
      text: "n=${ n } l=${ list } -${ none }- ${ yes } $${ n }",
      plain: [1, null, false, "$5"],
    },
    (source) => values[source],
  );
  assert.deepEqual(filled, {
    n: 5,
    list: [[1, { a: 2 }], null],
    text: 'n=5 l=[1,{"a":2}] -- true ${ n }',
    plain: [1, null, false, "$5"],
  });
});

Deno.test("fillTemplate() makes no prototype of a key", () => {
  const filled = fillTemplate(JSON.parse('{"__proto__": {"a": "${ n }"}}'), () => 1);
  assert.equal(Object.getPrototypeOf(filled), Object.prototype);
  assert.deepEqual(JSON.stringify(filled), '{"__proto__":{"a":1}}');
});

Deno.test("isPlain() knows whether there is anything to evaluate", () => {
  assert.equal(isPlain({ a: [1, "x", { b: null }] }), true);
  assert.equal(isPlain({ a: [1, "x", { b: "${ c }" }] }), false);
});
