/**
 * Takes secrets out of what comes back from a guest that was given them. It catches the slip of an honest
 * plugin: a key in a log line, in the URL of an error, in a page that shows it. A plugin that wants to tell
 * can always spell it otherwise.
 */
import { Buffer } from "node:buffer";
import { type CallOptions, SandboxError, type SecretSource } from "./types.ts";

/** Shorter ones would take harmless text out with them. */
const MIN_LENGTH = 4;
const SHOWN = "[secret]";

export interface Redactor {
  /** Values that are secret from now on. */
  add(values: Iterable<string>): void;
  text(text: string): string;
  /** The same plain value with its texts, keys and bytes redacted; changed in place where it can be. */
  value<T>(value: T): T;
}

export function createRedactor(): Redactor {
  const known = new Set<string>();
  /** All spellings, the longest first: one may hold another. */
  let spellings: readonly string[] = [];
  let needles: readonly Buffer[] = [];

  function text(text: string): string {
    let clean = text;
    for (const spelling of spellings) {
      if (clean.includes(spelling)) clean = clean.replaceAll(spelling, SHOWN);
    }
    return clean;
  }

  function bytes(view: Uint8Array): void {
    const buffer = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
    for (const needle of needles) {
      for (let at = buffer.indexOf(needle); at >= 0; at = buffer.indexOf(needle, at)) {
        buffer.fill("*", at, at + needle.length);
      }
    }
  }

  function value(given: unknown): unknown {
    if (typeof given === "string") return text(given);
    if (typeof given !== "object" || given === null) return given;
    if (given instanceof Uint8Array) {
      bytes(given);
      return given;
    }
    if (Array.isArray(given)) return given.map(value);
    return Object.fromEntries(Object.entries(given).map(([key, one]) => [text(key), value(one)]));
  }

  return {
    add(values) {
      for (const one of values) if (one.length >= MIN_LENGTH) known.add(one);
      spellings = [...new Set([...known].flatMap(spellingsOf))].sort((a, b) => b.length - a.length);
      needles = spellings.map((spelling) => Buffer.from(spelling));
    },
    text: (given) => spellings.length === 0 ? given : text(given),
    value: <T>(given: T) => spellings.length === 0 ? given : value(given) as T,
  };
}

/** As it is, in a URL, in JSON, in base64. */
function spellingsOf(secret: string): readonly string[] {
  const base64 = Buffer.from(secret).toString("base64");
  return [
    secret,
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    base64,
    base64.replace(/=+$/, ""),
    Buffer.from(secret).toString("base64url"),
  ];
}

type Call = (method: string, args: readonly unknown[], options: CallOptions) => Promise<unknown>;

/** Hands the secrets to each call, and takes them out of all that it says. */
export function withSecrets(call: Call, source: SecretSource, redactor: Redactor): Call {
  return async (method, args, options) => {
    const secrets = await source.resolve();
    redactor.add(Object.values(secrets));
    const { onProgress, onUsage, services } = options;
    try {
      const answer = await call(method, args, {
        ...options,
        secrets,
        onProgress: onProgress &&
          ((fraction, message) => onProgress(fraction, message && redactor.text(message))),
        onUsage: onUsage && ((usage) => onUsage({ ...usage, model: redactor.text(usage.model) })),
        services: services && Object.fromEntries(
          Object.entries(services).map(([name, service]) => [
            name,
            (input, signal) => service(redactor.value(input), signal),
          ]),
        ),
      });
      return redactor.value(answer);
    } catch (error) {
      if (!(error instanceof SandboxError)) throw error;
      const { code, message, retryable, data, logTail } = error;
      throw new SandboxError(
        code,
        redactor.text(message),
        retryable,
        redactor.value(data),
        logTail,
      );
    }
  };
}
