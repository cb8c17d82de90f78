/**
 * A server on loopback that speaks the Chat Completions API of OpenAI, with whatever faults a test wants. What it
 * sends follows the public reference: https://platform.openai.com/docs/api-reference/chat
 */

/** A request as the server got it. */
export interface Asked {
  readonly path: string;
  readonly headers: Headers;
  // deno-lint-ignore no-explicit-any -- looked at field by field in the tests
  readonly body: any;
}

export type Answering = (asked: Asked) => Response | Promise<Response>;

export interface OpenAiServer extends AsyncDisposable {
  /** `127.0.0.1:port`, as `--allow-private` wants it. */
  readonly host: string;
  /** What `base_url` is set to. */
  readonly url: string;
  /** All requests so far. */
  readonly asked: Asked[];
  /** Those for a completion. */
  readonly bodies: Asked["body"][];
  /** The next completions are answered so, in order; after them as usual. */
  next(...answers: Answering[]): void;
}

export interface OpenAiServerOptions {
  /** What the model says, as usual. @default "Thyme likes the sun." */
  readonly say?: ((body: Asked["body"]) => string) | undefined;
  /** @default ["test-model"]; undefined for a server without a list */
  readonly models?: readonly string[] | undefined;
  /** Another key is refused. @default none is asked for */
  readonly key?: string | undefined;
}

export function startOpenAiServer(options: OpenAiServerOptions = {}): OpenAiServer {
  const say = options.say ?? (() => "Thyme likes the sun.");
  const models = "models" in options ? options.models : ["test-model"];
  const asked: Asked[] = [];
  const queue: Answering[] = [];
  const abort = new AbortController();

  async function answer(request: Request): Promise<Response> {
    const path = new URL(request.url).pathname;
    const text = await request.text();
    const one: Asked = {
      path,
      headers: request.headers,
      body: text === "" ? undefined : JSON.parse(text),
    };
    asked.push(one);
    const { key } = options;
    const given = request.headers.get("authorization");
    if (key !== undefined && given !== `Bearer ${key}`) {
      // As OpenAI does, and a careless server more so: the key comes back in the answer.
      return fault(401, `Incorrect API key provided: ${given}.`, { code: "invalid_api_key" })(one);
    }
    if (path === "/v1/models" && models !== undefined) {
      return Response.json({
        object: "list",
        data: models.map((id) => ({ id, object: "model", created: 1, owned_by: "test" })),
      });
    }
    if (path !== "/v1/chat/completions") return fault(404, "Not found")(one);
    return await (queue.shift() ?? said(say(one.body)))(one);
  }

  const server = Deno.serve(
    {
      hostname: "127.0.0.1",
      port: 0,
      signal: abort.signal,
      onListen() {},
      // A body that a test breaks off is no news.
      onError: () => new Response(null, { status: 500 }),
    },
    answer,
  );
  const host = `127.0.0.1:${server.addr.port}`;
  return {
    host,
    url: `http://${host}/v1`,
    asked,
    get bodies() {
      return asked.filter(({ path }) => path === "/v1/chat/completions").map(({ body }) => body);
    },
    next: (...answers) => void queue.push(...answers),
    async [Symbol.asyncDispose]() {
      abort.abort();
      await server.finished;
    },
  };
}

export interface Said {
  /** @default {prompt_tokens: 12, completion_tokens: 5}; null for none */
  readonly usage?: Readonly<Record<string, unknown>> | null | undefined;
  /** @default "stop" */
  readonly finish?: string | undefined;
  /** Laid over the message. */
  readonly message?: Readonly<Record<string, unknown>> | undefined;
}

const USAGE = { prompt_tokens: 12, completion_tokens: 5, total_tokens: 17 };

/** The texts of an answer, as it was asked for: streamed or whole. */
export function said(texts: string | readonly string[], options: Said = {}): Answering {
  const list = typeof texts === "string" ? [texts] : texts;
  const { finish = "stop", usage = USAGE, message } = options;
  return ({ body }) => {
    const { model } = body;
    if (!body.stream) {
      return Response.json({
        id: "chatcmpl-1",
        object: "chat.completion",
        created: 1,
        model,
        choices: list.map((content, index) => ({
          index,
          message: { role: "assistant", content, refusal: null, ...message },
          finish_reason: finish,
        })),
        ...(usage && { usage }),
      });
    }
    const chunks: unknown[] = [];
    for (const [index, text] of list.entries()) {
      chunks.push(chunk(model, index, { role: "assistant", content: "", ...message }));
      for (const piece of text.match(/[^]{1,7}/gu) ?? []) {
        chunks.push(chunk(model, index, { content: piece }));
      }
      chunks.push(chunk(model, index, {}, finish));
    }
    if (usage && body.stream_options?.include_usage) chunks.push({ model, choices: [], usage });
    return events([...chunks.map((one) => JSON.stringify(one)), "[DONE]"]);
  };
}

/** One event of a stream. */
export function chunk(model: string, index: number, delta: unknown, finish?: string): unknown {
  return {
    id: "chatcmpl-1",
    object: "chat.completion.chunk",
    created: 1,
    model,
    choices: [{ index, delta, finish_reason: finish ?? null }],
  };
}

/** Server-sent events, as they are. */
export function events(data: readonly string[]): Response {
  return new Response(data.map((one) => `data: ${one}\n\n`).join(""), {
    headers: { "content-type": "text/event-stream" },
  });
}

/** A stream that begins so and then does what it is told: breaks off, or says nothing more. */
export function begun(data: readonly string[], then: "break" | "hang" | "close"): Answering {
  return () => {
    const start = new TextEncoder().encode(data.map((one) => `data: ${one}\n\n`).join(""));
    let pulls = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (pulls++ === 0) return controller.enqueue(start);
        if (then === "break") return controller.error(new Error("broken on purpose"));
        if (then === "close") return controller.close();
        return new Promise(() => {});
      },
    }, { highWaterMark: 0 });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  };
}

/** An error as OpenAI says it. */
export function fault(
  status: number,
  message: string,
  more: Readonly<Record<string, unknown>> = {},
  headers: Readonly<Record<string, string>> = {},
): Answering {
  const error = { message, type: "error", param: null, code: null, ...more };
  return () => Response.json({ error }, { status, headers });
}
