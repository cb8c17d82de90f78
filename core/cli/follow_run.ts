/** Follows a run to its end: shows it, puts its questions to the person, cancels it at Ctrl-C. */
import { answerFlags, askAnswer, questionLines } from "./ask_step.ts";
import { AWAY, BACK } from "./away.ts";
import type { Client } from "./client.ts";
import { EXIT, type ExitCode, hintFor, interruptedError } from "./errors.ts";
import { createStyle, shellWord, type Style, wantsColours } from "./format.ts";
import type { OutlineStep } from "./outline.ts";
import { createRunBoard, type RunBoard } from "./run_board.ts";
import { outputLines, skippedLines } from "./run_output.ts";
import { asCliError, type Session } from "./session.ts";
import { isWithin } from "../workflows/tree.ts";
import { clean, wrap } from "./width.ts";
import type { RunJson, StepHeadJson } from "./wire.ts";

export interface FollowOptions {
  readonly client: Client;
  /** Whether this process is the host. */
  readonly own: boolean;
  /** What Ctrl-C does to the run. */
  readonly interrupt: "cancel" | "leave";
  readonly outline?: readonly OutlineStep[] | undefined;
}

/** How long a cancelled run may take to end, milliseconds: its jobs are killed after two seconds. */
const CANCEL_MS = 20_000;

/**
 * Resolves with the exit code once the run has ended: 0, 1 for a failed one, 130 for a cancelled one. With `--json`
 * each event is a line, and the result the last one. Throws `interrupted` where the run goes on without this.
 */
export async function followRun(
  session: Session,
  id: string,
  options: FollowOptions,
): Promise<ExitCode> {
  const { client } = options;
  const { io } = session;
  const errStyle = createStyle(wantsColours(io.terminal.err, io.env));
  const quiet = session.json || session.global.quiet === true;
  const board = createRunBoard({
    sink: quiet ? { write: () => {} } : io.err,
    style: errStyle,
    live: io.terminal.err && !quiet && io.env("TERM") !== "dumb",
    size: io.size,
    now: io.now,
    outline: options.outline,
  });
  const watching = new AbortController();
  const questions = createQuestions(session, client, board, id, errStyle);
  const onInterrupt = () => {
    if (options.interrupt === "leave") return watching.abort();
    questions.stop();
    board.resume();
    board.say("cancelling");
    board.line(errStyle.dim("Cancelling the run. Ctrl-C once more ends at once."));
    const timer = setTimeout(() => watching.abort(), CANCEL_MS);
    watching.signal.addEventListener("abort", () => clearTimeout(timer));
    client.runs.cancel(id).catch((error) => {
      board.line(`${errStyle.red("✗")} ${clean(asCliError(error).message)}`);
      watching.abort();
    });
  };
  if (session.signal.aborted) onInterrupt();
  else session.signal.addEventListener("abort", onInterrupt, { once: true });
  try {
    const onAway = (away: boolean) => board.line(errStyle.yellow(away ? AWAY : BACK));
    for await (const event of client.runs.watch(id, { signal: watching.signal, onAway })) {
      session.event(event);
      board.update(event);
      if (event.type === "step") questions.see(event.step);
    }
  } catch (error) {
    if (!session.signal.aborted || !watching.signal.aborted) throw error;
    board.close();
    throw options.interrupt === "cancel"
      ? interruptedError("Interrupted: the run could not be cancelled, and goes on.", hintGoOn(id))
      : interruptedError(
        options.own
          ? "No longer watching: the run goes on at the next start."
          : "No longer watching: the run goes on in the server.",
        hintGoOn(id),
      );
  } finally {
    questions.stop();
    board.close();
    session.signal.removeEventListener("abort", onInterrupt);
    watching.abort();
  }
  return report(session, await client.runs.get(id));
}

function hintGoOn(id: string): string {
  return `To watch: carrel run watch ${id}\nTo cancel: carrel run cancel ${id}`;
}

/** Says how a run has ended; returns the exit code. */
export function report(session: Session, run: RunJson): ExitCode {
  const exit = run.status === "completed"
    ? EXIT.ok
    : run.status === "cancelled"
    ? EXIT.interrupted
    : EXIT.failed;
  const { style } = session;
  session.event({ type: "result", run, exit });
  const paint = exit === EXIT.ok ? style.green : exit === EXIT.failed ? style.red : style.yellow;
  session.print(`${run.id}  ${paint(run.status)}`);
  for (const line of outputLines(run.outputs, session)) session.print(line);
  for (const line of failureLines(session, run)) session.note(line);
  for (const line of skippedLines(run)) session.note(style.yellow(line));
  return exit;
}

/** What went wrong in a run, by step, and what to do next. */
export function failureLines(session: Session, run: RunJson): string[] {
  if (run.status !== "failed") return [];
  const { io } = session;
  const style = createStyle(wantsColours(io.terminal.err, io.env));
  const width = Math.max(40, Math.min(session.width, io.size().columns)) - 4;
  const failed = run.steps.filter(({ state, error }) => state === "failed" && error !== null);
  // A container fails with what is in it.
  const inner = failed.filter(({ path }) =>
    !failed.some((other) => other.path !== path && isWithin(other.path, path))
  );
  const lines = inner.slice(0, 10).flatMap(({ path, error }) => {
    const said = `${path}: ${error!.message} (${error!.code})`;
    const [first = "", ...more] = wrap(clean(said), width);
    return [`${style.red("✗")} ${first}`, ...more.map((line) => `  ${line}`)];
  });
  if (inner.length > 10) lines.push(`  … and ${inner.length - 10} more`);
  if (inner.length === 0 && run.error !== null) {
    lines.push(`${style.red("✗")} ${clean(run.error.message)} ${style.dim(`(${run.error.code})`)}`);
  }
  const hint = inner[0]?.error ? hintFor(inner[0].error, inner[0].job ?? undefined) : undefined;
  // The job of a step is not tried again alone: the run would know nothing of it.
  if (hint !== undefined && !hint.includes("job retry")) lines.push(`${style.dim("  →")} ${hint}`);
  const same = inner.find(({ error }) => SAME_AGAIN.has(error!.code));
  const step = same && /^[\w-]+/.exec(same.path)?.[0];
  const goOn = same
    ? `A retry fails the same way. With other inputs: carrel run fork ${run.id} --from ${step} --var NAME=VALUE. Where the definition is wrong, correct it and start a new run.`
    : `Go on from there: carrel run retry ${run.id}`;
  const [first = "", ...more] = wrap(goOn, width);
  lines.push(`${style.dim("  →")} ${first}`, ...more.map((line) => `    ${line}`));
  return lines;
}

/** What comes of the definition and the inputs, which a retry does not change. */
const SAME_AGAIN: ReadonlySet<string> = new Set([
  "invalid_expression",
  "invalid_parameters",
  "too_large",
]);

interface Questions {
  see(step: StepHeadJson): void;
  stop(): void;
}

/** The questions of a run: on a terminal they are asked, one after the other; elsewhere it is said how to answer. */
function createQuestions(
  session: Session,
  client: Client,
  board: RunBoard,
  id: string,
  style: Style,
): Questions {
  const { io } = session;
  let asks = io.terminal.in && io.terminal.err && !session.json;
  const waiting = new Map<string, StepHeadJson>();
  const told = new Set<string>();
  /** A line that is being read: no reading can be called off. */
  let reading: Promise<string | undefined> | undefined;
  let asked: { readonly path: string; readonly number: number } | undefined;
  let withdraw = () => {};
  let stopped = false;

  const keyOf = ({ path, number }: StepHeadJson) => `${path} ${number}`;
  const width = () => io.terminal.err ? io.size().columns : 100;

  function tell(step: StepHeadJson): void {
    const { question } = step;
    if (question === null || session.json) return;
    const lines = [
      ...questionLines(step.path, question, style, width()),
      `${style.dim("  →")} carrel run answer ${id} --step ${shellWord(clean(step.path))} ${
        answerFlags(question)
      }`,
    ];
    board.line(lines.join("\n"));
  }

  async function askLine(text: string): Promise<string | undefined> {
    const gone = Promise.withResolvers<undefined>();
    withdraw = () => gone.resolve(undefined);
    if (reading === undefined) reading = io.ask(text);
    else io.err.write(text);
    const line = await Promise.race([reading, gone.promise.then(() => WITHDRAWN)]);
    if (line === WITHDRAWN) throw WITHDRAWN;
    reading = undefined;
    return line as string | undefined;
  }

  async function ask(step: StepHeadJson): Promise<void> {
    const question = step.question!;
    board.pause();
    asked = step;
    try {
      io.err.write(questionLines(step.path, question, style, width()).join("\n") + "\n");
      const answer = await askAnswer(
        question,
        askLine,
        (text) => io.err.write(`  ${style.yellow(text)}\n`),
      );
      if (answer === undefined) {
        // Nobody is there to answer.
        asks = false;
        io.err.write("\n");
        board.resume();
        for (const one of waiting.values()) tell(one);
        return;
      }
      told.add(keyOf(step));
      await client.runs.answer(id, step.path, answer);
    } catch (error) {
      if (error === WITHDRAWN) {
        if (!stopped) io.err.write(`\n  ${style.dim("It was answered elsewhere.")}\n`);
      } else if (!stopped) {
        io.err.write(`${style.red("✗")} ${clean(asCliError(error).message)}\n`);
      }
    } finally {
      asked = undefined;
      board.resume();
    }
  }

  let busy = false;
  async function askAll(): Promise<void> {
    if (busy) return;
    busy = true;
    try {
      while (asks && !stopped) {
        const next = [...waiting.values()].find((step) => !told.has(keyOf(step)));
        if (next === undefined) return;
        await ask(next);
        // Asked once: who may not answer is not asked for ever.
        told.add(keyOf(next));
      }
    } finally {
      busy = false;
    }
  }

  return {
    see(step) {
      if (step.state === "waiting" && step.question !== null) {
        const known = waiting.has(step.path) && waiting.get(step.path)!.number === step.number;
        waiting.set(step.path, step);
        if (known) return;
        if (asks) void askAll();
        else tell(step);
      } else if (waiting.delete(step.path) && asked?.path === step.path) withdraw();
    },
    stop() {
      if (stopped) return;
      stopped = true;
      // What follows must not stand behind the question.
      if (asked !== undefined) io.err.write("\n");
      withdraw();
    },
  };
}

const WITHDRAWN = Symbol("withdrawn");
