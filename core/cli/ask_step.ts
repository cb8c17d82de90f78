/** Puts the question of a step to a person. */
import { clean, cut, wrap } from "./width.ts";
import type { Style } from "./format.ts";
import type { AnswerJson } from "./run_client.ts";
import { typeWords, valueFor } from "./run_inputs.ts";
import type { QuestionJson } from "./wire.ts";

/** Asks a line of a person; undefined at the end of input. */
export type AskLine = (question: string) => Promise<string | undefined>;

/** Characters of an option that are shown. */
const MOST_OPTION = 300;

/** Lines of a prompt that are shown. */
const MOST_LINES = 40;

/** What is asked, in lines: the prompt, and the options with their numbers from 1. */
export function questionLines(
  path: string,
  question: QuestionJson,
  style: Style,
  width: number,
): string[] {
  const { prompt, options, role } = question;
  const asked = prompt === null ? `${path} waits for ${FOR[question.for]}` : prompt;
  const room = Math.max(20, Math.min(width, 100) - 8);
  const [first = "", ...more] = asked.trim().split(/\r?\n/).slice(0, MOST_LINES)
    .flatMap((line) => line.trim() === "" ? [""] : wrap(clean(line), room));
  const note = [
    ...(prompt === null ? [] : [path]),
    ...(role === null || role === "reader" ? [] : [`takes the role ${role}`]),
    ...(question.until === null ? [] : [`until ${question.until.slice(0, 16).replace("T", " ")}`]),
  ].join(", ");
  return [
    `${style.yellow("?")} ${style.bold(first)}${
      note === "" ? "" : style.dim(`  (${clean(note)})`)
    }`,
    ...more.map((line) => `  ${style.bold(line)}`.trimEnd()),
    ...(options ?? []).flatMap((option, index) => {
      const text = clean(optionText(option));
      const lines = wrap(cut(text, MOST_OPTION), room);
      return (lines.length === 0 ? ["(empty)"] : lines).map((line, i) =>
        `  ${i === 0 ? style.bold(String(index + 1).padStart(3)) : "   "}  ${line}`
      );
    }),
  ];
}

const FOR = { choice: "a choice", approval: "an approval", input: "a value" } as const;

/** An option in words: a text, or the telling fields of an object, what it is called first. */
function optionText(option: unknown): string {
  if (typeof option === "string") return option;
  if (typeof option === "object" && option !== null) {
    const { title, name, label, text } = option as Record<string, unknown>;
    const isSaid = (value: unknown) => typeof value === "string" && value.trim() !== "";
    const said = [[title, name, label].find(isSaid), text].filter(isSaid);
    if (said.length > 0) return said.join(" — ");
  }
  return JSON.stringify(option);
}

/** The answer; asks again until it is one. Undefined at the end of input. */
export async function askAnswer(
  question: QuestionJson,
  askLine: AskLine,
  complain: (text: string) => void,
): Promise<AnswerJson | undefined> {
  const fields = question.for === "input" ? fieldsOf(question.schema ?? {}) : [];
  if (fields.length > 0) return await askFields(fields, askLine, complain);
  for (;;) {
    const line = await askLine(cueOf(question));
    if (line === undefined) return undefined;
    const answer = await answerOf(question, line.trim());
    if (!("fault" in answer)) return answer;
    complain(answer.fault);
  }
}

type Schema = Readonly<Record<string, unknown>>;

/** One property of an object that is asked for. */
interface Field {
  readonly name: string;
  readonly schema: Schema;
  readonly required: boolean;
}

/** The properties of a schema of an object, each of which is asked for alone; none for another schema. */
function fieldsOf(schema: Schema): Field[] {
  const { type, properties, required } = schema;
  if (type !== "object" || typeof properties !== "object" || properties === null) return [];
  const needed = Array.isArray(required) ? required : [];
  return Object.entries(properties as Readonly<Record<string, Schema>>).map(([name, schema]) => ({
    name,
    schema,
    required: needed.includes(name) && schema["default"] === undefined,
  }));
}

/** Asks for each field; an empty line leaves out one that need not be given. */
async function askFields(
  fields: readonly Field[],
  askLine: AskLine,
  complain: (text: string) => void,
): Promise<AnswerJson | undefined> {
  const value: Record<string, unknown> = {};
  for (const { name, schema, required } of fields) {
    const about = typeof schema["description"] === "string"
      ? ` — ${clean(schema["description"])}`
      : "";
    const fallback = schema["default"];
    const need = fallback !== undefined
      ? `, default ${clean(JSON.stringify(fallback))}`
      : required
      ? ""
      : ", optional";
    for (;;) {
      const line = await askLine(`  ${clean(name)}${about} (${typeWords(schema)}${need}): `);
      if (line === undefined) return undefined;
      const text = line.trim();
      if (text === "" && !required) break;
      const found = await valueFor(name, schema, text);
      if ("value" in found) {
        value[name] = found.value;
        break;
      }
      complain(`Please try again: ${clean(found.fault)}.`);
    }
  }
  return { value };
}

function cueOf({ for: what, options, schema }: QuestionJson): string {
  switch (what) {
    case "choice":
      return `  Your choice, 1 to ${options?.length ?? 0}: `;
    case "approval":
      return "  Approve? [y/n] ";
    case "input":
      return `  Your answer (${typeWords(schema ?? {})}): `;
  }
}

/** What a line of text answers. */
export async function answerOf(
  { for: what, options, schema }: QuestionJson,
  text: string,
): Promise<AnswerJson | { readonly fault: string }> {
  switch (what) {
    case "choice": {
      const count = options?.length ?? 0;
      const number = /^\d+$/.test(text) ? Number(text) : 0;
      if (number >= 1 && number <= count) return { choice: number - 1 };
      return { fault: `Please give a number from 1 to ${count}.` };
    }
    case "approval": {
      const word = text.toLowerCase();
      if (word === "y" || word === "yes") return { approve: true };
      if (word === "n" || word === "no") return { approve: false };
      return { fault: "Please answer y or n." };
    }
    case "input": {
      const found = await valueFor("value", schema ?? {}, text);
      return "fault" in found ? { fault: `Please try again: ${clean(found.fault)}.` } : found;
    }
  }
}

/** The options of `carrel run answer` that answer it. */
export function answerFlags({ for: what, options }: QuestionJson): string {
  switch (what) {
    case "choice":
      return `--choice N   (1 to ${options?.length ?? 0})`;
    case "approval":
      return "--approve   (or --reject)";
    case "input":
      return "--value VALUE";
  }
}
