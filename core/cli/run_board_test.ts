import assert from "node:assert/strict";
import { createStyle } from "./format.ts";
import { createRunBoard } from "./run_board.ts";
import type { RunEventJson, StepHeadJson } from "./wire.ts";

const AT = "2030-01-01T00:00:01.000Z";

function runEvent(status: string, progress: number): RunEventJson {
  const run = {
    id: "run_1",
    workflow: "story",
    status,
    progress,
    created: AT,
    started: AT,
    completed: status === "completed" ? "2030-01-01T00:00:03.000Z" : null,
  };
  return { type: "run", at: AT, run } as unknown as RunEventJson;
}

function stepEvent(path: string, more: Partial<StepHeadJson>): RunEventJson {
  const step: StepHeadJson = {
    path,
    kind: "call",
    title: null,
    state: "running",
    number: 1,
    job: null,
    progress: 0,
    message: null,
    error: null,
    question: null,
    started: AT,
    ended: more.state === "completed" ? "2030-01-01T00:00:02.000Z" : null,
    ...more,
  };
  return { type: "step", at: AT, run_id: "run_1", step };
}

function board(live: boolean) {
  let text = "";
  const made = createRunBoard({
    sink: { write: (piece) => text += piece },
    style: createStyle(false),
    live,
    size: () => ({ columns: 60, rows: 20 }),
    now: () => 0,
    tickMs: 0,
  });
  return {
    ...made,
    take() {
      const taken = text;
      text = "";
      return taken;
    },
  };
}

Deno.test("createRunBoard() redraws in place, line by line, and gives the cursor back", () => {
  const b = board(true);
  b.update(runEvent("waiting", 10));
  b.update(stepEvent("text", { job: "call_1", progress: 50 }));
  b.line("a word");
  assert.equal(
    b.take(),
    "\x1b[?25l" + "a word\x1b[K\n" + "story  run_1  running  10%  0.0 ms\x1b[K\n" +
      "▸ text    0.0 ms  ██████░░░░░░  50%\x1b[K\n" + "\x1b[J",
  );
  b.update(stepEvent("text", { state: "completed", progress: 100 }));
  // The job of a run begins anew with each of its attempts; the run does not.
  b.update(runEvent("running", 0));
  b.line("another");
  const again = "\x1b[2A\ranother\x1b[K\nstory  run_1  running  10% ";
  assert.equal(b.take().slice(0, again.length), again);
  b.pause();
  assert.equal(b.take(), "\x1b[2A\r\x1b[J\x1b[?25h");
  b.update(runEvent("completed", 100));
  b.line("while paused");
  assert.equal(b.take(), "while paused\n");
  b.close();
  assert.equal(
    b.take(),
    "story  run_1  completed  100%  2.0 s\x1b[K\n✓ text     1.0 s\x1b[K\n\x1b[J\x1b[?25h",
  );
});

Deno.test("createRunBoard() prints a line for each change where there is no terminal", () => {
  const b = board(false);
  b.update(runEvent("waiting", 10));
  b.update(stepEvent("text", { progress: 10 }));
  b.update(stepEvent("text", { progress: 50 }));
  b.update(stepEvent("text", { message: "writing\x1b[2J" }));
  b.update(stepEvent("text", { message: null }));
  b.update(stepEvent("each[0]", { kind: "item" }));
  b.update(stepEvent("text", { state: "completed" }));
  b.close();
  assert.equal(
    b.take(),
    [
      "story: run_1",
      "▸ text: running",
      "▸ text: running — writing\ufffd[2J",
      "✓ text: done after 1.0 s",
      "",
    ].join("\n"),
  );
});
