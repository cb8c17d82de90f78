/** What a plugin says that its models used. */
import type { ModelUsage } from "../../sdk/capabilities.ts";
import type { Usage } from "../jobs/job.ts";

/** A plugin's word, with its name to it. */
export function usageOf(plugin: string, usage: ModelUsage): Usage {
  const { model, input_tokens, output_tokens, cost, currency } = usage;
  return {
    plugin,
    model,
    ...(input_tokens !== undefined && { input_tokens }),
    ...(output_tokens !== undefined && { output_tokens }),
    ...(cost !== undefined && { cost }),
    ...(currency !== undefined && { currency }),
  };
}
