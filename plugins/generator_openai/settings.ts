import { type Plain, PluginError } from "@carrel/sdk";

export interface Prices {
  /** Of a million tokens, in `currency`. */
  readonly input: number;
  readonly output: number;
  /** ISO 4217 */
  readonly currency: string;
}

/** The plugin's settings, with `carrel.yaml`'s defaults for what is not set. */
export interface Settings {
  readonly baseUrl: string;
  readonly model: string;
  readonly apiKey: string | undefined;
  readonly temperature: number | undefined;
  readonly maxTokens: number | undefined;
  /** Longest silence, milliseconds. */
  readonly timeoutMs: number;
  readonly maxRetries: number;
  readonly stream: boolean;
  readonly prices: Prices | undefined;
}

export interface SettingsContext {
  readonly config: Readonly<Record<string, Plain>>;
  readonly secrets: Readonly<Record<string, string>>;
}

export const DEFAULT_BASE_URL = "https://api.openai.com/v1";

/** Throws `invalid_config` when there is no model, or a key that no header can carry. */
export function readSettings({ config, secrets }: SettingsContext): Settings {
  const number = (name: string) => {
    const value = config[name];
    return typeof value === "number" ? value : undefined;
  };
  const model = config["model"];
  if (typeof model !== "string" || model.trim() === "") {
    throw new PluginError(
      "invalid_config",
      'Cannot use "generator.openai": its setting "model" is not set.',
    );
  }
  const apiKey = secrets["api_key"]?.trim() || undefined;
  if (apiKey !== undefined && !/^[\x21-\x7e]+$/.test(apiKey)) {
    // Said here: the error of `fetch` would repeat the key.
    throw new PluginError(
      "invalid_config",
      'Cannot use "generator.openai": its setting "api_key" holds spaces or signs that no key has.',
    );
  }
  const baseUrl = config["base_url"];
  return {
    baseUrl: typeof baseUrl === "string" && baseUrl !== "" ? baseUrl : DEFAULT_BASE_URL,
    model: model.trim(),
    apiKey,
    temperature: number("temperature"),
    maxTokens: number("max_tokens"),
    timeoutMs: (number("timeout_s") ?? 120) * 1000,
    maxRetries: number("max_retries") ?? 2,
    stream: config["stream"] !== false,
    prices: readPrices(config["prices"]),
  };
}

function readPrices(value: Plain | undefined): Prices | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { input_per_million: input, output_per_million: output, currency } = value as Record<
    string,
    Plain | undefined
  >;
  if (typeof input !== "number" || typeof output !== "number") return undefined;
  return { input, output, currency: typeof currency === "string" ? currency : "USD" };
}
