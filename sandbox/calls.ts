/**
 * The calls of one runner: those the host made and waits for, and the services that the guest asks
 * for in their course. Each frame is looked at as if a stranger had sent it.
 */
import { createBucket } from "./log.ts";
import { type Answer, type GuestEvent, parseAnswer, parseEvent, parseService } from "./messages.ts";
import { PlainError } from "./plain.ts";
import { encodeFrame, type Frame, FrameError } from "./protocol.ts";
import { quietly } from "./quietly.ts";
import { createServices, type ServedCall, type ServicesHost } from "./services.ts";
import type { CallOptions, EndReason, LogLine, RunnerEnd } from "./types.ts";
import { END_REASONS, SandboxError } from "./types.ts";

/** What a runner does for its calls. */
export interface CallsHost extends ServicesHost {
  readonly graceMs: number;
  /** Ends the runner. */
  end(reason: EndReason, message: string): void;
  /** Gives the process its processor time anew. */
  rearm(): void;
  /** An event that belongs to no call. */
  onEvent(event: GuestEvent): void;
  /** Takes a line of `ctx.log`. */
  log(level: LogLine["level"], message: string): void;
  logTail(): readonly LogLine[];
  /** Whether the host itself keeps an answer waiting: that is no time of the call. @default it never does */
  waits?: (() => boolean) | undefined;
}

export interface Calls {
  call(method: string, args: readonly unknown[], options: CallOptions): Promise<unknown>;
  /** Throws `FrameError` on what an honest guest does not send. */
  onFrame(frame: Frame): void;
  /** Gives a log line to those whose calls are under way. */
  hear(line: LogLine): void;
  /** The runner is gone: rejects all that is under way. */
  fail(end: RunnerEnd): void;
  /** Whether each call so far ended with a value or with an error that the plugin itself threw. */
  readonly clean: boolean;
  readonly underWay: number;
  /** Bytes of memory for the service requests that are under way. */
  readonly held: number;
}

interface Pending extends ServedCall {
  readonly id: number;
  readonly method: string;
  deadline: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  grace: ReturnType<typeof setTimeout> | undefined;
  onAbort: (() => void) | undefined;
}

/** How often deadlines are looked at. */
const TICK_MS = 50;
const MIB = 1024 * 1024;
/** Codes by which the host says how a runner ended; a plugin cannot claim them. */
const HOST_CODES: ReadonlySet<string> = new Set(END_REASONS);
const RETRYABLE: ReadonlySet<EndReason> = new Set<EndReason>(["timed_out", "crashed", "lost"]);

/** What the error of a call says whose runner the host itself has ended. */
export const CLOSED = { closed: true } as const;

/** The error of a call whose runner ended. */
export function endError(end: RunnerEnd, logTail: readonly LogLine[]): SandboxError {
  const code = end.reason === "closed" ? "lost" : end.reason;
  const data = end.reason === "closed" ? CLOSED : {};
  return new SandboxError(code, end.message, RETRYABLE.has(code), data, logTail);
}

export function createCalls(host: CallsHost): Calls {
  const pending = new Map<number, Pending>();
  const { message_rate, message_rate_mb, wall_s } = host.limits;
  const frames = createBucket(message_rate, 2 * message_rate);
  const bytes = createBucket(message_rate_mb * MIB, 2 * message_rate_mb * MIB);
  let nextId = 1;
  const services = createServices(host);
  let ended: RunnerEnd | undefined;
  let clean = true;
  let ticker: ReturnType<typeof setInterval> | undefined;
  let ticked = 0;
  /** A call was started since the process last got its processor time. */
  let unarmed = false;

  /** One timer for all: a call that is over before it fires costs none. */
  function tick(): void {
    if (unarmed) host.rearm();
    unarmed = false;
    if (pending.size === 0) {
      clearInterval(ticker);
      ticker = undefined;
      return;
    }
    const now = performance.now();
    if (host.waits?.()) { for (const entry of pending.values()) entry.deadline += now - ticked; }
    ticked = now;
    for (const { deadline, method } of pending.values()) {
      if (deadline > now) continue;
      host.end(
        "timed_out",
        `Cannot run "${method}" of "${host.plugin}": it took longer than ${wall_s} s`,
      );
      return;
    }
  }

  function call(method: string, args: readonly unknown[], options: CallOptions): Promise<unknown> {
    const { signal, job, secrets } = options;
    if (ended) return Promise.reject(endError(ended, host.logTail()));
    if (signal?.aborted) return Promise.reject(cancelled(method));
    const id = nextId;
    nextId = nextId === 0xffff_ffff ? 1 : nextId + 1;
    let blocks: Uint8Array[];
    try {
      blocks = encodeFrame("request", id, { method, args, job, ...(secrets && { secrets }) });
    } catch (error) {
      if (!(error instanceof PlainError)) throw error;
      const message = `Cannot call "${method}" of "${host.plugin}": ${error.message}`;
      return Promise.reject(new SandboxError("invalid_parameters", message, false));
    }
    return new Promise((resolve, reject) => {
      const deadline = performance.now() + wall_s * 1000;
      const entry: Pending = {
        id,
        method,
        options,
        deadline,
        resolve,
        reject,
        aborted: false,
        denied: false,
        grace: undefined,
        onAbort: undefined,
        services: undefined,
      };
      pending.set(id, entry);
      if (signal) {
        entry.onAbort = () => abort(entry);
        signal.addEventListener("abort", entry.onAbort, { once: true });
      }
      unarmed = true;
      if (ticker === undefined) {
        ticked = performance.now();
        ticker = setInterval(tick, TICK_MS);
      }
      host.send(blocks);
    });
  }

  function abort(entry: Pending): void {
    entry.aborted = true;
    clean = false;
    entry.services?.abort();
    host.send(encodeFrame("cancel", entry.id, null));
    entry.grace = setTimeout(() => {
      const { message } = cancelled(entry.method);
      host.end("cancelled", `${message}, and it did not stop within ${host.graceMs / 1000} s`);
    }, host.graceMs);
  }

  function cancelled(method: string): SandboxError {
    const message = `Cannot go on with "${method}" of "${host.plugin}": it was cancelled`;
    return new SandboxError("cancelled", message, false, {}, host.logTail());
  }

  function settle(entry: Pending): void {
    pending.delete(entry.id);
    clearTimeout(entry.grace);
    entry.services?.abort();
    if (entry.onAbort) entry.options.signal?.removeEventListener("abort", entry.onAbort);
  }

  function onFrame(frame: Frame): void {
    if (ended) return;
    if (frame.kind === "response") {
      const entry = pending.get(frame.id);
      if (entry) return onAnswer(entry, parseAnswer(frame.value));
    }
    if (!frames.take(1) || !bytes.take(frame.size)) {
      throw new FrameError(
        `more unasked-for messages than the host reads, ${message_rate} or ${message_rate_mb} MiB a second`,
      );
    }
    switch (frame.kind) {
      case "response": // to a call that was never made, or is over
      case "cancel": // services are cancelled with their call
        return;
      case "event":
        return onEvent(frame.id, parseEvent(frame.value));
      case "request": {
        const message = parseService(frame.value);
        if (!message) throw new FrameError("a request that is none");
        services.onRequest(frame.id, message, pending.get(message.call), frame.weight);
      }
    }
  }

  function onAnswer(entry: Pending, answer: Answer | undefined): void {
    if (!answer) throw new FrameError("an answer that is none");
    settle(entry);
    if (entry.aborted) return entry.reject(cancelled(entry.method));
    if ("ok" in answer) return entry.resolve(answer.ok);
    const { code, message, retryable, data } = answer.error;
    const believed = HOST_CODES.has(code) && !(code === "denied" && entry.denied)
      ? "plugin_error"
      : code;
    // Broken output says that the guest's own bookkeeping cannot be relied on either.
    if (believed === "invalid_output") clean = false;
    entry.reject(new SandboxError(believed, message, retryable, data ?? {}, host.logTail()));
  }

  function onEvent(id: number, event: GuestEvent | undefined): void {
    if (!event) throw new FrameError("an event that is none");
    switch (event.event) {
      case "progress":
        return quietly(() => pending.get(id)?.options.onProgress?.(event.fraction, event.message));
      case "usage":
        return quietly(() => pending.get(id)?.options.onUsage?.(event.usage));
      case "log":
        return host.log(event.level, event.message);
      default:
        return host.onEvent(event);
    }
  }

  function fail(end: RunnerEnd): void {
    ended = end;
    services.stop();
    clean = false;
    clearInterval(ticker);
    for (const entry of [...pending.values()]) {
      settle(entry);
      entry.reject(endError(end, host.logTail()));
    }
  }

  return {
    call,
    onFrame,
    fail,
    hear(line) {
      for (const onLog of new Set([...pending.values()].map(({ options }) => options.onLog))) {
        quietly(() => onLog?.(line));
      }
    },
    get clean() {
      return clean;
    },
    get underWay() {
      return pending.size;
    },
    get held() {
      return services.held;
    },
  };
}
