import type { PluginContext, TextGenerateInput, TextGenerateResult } from "@carrel/sdk";
import { openChat } from "./chat.ts";
import { failed } from "./failure.ts";
import { splitUsed, writingMessages } from "./prompts.ts";

/** Writes a text, and says which of the sources went into it. */
export async function generateText(
  input: TextGenerateInput,
  ctx: PluginContext,
): Promise<TextGenerateResult> {
  const chat = openChat(ctx);
  const { sources = [], temperature, max_tokens } = input;
  const { texts, model, usage } = await chat.ask({
    messages: writingMessages(input),
    temperature,
    maxTokens: max_tokens,
  });
  const [{ text: answer, cut }] = texts as [Reply];
  if (cut) ctx.log.warn("The text is cut off where the limit of tokens was reached.");
  const { text, used } = sources.length === 0
    ? { text: answer, used: undefined }
    : splitUsed(answer, sources);
  if (text === "") {
    throw failed(chat.settings, "empty", "it named sources and wrote no text", { retryable: true });
  }
  ctx.progress(1);
  return { text, model, usage, ...(used !== undefined && { used }) };
}

type Reply = { readonly text: string; readonly cut: boolean };
