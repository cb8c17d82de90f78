/** One question to the model: sent, read, counted, and asked again where the answer broke off. */
import { type ModelUsage, type PluginContext, PluginError } from "@carrel/sdk";
import { APIConnectionError, APIError } from "openai";
import { addTo, type Answer, type Choice, emptyAnswer, withoutThoughts } from "./answer.ts";
import { type Client, createClient } from "./client.ts";
import { broken, failed, failureOf, notTheProtocol } from "./failure.ts";
import { learn, type Quirks, quirksOf } from "./quirks.ts";
import { readSettings, type Settings } from "./settings.ts";
import { readTokens, usageOf } from "./usage.ts";

export interface Message {
  readonly role: "system" | "user";
  readonly content: string;
}

export interface Question {
  readonly messages: readonly Message[];
  /** @default the setting's, else the server's */
  readonly temperature?: number | undefined;
  /** @default the setting's, else the server's */
  readonly maxTokens?: number | undefined;
  readonly seed?: number | undefined;
  /** How many answers are asked for; a server may give fewer. @default 1 */
  readonly count?: number | undefined;
  /** The part of the call's progress that this question is. @default [0, 1] */
  readonly span?: readonly [from: number, to: number] | undefined;
}

export interface Reply {
  /** At least one; none of them empty. */
  readonly texts: readonly { readonly text: string; readonly cut: boolean }[];
  /** As the server calls it, else the setting. */
  readonly model: string;
  readonly usage: ModelUsage;
}

export interface Chat {
  readonly settings: Settings;
  /** Throws `PluginError`, and the reason of `ctx.signal` once that is aborted. */
  ask(question: Question): Promise<Reply>;
}

type Context = Pick<PluginContext, "config" | "secrets" | "signal" | "progress" | "usage" | "log">;

/** Longest text taken, characters. The host takes 1 MiB of JSON. */
const MAX_CHARS = 1_000_000;
/** Characters of the text so far that progress shows. */
const SHOWN = 160;
const CHARS_PER_TOKEN = 4;
/** How long an answer is taken to be, tokens, where nothing says. */
const EXPECTED_TOKENS = 800;

/** Throws `invalid_config` for settings that cannot be used. */
export function openChat(ctx: Context): Chat {
  const settings = readSettings(ctx);
  const client = createClient(settings);
  const quirks = quirksOf(settings.baseUrl, settings.model);

  async function ask(question: Question): Promise<Reply> {
    let retries = settings.maxRetries;
    for (;;) {
      const body = bodyOf(question, settings, quirks);
      try {
        return await askOnce(body, question);
      } catch (error) {
        ctx.signal.throwIfAborted();
        const field = learn(quirks, error, new Set(Object.keys(body)));
        if (field !== undefined) {
          ctx.log.info(`The server does not take "${field}" as it was sent; going on without.`);
          continue;
        }
        const failure = failureOf(error, settings);
        // What fails before an answer, the client has tried again itself.
        const reading = !(error instanceof APIConnectionError) &&
          !(error instanceof APIError && error.status !== undefined);
        if (reading && failure instanceof PluginError && failure.retryable && retries-- > 0) {
          ctx.log.warn(failure.message);
          continue;
        }
        throw failure;
      }
    }
  }

  async function askOnce(body: Body, question: Question): Promise<Reply> {
    const answer = emptyAnswer();
    let began = false;
    const begin = () => began = true;
    try {
      await read(client, body, answer, { ctx, settings, question, begin });
    } finally {
      // What was answered is paid for, whatever became of it.
      if (began) {
        const model = answer.model ?? settings.model;
        ctx.usage(usageOf(model, readTokens(answer.usage), settings.prices));
      }
    }
    const model = answer.model ?? settings.model;
    return {
      texts: textsOf(answer, question, settings),
      model,
      usage: usageOf(model, readTokens(answer.usage), settings.prices),
    };
  }

  return { settings, ask };
}

type Body = Readonly<Record<string, unknown>>;

function bodyOf(question: Question, settings: Settings, { without, limit }: Quirks): Body {
  const { messages, seed, count = 1 } = question;
  const { model, stream } = settings;
  const temperature = question.temperature ?? settings.temperature;
  const max = question.maxTokens ?? settings.maxTokens;
  const has = (field: Parameters<typeof without.has>[0]) => !without.has(field);
  return {
    model,
    messages,
    ...(stream && { stream: true }),
    ...(stream && has("stream_options") && { stream_options: { include_usage: true } }),
    ...(temperature !== undefined && has("temperature") && { temperature }),
    ...(max !== undefined && has("max_tokens") && { [limit]: max }),
    ...(seed !== undefined && has("seed") && { seed }),
    ...(count > 1 && has("n") && { n: count }),
  };
}

interface Reading {
  readonly ctx: Context;
  readonly settings: Settings;
  readonly question: Question;
  /** Told when the server has begun to answer. */
  readonly begin: () => void;
}

async function read(
  { api, transport }: Client,
  body: Body,
  answer: Answer,
  { ctx, settings, question, begin }: Reading,
): Promise<void> {
  const sent = body as unknown as Parameters<typeof api.chat.completions.create>[0];
  const { signal } = ctx;
  const { data, response } = await api.chat.completions.create(sent, { signal }).withResponse();
  begin();
  const type = response.headers.get("content-type") ?? "";
  if (!settings.stream || /^application\/(\w+\+)?json\b/i.test(type)) {
    // A server that knows no streams answers as if none was asked for.
    const whole = settings.stream ? JSON.parse(await response.text()) : data;
    if (typeof whole !== "object" || whole === null) throw notTheProtocol(settings, type);
    checkLength(addTo(answer, whole).length, settings);
    return;
  }
  const show = progressOf(question, settings, ctx);
  let length = 0;
  for await (const chunk of data as unknown as AsyncIterable<unknown>) {
    const came = addTo(answer, chunk);
    length += came.length;
    checkLength(length, settings);
    if (came !== "") show(came, length);
  }
  // The client ends a stream that was aborted as if it had come to its end: it has if it says so itself.
  const ends = [...answer.choices.values()].map(({ finish }) => finish);
  if (transport.done || ends.length > 0 && ends.every((finish) => finish !== undefined)) return;
  if (ends.length === 0 && !/^text\/event-stream\b/i.test(type)) {
    throw notTheProtocol(settings, type);
  }
  throw broken(settings);
}

function checkLength(length: number, settings: Settings): void {
  if (length <= MAX_CHARS) return;
  const why = `its answer is longer than ${MAX_CHARS} characters`;
  throw failed(settings, "too_large", why, { data: { max_chars: MAX_CHARS } });
}

/** Says what has come so far. How much is still to come nobody knows: the bar nears its end and waits there. */
function progressOf(question: Question, settings: Settings, ctx: Context) {
  const [from, to] = question.span ?? [0, 1];
  const tokens = question.maxTokens ?? settings.maxTokens ?? EXPECTED_TOKENS;
  const expected = tokens * CHARS_PER_TOKEN * (question.count ?? 1);
  let tail = "";
  return (came: string, length: number) => {
    tail = (tail + came).slice(-SHOWN);
    const shown = tail.toWellFormed().replace(/\s+/g, " ").trim();
    const done = 0.95 * (1 - Math.exp(-length / expected));
    ctx.progress(from + (to - from) * done, `${length > SHOWN ? "…" : ""}${shown}`);
  };
}

function textsOf(answer: Answer, question: Question, settings: Settings): Reply["texts"] {
  const choices = [...answer.choices].sort(([a], [b]) => a - b).map(([, choice]) => choice)
    .slice(0, question.count ?? 1);
  const texts = choices.filter(({ finish }) => finish !== "content_filter")
    .map(({ text, finish }) => ({ text: withoutThoughts(text), cut: finish === "length" }))
    .filter(({ text }) => text !== "");
  if (texts.length === 0) throw emptyHanded(choices[0], settings);
  return texts;
}

/** Why there is no text. */
function emptyHanded(choice: Choice | undefined, settings: Settings): PluginError {
  if (choice?.finish === "content_filter") {
    return failed(settings, "refused", "a filter of the server refuses the text");
  }
  const refusal = choice?.refusal.replace(/\s+/g, " ").trim().replace(/[.\s]+$/, "");
  if (refusal) {
    return failed(settings, "refused", `it refuses: ${refusal.slice(0, 300).toWellFormed()}`);
  }
  if (choice?.tools) {
    return failed(
      settings,
      "empty",
      "it asked for a tool instead of writing, and it is given none",
    );
  }
  if (choice?.finish === "length") {
    const why = "its limit of tokens was used up before it wrote anything; raise max_tokens";
    return failed(settings, "empty", why);
  }
  return failed(settings, "empty", "its answer is empty", { retryable: true });
}
