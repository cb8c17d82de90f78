// deno-lint-ignore-file no-regex-spaces -- columns are what is tested
import assert from "node:assert/strict";
import { fileOf, type RunApp, runApp } from "../../http/testing/run_app.ts";
import type { RunShopOptions } from "../../workflows/testing.ts";
import { CarrelError } from "../../errors.ts";
import { EXIT } from "../errors.ts";
import { carrel } from "../testing/carrel.ts";
import { testIo, type TestIoOptions } from "../testing/io.ts";

const ECHO = `name: echo
title: Says it again
inputs:
  word: {type: string, description: What is said}
steps:
  - id: said
    title: Say it
    call: test.echo
    attempts: 1
    with: "\${ inputs.word }"
outputs: {word: "\${ steps.said }"}
`;
const CHOICE = `name: choice
steps:
  - id: pick
    wait: {choice: [red, green], prompt: Which one?}
  - id: gate
    wait: {approval: editor, prompt: Sure?}
  - id: stars
    wait: {input: {type: integer, minimum: 1}, prompt: How many?}
outputs: {picked: "\${ steps.pick.option }", stars: "\${ steps.stars.value }"}
`;
const BAD = "name: bad\nsteps:\n  - id: one\n    cal: test.echo\n";

interface Setup extends AsyncDisposable {
  readonly app: RunApp;
  readonly cwd: string;
  carrel(args: string[], io?: TestIoOptions): Promise<{ exit: number; out: string; err: string }>;
  io(options?: TestIoOptions): ReturnType<typeof testIo>;
  with(io: ReturnType<typeof testIo>, args: string[]): ReturnType<typeof carrel>;
}

/** The command line against a real engine, over HTTP; its calls do what the test says. */
async function setup(options: RunShopOptions = {}): Promise<Setup> {
  const app = await runApp({ files: [await fileOf("echo", ECHO)], ...options });
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => app.fetch(request),
  );
  const cwd = await Deno.makeTempDir();
  for (const [name, text] of Object.entries({ echo: ECHO, choice: CHOICE, bad: BAD })) {
    await Deno.writeTextFile(`${cwd}/${name}.yaml`, text);
  }
  const at = ["--url", `http://127.0.0.1:${server.addr.port}`];
  const io = (more: TestIoOptions = {}) =>
    testIo({ cwd, env: { CARREL_TOKEN: app.tokens.editor }, ...more });
  return {
    app,
    cwd,
    io,
    carrel: (args, more) => carrel([...args, ...at], {}, io(more)),
    with: (io, args) => carrel([...args, ...at], {}, io),
    async [Symbol.asyncDispose]() {
      await app[Symbol.asyncDispose]();
      await server.shutdown();
      await Deno.remove(cwd, { recursive: true });
    },
  };
}

/** Resolves once it was said on standard error. */
async function said(io: ReturnType<typeof testIo>, pattern: RegExp): Promise<void> {
  const end = Date.now() + 60_000;
  while (!pattern.test(io.errText())) {
    if (Date.now() > end) throw new Error(`${pattern} was not said: ${io.errText()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const linesOf = (text: string) => text.trim().split("\n").map((line) => JSON.parse(line));
const runIn = (text: string) => /run_[0-9a-z]{26}/.exec(text)![0];

Deno.test("carrel pipeline run runs a file to its end and says what came out", async () => {
  await using t = await setup();
  const { exit, out, err } = await t.carrel(["pipeline", "run", "echo.yaml", "--var", "word=hi"]);
  assert.equal(exit, EXIT.ok, err);
  assert.match(out, /^run_\w+  completed\nword: hi\n$/);
  assert.match(err, /✓ said: done after/);
  const named = await t.carrel(["pipeline", "run", "echo", "--var", "word=there", "--quiet"]);
  assert.match(named.out, /completed\nword: there\n$/);
  assert.equal(named.err, "");
});

Deno.test("carrel pipeline run --json says each change as a line, and the result last", async () => {
  await using t = await setup();
  const { exit, out, err } = await t.carrel(
    ["pipeline", "run", "echo.yaml", "--var", "word=hi", "--json"],
  );
  const lines = linesOf(out);
  assert.deepEqual([exit, err], [EXIT.ok, ""]);
  assert.deepEqual([...new Set(lines.map(({ type }) => type))].sort(), ["result", "run", "step"]);
  const last = lines.at(-1);
  assert.deepEqual([last.type, last.exit, last.run.status, last.run.outputs], [
    "result",
    0,
    "completed",
    { word: "hi" },
  ]);
  const wrong = await t.carrel(["pipeline", "run", "echo.yaml", "--json"]);
  const [only, ...more] = linesOf(wrong.out);
  assert.deepEqual([wrong.exit, only.type, only.error.code, more], [
    EXIT.usage,
    "error",
    "invalid_parameters",
    [],
  ]);
});

Deno.test("carrel pipeline run ends with 2 for a wrong definition or wrong inputs, and starts nothing", async () => {
  await using t = await setup();
  const bad = await t.carrel(["pipeline", "run", "bad.yaml"]);
  assert.equal(bad.exit, EXIT.usage);
  assert.match(bad.err, /bad\.yaml:4:5: .*cal[\s\S]*4 \|     cal: test\.echo\n +\|     \^/);
  const missing = await t.carrel(["pipeline", "run", "echo", "--var", "wrod=hi"]);
  assert.equal(missing.exit, EXIT.usage);
  assert.match(missing.err, /no input "wrod"; the input "word" is missing/);
  assert.match(missing.err, /word +string, required +What is said/);
  for (const word of ["./nothing.yaml", "nothing"]) {
    assert.equal((await t.carrel(["pipeline", "run", word])).exit, EXIT.usage, word);
  }
  assert.match((await t.carrel(["run", "list"])).err, /No runs/);
});

Deno.test("carrel pipeline run says where no retry helps, and ends with 2 for inputs that are too large", async () => {
  await using t = await setup({
    act() {
      throw new CarrelError("invalid_parameters", "Cannot echo that");
    },
  });
  const failed = await t.carrel(["pipeline", "run", "echo.yaml", "--var", "word=hi"]);
  assert.equal(failed.exit, EXIT.failed);
  const words = failed.err.replaceAll(/\s+/g, " ");
  assert.match(words, new RegExp(`carrel run fork ${runIn(failed.out)} --from said --var`));
  assert.doesNotMatch(words, /run retry/);
  await Deno.writeTextFile(`${t.cwd}/large.txt`, "x".repeat(1 << 20));
  const large = await t.carrel(["pipeline", "run", "echo.yaml", "--var-file", "word=large.txt"]);
  assert.equal(large.exit, EXIT.usage);
  assert.match(large.err, /too_large[^]*give its id/);
});

Deno.test("carrel pipeline run ends with 1 for a failed run, and run retry goes on with it", async () => {
  let broken = true;
  await using t = await setup({
    act(_capability, input) {
      if (broken) throw new Error("it broke");
      return input;
    },
  });
  const { exit, out, err } = await t.carrel(["pipeline", "run", "echo.yaml", "--var", "word=hi"]);
  assert.equal(exit, EXIT.failed);
  assert.match(out, /failed/);
  const id = runIn(out);
  assert.match(err, new RegExp(`✗ said: .*\\n[\\s\\S]*carrel run retry ${id}`));
  assert.match((await t.carrel(["run", "show", id])).out, /✗ Say it/);
  broken = false;
  const retried = await t.carrel(["run", "retry", id]);
  assert.deepEqual([retried.exit, retried.out], [EXIT.ok, `${id}  completed\nword: hi\n`]);
  const forked = await t.carrel(["run", "fork", id, "--from", "said", "--var", "word=ho"]);
  assert.match(forked.out, /completed\nword: ho\n$/);
  const list = await t.carrel(["run", "list", "--status", "completed"]);
  assert.equal(list.out.match(/run_/g)?.length, 2);
});

Deno.test("carrel pipeline run asks on a terminal what its steps ask", async () => {
  await using t = await setup();
  const io = t.io({ terminal: true, answers: ["3", "2", "perhaps", "y", "none", "5"] });
  const { exit, out, err } = await t.with(io, ["pipeline", "run", "choice.yaml"]);
  assert.equal(exit, EXIT.ok, err);
  assert.match(out, /picked:.* green\n.*stars:.* 5\n/);
  assert.deepEqual(io.asked.map((text) => text.trim().split(/[,?(]/)[0]!.trim()), [
    "Your choice",
    "Your choice",
    "Approve",
    "Approve",
    "Your answer",
    "Your answer",
  ]);
  assert.ok(err.endsWith("\x1b[?25h"), "the cursor is given back");
});

Deno.test("carrel pipeline run says elsewhere how to answer, and waits", async () => {
  await using t = await setup();
  const io = t.io();
  const running = t.with(io, ["pipeline", "run", "choice.yaml"]);
  const until = (pattern: RegExp) => said(io, pattern);
  await until(/--step pick --choice N/);
  const id = runIn(io.errText());
  const shown = await t.carrel(["run", "show", id]);
  assert.match(shown.out, /\? Which one\?[\s\S]*1  red\n +2  green\n/);
  const answer = (...args: string[]) => t.carrel(["run", "answer", id, ...args]);
  for (const args of [[], ["--choice", "3"], ["--approve"], ["--choice", "1", "--approve"]]) {
    assert.equal((await answer(...args)).exit, EXIT.usage, args.join(" "));
  }
  assert.equal((await answer("--choice", "1")).exit, EXIT.ok);
  await until(/--step gate --approve/);
  assert.equal((await answer("--step", "pick", "--choice", "1")).exit, EXIT.failed);
  assert.equal((await answer("--approve", "--comment", "fine")).exit, EXIT.ok);
  await until(/--step stars --value/);
  assert.equal((await answer("--value", "none")).exit, EXIT.usage);
  assert.equal((await answer("--value", "4")).exit, EXIT.ok);
  const { exit, out } = await running;
  assert.equal(exit, EXIT.ok);
  assert.match(out, /picked: red\nstars: 4\n/);
});

Deno.test("Ctrl-C cancels the run of carrel pipeline run, and leaves that of carrel run watch", async () => {
  await using t = await setup();
  const { out } = await t.carrel(["pipeline", "run", "choice.yaml", "--detach"]);
  const left = t.io();
  const watching = t.with(left, ["run", "watch", runIn(out)]);
  await said(left, /--step pick/);
  left.interrupt();
  assert.equal((await watching).exit, EXIT.interrupted);
  assert.match(left.errText(), /goes on in the server/);
  assert.equal((await t.app.runs.workflows.runs({ status: "waiting" }, ADMIN)).items.length, 1);

  for (const terminal of [false, true]) {
    const io = t.io({ terminal, answers: [] });
    // A terminal whose person does not answer.
    if (terminal) Object.assign(io, { ask: () => new Promise(() => {}) });
    const running = t.with(io, ["pipeline", "run", "choice.yaml"]);
    await said(io, /Which one\?/);
    io.interrupt();
    const { exit, out, err } = await running;
    assert.equal(exit, EXIT.interrupted);
    assert.match(out, /cancelled/);
    assert.match(err, /Cancelling the run/);
  }
  assert.equal((await t.app.runs.workflows.runs({ status: "cancelled" }, ADMIN)).items.length, 2);
});

Deno.test("carrel pipeline run takes up the run that has the key", async () => {
  await using t = await setup();
  const args = ["pipeline", "run", "echo", "--var", "word=hi", "--ensure", "the one"];
  const [a, b] = [await t.carrel(args), await t.carrel(args)];
  assert.equal(runIn(a.out), runIn(b.out));
});

Deno.test("carrel workflow lists, shows, checks and plans", async () => {
  await using t = await setup({ missing: ["test.echo"] });
  assert.match((await t.carrel(["workflow", "list"])).out, /echo +word +Says it again/);
  const shown = await t.carrel(["workflow", "show", "echo"]);
  assert.match(shown.out, /word +string, required +What is said\n[\s\S]*said +call +Say it/);
  const checked = await t.carrel(["workflow", "validate", "echo.yaml", "bad.yaml"]);
  assert.equal(checked.exit, EXIT.usage);
  assert.match(checked.out, /✓ echo\.yaml: echo, 1 step/);
  assert.match(checked.err, /bad\.yaml:4:5/);
  const json = JSON.parse((await t.carrel(["workflow", "validate", "bad.yaml", "--json"])).out);
  assert.deepEqual([json.files[0].valid, json.files[0].problems[0].line], [false, 4]);
  for (
    const args of [["workflow", "plan", "echo"], ["pipeline", "run", "echo.yaml", "--dry-run"]]
  ) {
    const plan = await t.carrel([...args, "--var", "word=hi"]);
    assert.match(plan.out, /said +call test\.echo +skipped: no provider for test\.echo/);
  }
  assert.match((await t.carrel(["run", "list"])).err, /No runs/);
  const away = await t.carrel([
    "pipeline",
    "run",
    "echo",
    "--var",
    "word=hi",
    "--detach",
    "--json",
  ]);
  assert.equal(linesOf(away.out).at(-1).detached, true);
  const run = await t.carrel(["pipeline", "run", "echo", "--var", "word=hi"]);
  assert.equal(run.exit, EXIT.ok);
  assert.match(run.err, /\n1 step skipped: no provider for test\.echo\n$/);
  const after = await t.carrel(["run", "show", runIn(run.out)]);
  assert.match(after.out, /\n1 step skipped: no provider for test\.echo\n$/);
});

Deno.test("carrel workflow validate warns of a capability that is nearly a known one", async () => {
  await using t = await setup();
  const dir = await Deno.makeTempDir();
  try {
    const file = `${dir}/typo.yaml`;
    const yaml = (call: string) =>
      `name: typo\nsteps:\n  - foreach: [1]\n    steps:\n      - call: ${call}\n`;
    await Deno.writeTextFile(file, yaml("text.genrate"));
    const warned = await t.carrel(["workflow", "validate", file]);
    assert.equal(warned.exit, EXIT.ok);
    assert.match(warned.err, /typo\.yaml:5: .*"text\.genrate".* did you mean "text\.generate"/);
    const json = JSON.parse((await t.carrel(["workflow", "validate", file, "--json"])).out);
    assert.equal(json.files[0].warnings[0].line, 5);
    await Deno.writeTextFile(file, yaml("lab.measure"));
    assert.equal((await t.carrel(["workflow", "validate", file])).err, "");
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

const ADMIN = { user: "user_1", role: "admin" } as const;
