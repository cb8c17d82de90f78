import assert from "node:assert/strict";
import { askYesNo } from "./ask.ts";
import { EXIT } from "./errors.ts";
import { testIo } from "./testing/io.ts";

const on = new AbortController().signal;

Deno.test("askYesNo() takes yes, no and nothing, and asks again for anything else", async () => {
  const io = testIo({ answers: ["what\x1b[2J", " YES ", "", "No", undefined] });
  assert.equal(await askYesNo(io, "Really?", on), true);
  assert.deepEqual(io.asked, ["Really? [y/N] ", "Really? [y/N] "]);
  assert.equal(io.errText(), "Please answer y or n; “what\ufffd[2j” is neither.\n");
  assert.equal(await askYesNo(io, "Really?", on), false);
  assert.equal(await askYesNo(io, "Really?", on), false);
  assert.equal(await askYesNo(io, "Really?", on), undefined);
});

Deno.test("askYesNo() ends at once when it is interrupted, before and at the question", async () => {
  const io = testIo({ answers: ["y"] });
  await assert.rejects(askYesNo(io, "?", AbortSignal.abort()), { exit: EXIT.interrupted });
  const stop = new AbortController();
  const never = { ...io, ask: () => (stop.abort(), new Promise<never>(() => {})) };
  await assert.rejects(askYesNo(never, "?", stop.signal), { exit: EXIT.interrupted });
});
