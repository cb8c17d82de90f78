import assert from "node:assert/strict";
import { createStyle } from "./format.ts";
import { outlineOf } from "./outline.ts";
import { createStepTree, type StepTreeOptions } from "./step_tree.ts";
import { widthOf } from "./width.ts";
import type { StepHeadJson } from "./wire.ts";

const START = "2030-01-01T00:00:00.000Z";
const OPTIONS: StepTreeOptions = {
  style: createStyle(false),
  width: 80,
  now: Date.parse(START) + 2000,
};

function step(path: string, more: Partial<StepHeadJson> = {}): StepHeadJson {
  const ended = more.state !== undefined && more.state !== "running" && more.state !== "waiting";
  return {
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
    started: START,
    ended: ended ? "2030-01-01T00:00:01.200Z" : null,
    ...more,
  };
}

const OUTLINE = outlineOf({
  steps: [
    { id: "text", kind: "call", title: "Write" },
    { id: "each", kind: "foreach", steps: [{ id: "a", kind: "call" }, { id: "b", kind: "call" }] },
    { id: "both", kind: "parallel", branches: { left: [{ id: "l", kind: "call" }], right: [] } },
    { id: "last", kind: "call" },
  ],
});

Deno.test("outlineOf() names each step as runs do", () => {
  assert.deepEqual(
    OUTLINE.map(({ path }) => path),
    ["text", "each", "each[].a", "each[].b", "both", "both.left", "both.left.l", "last"],
  );
  assert.deepEqual(outlineOf(null), []);
});

Deno.test("lines() draws what has ended, what runs and what is to come, in the definition's order", () => {
  const tree = createStepTree(OUTLINE);
  tree.put(step("both.left.l", { progress: 50, message: "half\x1b[2J" }));
  tree.put(step("both.left", { kind: "branch" }));
  tree.put(step("both", { kind: "parallel", progress: 25 }));
  tree.put(step("each", { kind: "foreach", state: "skipped", message: "no provider for x.y" }));
  tree.put(step("text", { state: "completed", progress: 100 }));
  assert.deepEqual(tree.lines(OPTIONS), [
    "✓ Write       1.2 s",
    "– each               no provider for x.y",
    "▸ both        2.0 s  ███░░░░░░░░░  25%",
    "└─ ▸ left     2.0 s  ░░░░░░░░░░░░   0%",
    "   └─ ▸ l     2.0 s  ██████░░░░░░  50%  half\ufffd[2J",
    "· last",
  ]);
});

Deno.test("lines() shows of many items those that tell something, and an item by what it is at", () => {
  const tree = createStepTree(OUTLINE);
  tree.put(step("each", { kind: "foreach", progress: 40 }));
  for (let i = 0; i < 20; i++) {
    const state = i < 17 ? "completed" : i === 17 ? "failed" : "running";
    tree.put(step(`each[${i}]`, { kind: "item", state }));
    tree.put(step(`each[${i}].a`, { state: "completed" }));
    if (i === 19) tree.put(step(`each[${i}].b`, { message: "writing" }));
  }
  const lines = tree.lines({ ...OPTIONS, ended: true });
  assert.deepEqual(lines.map((line) => line.slice(0, 11).trimEnd()), [
    "▸ each",
    "├─ ✗ [17]",
    "├─ ▸ [18]",
    "├─ ▸ [19]",
    "└─ … 17 don",
  ]);
  assert.match(lines[3]!, /b: writing$/);
  assert.equal(tree.lines({ ...OPTIONS, whole: true, ended: true }).length, 42);
});

Deno.test("lines() keeps to the width and the height, whatever the steps say", () => {
  const tree = createStepTree();
  for (let i = 0; i < 50; i++) {
    tree.put(step(`名前${i}`, {
      title: "a title that is far too long for a line of a narrow terminal",
      state: i === 40 ? "running" : "completed",
      message: "語".repeat(200),
      progress: 50,
    }));
  }
  for (const width of [24, 40, 80, 200]) {
    const lines = tree.lines({ ...OPTIONS, width, height: 10 });
    assert.equal(lines.length, 10);
    for (const line of lines) assert.ok(widthOf(line) <= width, `${width}: ${line}`);
    assert.ok(lines.some((line) => line.startsWith("▸")));
  }
});
