import type {
  ModelUsage,
  PluginContext,
  TextTranslateInput,
  TextTranslateResult,
} from "@carrel/sdk";
import { openChat } from "./chat.ts";
import { failed } from "./failure.ts";
import { translationMessages, withoutFence } from "./prompts.ts";
import { splitMarkdown } from "./split.ts";
import { sumUsage } from "./usage.ts";

/** Characters that are translated at once: what small models still give back whole. */
const PART = 8_000;
/** From here on a text that comes back as it was has not been translated. */
const PROSE = 200;

/** Translates a text, a long one part by part. */
export async function translateText(
  { text, to, from }: TextTranslateInput,
  ctx: PluginContext,
): Promise<TextTranslateResult> {
  const chat = openChat(ctx);
  const { settings } = chat;
  const parts = splitMarkdown(text, PART);
  const usages: ModelUsage[] = [];
  let model = settings.model;
  let translated = "";
  for (const [i, { text: part, gap }] of parts.entries()) {
    // Blank text is the same in all languages.
    if (part.trim() === "") {
      translated += part + gap;
      continue;
    }
    const reply = await chat.ask({
      messages: translationMessages(part, to, from),
      span: [i / parts.length, (i + 1) / parts.length],
    });
    const { text: answer, cut } = reply.texts[0]!;
    // The beginning of a translation is none.
    if (cut) {
      const why =
        "its limit of tokens was reached before the translation was complete; raise max_tokens";
      throw failed(settings, "too_large", why);
    }
    const own = withoutFence(answer, part);
    if (own === part.trim() && own.length >= PROSE && !sameLanguage(from, to)) {
      const why = "it gave the text back untranslated";
      throw failed(settings, "plugin_error", why, { retryable: true });
    }
    model = reply.model;
    usages.push(reply.usage);
    // What stands around a text the model does not keep.
    translated += /^\s*/.exec(part)![0] + own + /\s*$/.exec(part)![0] + gap;
  }
  ctx.progress(1);
  const usage = usages.length === 0 ? undefined : sumUsage(model, usages);
  return { text: translated, language: to, model, ...(usage && { usage }) };
}

/** Whether a text may stay as it is: the language is the same, or nobody has said which it was. */
function sameLanguage(from: string | undefined, to: string): boolean {
  const base = (tag: string) => tag.toLowerCase().split("-")[0];
  return from === undefined || base(from) === base(to);
}
