/** What a plugin has of the host while one call of it runs: host services, other plugins, its account. */
import type { CallOptions, Service } from "../../sandbox/types.ts";
import type { Actor } from "../auth/actor.ts";
import { CarrelError } from "../errors.ts";
import { type JobRun, JobWaits, type Usage } from "../jobs/job.ts";
import type { FailedStage, Prompts } from "../prompts/prompts.ts";
import type { SqlStore } from "../stores/sql.ts";
import { actorOfJob } from "./actor_of.ts";
import type { Capabilities, CapabilityCall } from "./capabilities.ts";
import { usageOf } from "./usage.ts";

/** For whom a service works: its work is the actor's, whichever plugin asks. */
export interface ServiceCaller {
  readonly plugin: string;
  readonly actor: Actor;
  readonly job: { readonly id: string };
}

/** The host's services, by name, for one caller. That they were granted is checked before they are reached. */
export type HostServices = (caller: ServiceCaller) => Readonly<Record<string, Service>>;

export const NO_SERVICES: HostServices = () => ({});

export interface GuestParts {
  readonly capabilities: Pick<Capabilities, "call">;
  /** @default none */
  readonly services?: HostServices | undefined;
  /** @default nobody is asked */
  readonly prompts?: Pick<Prompts, "examine"> | undefined;
}

export interface JobGuestParts extends GuestParts {
  readonly sql: Pick<SqlStore, "db">;
}

/** The call of a plugin that the services are for. */
export interface GuestCall {
  /** Which plugin runs. */
  readonly plugin: string;
  readonly actor: Actor;
  readonly job: { readonly id: string; readonly idempotencyKey: string };
  /** Those that wait for it, outermost first. @default [] */
  readonly callers?: readonly string[] | undefined;
  readonly onUsage?: ((usage: Usage) => void) | undefined;
  readonly onLog?: CapabilityCall["onLog"];
  /** @default kept for `examine` */
  readonly onFailed?: ((stage: FailedStage) => void) | undefined;
}

export interface Guest {
  /** To be spread into the options of `desk.call`. */
  readonly options: Required<Pick<CallOptions, "services" | "onUsage">>;
  /**
   * What the failed call must throw: as `Prompts.examine`, but where it failed because a plugin that it had called
   * lacks a permission, that one is asked for.
   */
  examine(stage: FailedStage): Promise<unknown>;
}

export function guestServices(parts: GuestParts, call: GuestCall): Guest {
  const { plugin, actor, job } = call;
  const callers = [...call.callers ?? [], plugin];
  const failed: FailedStage[] = [];
  let calls = 0;

  const callOther: Service = async (input, signal) => {
    const { capability, input: given } = (input ?? {}) as { capability?: unknown; input?: unknown };
    // The sandbox has looked: this very name is among what its runner was granted.
    if (typeof capability !== "string") {
      throw new CarrelError("invalid_parameters", "Cannot call a capability: it has no name.");
    }
    const result = await parts.capabilities.call(capability, given, {
      actor,
      // A call of its own for who takes such keys, the same one in the next attempt.
      job: { id: job.id, idempotencyKey: `${job.idempotencyKey}.${++calls}` },
      signal,
      callers,
      onUsage: call.onUsage,
      onLog: call.onLog,
      onFailed: call.onFailed ?? ((stage) => void failed.push(stage)),
    });
    return result.value;
  };

  return {
    options: {
      services: {
        ...(parts.services ?? NO_SERVICES)({ plugin, actor, job }),
        call: callOther,
      },
      onUsage: (usage) => call.onUsage?.(usageOf(plugin, usage)),
    },
    async examine(stage) {
      if (parts.prompts === undefined) return stage.error;
      for (const inner of failed) {
        const examined = await parts.prompts.examine(inner);
        if (examined instanceof JobWaits) return examined;
      }
      return await parts.prompts.examine(stage);
    },
  };
}

/** The same for a plugin that a job's handler calls: what it costs is on the job's account. */
export async function guestOfJob(
  parts: JobGuestParts,
  run: Pick<JobRun, "job" | "spend" | "log">,
  { plugin, method }: { readonly plugin: string; readonly method: string },
): Promise<Guest> {
  const { job } = run;
  return guestServices(parts, {
    plugin,
    actor: await actorOfJob(parts.sql.db, job),
    job: { id: job.id, idempotencyKey: `${job.id}.${method}` },
    onUsage: (usage) => run.spend({ usage }),
    onLog: (level, message) => run.log(level, message),
  });
}
