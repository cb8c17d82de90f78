import type { ModelUsage, PluginContext, TextVariantsInput, TextVariantsResult } from "@carrel/sdk";
import { openChat } from "./chat.ts";
import { failed } from "./failure.ts";
import { splitUsed, writingMessages } from "./prompts.ts";
import { sumUsage } from "./usage.ts";

/** Requests beside those that are needed, for variants that come out alike. */
const SPARE = 3;

/**
 * Writes several texts from one prompt. The server is asked for all of them at once; what it does not give, or
 * gives twice, is asked for one by one, with another seed and a freer choice of words each time.
 */
export async function writeVariants(
  input: TextVariantsInput,
  ctx: PluginContext,
): Promise<TextVariantsResult> {
  const chat = openChat(ctx);
  const { count, sources = [], max_tokens: maxTokens } = input;
  const temperature = input.temperature ?? chat.settings.temperature;
  const found = new Map<string, string>();
  const usages: ModelUsage[] = [];
  let model = chat.settings.model;

  async function ask(
    more: string | undefined,
    options: { count?: number; seed?: number; temperature?: number },
  ) {
    const done = found.size / count;
    const reply = await chat.ask({
      messages: writingMessages(input, more),
      maxTokens,
      temperature,
      span: [done, options.count === undefined ? (found.size + 1) / count : 1],
      ...options,
    });
    model = reply.model;
    usages.push(reply.usage);
    for (const { text: answer, cut } of reply.texts) {
      if (cut) ctx.log.warn("A variant is cut off where the limit of tokens was reached.");
      const text = sources.length === 0 ? answer : splitUsed(answer, sources).text;
      const same = text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, " ").trim();
      if (text !== "" && !found.has(same)) found.set(same, text);
    }
  }

  await ask(undefined, { count });
  for (let i = 1; found.size < count && i < count + SPARE; i++) {
    const more = `Several different answers are wanted. This is number ${
      i + 1
    }: take another direction than the first that comes to mind.`;
    const freer = Math.min(Math.max(temperature ?? 0, 0.7) + 0.1 * i, 1.5);
    await ask(more, { seed: i, temperature: freer });
  }
  if (found.size < 2) {
    const why = "it wrote the same text each time";
    throw failed(chat.settings, "plugin_error", why, { retryable: true });
  }
  if (found.size < count) {
    ctx.log.warn(`There are ${found.size} variants and not ${count}: the others were the same.`);
  }
  ctx.progress(1);
  const variants = [...found.values()].slice(0, count).map((text) => {
    const title = titleOf(text);
    return { ...(title !== undefined && { title }), text };
  });
  return { variants, model, usage: sumUsage(model, usages) };
}

/** The heading that a text begins with. */
function titleOf(text: string): string | undefined {
  return /^#{1,6}[ \t]+([^\n]{1,200}?)[ \t#]*(?:\n|$)/.exec(text)?.[1]?.trim() || undefined;
}
