/**
 * What stands in the frames, and how it is read: a frame's value is `unknown` until one of these has
 * looked at it. Each returns undefined for what is not such a message.
 */
import type { ModelUsage } from "../sdk/capabilities.ts";
import type { LogLine } from "./types.ts";

/** Event, host to guest, once, before any request. */
export interface StartMessage {
  readonly start: {
    readonly config: Readonly<Record<string, unknown>>;
    /** The plugin's own directory. @default it has no grant of it */
    readonly dataDir?: string | undefined;
    /** Bytes of one service request that the host takes. @default any */
    readonly maxRequest?: number | undefined;
  };
}

/** Request, host to guest. */
export interface CallMessage {
  readonly method: string;
  readonly args: readonly unknown[];
  readonly job: { readonly id: string; readonly idempotencyKey: string };
  readonly secrets?: Readonly<Record<string, string>> | undefined;
}

/** Request, guest to host. */
export interface ServiceMessage {
  readonly service: string;
  readonly input: unknown;
  /** The call in whose course it is asked. */
  readonly call: number;
}

export interface ErrorMessage {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly data?: Readonly<Record<string, unknown>> | undefined;
}

/** Response, both ways. */
export type Answer = { readonly ok: unknown } | { readonly error: ErrorMessage };

/** Events, guest to host. */
export type GuestEvent =
  | { readonly event: "ready"; readonly kind: string; readonly methods: readonly string[] }
  | { readonly event: "failed"; readonly message: string }
  | { readonly event: "progress"; readonly fraction: number; readonly message: string | undefined }
  | { readonly event: "log"; readonly level: LogLine["level"]; readonly message: string }
  | { readonly event: "usage"; readonly usage: ModelUsage };

/** Characters of an error's message; what is longer is cut. */
export const MAX_MESSAGE = 4096;
/** Methods of one plugin. */
const MAX_METHODS = 64;
const LEVELS: readonly unknown[] = ["debug", "info", "warn", "error"];

type Fields = Record<string, unknown>;

function fields(value: unknown): Fields | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
      !(value instanceof Uint8Array)
    ? value as Fields
    : undefined;
}

/** Cuts a text; what is no text becomes empty. */
export function cut(text: unknown, length = MAX_MESSAGE): string {
  if (typeof text !== "string") return "";
  return text.length <= length ? text : `${text.slice(0, length)}…`;
}

export function parseStart(value: unknown): StartMessage | undefined {
  const start = fields(fields(value)?.start);
  const config = fields(start?.config);
  const given = start?.maxRequest;
  const maxRequest = typeof given === "number" ? given : undefined;
  const dataDir = typeof start?.dataDir === "string" ? start.dataDir : undefined;
  return config && { start: { config, dataDir, maxRequest } };
}

export function parseCall(value: unknown): CallMessage | undefined {
  const { method, args, job, secrets } = fields(value) ?? {};
  const { id, idempotencyKey } = fields(job) ?? {};
  if (typeof method !== "string" || !Array.isArray(args)) return undefined;
  if (typeof id !== "string" || typeof idempotencyKey !== "string") return undefined;
  const known = fields(secrets) as Record<string, string> | undefined;
  return { method, args, job: { id, idempotencyKey }, ...(known && { secrets: known }) };
}

export function parseService(value: unknown): ServiceMessage | undefined {
  const { service, input, call } = fields(value) ?? {};
  if (typeof service !== "string" || service.length > 128) return undefined;
  if (typeof call !== "number") return undefined;
  return { service, input, call };
}

export function parseAnswer(value: unknown): Answer | undefined {
  const answer = fields(value);
  if (!answer) return undefined;
  if (Object.hasOwn(answer, "ok")) return { ok: answer.ok };
  const error = fields(answer.error);
  if (!error || typeof error.message !== "string") return undefined;
  const { code } = error;
  return {
    error: {
      code: typeof code === "string" && /^[a-z][a-z0-9_]{0,63}$/.test(code) ? code : "plugin_error",
      message: cut(error.message),
      retryable: error.retryable === true,
      data: fields(error.data),
    },
  };
}

export function parseEvent(value: unknown): GuestEvent | undefined {
  const event = fields(value);
  switch (event?.event) {
    case "ready": {
      const { kind, methods } = event;
      if (typeof kind !== "string" || !Array.isArray(methods)) return undefined;
      if (methods.length > MAX_METHODS) return undefined;
      if (!methods.every((name) => typeof name === "string" && name.length <= 64)) return undefined;
      return { event: "ready", kind: cut(kind, 64), methods };
    }
    case "failed":
      return { event: "failed", message: cut(event.message) };
    case "progress": {
      const { fraction, message } = event;
      if (typeof fraction !== "number") return undefined;
      return {
        event: "progress",
        fraction: Math.min(1, Math.max(0, fraction)),
        message: message === null || message === undefined ? undefined : cut(message, 500),
      };
    }
    case "log":
      if (!LEVELS.includes(event.level)) return undefined;
      return {
        event: "log",
        level: event.level as LogLine["level"],
        message: cut(event.message, 8192),
      };
    case "usage": {
      const usage = fields(event.usage);
      return usage && { event: "usage", usage: parseUsage(usage) };
    }
    default:
      return undefined;
  }
}

/** Figures that are none are left out: the rest of what was said counts all the same. */
export function parseUsage(
  { model, input_tokens, output_tokens, cost, currency }: Readonly<Record<string, unknown>>,
): ModelUsage {
  const tokens = { input_tokens: whole(input_tokens), output_tokens: whole(output_tokens) };
  return {
    model: cut(model, 200) || "unknown",
    ...(tokens.input_tokens !== undefined && { input_tokens: tokens.input_tokens }),
    ...(tokens.output_tokens !== undefined && { output_tokens: tokens.output_tokens }),
    ...(isAmount(cost) && { cost }),
    ...(typeof currency === "string" && /^[A-Z]{3}$/.test(currency) && { currency }),
  };
}

/** Far above any bill, and far below what sums of it lose precision at. */
const MAX_AMOUNT = 1e12;

function isAmount(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= MAX_AMOUNT;
}

function whole(value: unknown): number | undefined {
  return isAmount(value) ? Math.round(value) : undefined;
}
