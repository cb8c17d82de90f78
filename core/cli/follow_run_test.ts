import assert from "node:assert/strict";
import { failureLines } from "./follow_run.ts";
import type { Session } from "./session.ts";
import type { RunJson, StepHeadJson } from "./wire.ts";

const failed = (path: string): StepHeadJson => ({
  path,
  kind: "call",
  title: null,
  state: "failed",
  number: 1,
  job: null,
  progress: 100,
  message: null,
  error: { code: "plugin_error", message: "it broke", retryable: false },
  question: null,
  started: "2026-01-01T00:00:00.000Z",
  ended: "2026-01-01T00:00:00.000Z",
});

Deno.test("failureLines() names each failed step but the containers of others", () => {
  const session = {
    io: {
      terminal: { err: false },
      env: () => undefined,
      size: () => ({ columns: 80 }),
    },
    width: 80,
  } as unknown as Session;
  const steps = ["a", "ab", "c", "c[1]", "c[1].d", "c[10]"].map(failed);
  const run = { id: "run_1", status: "failed", error: null, steps } as unknown as RunJson;
  const named = failureLines(session, run).flatMap((line) => /^✗ ([^:]+):/.exec(line)?.[1] ?? []);
  assert.deepEqual(named, ["a", "ab", "c[1].d", "c[10]"]);
});
