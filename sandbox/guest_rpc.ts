/**
 * The guest's half of the protocol: decodes what the host sends, calls the plugin, sends what comes
 * of it. It holds no wall: plugin code shares its worker and can change anything here. What the host
 * believes, it believes of the plugin.
 */
import type { Plain, PluginContext } from "../sdk/types.ts";
import {
  type Answer,
  type CallMessage,
  cut,
  parseAnswer,
  parseCall,
  parseStart,
} from "./messages.ts";
import { PlainError } from "./plain.ts";
import {
  createDecoder,
  encodeFrame,
  type Frame,
  type FrameKind,
  joinBlocks,
  sizeOf,
} from "./protocol.ts";

export interface GuestOptions {
  /** Brings the plugin's module. */
  load(): Promise<unknown>;
  /** Sends a block of bytes to the host. */
  send(block: Uint8Array): void;
}

export interface Guest {
  /** Takes bytes from the host. */
  receive(bytes: Uint8Array): void;
  /** A rejection that nobody waits for: a log line, not the end of the runner. */
  stray(reason: unknown): void;
}

/** Service calls that wait for the host at the same time; more stand in a line here. */
const SERVICES_AT_ONCE = 32;
/** Milliseconds between two progress messages of a call. */
const PROGRESS_EVERY = 50;
/** The host sends what its stores hold; the guest need not be careful with it. */
const MAX_FRAME = 0xffff_ffff;

interface Plugin {
  readonly kind: string;
  readonly methods: Record<string, (...args: unknown[]) => unknown>;
  readonly names: readonly string[];
}

export function createGuest(options: GuestOptions): Guest {
  const decoder = createDecoder({ maxFrame: MAX_FRAME, maxEvent: MAX_FRAME });
  const calls = new Map<number, { abort(): void }>();
  const replies = new Map<number, (answer: Answer) => void>();
  const waitingServices: (() => void)[] = [];
  let config: Readonly<Record<string, Plain>> = {};
  let dataDir: string | undefined;
  /** What the host takes of one request; more would end the runner. */
  let maxRequest = Infinity;
  let nextService = 1;
  let outgoing: Uint8Array[] = [];

  /** Frames of one tick leave together. */
  function send(kind: FrameKind, id: number, value: unknown): void {
    sendBlocks(encodeFrame(kind, id, value));
  }

  function sendBlocks(blocks: readonly Uint8Array[]): void {
    if (outgoing.length === 0) queueMicrotask(flush);
    outgoing.push(...blocks);
  }

  function flush(): void {
    const blocks = outgoing;
    outgoing = [];
    for (const block of joinBlocks(blocks)) options.send(block);
  }

  const loaded = loadPlugin(options.load);
  loaded.then(
    (plugin) => send("event", 0, { event: "ready", kind: plugin.kind, methods: plugin.names }),
    (error) => send("event", 0, { event: "failed", message: cut(describe(error)) }),
  );

  function handle({ kind, id, value }: Frame): void {
    switch (kind) {
      case "event": {
        const start = parseStart(value)?.start;
        if (start === undefined) break;
        config = Object.freeze(start.config) as typeof config;
        dataDir = start.dataDir;
        maxRequest = start.maxRequest ?? Infinity;
        break;
      }
      case "request": {
        const call = parseCall(value);
        if (call) answerCall(id, call);
        break;
      }
      case "response": {
        const answer = parseAnswer(value);
        if (answer) replies.get(id)?.(answer);
        break;
      }
      case "cancel":
        calls.get(id)?.abort();
        break;
    }
  }

  async function answerCall(
    id: number,
    { method, args, job, secrets }: CallMessage,
  ): Promise<void> {
    const context = createContext(id, job, secrets);
    calls.set(id, context);
    let answer: Answer;
    try {
      const plugin = await loaded;
      if (!plugin.names.includes(method)) {
        throw Object.assign(new Error(`Cannot call "${method}": the plugin has no such method`), {
          name: "PluginError",
          code: "plugin_error",
        });
      }
      answer = { ok: await plugin.methods[method]!(...args, context.ctx) ?? null };
    } catch (error) {
      answer = failure(error);
      if ("error" in answer && answer.error.code === "plugin_error") {
        log(id, "error", stackOf(error));
      }
    }
    calls.delete(id);
    context.end();
    try {
      send("response", id, answer);
    } catch (error) {
      send("response", id, { error: invalidOutput(method, error) });
    }
  }

  function log(id: number, level: string, message: string): void {
    send("event", id, { event: "log", level, message: cut(message, 8192) });
  }

  function createContext(
    id: number,
    job: CallMessage["job"],
    secrets: CallMessage["secrets"],
  ) {
    let controller: AbortController | undefined;
    let aborted = false;
    let ended = false;
    let latest: { fraction: number; message: string | undefined } | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;

    function sendProgress(): void {
      if (latest) send("event", id, { event: "progress", ...latest });
      latest = undefined;
    }
    const write = (level: string) => (message: string, fields?: Record<string, Plain>) => {
      if (ended) return;
      log(
        id,
        level,
        fields === undefined ? String(message) : `${message} ${JSON.stringify(fields)}`,
      );
    };
    const ctx: PluginContext = {
      jobId: job.id,
      idempotencyKey: job.idempotencyKey,
      config,
      secrets: Object.freeze({ ...secrets }),
      dataDir,
      get signal() {
        controller ??= new AbortController();
        if (aborted) controller.abort();
        return controller.signal;
      },
      progress(fraction, message) {
        if (ended) return;
        latest = {
          fraction: Number.isFinite(fraction) ? fraction : 0,
          message: message === undefined ? undefined : cut(String(message), 500),
        };
        // The first at once, then the latest of each interval.
        if (timer !== undefined) return;
        sendProgress();
        timer = setTimeout(() => {
          timer = undefined;
          sendProgress();
        }, PROGRESS_EVERY);
      },
      log: {
        debug: write("debug"),
        info: write("info"),
        warn: write("warn"),
        error: write("error"),
      },
      service: (name, input) => callService(id, name, input, () => ended),
      call: (capability, input) => callService(id, "call", { capability, input }, () => ended),
      usage(usage) {
        if (!ended) send("event", id, { event: "usage", usage });
      },
    };
    return {
      ctx,
      abort() {
        aborted = true;
        controller?.abort(new DOMException("The job was cancelled", "AbortError"));
      },
      end() {
        // Deno makes its timers when they are first touched, which takes 4 ms: not here, for nothing.
        if (timer !== undefined) clearTimeout(timer);
        sendProgress();
        ended = true;
      },
    };
  }

  async function callService(
    call: number,
    service: string,
    input: Plain,
    ended: () => boolean,
  ): Promise<Plain> {
    if (replies.size >= SERVICES_AT_ONCE) {
      await new Promise<void>((resolve) => waitingServices.push(resolve));
    }
    try {
      if (ended()) throw new Error(`Cannot call "${service}": the call is over`);
      const id = nextService++;
      const answered = new Promise<Answer>((resolve) => {
        replies.set(id, resolve);
      }).finally(() => replies.delete(id));
      try {
        const blocks = encodeFrame("request", id, { service, input, call });
        const size = sizeOf(blocks);
        if (size > maxRequest) throw requestTooLarge(service, size, maxRequest);
        sendBlocks(blocks);
      } catch (error) {
        replies.delete(id);
        throw error;
      }
      const answer = await answered;
      if ("ok" in answer) return answer.ok as Plain;
      const { code, message, retryable, data } = answer.error;
      throw Object.assign(new Error(message), { name: "PluginError", code, retryable, data });
    } finally {
      waitingServices.shift()?.();
    }
  }

  return {
    receive: (bytes) => decoder.push(bytes, handle),
    stray: (reason) => log(0, "error", `Unhandled rejection: ${stackOf(reason)}`),
  };
}

async function loadPlugin(load: () => Promise<unknown>): Promise<Plugin> {
  const module = await load() as { default?: { kind?: unknown; methods?: unknown } };
  const { kind, methods } = module.default ?? {};
  if (typeof kind !== "string" || typeof methods !== "object" || methods === null) {
    throw new Error("the module's default export is not what definePlugin makes");
  }
  const names = new Set<string>();
  for (
    let level: object | null = methods;
    level !== null && level !== Object.prototype;
    level = Object.getPrototypeOf(level)
  ) {
    for (const name of Object.getOwnPropertyNames(level)) {
      if (name !== "constructor" && typeof (methods as Plugin["methods"])[name] === "function") {
        names.add(name);
      }
    }
  }
  return { kind, methods: methods as Plugin["methods"], names: [...names] };
}

/** What was thrown, as the host is told. Told by its fields: a bundle has its own copy of the class. */
function failure(error: unknown): Answer {
  try {
    const thrown = error as { name?: unknown; code?: unknown; retryable?: unknown; data?: unknown };
    if (thrown?.name === "PluginError" && typeof thrown.code === "string") {
      const { code, retryable, data } = thrown;
      encodeFrame("response", 0, data); // plain, or said without it
      return {
        error: {
          code,
          message: cut(describe(error)),
          retryable: retryable === true,
          ...(data === undefined ? {} : { data: data as Record<string, unknown> }),
        },
      };
    }
  } catch {
    // a getter that throws, data that is not plain
  }
  return { error: { code: "plugin_error", message: cut(describe(error)), retryable: false } };
}

function requestTooLarge(service: string, size: number, most: number): Error {
  const why = `the request has ${size} bytes, its limit is ${most}`;
  return Object.assign(new Error(`Cannot call "${service}": ${why}`), {
    name: "PluginError",
    code: "invalid_parameters",
  });
}

function invalidOutput(method: string, error: unknown) {
  const why = error instanceof PlainError ? error.message : describe(error);
  return {
    code: "invalid_output",
    message: cut(`Cannot return the result of "${method}": ${why}`),
    retryable: false,
  };
}

/** A sentence about anything that can be thrown, whatever its getters do. */
function describe(error: unknown): string {
  try {
    if (error instanceof Error) {
      const named = error.name === "Error" || error.name === "PluginError";
      return named ? String(error.message) : `${error.name}: ${error.message}`;
    }
    return String((error as { message?: unknown })?.message ?? error);
  } catch {
    return "something that cannot be shown was thrown";
  }
}

function stackOf(error: unknown): string {
  try {
    if (error instanceof Error && typeof error.stack === "string") return error.stack;
  } catch {
    // a getter that throws
  }
  return describe(error);
}
