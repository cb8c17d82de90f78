/**
 * Named functions that plugins offer to the host and to each other, and that the host itself offers.
 *
 * - **provider**: an enabled plugin whose manifest names the capability under `provides`.
 * - **router**: picks a provider: the one that is asked for and no other, else the first of the operator's order
 *   (`capabilities` in `config/carrel.yaml`), else of the plugins' priority; when one is down, the next. See
 *   `order.ts`.
 */
import type { Actor } from "../auth/actor.ts";
import type { Usage } from "../jobs/job.ts";
import type { FailedStage } from "../prompts/prompts.ts";
import type { Tx } from "../stores/sql.ts";

export interface CapabilityCall {
  readonly actor: Actor;
  /** The job in whose slot it runs. */
  readonly job: { readonly id: string; readonly idempotencyKey: string };
  /** Aborts it, and all that it calls in turn. */
  readonly signal: AbortSignal;
  /** Asks for this plugin. Throws `no_provider` when it does not provide it. */
  readonly provider?: string | undefined;
  /** Plugins that are calling, outermost first; at most `MAX_DEPTH`. A plugin in it is not called again. */
  readonly callers?: readonly string[] | undefined;
  readonly onProgress?: ((fraction: number, message: string | undefined) => void) | undefined;
  readonly onLog?:
    | ((level: "debug" | "info" | "warn" | "error", message: string) => void)
    | undefined;
  /** Told at once of each use of a model, those of providers that failed included. */
  readonly onUsage?: ((usage: Usage) => void) | undefined;
  /**
   * Takes the stages of providers that failed, so that the outermost caller may have a person asked for what was
   * not granted. Without it the call itself does, and throws `JobWaits`.
   */
  readonly onFailed?: ((stage: FailedStage) => void) | undefined;
}

/** What a call came to. */
export interface CapabilityResult {
  /** Plain JSON, within the capability's contract. */
  readonly value: unknown;
  readonly provider: { readonly id: string; readonly version: string; readonly digest: string };
  readonly usage: readonly Usage[];
  /** Providers that were tried before, and why they did not serve. */
  readonly skipped: readonly { readonly plugin: string; readonly why: string }[];
}

/** What is known of a capability. */
export interface CapabilityInfo {
  readonly name: string;
  readonly description: string | undefined;
  /** In the router's order. */
  readonly providers: readonly {
    readonly plugin: string;
    readonly enabled: boolean;
    /** Why it is passed over now; undefined for one that serves. */
    readonly down: string | undefined;
  }[];
}

/** A function of the host that steps call like a plugin's: `artifact.create`, `notify`. */
export interface HostCapability {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of the input. */
  readonly input: Readonly<Record<string, unknown>>;
  /**
   * Does the work in the transaction that completes the job of the step, so that its rows appear exactly once.
   * Whatever takes long (blobs) is done by `prepare` before.
   */
  readonly prepare?: (input: unknown, call: HostCall) => Promise<unknown>;
  readonly commit: (tx: Tx, prepared: unknown, call: HostCall) => Promise<unknown>;
}

export interface HostCall {
  readonly actor: Actor;
  readonly job: { readonly id: string; readonly parent: string | undefined };
  readonly signal: AbortSignal;
}

export const MAX_DEPTH = 5;

export interface Capabilities {
  list(): readonly CapabilityInfo[];
  /** The plugin that would serve now, or why none would. */
  choose(name: string, provider?: string): { plugin: string } | { none: string };
  host(name: string): HostCapability | undefined;
  /**
   * Calls it in a runner of its provider. Throws `no_provider`, `invalid_parameters` for an input out of contract,
   * `too_large` for an input or result of more than 1 MiB as JSON, `invalid_output`, `denied` for a circle of
   * callers or too many, what the first provider threw when none could serve, and `JobWaits` when a person has to
   * be asked for a permission.
   */
  call(name: string, input: unknown, call: CapabilityCall): Promise<CapabilityResult>;
}
