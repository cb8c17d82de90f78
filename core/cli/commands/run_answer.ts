/** `carrel run answer`: answers a step that waits for a person. */
import { answerFlags, answerOf, askAnswer, questionLines } from "../ask_step.ts";
import { CliError, interruptedError, usageError } from "../errors.ts";
import { shellWord } from "../format.ts";
import type { AnswerJson } from "../run_client.ts";
import { errStyleOf } from "../run_target.ts";
import type { Session } from "../session.ts";
import { clean } from "../width.ts";
import type { RunJson, StepHeadJson } from "../wire.ts";

export interface AnswerOptions {
  readonly step?: string;
  readonly choice?: number;
  readonly approve?: boolean;
  readonly reject?: boolean;
  readonly value?: string;
  readonly comment?: string;
}

/** Colours a status as good, bad or neither. */
export function paint({ style }: Session, status: string): (text: string) => string {
  if (status === "completed") return style.green;
  if (status === "failed") return style.red;
  return status.startsWith("cancel") ? style.yellow : style.cyan;
}

/** The steps that ask a person. */
export function waitingSteps(run: RunJson): StepHeadJson[] {
  return run.steps.filter(({ state, question }) => state === "waiting" && question !== null);
}

export async function answer(session: Session, id: string, options: AnswerOptions) {
  const { client } = await session.connect();
  const step = askedStep(await client.runs.get(id), options.step);
  const question = step.question!;
  const given = await givenAnswer(options, question);
  let said = given;
  if (said === undefined) {
    const style = errStyleOf(session);
    const { io } = session;
    const lines = questionLines(step.path, question, style, io.size().columns);
    if (session.json) session.event({ run: id, step: step.path, question });
    else io.err.write(lines.join("\n") + "\n");
    if (session.json || !io.terminal.in) {
      throw usageError(
        `Cannot answer "${step.path}": no answer is given.`,
        `carrel run answer ${id} --step ${shellWord(clean(step.path))} ${answerFlags(question)}`,
      );
    }
    const interrupted = Promise.withResolvers<never>();
    session.signal.addEventListener("abort", () => interrupted.reject(interruptedError()));
    said = await Promise.race([
      askAnswer(question, (text) => io.ask(text), (text) => io.err.write(`  ${text}\n`)),
      interrupted.promise,
    ]);
    if (said === undefined) throw interruptedError("Nothing was answered.");
  }
  const run = await client.runs.answer(id, step.path, said);
  session.answer(run);
  session.print(`${id}  ${paint(session, run.status)(run.status)}`);
}

/** The step that is asked about. Throws where it is not one. */
function askedStep(run: RunJson, path: string | undefined): StepHeadJson {
  const waiting = waitingSteps(run);
  const found = path === undefined
    ? waiting.length === 1 ? waiting[0] : undefined
    : waiting.find((step) => step.path === path);
  if (found !== undefined) return found;
  const names = waiting.map((step) => clean(step.path));
  throw new CliError(
    "conflict",
    waiting.length === 0
      ? `Cannot answer "${run.id}": it is ${run.status}, and none of its steps waits for a person.`
      : path === undefined
      ? `Cannot answer "${run.id}": ${waiting.length} of its steps wait for a person.`
      : `Cannot answer "${path}": it does not wait for a person.`,
    { hint: names.length === 0 ? undefined : `Say which: --step ${names.join(" | ")}` },
  );
}

async function givenAnswer(
  { choice, approve, reject, value, comment }: AnswerOptions,
  question: NonNullable<StepHeadJson["question"]>,
): Promise<AnswerJson | undefined> {
  const given = [choice, approve, reject, value].filter((one) => one !== undefined);
  if (given.length === 0) return undefined;
  if (given.length > 1) {
    throw usageError("Give one of --choice, --approve, --reject, --value.");
  }
  const wants = {
    choice: "--choice",
    approval: "--approve or --reject",
    input: "--value",
  } as const;
  const wrong = (why: string) =>
    usageError(`Cannot answer it so: ${why}`, `Give ${wants[question.for]}.`);
  if (question.for === "approval") {
    if (approve === undefined && reject === undefined) throw wrong("it waits for an approval.");
    return { approve: approve === true, comment };
  }
  const text = question.for === "choice" ? choice?.toString() : value;
  if (text === undefined) {
    throw wrong(`it waits for a ${question.for === "choice" ? "choice" : "value"}.`);
  }
  const answer = await answerOf(question, text);
  if ("fault" in answer) throw usageError(answer.fault, `Give it with ${wants[question.for]}.`);
  return answer;
}
