import OpenAI from "openai";
import type { Settings } from "./settings.ts";
import { createTransport, type Transport } from "./transport.ts";

/** Longest answer taken, bytes on the wire: a stream has some two hundred for each token. */
const MAX_BYTES = 32 * 1024 * 1024;

export interface Client {
  readonly api: OpenAI;
  readonly transport: Transport;
}

/** A client of these settings alone: nothing is read from the environment, and nothing is logged. */
export function createClient(settings: Settings): Client {
  const transport = createTransport({ silenceMs: settings.timeoutMs, maxBytes: MAX_BYTES });
  const api = new OpenAI({
    baseURL: settings.baseUrl,
    // Without one the client refuses to start; the header that it would go into is taken out below.
    apiKey: settings.apiKey ?? "none",
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    ...(settings.apiKey === undefined && { defaultHeaders: { Authorization: null } }),
    timeout: settings.timeoutMs,
    maxRetries: settings.maxRetries,
    logLevel: "off",
    fetch: transport.fetch,
    // It runs in a worker, and the key is the operator's, not a visitor's.
    dangerouslyAllowBrowser: true,
  });
  return { api, transport };
}
