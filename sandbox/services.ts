/** The host's services as a guest reaches them: granted by name, checked at each request. */
import type { Answer, ErrorMessage, ServiceMessage } from "./messages.ts";
import { PlainError } from "./plain.ts";
import { encodeFrame, FrameError } from "./protocol.ts";
import type { CallOptions, Limits } from "./types.ts";

export interface ServicesHost {
  /** For messages: the plugin's id. */
  readonly plugin: string;
  /** Host services that the spec grants. */
  readonly services: readonly string[];
  /** Capabilities of other plugins that it grants. */
  readonly calls: readonly string[];
  readonly limits: Limits;
  send(blocks: readonly Uint8Array[]): void;
  /** Told of each request. */
  onService?:
    | ((permission: "services" | "calls", value: string, granted: boolean) => void)
    | undefined;
  /** Told that a request is no longer held. */
  onRoom?: (() => void) | undefined;
}

/** The call in whose course a service is asked for. */
export interface ServedCall {
  readonly options: CallOptions;
  aborted: boolean;
  /** Whether a service was refused to it. */
  denied: boolean;
  /** Aborts its services. Made when the first one is asked for. */
  services: AbortController | undefined;
}

export interface Services {
  /** Answers a request, in its time. Throws `FrameError` when there are too many. */
  onRequest(
    id: number,
    message: ServiceMessage,
    call: ServedCall | undefined,
    /** Bytes of memory that it takes. */
    weight: number,
  ): void;
  /** Bytes of memory for the requests that are under way. */
  readonly held: number;
  /** The runner is gone: no more answers. */
  stop(): void;
}

/** The service behind `ctx.call`: granted by the capability that is called, not by its own name. */
export const CALL_SERVICE = "call";

export function createServices(host: ServicesHost): Services {
  let underWay = 0;
  let held = 0;
  let stopped = false;

  function reply(id: number, service: string, answer: Answer): void {
    try {
      host.send(encodeFrame("response", id, answer));
    } catch (error) {
      const why = error instanceof PlainError ? error.message : "its answer cannot be sent";
      host.send(
        encodeFrame("response", id, refusal("internal", `Cannot call "${service}": ${why}`)),
      );
    }
  }

  async function serve(
    { service, input }: ServiceMessage,
    call: ServedCall | undefined,
  ): Promise<Answer> {
    if (!call || call.aborted) {
      return refusal("denied", `Cannot call "${service}": no call of the host is under way`);
    }
    const services = call.options.services ?? {};
    const [permission, value] = service === CALL_SERVICE
      ? ["calls", capabilityOf(input)] as const
      : ["services", service] as const;
    const granted = host[permission].includes(value) && Object.hasOwn(services, service);
    host.onService?.(permission, value, granted);
    if (!granted) {
      call.denied = true;
      return refusal("denied", `Cannot call "${value}": it is not granted to "${host.plugin}"`);
    }
    call.services ??= new AbortController();
    try {
      return { ok: await services[service]!(input, call.services.signal) ?? null };
    } catch (error) {
      const answer = serviceError(service, error);
      // The host has said so: the guest may say it again.
      if ("error" in answer && answer.error.code === "denied") call.denied = true;
      return answer;
    }
  }

  return {
    onRequest(id, message, call, weight) {
      const { requests } = host.limits;
      if (underWay >= requests) {
        throw new FrameError(`more than ${requests} service requests at once`);
      }
      underWay++;
      held += weight;
      const { service } = message;
      serve(message, call).then((answer) => {
        underWay--;
        held -= weight;
        if (stopped) return;
        reply(id, service, answer);
        host.onRoom?.();
      });
    },
    get held() {
      return held;
    },
    stop() {
      stopped = true;
    },
  };
}

function capabilityOf(input: unknown): string {
  const { capability } = (input ?? {}) as { capability?: unknown };
  return typeof capability === "string" ? capability.slice(0, 128) : "";
}

function refusal(code: string, message: string): { error: ErrorMessage } {
  return { error: { code, message, retryable: false } };
}

/** Only errors that carry a code of ours are told to the guest; others may speak of the host's insides. */
function serviceError(service: string, error: unknown): Answer {
  const { code, message, retryable } = (error ?? {}) as Record<string, unknown>;
  if (typeof code === "string" && /^[a-z][a-z0-9_]*$/.test(code) && typeof message === "string") {
    return { error: { code, message, retryable: retryable === true } };
  }
  return refusal("internal", `Cannot call "${service}": the host failed`);
}
