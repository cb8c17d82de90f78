import assert from "node:assert/strict";
import { codeLines, coverageByPart, percent, readLcov } from "./coverage.ts";

const REPORT = `SF:/repo/core/a.ts
DA:1,4
DA:2,0
DA:3,1
end_of_record
SF:/repo/core/a_test.ts
DA:1,0
end_of_record
SF:/repo/sandbox/b.ts
DA:1,1
end_of_record
SF:/repo/plugins/c/mod.ts
DA:1,0
end_of_record
`;

Deno.test("coverageByPart() counts the lines of core and sandbox, without their tests", () => {
  const parts = coverageByPart(readLcov(REPORT), "/repo");
  assert.deepEqual([...parts], [
    ["core", { covered: 2, total: 3 }],
    ["sandbox", { covered: 1, total: 1 }],
  ]);
});

Deno.test("percent() is nought when nothing was measured, so that an empty report does not pass", () => {
  assert.equal(percent({ covered: 0, total: 0 }), 0);
  assert.equal(percent({ covered: 3, total: 4 }), 75);
});

Deno.test("codeLines() counts what a file that no test loaded could have run, types not", () => {
  assert.equal(codeLines("/** Types. */\nexport interface A {\n  b: string;\n}\n"), 0);
  assert.equal(codeLines('import a from "a";\n\n// why\nexport function b() {\n  a();\n}\n'), 3);
});
