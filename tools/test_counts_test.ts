import assert from "node:assert/strict";
import { countTests } from "./test_counts.ts";

Deno.test("countTests() reads the last result of deno test, with steps and ignored tests", () => {
  const output = "a ... ok (1ms)\n\nok | 1 passed | 0 failed (1ms)\n\n" +
    "\u001b[31mFAILED\u001b[0m | 12 passed (3 steps) | 2 failed (1 step) | 4 ignored (2s)\n\nerror: x\n";
  assert.deepEqual(countTests(output), { passed: 12, failed: 2, ignored: 4 });
});

Deno.test("countTests() knows nothing when the tests did not run", () => {
  assert.equal(countTests("error: Type checking failed.\nok | nothing\n"), undefined);
});
