import {
  definePlugin,
  PluginError,
  type TextGenerateInput,
  type TextGenerateResult,
} from "@carrel/sdk";
import { sentencesOf } from "./sentences.ts";
import { summarise } from "./summarise.ts";

const MODEL = "extractive summary";

/** Characters of a token, as English goes. */
const TOKEN = 4;
/** Characters of a summary when nothing is said. */
const ROOM = 2400;
/** A prompt of fewer sentences is an order, and nothing to pick from. */
const FEWEST = 4;

const NOTHING = (why: string) =>
  `*Nothing was written: ${why}. The plugin generator.extractive only picks sentences from sources, and writes ` +
  `none of its own; a text from a prompt takes a plugin with a language model.*`;

function generate(input: TextGenerateInput): TextGenerateResult {
  const { prompt, sources = [], max_tokens } = input;
  if (typeof prompt !== "string") {
    throw new PluginError("invalid_parameters", 'Cannot generate a text: "prompt" is no text.');
  }
  const language = tagOf(input.language);
  const room = max_tokens === undefined ? ROOM : max_tokens * TOKEN;
  if (sources.length > 0) {
    const summary = summarise({ sources, question: prompt, room, language });
    return summary === undefined
      ? { text: NOTHING("the sources hold no sentence"), model: MODEL, used: [] }
      : { ...summary, model: MODEL };
  }
  const own = sentencesOf(prompt, language).length >= FEWEST
    ? summarise({ sources: [{ id: "prompt", text: prompt }], question: "", room, language })
    : undefined;
  return { text: own?.text ?? NOTHING("no sources were given"), model: MODEL, used: [] };
}

/** The tag if the runtime can read it. */
function tagOf(language: string | undefined): string | undefined {
  try {
    return language === undefined ? undefined : Intl.getCanonicalLocales(language)[0];
  } catch {
    return undefined;
  }
}

export default definePlugin.generator({
  capabilities: { "text.generate": (input: TextGenerateInput) => generate(input) },
  healthCheck: () => ({ status: "healthy" }),
});
