import assert from "node:assert/strict";
import type { CarrelError } from "../errors.ts";
import type { CallStep, ForeachStep, IfStep, ParallelStep, WaitStep } from "./definition.ts";
import { parseDefinition, requireDefinition } from "./parse.ts";

const EXAMPLE = `name: single-text
title: One text
inputs:
  prompt: {type: string, description: what it shall be about}
  languages: {type: array, items: {type: string}, default: [de]}
  note: {type: string, nullable: true}
steps:
  - id: text
    call: text.generate
    with: {prompt: "\${ inputs.prompt }"}
    attempts: 3
    timeout: 5m
  - id: translations
    foreach: "\${ inputs.languages }"
    parallel: 8
    steps:
      - id: translate
        call: text.translate
        with: {text: "\${ steps.text.text }", to: "\${ item }"}
      - call: text.check
        when: \${ $exists(steps.translate.text) and index < 5 }
    collect: "\${ steps.translate.text }"
  - id: variants
    needs: text
    call: text.variants
    with: {prompt: "\${ steps.text.text }", count: 3}
    optional: true
  - id: choose
    wait: {choice: "\${ steps.variants.variants }", prompt: "Which one of \${ $count(steps.variants.variants) }?"}
    timeout: 7d
    on_timeout: {value: {index: 0}}
  - id: gate
    needs: [translations, choose]
    if: "\${ $count(steps.translations) > 0 }"
    then:
      - export: {source_ids: ["\${ steps.text.id }"], format: ebook}
    else:
      - search: {query: "\${ inputs.prompt }"}
  - id: both
    parallel:
      left:
        - wait: {approval: editor}
      right:
        - wait: {event: content.imported, where: "\${ event.subject = steps.gate.id }"}
        - wait: {after: 2h}
        - wait: {until: "2030-01-31T09:00:00Z"}
        - wait: {input: {type: string}, prompt: "Say it"}
        - import: {url: "\${ inputs.prompt }"}
outputs: {text: "\${ steps.text.text }", left: "\${ steps.both.left }"}
timeout: 30d
fail_fast: false
`;

/** The problems as \`line:column message\`. */
function problemsOf(yaml: string): string[] {
  const { definition, problems } = parseDefinition(yaml);
  assert.equal(definition === undefined, problems.length > 0);
  return problems.map(({ line, column, message }) => `${line}:${column} ${message}`);
}

/** The problems of a list of steps, each given as the lines of a file from line 3 on. */
const inSteps = (steps: string, more = "inputs: {n: {type: integer}}") =>
  problemsOf(`name: w\n${more}\nsteps:\n${steps}\n`);

function only(problems: readonly string[], expected: RegExp): void {
  assert.equal(problems.length, 1, JSON.stringify(problems, null, 1));
  assert.match(problems[0]!, expected);
}

Deno.test("parseDefinition() reads every kind of step", () => {
  const { definition, problems } = parseDefinition(EXAMPLE);
  assert.deepEqual(problems, []);
  assert.ok(definition);
  const { steps } = definition;
  assert.deepEqual(steps.map(({ id, line }) => [id, line]), [
    ["text", 8],
    ["translations", 13],
    ["variants", 23],
    ["choose", 28],
    ["gate", 32],
    ["both", 39],
  ]);
  const [text, translations, variants, choose, gate, both] = steps as [
    CallStep,
    ForeachStep,
    CallStep,
    WaitStep,
    IfStep,
    ParallelStep,
  ];
  assert.deepEqual(
    [text.capability, text.with, text.attempts, text.timeout, text.needs, text.when],
    ["text.generate", { prompt: "${ inputs.prompt }" }, 3, 300, undefined, undefined],
  );
  assert.deepEqual(
    [translations.items, translations.parallel, translations.collect],
    ["${ inputs.languages }", 8, "${ steps.translate.text }"],
  );
  assert.deepEqual(
    translations.steps.map(({ id, when }) => [id, when]),
    [["translate", undefined], ["call-2", "$exists(steps.translate.text) and index < 5"]],
  );
  assert.deepEqual([variants.needs, variants.optional], [["text"], true]);
  assert.deepEqual([choose.timeout, choose.onTimeout], [604_800, { value: { index: 0 } }]);
  assert.equal(choose.wait.for, "choice");
  assert.equal(gate.condition, "$count(steps.translations) > 0");
  assert.deepEqual(gate.then.map(({ kind }) => kind), ["export"]);
  assert.deepEqual(gate.else.map(({ id }) => id), ["search-1"]);
  assert.deepEqual(Object.keys(both.branches), ["left", "right"]);
  assert.deepEqual(
    both.branches["right"]!.map((step) => step.kind === "wait" ? step.wait : step.kind),
    [
      { for: "event", name: "content.imported", where: "event.subject = steps.gate.id" },
      { for: "timer", after: "2h", until: undefined },
      { for: "timer", after: undefined, until: "2030-01-31T09:00:00Z" },
      { for: "input", schema: { type: "string" }, prompt: "Say it" },
      "import",
    ],
  );
  assert.deepEqual([definition.failFast, definition.timeout], [false, 30 * 86_400]);
});

Deno.test("parseDefinition() says all that is wrong at once, by line and column", () => {
  assert.deepEqual(
    problemsOf(`name: Wrong Name
titel: x
inputs:
  prompt: {type: strin}
  n: {type: integer, default: five}
steps:
  - id: a
    call: text.generate
    with:
      prompt: "about \${ inputs.prmpt } and \${ 1 + }"
    timeout: soon
  - id: a
    cal: text.generate
  - call: text.generate
    wait: {after: 1h}
outputs: {x: "\${ steps.b }"}
`),
    [
      "1:1 name: expected up to 64 lower case letters, digits and -",
      '2:1 unknown key "titel"; did you mean "title"?',
      "4:12 type: expected one of null, boolean, integer, number, string, array, object, or a list of them",
      "5:22 default: it does not fit its own schema: expected integer",
      '10:32 the input "prmpt" is not declared; did you mean "prompt"?',
      '10:49 in the expression "1 +": Unexpected end of expression',
      "11:5 timeout: expected a time above 0 and up to 366 days: seconds, or a text such as 90s, 15m, 2h or 7d",
      '13:5 cal: unknown kind of step "cal": expected one of call, import, export, search, wait, foreach, parallel, if; did you mean "call"?',
      "15:5 wait: one step cannot be call and wait; make two of it",
      '16:24 there is no step "b"; did you mean "a"?',
    ],
  );
});

Deno.test("parseDefinition() names the steps of a circle", () => {
  const problems = inSteps(`  - {id: a, needs: c, call: x.y}
  - {id: b, call: x.y}
  - {id: c, call: x.y}
  - {id: d, needs: [d], call: x.y}`);
  assert.deepEqual(problems, [
    "4:13 needs: these steps wait for each other: a needs c, c needs b, b needs a",
    '7:13 needs: the step "d" needs itself',
  ]);
});

Deno.test("parseDefinition() refuses what steps cannot need or refer to", () => {
  only(
    inSteps("  - {id: a, call: x.y}\n  - {id: b, needs: aa, call: x.y}"),
    /5:\d+ needs: there is no step "aa"; did you mean "a"/,
  );
  // Nobody means the step itself.
  only(inSteps("  - {id: a, needs: b, call: x.y}"), /there is no step "b"$/);
  only(inSteps('  - {id: a, call: x.y, with: "${ steps.b }"}'), /there is no step "b"$/);
  only(
    inSteps("  - {id: a, call: x.y}\n  - {id: a, call: x.y}"),
    /5:6 id: "a" is the step of line 4/,
  );
  only(inSteps("  - {call: x.y}\n  - {needs: call-1, call: x.y}"), /no step "call-1"/);
  const refer = (expression: string, steps: string) =>
    inSteps(`${steps}\n  - {id: last, call: x.y, with: {v: "\${ ${expression} }"}}`);
  only(refer("steps.gone.x", "  - {id: a, call: x.y}"), /5:47 there is no step "gone"/);
  only(refer("steps.last.x", "  - {id: a, call: x.y}"), /cannot use its own result/);
  only(refer("inputs.m", "  - {id: a, call: x.y}"), /input "m" is not declared; did you mean "n"/);
  only(refer("step.a", "  - {id: a, call: x.y}"), /no "step" here; did you mean "steps"/);
  only(refer("item.a", "  - {id: a, call: x.y}"), /"item" is there only within/);
  only(refer("event.a", "  - {id: a, call: x.y}"), /"event" is there only in the "where"/);
  only(
    refer("steps.inner", "  - {id: a, foreach: [1], steps: [{id: inner, call: x.y}]}"),
    /"inner" is within another one and cannot be seen here; use steps\.a/,
  );
  only(
    inSteps(`  - {id: a, call: x.y, with: {v: "\${ steps.b.x }"}}\n  - {id: b, call: x.y}`),
    /4:44 the step "b" need not have ended by then/,
  );
  only(
    inSteps(`  - {id: a, call: x.y}\n  - {id: b, needs: [], call: x.y, with: "\${ steps.a }"}`),
    /5:51 the step "a" need not have ended/,
  );
  only(
    inSteps(`  - id: f
    foreach: [1, 2]
    steps:
      - {id: a, call: x.y, with: "\${ steps.f }"}`),
    /the step "f" need not have ended/,
  );
});

Deno.test("parseDefinition() lets steps refer to what they need, over any number of steps", () => {
  assert.deepEqual(
    inSteps(`  - {id: a, call: x.y}
  - {id: b, call: x.y}
  - {id: c, needs: b, call: x.y, with: "\${ steps.a }"}
  - id: f
    foreach: "\${ steps.a.list }"
    steps:
      - {id: a, call: x.y, with: "\${ steps.c & item }"}
      - {if: "\${ steps.a = 1 }", then: [{call: x.y, with: "\${ [steps.a, steps.b, index] }"}]}`),
    [],
  );
});

Deno.test("parseDefinition() refuses wrong values where they stand", () => {
  const step = (fields: string) => inSteps(`  - {${fields}}`);
  only(step("id: a-b, call: x.y"), /4:6 id: expected up to 64 letters, digits and "_"/);
  only(step("id: constructor, call: x.y"), /"constructor" is reserved/);
  only(step("call: generate"), /call: expected a capability/);
  only(step("call: x.y, attempts: 0"), /attempts: expected a whole number from 1 to 10/);
  only(step("call: x.y, timeout: -1"), /timeout: expected a time above 0/);
  only(step("call: x.y, when: steps.a"), /when: expected one expression/);
  only(step('call: x.y, with: {a: ["${ b"]}'), /4:29 an expression begins .* has no "}"/);
  only(step('call: x.y, with: "${ $eval(inputs.n) }"'), /no \$eval here/);
  only(step("call: x.y, with: .inf"), /with: expected a number of JSON/);
  only(step("call: x.y, with: {__proto__: {a: 1}}"), /__proto__: expected another key/);
  only(step("if: true, then: [{call: x.y}]"), /if: expected one expression/);
  only(step('if: "${ true }"'), /an if step lacks "then"/);
  only(step("import: {}, with: {url: x}"), /write the fields under "import" itself/);
  only(step("foreach: 5, steps: [{call: x.y}]"), /foreach: expected a list/);
  only(step("foreach: [1], parallel: 99, steps: [{call: x.y}]"), /from 1 to 32/);
  only(step("foreach: [1], steps: []"), /steps: expected a list of at least one step/);
  only(step("parallel: {}"), /parallel: expected 1 to 32 lists/);
  only(step("parallel: {a: [{call: x.y}], b: 5}"), /b: expected a list/);
  only(step("wait: {}"), /wait: expected a map with one of choice/);
  only(step("wait: {choise: [1]}"), /did you mean "choice"/);
  only(step("wait: {choice: [1], after: 1h}"), /not choice and after/);
  only(step("wait: {choice: []}"), /choice: expected a list of 1 to 100/);
  only(step("wait: {approval: boss}"), /approval: expected one of reader/);
  only(step("wait: {after: long}"), /after: expected a time above 0/);
  only(step("wait: {until: soon}"), /until: expected a time such as/);
  only(step("wait: {event: Content}"), /event: expected the name/);
  only(step("wait: {event: contnet.imported}"), /4:\d+ event: .*did you mean "content.imported"/);
  only(
    step("wait: {event: weather}"),
    /no event "weather"; there are content\.imported, .*custom\./,
  );
  assert.deepEqual(step("wait: {event: custom.rain}"), []);
  only(step("call: artifact.creat"), /4:\d+ call: .* no function .*did you mean "artifact.create"/);
  only(
    step("call: artifact.overwrite_all"),
    /no function "artifact.overwrite_all"; it has artifact\.create, /,
  );
  assert.deepEqual(step("call: artifact.clean"), []);
  only(step("wait: {input: {type: x}}"), /type: expected one of null/);
  only(step("wait: {choice: [1]}, on_timeout: {value: 1}"), /does nothing without a timeout/);
  only(step("wait: {choice: [1], colour: red}"), /unknown key "colour"/);
  only(step("id: a"), /the step does nothing/);
  only(problemsOf("name: w\nsteps: []\n"), /2:1 steps: expected a list/);
  only(problemsOf("name: w\n"), /1:1 a pipeline lacks "steps"/);
  only(problemsOf("- 1\n"), /1:1 expected a pipeline: a map/);
  only(problemsOf(""), /1:1 expected a pipeline: a map/);
});

Deno.test("parseDefinition() checks the schemas of inputs", () => {
  const input = (schema: string) =>
    problemsOf(`name: w\ninputs:\n  a: ${schema}\nsteps: [{call: x.y}]\n`);
  const good = [
    "{}",
    "{type: string, nullable: true, default: null}",
    "{$defs: {w: {type: string}}, type: array, items: {$ref: '#/$defs/w'}, default: [x]}",
  ];
  for (const schema of good) assert.deepEqual(input(schema), [], schema);
  only(input("text"), /3:3 a: expected a JSON Schema/);
  only(input("{type: strin, default: 5}"), /3:7 type: expected one of/);
  only(input("{type: string, default: 5}"), /3:21 default: it does not fit its own schema/);
  only(input("{type: string, default: null}"), /default: it does not fit/);
  only(input("{nullable: 1}"), /nullable: expected true or false/);
  only(input("{$defs: {w: {type: wrong}}}"), /type: expected one of/);
  only(input('{type: string, pattern: "(a"}'), /pattern: /);
});

Deno.test("parseDefinition() keeps its limits", () => {
  const many = Array.from({ length: 201 }, () => "  - {call: x.y}").join("\n");
  only(inSteps(many), /204:5 steps: expected at most 200 steps/);
  const nest = (depth: number): string =>
    depth === 0 ? "{call: x.y}" : `{foreach: [1], steps: [${nest(depth - 1)}]}`;
  assert.deepEqual(inSteps(`  - ${nest(7)}`), []);
  only(inSteps(`  - ${nest(8)}`), /at most 8 levels/);
  only(
    inSteps(`  - {call: x.y, with: "\${ ${"1 + ".repeat(1_001)}1 }"}`),
    /at most 4000 characters/,
  );
  only(problemsOf(`name: w\n# ${"x".repeat(300_000)}`), /larger than 262144 bytes/);
  const items = `[${"1,".repeat(10_001)}]`;
  only(inSteps(`  - {foreach: ${items}, steps: [{call: x.y}]}`), /at most 10000 items/);
  assert.equal(inSteps(Array(100).fill("  - {cal: x.y}").join("\n")).length, 50);
});

Deno.test("parseDefinition() refuses what is too much before it looks at it", () => {
  const list = (count: number, line: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => line(i)).join("\n");
  const call = "steps:\n  - call: x.y\n";
  const given = (lines: string) => problemsOf(`name: w\n${call}    with:\n${lines}\n`);
  const inputs = (count: number) => `name: w\ninputs:\n${list(count, (i) => `  i${i}: {}`)}\n`;
  assert.deepEqual(problemsOf(`${inputs(100)}${call}`), []);
  only(
    problemsOf(`${inputs(3_000)}${call}    with: "\${ inputs.none }"\n`),
    /2:1 inputs: expected at most 100 names/,
  );
  only(
    problemsOf(`name: w\n${call}outputs:\n${list(101, (i) => `  o${i}: 1`)}\n`),
    /outputs: expected at most 100 names/,
  );
  only(given(list(15_000, (i) => `      k${i}: 1`)), /more than 25000 keys, values, marks/);
  only(given(list(1_001, (i) => `      k${i}: 1`)), /at most 1000 keys in one map/);
  only(given(`      - "${"\${ inputs }".repeat(101)}"`), /at most 100 expressions in one text/);
  assert.deepEqual(given(list(1_000, () => "      - ${ inputs }")), []);
  only(given(list(1_001, () => "      - ${ inputs }")), /at most 1000 expressions in all/);
  const long = `"\${ '${"x".repeat(3_900)}' }"`;
  only(given(list(9, () => `      - ${long}`)), /at most 32000 characters in all/);
  only(given(`      - "\${ inputs${".n".repeat(501)} }"`), /at most 500 dots/);
  only(given(list(200, () => "      - &a 1\n      - *a")), /more than 200 anchors/);
  only(
    given(`      - &a [${"1,".repeat(1_000)}]\n${list(30, () => "      - *a")}`),
    /more than 25000 .*aliases written out/,
  );
  only(
    inSteps(`  - {call: x.y, needs: [${"a,".repeat(201)}]}`),
    /needs: expected at most 200 ids/,
  );
  only(
    inSteps(`  - parallel:\n${list(33, (i) => `      b${i}: 1`)}`),
    /expected 1 to 32 lists of steps/,
  );
  only(
    problemsOf(`name: w\ninputs:\n${list(21, (i) => `  i${i}: {pattern: "a${i}"}`)}\n${call}`),
    /at most 20 patterns in all/,
  );
});

Deno.test("parseDefinition() checks the defaults of all inputs on one account", () => {
  const twice = (next: string) => `{allOf: [{$ref: "#/$defs/${next}"}, {$ref: "#/$defs/${next}"}]}`;
  const defs = Array.from({ length: 11 }, (_, i) => `d${i}: ${twice(`d${i + 1}`)}`).join(", ");
  const schema = `{default: 1, $defs: {${defs}, d11: {type: integer}}, $ref: "#/$defs/d0"}`;
  const inputs = (count: number) =>
    `inputs:\n${Array.from({ length: count }, (_, i) => `  i${i}: ${schema}`).join("\n")}`;
  assert.deepEqual(inSteps("  - {call: x.y}", inputs(2)), []);
  assert.match(inSteps("  - {call: x.y}", inputs(100)).at(-1)!, /it takes too long to check/);
});

Deno.test("parseDefinition() refuses YAML that is broken or grows", () => {
  assert.match(problemsOf("name: [w\n")[0]!, /not valid YAML/);
  assert.match(problemsOf("name: w\nname: w\n")[0]!, /2:1 .*unique/);
  const bomb = ["a: &a [1,1,1,1,1,1,1,1,1]"];
  for (const [one, next] of ["ab", "bc", "cd", "de", "ef", "fg"]) {
    bomb.push(`${next}: &${next} [${Array(9).fill(`*${one}`).join(",")}]`);
  }
  only(problemsOf(`${bomb.join("\n")}\nname: w\n`), /aliases .* expand to too much/);
  only(problemsOf("[".repeat(5_000)), /nested more than 32 levels/);
  assert.ok(problemsOf("name: w\nsteps: &s\n  - {foreach: [1], steps: *s}\n").length > 0);
});

Deno.test("parseDefinition() finds expressions in folded and quoted texts", () => {
  const problems = inSteps(`  - call: x.y
    with:
      a: |
        first
        \${ inputs.wrong }
      b: "tab\\t\${ inputs.bad }"
      c: >-
        folded
        \${ inputs.n + steps.none }`);
  assert.deepEqual(problems.map((problem) => problem.split(" ")[0]), ["8:19", "9:26", "12:29"]);
});

Deno.test("requireDefinition() throws one error that says it all", () => {
  assert.throws(
    () => requireDefinition(parseDefinition("name: w\nsteps: 5\ntimeout: x\n"), "w.yaml"),
    (error: CarrelError) => {
      assert.equal(error.code, "invalid_workflow");
      assert.match(error.message, /Cannot use the workflow "w\.yaml":\n {2}w\.yaml:2:1: steps/);
      assert.equal((error.details?.["problems"] as unknown[]).length, 2);
      return true;
    },
  );
});
