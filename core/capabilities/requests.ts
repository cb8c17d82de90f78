/** The use cases of capabilities: what HTTP and the command line call. */
import type { Actor } from "../auth/actor.ts";
import { CarrelError } from "../errors.ts";
import type { Job } from "../jobs/job.ts";
import type { Jobs } from "../jobs/jobs.ts";
import { type CallInput, checkOwn } from "./call_handler.ts";
import type { Capabilities, CapabilityInfo } from "./capabilities.ts";
import { checkInput } from "./contracts.ts";

export interface CallRequest {
  readonly input: unknown;
  /** This plugin and no other. */
  readonly provider?: string | undefined;
  readonly priority?: number | undefined;
  readonly idempotencyKey?: string | undefined;
  /** Tries in all; who waits for the answer decides himself whether to ask again. @default as other jobs */
  readonly maxAttempts?: number | undefined;
}

export interface CapabilityRequests {
  list(): readonly CapabilityInfo[];
  /**
   * Adds the job that calls it. What is wrong at first sight is said at once: throws `no_provider`,
   * `invalid_parameters`, `too_large`.
   */
  start(name: string, request: CallRequest, actor: Actor): Promise<Job>;
}

export function createCapabilityRequests(
  { capabilities, jobs }: {
    readonly capabilities: Pick<Capabilities, "list" | "choose" | "host">;
    readonly jobs: Pick<Jobs, "add">;
  },
): CapabilityRequests {
  /** The plugin whose turn it is: the job stands in its line. */
  function check(name: string, { input, provider }: CallRequest): string | undefined {
    const own = provider === undefined ? capabilities.host(name) : undefined;
    if (own !== undefined) {
      checkOwn(own, input);
      return undefined;
    }
    const chosen = capabilities.choose(name, provider);
    if ("none" in chosen) {
      throw new CarrelError("no_provider", `Cannot call "${name}": ${chosen.none}.`, {
        details: { capability: name },
      });
    }
    checkInput(name, input);
    return chosen.plugin;
  }

  return {
    list: capabilities.list,
    async start(name, request, { user }) {
      const { input, provider, priority, idempotencyKey, maxAttempts } = request;
      const plugin = check(name, request);
      return await jobs.add({
        kind: "call",
        input: {
          capability: name,
          input,
          ...(provider !== undefined && { provider }),
        } satisfies CallInput,
        user,
        plugin,
        priority,
        idempotencyKey,
        maxAttempts,
      });
    },
  };
}
