import assert from "node:assert/strict";
import { questionLines } from "./ask_step.ts";
import { createStyle } from "./format.ts";
import type { QuestionJson } from "./wire.ts";

function lines(more: Partial<QuestionJson>): string[] {
  const question: QuestionJson = {
    for: "choice",
    prompt: "Which one?",
    options: null,
    schema: null,
    role: null,
    until: null,
    ...more,
  };
  return questionLines("pick", question, createStyle(false), 80);
}

Deno.test("questionLines() tells options apart by their titles, also where their texts are the same", () => {
  const text = "The same passage.";
  assert.deepEqual(
    lines({
      options: [
        { artifact: "a_1", title: "As one would hope", text },
        { artifact: "a_2", title: "A turn", text },
        { name: "By name" },
        { text },
        { title: "", text: 5 },
        "plain",
      ],
    }),
    [
      "? Which one?  (pick)",
      "    1  As one would hope — The same passage.",
      "    2  A turn — The same passage.",
      "    3  By name",
      "    4  The same passage.",
      '    5  {"title":"","text":5}',
      "    6  plain",
    ],
  );
});

Deno.test("questionLines() shows all lines of a prompt, the question first", () => {
  assert.deepEqual(
    lines({ for: "input", prompt: "How does it go on?\n\nIt was late.\nIt rained." }),
    [
      "? How does it go on?  (pick)",
      "",
      "  It was late.",
      "  It rained.",
    ],
  );
});
