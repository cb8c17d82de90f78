import assert from "node:assert/strict";
import { evaluateBatch, type Evaluated } from "./evaluate.ts";
import plugin from "./mod.ts";

const SCOPE = {
  inputs: { topic: "herbs", languages: ["de"], none: [], n: 3 },
  steps: { text: { text: "Thyme" }, list: [{ a: 1 }, { a: 2 }] },
  run: { id: "run_1", workflow: "w", user: "u", started: "2024-05-06T07:08:09.000Z" },
};

function evaluate(expressions: readonly string[], scope: unknown = SCOPE): Promise<Evaluated> {
  const { steps = {}, ...roots } = scope as { steps?: object };
  const parts: string[] = [];
  const numbersOf = (values: object) =>
    Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, parts.push(JSON.stringify(value)) - 1]),
    );
  const own = { roots: numbersOf(roots), steps: numbersOf(steps) };
  const tasks = expressions.map((expression) => ({ expression, scope: own }));
  return evaluateBatch({ parts, tasks, max_chars: 10_000 });
}

async function value(expression: string, scope: unknown = SCOPE): Promise<unknown> {
  const result = await evaluate([expression], scope);
  assert.ok("values" in result, `${expression}: ${JSON.stringify(result)}`);
  return JSON.parse(result.values[0]!);
}

async function failed(expression: string) {
  const result = await evaluate([expression]);
  assert.ok("failed" in result, `${expression}: ${JSON.stringify(result)}`);
  return result.failed;
}

Deno.test("step.expression has the method that the host calls", async () => {
  assert.equal(plugin.kind, "step");
  assert.ok("evaluate" in plugin.methods && "healthCheck" in plugin.methods);
  const evaluate = (plugin.methods as Record<string, typeof evaluateBatch>)["evaluate"]!;
  const batch = {
    parts: [],
    tasks: [{ expression: "1 + 1", scope: { roots: {}, steps: {} } }],
    max_chars: 10,
  };
  assert.deepEqual(await evaluate(batch), { values: ["2"] });
});

Deno.test("step.expression evaluates JSONata over the scope", async () => {
  const cases: [string, unknown][] = [
    ["inputs.topic & '!'", "herbs!"],
    ["inputs.languages", ["de"]],
    ["inputs.none", []],
    ["steps.list.a", [1, 2]],
    ["steps.list[a = 2]", { a: 2 }],
    ["$sum(steps.list.a) > 2", true],
    ["steps.nothing.at.all", null],
    ["[1..4]", [1, 2, 3, 4]],
    ["{ 'a': inputs.n, 'b': null }", { a: 3, b: null }],
    ["$map(steps.list, function($v) { $v.a * 2 })", [2, 4]],
    ["$exists(steps.nothing)", false],
  ];
  for (const [expression, expected] of cases) {
    assert.deepEqual(await value(expression), expected, expression);
  }
});

Deno.test("step.expression gives each task its own scope and keeps their order", async () => {
  const result = await evaluateBatch({
    parts: ["1", "2"],
    tasks: [1, 0, 1].map((item) => ({
      expression: "item * 10",
      scope: { roots: { item }, steps: {} },
    })),
    max_chars: 100,
  });
  assert.deepEqual(result, { values: ["20", "10", "20"] });
});

Deno.test("step.expression takes the time from the run, so that it stays the same", async () => {
  assert.equal(await value("$now()"), "2024-05-06T07:08:09.000Z");
  assert.equal(await value("$now('[Y0001]/[M01]')"), "2024/05");
  assert.equal(await value("$millis()"), Date.parse(SCOPE.run.started));
  assert.equal(
    await value("$fromMillis($toMillis('10:11', '[H01]:[m01]'))"),
    "2024-05-06T10:11:00.000Z",
  );
  assert.equal(
    await value("(function() { $fromMillis($toMillis('10:11', '[H01]:[m01]')) })()"),
    "2024-05-06T10:11:00.000Z",
  );
  const none = await evaluate(["$now()"], {});
  assert.ok("failed" in none && /no run\.started/.test(none.failed.message));
});

Deno.test("step.expression has no function that takes text for code or that chance decides", async () => {
  for (const expression of ["$eval('1+1')", "$random()", "$shuffle([1, 2])"]) {
    assert.equal((await failed(expression)).code, "invalid_expression", expression);
  }
});

Deno.test("step.expression names the task that failed, and where", async () => {
  const result = await evaluate(["1", "'a' + 1", "2"]);
  assert.ok("failed" in result);
  const { task, code, message, position } = result.failed;
  assert.deepEqual([task, code], [1, "invalid_expression"]);
  assert.match(message, /left side of the "\+" operator must evaluate to a number/);
  assert.equal(typeof position, "number");
  assert.match((await failed("$error('my words')")).message, /my words/);
  assert.match((await failed("1 +")).message, /Unexpected end/);
});

Deno.test("step.expression refuses values that are no plain data", async () => {
  const cases: [string, string, RegExp][] = [
    ["function($x) { $x }", "invalid_expression", /is a function/],
    ["$sum", "invalid_expression", /is a function/],
    ["{ 'a': [$sum] }", "invalid_expression", /is a function/],
    ["/a/", "invalid_expression", /is a function/],
    ["1 / 0", "invalid_expression", /./],
    ["$pad('', 20000)", "too_large", /larger than 10000 bytes/],
    [
      "($f := function($x) { [$x, $x] }; $f($f($f($f($f($f($f($f($f($f($f($f($f([1]))))))))))))))",
      "too_large",
      /larger/,
    ],
    [
      "($f := function($n) { $n = 0 ? 1 : {'a': $f($n - 1)} }; $f(40))",
      "invalid_expression",
      /levels deep/,
    ],
  ];
  for (const [expression, code, message] of cases) {
    const found = await failed(expression);
    assert.equal(found.code, code, expression);
    assert.match(found.message, message, expression);
  }
});

Deno.test("step.expression ends expressions that do not end", async () => {
  assert.equal((await failed("($f := function($x) { $f($x) }; $f(1))")).code, "timed_out");
  const deep = await failed("($f := function($x) { 1 + $f($x) }; $f(1))");
  assert.match(deep.message, /levels deep/);
  assert.equal((await failed("[1..10000000]")).code, "too_large");
});

Deno.test("step.expression reaches no prototype and leaves none changed", async () => {
  const nothing = [
    "inputs.__proto__",
    "inputs.constructor",
    "constructor.constructor",
    "inputs.topic.constructor",
    "steps.list.constructor",
    "$lookup(inputs, '__proto__')",
    "$lookup(inputs, 'constructor')",
    "$sum.constructor",
    "$sum.implementation",
    "inputs.toString",
  ];
  for (const expression of nothing) {
    const result = await evaluate([expression]);
    const plain = "values" in result ? JSON.parse(result.values[0]!) : null;
    assert.equal(plain, null, expression);
  }
  const attempts = [
    `$ ~> |$|{"__proto__": {"polluted": 1}}|`,
    `inputs.__proto__ ~> |$|{"polluted": 1}|`,
    `$ ~> |constructor.prototype|{"polluted": 1}|`,
    `$merge([{"__proto__": {"polluted": 1}}, {"a": 1}])`,
    `{"__proto__": {"polluted": 1}}`,
    `$spread({"__proto__": {"polluted": 1}})`,
    `inputs{"__proto__": {"polluted": 1}}`,
    `$sift({"__proto__": {"polluted": 1}}, function($v) { true })`,
    `$string({"constructor": {"prototype": {"polluted": 1}}})`,
  ];
  for (const expression of attempts) {
    await evaluate([expression]);
    assert.equal(({} as Record<string, unknown>)["polluted"], undefined, expression);
    assert.equal(([] as unknown as Record<string, unknown>)["polluted"], undefined, expression);
  }
  assert.equal(await value("inputs.polluted"), null);
});
