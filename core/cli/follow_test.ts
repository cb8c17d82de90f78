import assert from "node:assert/strict";
import { showQuestions } from "./follow.ts";
import { withSession } from "./session.ts";
import { testIo } from "./testing/io.ts";
import type { JobEventJson } from "./wire.ts";

const event = (status: JobEventJson["status"], message: string | null) =>
  ({ status, message }) as JobEventJson;

Deno.test("showQuestions() shows on a terminal what a job waits for, and nothing else", async () => {
  for (const terminal of [true, false]) {
    const io = testIo({ terminal, env: { NO_COLOR: "1" } });
    await withSession(io, {}, (session) => {
      const ask = showQuestions(session, session.board());
      ask(event("running", "reading"));
      ask(event("waiting", null));
      ask(event("waiting", "needs a permission: x\x1b[2J. Answer with: carrel plugin consent c"));
      return Promise.resolve();
    });
    const shown = io.errText();
    assert.equal(/\? needs a permission: x.*Answer with/.test(shown), terminal, shown);
    assert.ok(!shown.includes("\x1b[2J") && !shown.includes("reading"));
  }
});
