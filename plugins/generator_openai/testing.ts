/** For tests: the plugin's functions under a server of theirs. */
import { type FakeContext, fakeContext } from "@carrel/sdk/testing";
import {
  type OpenAiServer,
  type OpenAiServerOptions,
  startOpenAiServer,
} from "../../tests/e2e/openai_server.ts";

/** A key that must turn up nowhere. */
export const CANARY = "sk-canary-7f3a9c51e2";

export interface Desk {
  readonly server: OpenAiServer;
  ctx(config?: FakeContext["config"], signal?: AbortSignal): FakeContext;
}

export async function withServer(
  work: (desk: Desk) => Promise<void>,
  options: OpenAiServerOptions = {},
): Promise<void> {
  await using server = startOpenAiServer(options);
  await work({
    server,
    ctx: (config = {}, signal) =>
      fakeContext({
        config: { base_url: server.url, model: "test-model", max_retries: 0, ...config },
        secrets: { api_key: CANARY },
        signal,
      }),
  });
}

/** A port on which nobody listens. */
export function closedPort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** What was thrown. */
export async function thrownBy(work: Promise<unknown>): Promise<Record<string, unknown>> {
  try {
    await work;
  } catch (error) {
    const { name, code, message, retryable, data } = error as Record<string, unknown>;
    return { name, code, message, retryable, data };
  }
  throw new Error("nothing was thrown");
}
