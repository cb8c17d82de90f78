/** What a server answers, read without trust: a field that is not what the protocol says is not there. */

/** One of the texts of an answer. */
export interface Choice {
  text: string;
  refusal: string;
  /** `stop`, `length`, `content_filter`, `tool_calls`, …; undefined until it has ended. */
  finish: string | undefined;
  /** Whether it asks for tools. */
  tools: boolean;
}

export interface Answer {
  readonly choices: Map<number, Choice>;
  /** As the server calls it. */
  model: string | undefined;
  /** As it came. */
  usage: unknown;
}

/** More than are ever asked for. */
const MAX_CHOICES = 16;

export function emptyAnswer(): Answer {
  return { choices: new Map(), model: undefined, usage: undefined };
}

/** Adds a chunk of a stream, or a whole answer; gives the text that came. */
export function addTo(answer: Answer, chunk: unknown): string {
  const { choices, model, usage } = record(chunk);
  if (typeof model === "string" && model.trim() !== "") answer.model = model.trim().slice(0, 200);
  if (typeof usage === "object" && usage !== null) answer.usage = usage;
  let came = "";
  for (const [at, one] of (Array.isArray(choices) ? choices : []).entries()) {
    const { index, delta, message, finish_reason, text } = record(one);
    const number = Number.isInteger(index) ? index as number : at;
    if (number < 0 || number >= MAX_CHOICES) continue;
    let choice = answer.choices.get(number);
    if (choice === undefined) {
      choice = { text: "", refusal: "", finish: undefined, tools: false };
      answer.choices.set(number, choice);
    }
    const said = record(delta ?? message);
    const more = textOf(said["content"] ?? text);
    choice.text += more;
    choice.refusal += textOf(said["refusal"]).slice(0, 1000 - choice.refusal.length);
    if (Array.isArray(said["tool_calls"]) || "function_call" in said) choice.tools = true;
    if (typeof finish_reason === "string" && finish_reason !== "") choice.finish = finish_reason;
    came += more;
  }
  return came;
}

/** Text, or the texts among parts. */
function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map((part) => textOf(record(part)["text"])).join("");
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}

/** Some servers send a model's thoughts before its answer. */
export function withoutThoughts(text: string): string {
  const opened = /^\s*<think>/.exec(text);
  if (opened === null) return text.trim();
  const end = text.indexOf("</think>");
  return end < 0 ? "" : text.slice(end + "</think>".length).trim();
}
