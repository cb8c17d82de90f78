import assert from "node:assert/strict";
import { EXIT } from "./errors.ts";
import { showQuestions } from "./follow.ts";
import { type Session, withSession } from "./session.ts";
import { testIo } from "./testing/io.ts";
import { jobJson } from "./testing/samples.ts";
import type { JobEventJson, JobJson } from "./wire.ts";

const event = (status: JobEventJson["status"], message: string | null) =>
  ({ job_id: "import_1", status, message }) as JobEventJson;

/** What is shown of these events, at a host whose job is now as given. */
async function shown(
  job: Partial<JobJson>,
  events: readonly JobEventJson[],
  options: { readonly terminal: boolean; readonly patient?: boolean },
): Promise<string> {
  const io = testIo({ terminal: options.terminal, env: { NO_COLOR: "1" } });
  let thrown: unknown;
  await withSession(io, {}, async (session) => {
    const client = { job: () => Promise.resolve(jobJson("import_1", job)) };
    const connected = { ...session, connect: () => Promise.resolve({ client }) };
    const ask = showQuestions(connected as unknown as Session, session.board(), options);
    try {
      for (const one of events) await ask(one);
    } catch (error) {
      thrown = error;
    }
  });
  if (thrown !== undefined) throw thrown;
  return io.errText();
}

Deno.test("showQuestions() shows on a terminal what a job waits for, and nothing else", async () => {
  const message = "needs a permission: x\x1b[2J. Answer with: carrel plugin consent c";
  const events = [event("running", "reading"), event("waiting", null), event("waiting", message)];
  for (const terminal of [true, false]) {
    const text = await shown({ status: "waiting", message, waits_for: "person" }, events, {
      terminal,
    });
    assert.equal(/\? needs a permission: x.*Answer with/.test(text), terminal, text);
    assert.ok(!text.includes("\x1b[2J") && !text.includes("reading"));
  }
});

Deno.test("showQuestions() shows no question that has its answer", async () => {
  const events = [event("waiting", "Answer with: c1"), event("waiting", "Answer with: c2")];
  const now = { status: "waiting", message: "Answer with: c2", waits_for: "person" } as const;
  const text = await shown(now, events, { terminal: true });
  assert.match(text, /c2/);
  assert.doesNotMatch(text, /c1/);
  assert.equal(await shown({ status: "running" }, events, { terminal: true }), "");
});

Deno.test("showQuestions() leaves a job behind whose plugin is off, where nobody is at a terminal", async () => {
  const message = 'is held: the plugin "import.x" is disabled.';
  const held = { status: "waiting", message, waits_for: "plugin" } as const;
  const events = [event("waiting", message)];
  await assert.rejects(shown(held, events, { terminal: false }), {
    code: "held",
    exit: EXIT.consent,
    message: /The job import_1 is held: the plugin "import\.x" is disabled/,
    hint: /carrel job cancel import_1/,
  });
  assert.match(await shown(held, events, { terminal: true }), /\? is held/);
  assert.equal(await shown(held, events, { terminal: false, patient: true }), "");
});
