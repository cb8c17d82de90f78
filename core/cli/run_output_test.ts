import assert from "node:assert/strict";
import { skippedLines } from "./run_output.ts";
import type { StepHeadJson } from "./wire.ts";

Deno.test("skippedLines() counts what nobody provides and what needed that, and no condition", () => {
  const step = (kind: string, state: string, message: string | null) =>
    ({ kind, state, message }) as StepHeadJson;
  const none = "no provider for text.translate";
  assert.deepEqual(
    skippedLines({
      steps: [
        step("foreach", "completed", null),
        step("item", "skipped", none),
        step("call", "skipped", none),
        step("call", "skipped", `it needs "translation", which was skipped: ${none}`),
        step("call", "skipped", `it needs "keep", which was skipped: ${none}`),
        step("call", "skipped", "its condition is not true"),
        step("call", "completed", "no provider for anything"),
        step("call", "skipped", "no provider for x.y"),
      ],
    }),
    [`3 steps skipped: ${none}`, "1 step skipped: no provider for x.y"],
  );
  assert.deepEqual(skippedLines({ steps: [] }), []);
});
