import { definePlugin } from "@carrel/sdk";
import { generateText } from "./generate.ts";
import { healthCheck } from "./health.ts";
import { translateText } from "./translate.ts";
import { writeVariants } from "./variants.ts";

/** Texts from a language model behind an OpenAI-compatible server, over the Chat Completions API. */
export default definePlugin.generator({
  capabilities: {
    "text.generate": generateText,
    "text.translate": translateText,
    "text.variants": writeVariants,
  },
  healthCheck,
});
