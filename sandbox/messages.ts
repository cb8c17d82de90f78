/**
 * What stands in the frames, and how it is read: a frame's value is `unknown` until one of these has
 * looked at it. Each returns undefined for what is not such a message.
 */
import type { LogLine } from "./types.ts";

/** Event, host to guest, once, before any request. */
export interface StartMessage {
  readonly start: {
    readonly config: Readonly<Record<string, unknown>>;
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
  | { readonly event: "log"; readonly level: LogLine["level"]; readonly message: string };

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
  return config && { start: { config, maxRequest } };
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
    default:
      return undefined;
  }
}
