import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { createGuest, type Guest } from "./guest_rpc.ts";
import { createDecoder, encodeFrame, type Frame } from "./protocol.ts";

type Value = Record<string, unknown>;

/** A guest in this process, and the host's half of the talk by hand. */
function talk(module: unknown, load: () => Promise<unknown> = () => Promise.resolve(module)) {
  const frames: Frame[] = [];
  const blocks: number[] = [];
  let heard = Promise.withResolvers<void>();
  const decoder = createDecoder({ maxFrame: 1 << 26 });
  const guest: Guest = createGuest({
    load,
    send(block) {
      blocks.push(block.length);
      decoder.push(block, (frame) => frames.push(frame));
      heard.resolve();
      heard = Promise.withResolvers<void>();
    },
  });
  let nextId = 1;
  const send = (kind: Frame["kind"], id: number, value: unknown) => {
    for (const block of encodeFrame(kind, id, value)) guest.receive(block);
  };
  /** The first frame that fits, when it has come. */
  async function wait(fits: (frame: Frame) => boolean): Promise<Frame> {
    for (;;) {
      const frame = frames.find(fits);
      if (frame) return frame;
      await heard.promise;
    }
  }
  function begin(method: string, ...args: unknown[]): number {
    const id = nextId++;
    send("request", id, { method, args, job: { id: "job_1", idempotencyKey: "key_1" } });
    return id;
  }
  return {
    guest,
    frames,
    blocks,
    send,
    wait,
    begin,
    async call(method: string, ...args: unknown[]): Promise<Value> {
      const id = begin(method, ...args);
      return (await wait((frame) => frame.kind === "response" && frame.id === id)).value as Value;
    },
    event: (name: string) => wait(({ value }) => (value as Value)?.event === name),
  };
}

// deno-lint-ignore no-explicit-any
const plugin = (methods: Record<string, (...args: any[]) => unknown>) => ({
  default: { kind: "import", methods },
});

Deno.test("createGuest() says ready with the plugin's methods when it is loaded", async () => {
  class Methods {
    extract() {}
    #hidden() {}
    other = 1;
    generate = () => this.#hidden();
  }
  const { event } = talk({ default: { kind: "export", methods: new Methods() } });
  deepStrictEqual((await event("ready")).value, {
    event: "ready",
    kind: "export",
    methods: ["generate", "extract"],
  });
});

Deno.test("createGuest() says failed when the module does not load or is no plugin", async () => {
  const broken = talk(null, () => Promise.reject(new SyntaxError("Unexpected token")));
  match(
    ((await broken.event("failed")).value as Value).message as string,
    /SyntaxError: Unexpected token/,
  );
  for (const module of [{}, { default: 1 }, { default: { kind: "import", methods: null } }]) {
    match(((await talk(module).event("failed")).value as Value).message as string, /definePlugin/);
  }
});

Deno.test("createGuest() hands arguments and a context to the method and its result back", async () => {
  const { send, call } = talk(plugin({
    extract: (raw, ctx) => ({ raw, job: ctx.jobId, key: ctx.idempotencyKey, config: ctx.config }),
    nothing: () => {},
  }));
  send("event", 0, { start: { config: { depth: 2 } } });
  const raw = { bytes: new Uint8Array([1, 2]) };
  deepStrictEqual(await call("extract", raw), {
    ok: { raw, job: "job_1", key: "key_1", config: { depth: 2 } },
  });
  deepStrictEqual(await call("nothing"), { ok: null });
});

Deno.test("createGuest() answers calls at the same time, and in few blocks", async () => {
  const gate = Promise.withResolvers<void>();
  const { begin, call, wait, blocks } = talk(plugin({
    slow: () => gate.promise.then(() => "slow"),
    quick: () => "quick",
  }));
  const slow = begin("slow");
  deepStrictEqual(await call("quick"), { ok: "quick" });
  gate.resolve();
  deepStrictEqual((await wait(({ kind, id }) => kind === "response" && id === slow)).value, {
    ok: "slow",
  });
  const before = blocks.length;
  await Promise.all(Array.from({ length: 100 }, () => call("quick")));
  ok(blocks.length - before < 20, `${blocks.length - before} blocks`);
});

Deno.test("createGuest() answers plugin_error when a method is missing or throws", async () => {
  const { call, frames } = talk(plugin({
    extract: () => {
      throw new RangeError("too far");
    },
    text: () => Promise.reject("a text"),
    nothing: () => Promise.reject(null),
    nasty: () => {
      throw Object.defineProperty({}, "message", {
        get() {
          throw new Error();
        },
      });
    },
  }));
  const error = async (method: string) => (await call(method)).error as Value;
  match((await error("missing")).message as string, /no such method/);
  match((await error("constructor")).message as string, /no such method/);
  deepStrictEqual(await error("extract"), {
    code: "plugin_error",
    message: "RangeError: too far",
    retryable: false,
  });
  strictEqual((await error("text")).message, "a text");
  strictEqual((await error("nothing")).message, "null");
  match((await error("nasty")).message as string, /cannot be shown/);
  // The stack goes into the log.
  ok(
    frames.some(({ value }) =>
      /RangeError.*guest_rpc_test/s.test(String((value as Value).message))
    ),
  );
});

Deno.test("createGuest() tells the fields of an error that is named PluginError", async () => {
  const thrown = (fields: Value) =>
    talk(plugin({
      extract: () => {
        throw Object.assign(new Error("the site answered 503"), { name: "PluginError", ...fields });
      },
    })).call("extract");
  deepStrictEqual(await thrown({ code: "http_error", retryable: true, data: { status: 503 } }), {
    error: {
      code: "http_error",
      message: "the site answered 503",
      retryable: true,
      data: { status: 503 },
    },
  });
  deepStrictEqual(await thrown({ code: "empty" }), {
    error: { code: "empty", message: "the site answered 503", retryable: false },
  });
  const odd = (await thrown({ code: "empty", data: { go() {} } })).error as Value;
  strictEqual(odd.code, "plugin_error");
});

Deno.test("createGuest() answers invalid_output when a result is not plain data", async () => {
  const { call } = talk(plugin({
    fn: () => ({ a: () => 1 }),
    getter: () => ({
      get a(): never {
        throw new Error("no");
      },
    }),
    date: () => new Date(0),
  }));
  for (const method of ["fn", "getter", "date"]) {
    strictEqual(((await call(method)).error as Value).code, "invalid_output", method);
  }
});

Deno.test("createGuest() aborts the signal when the call is cancelled, asked for before or after", async () => {
  const entered = Promise.withResolvers<void>();
  const late = Promise.withResolvers<void>();
  const { begin, send, wait } = talk(plugin({
    early: (ctx) => {
      const aborted = new Promise((resolve) =>
        ctx.signal.addEventListener("abort", () => resolve(ctx.signal.reason.name))
      );
      entered.resolve();
      return aborted;
    },
    late: (ctx) => late.promise.then(() => ctx.signal.aborted),
  }));
  const answer = async (id: number) =>
    ((await wait((frame) => frame.kind === "response" && frame.id === id)).value as Value).ok;
  const early = begin("early");
  await entered.promise;
  send("cancel", early, null);
  strictEqual(await answer(early), "AbortError");
  const other = begin("late");
  send("cancel", other, null);
  send("cancel", 999, null);
  late.resolve();
  strictEqual(await answer(other), true);
});

Deno.test("createGuest() sends the first and the last progress of a call, few between", async () => {
  const { call, frames } = talk(plugin({
    extract: (ctx) => {
      for (let i = 0; i < 1000; i++) ctx.progress(i / 1000, i === 999 ? "almost" : undefined);
      ctx.progress(NaN, 5);
    },
  }));
  await call("extract");
  const progress = frames.map(({ value }) => value as Value).filter(({ event }) =>
    event === "progress"
  );
  deepStrictEqual(progress.map(({ fraction, message }) => [fraction, message]), [[0, undefined], [
    0,
    "5",
  ]]);
  strictEqual(frames.at(-1)?.kind, "response");
});

Deno.test("createGuest() sends progress of a long call while it runs", async () => {
  const gate = Promise.withResolvers<void>();
  const { begin, wait } = talk(plugin({
    extract: (ctx) => {
      ctx.progress(0.1);
      ctx.progress(0.2);
      return gate.promise;
    },
  }));
  const id = begin("extract");
  await wait(({ value }) => (value as Value).fraction === 0.2);
  gate.resolve();
  await wait((frame) => frame.kind === "response" && frame.id === id);
});

Deno.test("createGuest() sends log lines with their fields, and none after the call", async () => {
  let kept: {
    log: Record<string, (message: string, fields?: Value) => void>;
    progress(n: number): void;
  };
  const { call, event, frames } = talk(plugin({
    extract: (ctx) => {
      kept = ctx;
      ctx.log.warn("odd", { page: 3 });
    },
  }));
  await call("extract");
  deepStrictEqual((await event("log")).value, {
    event: "log",
    level: "warn",
    message: `odd {"page":3}`,
  });
  const before = frames.length;
  kept!.log.info!("too late");
  kept!.progress(1);
  await Promise.resolve();
  strictEqual(frames.length, before);
});

Deno.test("createGuest() asks the host for services and takes its answers and errors", async () => {
  const { begin, send, wait } = talk(plugin({
    extract: async (name, ctx) => {
      try {
        return await ctx.service(name, { q: 1 });
      } catch (error) {
        const { code, message, retryable } = error as unknown as Value;
        return { code, message, retryable };
      }
    },
  }));
  async function answer(with_: Value): Promise<unknown> {
    const id = begin("extract", "search");
    const asked = await wait(({ kind, value }) =>
      kind === "request" && (value as Value).call === id
    );
    deepStrictEqual(asked.value, { service: "search", input: { q: 1 }, call: id });
    send("response", asked.id, with_);
    return ((await wait((frame) => frame.kind === "response" && frame.id === id)).value as Value)
      .ok;
  }
  deepStrictEqual(await answer({ ok: { hits: [] } }), { hits: [] });
  deepStrictEqual(await answer({ error: { code: "denied", message: "no", retryable: true } }), {
    code: "denied",
    message: "no",
    retryable: true,
  });
});

Deno.test("createGuest() has at most 32 services under way", async () => {
  const { begin, send, wait, frames } = talk(plugin({
    extract: (ctx) => Promise.all(Array.from({ length: 100 }, (_, i) => ctx.service("echo", i))),
  }));
  const id = begin("extract");
  const answered = new Set<number>();
  const requests = () => frames.filter(({ kind }) => kind === "request");
  while (answered.size < 100) {
    const { id } = await wait((frame) => frame.kind === "request" && !answered.has(frame.id));
    ok(requests().length - answered.size <= 32);
    answered.add(id);
    send("response", id, { ok: answered.size });
  }
  const result = await wait((frame) => frame.kind === "response" && frame.id === id);
  strictEqual(((result.value as Value).ok as unknown[]).length, 100);
});

Deno.test("createGuest() refuses services after the call and input that is not plain", async () => {
  let service: (name: string, input: unknown) => Promise<unknown>;
  const { call } = talk(plugin({
    extract: (ctx) => {
      service = ctx.service;
      return ctx.service("echo", { a: () => 1 }).catch((error: Error) => error.message);
    },
  }));
  match((await call("extract")).ok as string, /"input\.a" is a function/);
  match(String(await service!("echo", 1).catch((error) => error)), /call is over/);
});

Deno.test("createGuest() leaves out what it cannot read, and logs stray rejections", async () => {
  const { guest, send, event, call } = talk(plugin({ ping: () => "pong" }));
  send("request", 7, { method: 1 });
  send("response", 7, {});
  send("event", 0, { start: 1 });
  guest.stray(new Error("nobody waits"));
  match(
    ((await event("log")).value as Value).message as string,
    /Unhandled rejection: Error: nobody/,
  );
  deepStrictEqual(await call("ping"), { ok: "pong" });
});
