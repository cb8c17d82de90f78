import assert from "node:assert/strict";
import { BUILTIN_PLUGINS_DIR } from "../assets.ts";
import { failsWith, withWorld } from "../plugins/testing.ts";
import { WORKFLOW_LIMITS } from "./definition.ts";
import { createExpressions, EXPRESSION_PLUGIN } from "./evaluate.ts";
import { lookUpPath } from "./evaluate_path.ts";
import type { Expressions, Scope } from "./expressions.ts";

const SCOPE: Scope = {
  inputs: { topic: "herbs", languages: ["de"], none: [], n: 3, nothing: null, deep: { a: [1] } },
  steps: { text: { text: "Thyme" }, list: [{ a: 1 }, { a: 2 }], big: "x".repeat(600_000) },
  item: "fr",
  index: 0,
  run: { id: "run_1", workflow: "w", user: "u", started: "2024-05-06T07:08:09.000Z" },
};

async function withExpressions(
  work: (expressions: Expressions, started: () => number, world: {
    enabled: () => boolean;
  }) => Promise<void>,
): Promise<void> {
  await withWorld(
    ({ plugins, pool }) =>
      work(createExpressions({ plugins, pool }), () => pool.stats().started, {
        enabled: () => plugins.get(EXPRESSION_PLUGIN).state === "enabled",
      }),
    () => Promise.resolve({ builtinDir: BUILTIN_PLUGINS_DIR }),
  );
}

const one = async (expressions: Expressions, source: string, scope = SCOPE) =>
  (await expressions.resolve([{ template: `\${ ${source} }`, scope }]))[0];

Deno.test("createExpressions() needs no runner for plain templates and mere paths", async () => {
  const none = () => {
    throw new Error("a runner was asked for");
  };
  const expressions = createExpressions({ plugins: { runnerSpec: none }, pool: { acquire: none } });
  const template = { a: [1, "plain", null], text: "$5" };
  assert.deepEqual(await expressions.resolve([{ template, scope: SCOPE }]), [template]);
  const [value] = await expressions.resolve([{
    template: { t: "${ steps.text.text }", to: "${ item }", s: "about ${inputs.topic}$${x}" },
    scope: SCOPE,
  }]);
  assert.deepEqual(value, { t: "Thyme", to: "fr", s: "about herbs${x}" });
  const [languages] = await expressions.resolve([{
    template: "${inputs.languages}",
    scope: SCOPE,
  }]);
  assert.notEqual(languages, SCOPE.inputs["languages"]);
});

Deno.test("createExpressions() refuses what is no expression before a runner is asked", async () => {
  const none = () => {
    throw new Error("a runner was asked for");
  };
  const expressions = createExpressions({ plugins: { runnerSpec: none }, pool: { acquire: none } });
  const cases: [string, RegExp][] = [
    ["${ 1 + }", /Cannot evaluate "1 \+": Unexpected end of expression \(at character \d+\)/],
    ["${ $eval('1') }", /no \$eval here/],
    ["x ${ a", /Cannot evaluate "\$\{ a": it has no "}" at its end/],
    [`\${ 1 + ${" ".repeat(4_000)} 1 }`, /longer than 4000 characters/],
  ];
  for (const [template, words] of cases) {
    await assert.rejects(
      expressions.resolve([{ template, scope: SCOPE }]),
      failsWith("invalid_expression", words),
    );
  }
});

Deno.test("createExpressions() evaluates templates in one warm runner, in order", async () => {
  await withExpressions(async (expressions, started) => {
    const values = await expressions.resolve([
      { template: { n: "${ $count(steps.list) }", t: "${ inputs.n + 1 }!" }, scope: SCOPE },
      { template: "${ steps.list[a = 2].a }", scope: SCOPE },
      { template: "plain", scope: SCOPE },
      { template: "${ item & index }", scope: { ...SCOPE, item: "it", index: 7 } },
      { template: "${ $now() }", scope: SCOPE },
      { template: "${ steps.gone.x[0] }", scope: SCOPE },
    ]);
    const expected = [{ n: 2, t: "4!" }, 2, "plain", "it7", SCOPE.run["started"], null];
    assert.deepEqual(values, expected);
    const scopes = Array.from({ length: 450 }, (_, index) => ({ ...SCOPE, index }));
    const many = await expressions.resolve(
      scopes.map((scope) => ({ template: "${ index * 2 }", scope })),
    );
    assert.deepEqual(many, scopes.map(({ index }) => index * 2));
    assert.equal(started(), 1);
  });
});

/** Expressions over real runners, with the characters of each call of one. */
async function withMeasured(
  work: (expressions: Expressions, sent: readonly number[]) => Promise<void>,
): Promise<void> {
  await withWorld(async ({ plugins, pool }) => {
    const sent: number[] = [];
    const acquire: typeof pool.acquire = async (spec, options) => {
      const desk = await pool.acquire(spec, options);
      return Object.assign(Object.create(desk), {
        call(...[method, args, more]: Parameters<typeof desk.call>) {
          sent.push(JSON.stringify(args).length);
          return desk.call(method, args, more);
        },
        [Symbol.asyncDispose]: () => desk[Symbol.asyncDispose](),
      });
    };
    await work(createExpressions({ plugins, pool: { acquire } }), sent);
  }, () => Promise.resolve({ builtinDir: BUILTIN_PLUGINS_DIR }));
}

Deno.test("createExpressions() writes and sends once what many scopes share", async () => {
  await withMeasured(async (expressions, sent) => {
    let written = 0;
    const size = 400_000;
    const list = { ids: [7], text: "x".repeat(size) };
    const shared = {
      toJSON() {
        written++;
        return list;
      },
    };
    const events = Array.from({ length: 500 }, (_, n) => ({ n }));
    const values = await expressions.resolve(events.map((event) => ({
      template: "${ event.n in steps.shared.ids }",
      scope: { ...SCOPE, steps: { ...SCOPE.steps, shared }, event },
    })));
    assert.deepEqual(values.flatMap((value, n) => value === true ? [n] : []), [7]);
    assert.equal(written, 1);
    // Once for each of its calls, 200 events a call.
    assert.equal(sent.length, 3);
    assert.ok(sent.every((chars) => chars < 1.2 * size), `${sent} characters were sent`);
  });
});

Deno.test("createExpressions() gives a call no more than its share of large scopes", async () => {
  await withMeasured(async (expressions, sent) => {
    const items = Array.from({ length: 12 }, (_, n) => `${n}${"x".repeat(1_000_000)}`);
    const values = await expressions.resolve(items.map((item) => ({
      template: "${ $length(item) }",
      scope: { ...SCOPE, item },
    })));
    assert.deepEqual(values, items.map(({ length }) => length));
    assert.deepEqual(sent.map((chars) => Math.round(chars / 1_000_000)), [8, 4]);
    const steps = Object.fromEntries(items.map((text, n) => [`s${n}`, text]));
    await assert.rejects(
      expressions.resolve([{ template: "${ $keys(steps) }", scope: { ...SCOPE, steps } }]),
      failsWith("too_large", /what it sees is larger/),
    );
  });
});

Deno.test("lookUpPath() answers as JSONata does", async () => {
  await withExpressions(async (expressions) => {
    const sources = [
      "inputs.topic",
      "inputs.languages",
      "inputs.none",
      "inputs.nothing",
      "inputs.nothing.x",
      "inputs.n",
      "inputs.n.x",
      "inputs.topic.length",
      "inputs.deep",
      "inputs.deep.a",
      "inputs.gone",
      "inputs.gone.x",
      "inputs.constructor",
      "inputs.constructor.name",
      "inputs.__proto__",
      "item",
      "index",
      "event",
      "steps.list",
    ];
    for (const source of sources) {
      const found = lookUpPath(source, SCOPE);
      assert.ok(found !== undefined, source);
      // In brackets it is no mere path.
      assert.deepEqual(found.value, await one(expressions, `(${source})`), source);
    }
    for (const source of ["steps.list.a", "inputs.true", "steps . text", "a & b", "not()"]) {
      assert.equal(lookUpPath(source, SCOPE), undefined, source);
    }
  });
});

Deno.test("createExpressions() names the expression that fails", async () => {
  await withExpressions(async (expressions, started) => {
    const failing: [string, string, RegExp][] = [
      ["'a' + inputs.n", "invalid_expression", /Cannot evaluate "'a' \+ inputs\.n": The left side/],
      ["$sum", "invalid_expression", /is a function/],
      ["$error('no luck')", "invalid_expression", /no luck/],
      ["$pad('', 2000000)", "too_large", /larger than 1048576 bytes/],
      ["steps.big & steps.big", "too_large", /larger than 1048576 bytes/],
      ["($f := function($x) { $f($x) }; $f(1))", "timed_out", /takes longer/],
      ["($f := function($x) { 1 + $f($x) }; $f(1))", "invalid_expression", /levels deep/],
    ];
    for (const [source, code, words] of failing) {
      await assert.rejects(
        expressions.resolve([
          { template: "${ 1 + 1 }", scope: SCOPE },
          { template: { a: [`\${ ${source} }`] }, scope: SCOPE },
        ]),
        failsWith(code as "timed_out", words),
      );
    }
    assert.equal(started(), 1);
    assert.equal(await one(expressions, "1 + 1"), 2);
  });
});

Deno.test("createExpressions() bounds what a text of many values comes to", async () => {
  const expressions = createExpressions({
    plugins: { runnerSpec: () => Promise.reject(new Error()) },
    pool: { acquire: () => Promise.reject(new Error()) },
  });
  for (const template of ["${ steps.big }".repeat(5_000), Array(5_000).fill("${ steps.big }")]) {
    await assert.rejects(
      expressions.resolve([{ template, scope: SCOPE }]),
      failsWith("too_large", new RegExp(`larger than ${WORKFLOW_LIMITS.json_bytes}`)),
    );
  }
});

Deno.test("createExpressions() outlives expressions that the limits of the runner end", async () => {
  await withExpressions(async (expressions, _started, world) => {
    const slow = `$match("${"a".repeat(40)}!", /^(a+)+$/)`;
    await assert.rejects(
      expressions.resolve([
        { template: "${ 1 + 1 }", scope: SCOPE },
        { template: `\${ ${slow} }`, scope: SCOPE },
      ]),
      failsWith("timed_out", /Cannot evaluate "\$match\(.*: it does not end in time/),
    );
    const bombs = [
      "$map([1..90000], function($v) { $map([1..1000], function($w) { $w & 'xxxxxxxxxxxx' & $v }) })",
      "$reduce([1..90000], function($all, $v) { $append($all, $uppercase($pad('', 3000000) & $v)) }, [])",
      // One after another: so many crashes would set a plugin aside.
      "$reduce([1..90000], function($all, $v) { $append($all, $lowercase($pad('', 3000000) & $v)) }, [])",
    ];
    for (const source of bombs) {
      await assert.rejects(one(expressions, source), (error: Error & { code?: string }) => {
        // On a slow machine the time may be up first.
        assert.match(error.code!, /^(out_of_memory|timed_out)$/, error.message);
        assert.match(error.message, /^Cannot evaluate "\$/);
        return true;
      });
    }
    assert.equal(await one(expressions, "1 + 1"), 2);
    assert.ok(world.enabled());
  });
});

Deno.test("createExpressions() stops when its signal does", async () => {
  await withExpressions(async (expressions) => {
    const ending = new AbortController();
    const slow = `\${ $match("${"a".repeat(40)}!", /^(a+)+$/) }`;
    const running = expressions.resolve([{ template: slow, scope: SCOPE }], ending.signal);
    ending.abort();
    await assert.rejects(running, (error: Error & { code?: string }) => error.code === "cancelled");
  });
});
