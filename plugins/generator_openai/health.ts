import { type Health, type PluginContext, PluginError } from "@carrel/sdk";
import { APIError } from "openai";
import { createClient } from "./client.ts";
import { failureOf, notTheProtocol } from "./failure.ts";
import { readSettings, type Settings } from "./settings.ts";

/** The host waits ten seconds. */
const TIMEOUT_MS = 8_000;

/** Whether the server answers and has the model. */
export async function healthCheck(ctx: PluginContext): Promise<Health> {
  let settings: Settings;
  try {
    settings = { ...readSettings(ctx), maxRetries: 0 };
  } catch (error) {
    if (!(error instanceof PluginError)) throw error;
    const isSet = typeof ctx.config["model"] === "string";
    return { status: isSet ? "unhealthy" : "unknown", message: error.message };
  }
  settings = { ...settings, timeoutMs: Math.min(settings.timeoutMs, TIMEOUT_MS) };
  const { api } = createClient(settings);
  const options = { signal: ctx.signal };
  try {
    const { data } = await api.models.list(options) as { data?: unknown };
    if (Array.isArray(data) && isListed(data, settings.model)) {
      return { status: "healthy", message: `The server has the model "${settings.model}".` };
    }
  } catch (error) {
    ctx.signal.throwIfAborted();
    // A server without a list may have the model all the same.
    const status = error instanceof APIError ? error.status : undefined;
    if (!(error instanceof SyntaxError) && status !== 404 && status !== 405 && status !== 501) {
      return unhealthy(error, settings);
    }
  }
  // Some servers take a model that they do not list, or under another name: only an answer tells.
  try {
    const answer = await api.chat.completions.create(
      { model: settings.model, messages: [{ role: "user", content: "Say yes." }] },
      options,
    ) as { choices?: unknown };
    if (!Array.isArray(answer?.choices)) throw notTheProtocol(settings);
    return { status: "healthy", message: `The model "${settings.model}" answers.` };
  } catch (error) {
    ctx.signal.throwIfAborted();
    return unhealthy(error, settings);
  }
}

function isListed(data: readonly unknown[], model: string): boolean {
  return data.some((one) => (one as { id?: unknown } | null)?.id === model);
}

function unhealthy(error: unknown, settings: Settings): Health {
  const failure = failureOf(error, settings);
  if (failure instanceof Deno.errors.NotCapable) {
    const { host } = new URL(settings.baseUrl);
    const message =
      `Cannot reach "${host}": it is not granted. To grant it: carrel plugin consent generator.openai.`;
    return { status: "unhealthy", message };
  }
  if (!(failure instanceof PluginError)) throw failure;
  return { status: "unhealthy", message: failure.message };
}
