import assert from "node:assert/strict";
import { parseDefinition } from "./parse.ts";
import { readDefinition } from "./stored_definition.ts";

const YAML = `name: all
inputs: {n: {type: integer, default: 1}}
timeout: 1h
steps:
  - {id: c, call: a.b, with: {x: "\${ inputs.n }"}, attempts: 2, when: "\${ inputs.n > 0 }"}
  - {id: i, import: {url: "https://x.test/"}, optional: true}
  - {id: e, export: {source_ids: [x], format: ebook}, needs: [i]}
  - {id: s, search: {query: x}}
  - {id: w1, wait: {choice: [a, b], prompt: Which?}}
  - {id: w2, wait: {approval: reader}, timeout: 2h, on_timeout: {value: 1}}
  - {id: w3, wait: {input: {type: string}}}
  - {id: w4, wait: {after: 2h}}
  - {id: w5, wait: {event: custom.x, where: "\${ event.payload.n = 1 }"}}
  - id: f
    foreach: "\${ [1, 2] }"
    steps: [{id: g, call: a.b}]
  - id: p
    parallel: {left: [{id: l, call: a.b}], right: [{id: r, call: a.b}]}
  - id: d
    if: "\${ inputs.n = 1 }"
    then: [{id: t, call: a.b}]
`;

Deno.test("readDefinition() reads what a run keeps, and says which run it cannot read", () => {
  const { definition, problems } = parseDefinition(YAML, "all.yaml");
  assert.deepEqual(problems, []);
  const row = { id: "run_1", format: 1, definition_json: JSON.stringify(definition) };
  assert.deepEqual(readDefinition(row), JSON.parse(row.definition_json));
  const refused = { code: "conflict", message: /Cannot read the run "run_1"/ };
  assert.throws(() => readDefinition({ ...row, format: 2 }), refused);
  assert.throws(() => readDefinition({ ...row, definition_json: "{" }), refused);
  const strange = row.definition_json.replace('"kind":"search"', '"kind":"dream"');
  assert.throws(() => readDefinition({ ...row, definition_json: strange }), refused);
});
