import type { ModelUsage } from "@carrel/sdk";
import type { Prices } from "./settings.ts";

/** Tokens as a server counted them; undefined where it did not say. */
export interface Tokens {
  readonly input: number | undefined;
  readonly output: number | undefined;
}

/** `usage` of an answer. What is no count is not known. */
export function readTokens(usage: unknown): Tokens {
  const { prompt_tokens, completion_tokens } = (usage ?? {}) as Record<string, unknown>;
  return { input: count(prompt_tokens), output: count(completion_tokens) };
}

function count(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? value as number : undefined;
}

/** What one request came to. Without both counts there is no cost: a part of it would be taken for all. */
export function usageOf(model: string, tokens: Tokens, prices: Prices | undefined): ModelUsage {
  const { input, output } = tokens;
  const known = prices !== undefined && input !== undefined && output !== undefined;
  return {
    model,
    ...(input !== undefined && { input_tokens: input }),
    ...(output !== undefined && { output_tokens: output }),
    ...(known && {
      cost: (input * prices.input + output * prices.output) / 1e6,
      currency: prices.currency,
    }),
  };
}

/** What several requests came to. A figure that one of them lacks is left out. */
export function sumUsage(model: string, usages: readonly ModelUsage[]): ModelUsage {
  const sum = (name: "input_tokens" | "output_tokens" | "cost") =>
    usages.reduce<number | undefined>((total, usage) => {
      const value = usage[name];
      return total === undefined || value === undefined ? undefined : total + value;
    }, 0);
  const input = sum("input_tokens");
  const output = sum("output_tokens");
  const cost = sum("cost");
  const currency = usages[0]?.currency;
  return {
    model,
    ...(input !== undefined && { input_tokens: input }),
    ...(output !== undefined && { output_tokens: output }),
    ...(cost !== undefined && currency !== undefined && { cost, currency }),
  };
}
