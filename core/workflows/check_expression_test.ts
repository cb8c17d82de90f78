import assert from "node:assert/strict";
import { readExpression } from "./check_expression.ts";

function uses(source: string) {
  const read = readExpression(source);
  assert.ok("uses" in read, `${source}: ${JSON.stringify(read)}`);
  const names = (list: readonly { name: string }[]) => list.map(({ name }) => name);
  const { steps, inputs, roots, allSteps } = read.uses;
  return { steps: names(steps), inputs: names(inputs), roots: names(roots), allSteps };
}

function problem(source: string) {
  const read = readExpression(source);
  assert.ok("problem" in read, source);
  return read.problem;
}

Deno.test("readExpression() finds the steps and inputs that an expression names", () => {
  const cases: [string, string[], string[]][] = [
    ["steps.text.text", ["text"], []],
    ["steps.`text`.a & inputs.b", ["text"], ["b"]],
    ['steps."text".a', ["text"], []],
    ["$$.steps.a", ["a"], []],
    ["$.steps.a", ["a"], []],
    ["$count(steps.a) > 0 and steps.b.x", ["a", "b"], []],
    ["steps.a[x = $$.inputs.y].z", ["a"], ["y"]],
    ["steps.a.{ 'x': steps, 'y': $$.steps.b }", ["a", "b"], []],
    ["{ 'x': steps.a, 'y': [inputs.b, steps.c] }", ["a", "c"], ["b"]],
    ["steps.a^(>price, $$.inputs.k)", ["a"], ["k"]],
    ["$map(steps.a, function($v, $i) { $v.x & inputs.y })", ["a"], ["y"]],
    ["( $x := steps.a; $x ? steps.b : steps.c )", ["a", "b", "c"], []],
    ["steps.a ~> $sum()", ["a"], []],
    ["steps.a ~> |items|{'n': 1}|", ["a"], []],
    ["(steps.a).b[0]", ["a"], []],
    ["-steps.a", ["a"], []],
    ["steps.a{ k: $sum(v) }", ["a"], []],
    ["steps.a@$o.b#$i[$i = 1].{ 'o': $o }", ["a"], []],
    ["$merge([steps.a, {'b': steps.b}])", ["a", "b"], []],
    ["$join(steps.a.text, ', ')", ["a"], []],
  ];
  for (const [source, steps, inputs] of cases) {
    const found = uses(source);
    assert.deepEqual([found.steps, found.inputs, found.allSteps], [steps, inputs, false], source);
  }
});

Deno.test("readExpression() knows when all of the scope can be reached", () => {
  for (
    const source of [
      "steps",
      "$lookup(steps, 'a')",
      "$$",
      "$",
      "*",
      "**.a",
      "steps.*",
      "$keys(steps)",
    ]
  ) {
    assert.equal(uses(source).allSteps, true, source);
  }
  for (const source of ["inputs", "item.a", "$map(item, function($v) { $v })"]) {
    assert.equal(uses(source).allSteps, false, source);
  }
});

Deno.test("readExpression() says where a name stands", () => {
  const read = readExpression("1 + steps.text");
  assert.ok("uses" in read);
  assert.deepEqual(read.uses.steps, [{ name: "text", at: 10 }]);
  assert.deepEqual(read.uses.roots, [{ name: "steps", at: 4 }]);
});

Deno.test("readExpression() says what is wrong with an expression, and where", () => {
  const cases: [string, number, RegExp][] = [
    ["", 0, /no expression/],
    ["1 +", 2, /Unexpected end of expression/],
    ["a b", 2, /Syntax error: "b"/],
    ['"open', 4, /String literal/],
    ["/(/", 0, /./],
    ["$eval('1')", 0, /no \$eval here: an expression cannot evaluate a text/],
    ["1 + $random()", 4, /no \$random here/],
    ["$shuffle([1])", 0, /no \$shuffle here/],
    ["$cuont(steps)", 0, /no \$cuont; did you mean "\$count"\?/],
    ["( $total := 1; $totl )", 15, /did you mean "\$total"/],
    ["(".repeat(3_999), 0, /./],
    ["[".repeat(1_900) + "]".repeat(1_900), 0, /./],
  ];
  for (const [source, at, message] of cases) {
    const found = problem(source);
    assert.match(found.message, message, source);
    if (source.length < 100 && source !== "/(/") assert.equal(found.at, at, source);
  }
});
