import assert from "node:assert/strict";
import { Ajv2020 } from "ajv/dist/2020.js";
import { parse } from "yaml";
import { parseDefinition } from "./parse.ts";
import { pipelineSchema, pipelineSchemaText, SCHEMA_FILE } from "./schema.ts";

const accepts = new Ajv2020({ allErrors: true }).compile(pipelineSchema());

const step = (fields: string) => `name: w\nsteps:\n  - {${fields}}\n`;

const GOOD = [
  step("call: x.y"),
  step(
    'id: a, title: A, call: x.y, with: {a: ["${ inputs }"]}, provider: p.q, attempts: 2, timeout: 5m',
  ),
  step('import: {url: "https://example.org/"}'),
  step('import: "${ inputs }"'),
  step("export: {source_ids: [a], format: ebook}, optional: true"),
  step('search: {query: x}, when: "${ 1 = 1 }", needs: []'),
  step('wait: {choice: [1, 2], prompt: "Which?"}, timeout: 7d, on_timeout: {value: null}'),
  step('wait: {choice: "${ [1] }"}'),
  step("wait: {approval: editor}, timeout: 90"),
  step("wait: {input: {type: string}}"),
  step("wait: {after: 1h30m}"),
  step('wait: {until: "2030-01-31"}'),
  step('wait: {event: content.imported, where: "${ event.subject = 1 }"}'),
  step("foreach: [1, 2], parallel: 4, steps: [{call: x.y}]"),
  step('foreach: [], steps: [{call: x.y, with: "${ item }"}], collect: "${ index }"'),
  step("parallel: {a: [{call: x.y}], b: [{call: x.y}]}"),
  step('if: "${ true }", then: [{call: x.y}], else: [{call: x.y}]'),
  `name: w-2
title: T
description: D
inputs: {a: {type: string, nullable: true}, b: {default: 1}}
steps: [{id: a, call: x.y}, {id: b, needs: a, call: x.y}]
outputs: {o: "\${ steps.a }"}
fail_fast: false
timeout: 30d
`,
];

/** Wrong in a way that an editor can see; what steps say of each other is for the parser alone. */
const BAD = [
  "steps: [{call: x.y}]",
  "name: w",
  "name: W\nsteps: [{call: x.y}]",
  "name: w\nsteps: []",
  "name: w\nsteps: {call: x.y}",
  "name: w\nsteps: [{call: x.y}]\ncolour: red",
  "name: w\nsteps: [{call: x.y}]\ninputs: {a: 5}",
  "name: w\nsteps: [{call: x.y}]\ninputs: {a-b: {}}",
  "name: w\nsteps: [{call: x.y}]\nfail_fast: maybe",
  "name: w\nsteps: [{call: x.y}]\ntimeout: soon",
  "name: w\nsteps: [{call: x.y}]\noutputs: [1]",
  step("id: a"),
  step("id: a-b, call: x.y"),
  step("cal: x.y"),
  step("call: x"),
  step("call: x.y, search: {}"),
  step("call: x.y, attempts: 0"),
  step("call: x.y, attempts: 11"),
  step("call: x.y, timeout: 0"),
  step("call: x.y, when: yes please"),
  step("call: x.y, needs: [1]"),
  step("call: x.y, optional: 1"),
  step("import: here"),
  step("import: {}, with: {}"),
  step("wait: {}"),
  step("wait: {choice: []}"),
  step("wait: {choice: [1], after: 1h}"),
  step("wait: {approval: boss}"),
  step("wait: {until: soon}"),
  step("wait: {event: 5}"),
  step("wait: {choice: [1]}, attempts: 2"),
  step("wait: {choice: [1]}, timeout: 1h, on_timeout: 5"),
  step("foreach: [1]"),
  step("foreach: [1], steps: []"),
  step("foreach: 5, steps: [{call: x.y}]"),
  step("foreach: [1], parallel: 33, steps: [{call: x.y}]"),
  step("parallel: {}"),
  step("parallel: {a: []}"),
  step("parallel: 4"),
  step("if: true, then: [{call: x.y}]"),
  step('if: "${ true }"'),
];

Deno.test("pipelineSchema() takes what parseDefinition() takes", () => {
  for (const yaml of GOOD) {
    assert.deepEqual(parseDefinition(yaml).problems, [], yaml);
    assert.ok(accepts(parse(yaml)), `${yaml}: ${JSON.stringify(accepts.errors)}`);
  }
});

Deno.test("pipelineSchema() refuses what parseDefinition() refuses", () => {
  for (const yaml of BAD) {
    assert.notDeepEqual(parseDefinition(yaml).problems, [], yaml);
    assert.equal(accepts(parse(yaml)), false, yaml);
  }
});

Deno.test("pipelineSchema() explains every field", () => {
  const explained = (schema: unknown, path: string): void => {
    if (typeof schema !== "object" || schema === null) return;
    for (const [key, value] of Object.entries(schema)) {
      if (key === "properties") {
        for (
          const [name, field] of Object.entries(value as Record<string, { description?: string }>)
        ) {
          if (path.includes("on_timeout")) continue;
          assert.ok(field.description, `${path}.${name}`);
        }
      }
      explained(value, `${path}.${key}`);
    }
  };
  explained(pipelineSchema(), "");
});

Deno.test("the schema beside the pipelines is that of the parser", async () => {
  const file = new URL(`../../config/pipelines/${SCHEMA_FILE}`, import.meta.url);
  assert.equal(
    await Deno.readTextFile(file),
    pipelineSchemaText(),
    "run: deno run -P=tool tools/pipeline_schema.ts",
  );
});
