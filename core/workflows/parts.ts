/** What runs are made with. */
import type { Capabilities } from "../capabilities/capabilities.ts";
import type { EventLog } from "../event_log/event_log.ts";
import type { Clock } from "../jobs/clock.ts";
import type { JobEngine } from "../jobs/dispatcher.ts";
import type { Library } from "../library/library.ts";
import type { Plugins } from "../plugins/plugins.ts";
import type { SqlStore } from "../stores/sql.ts";
import type { Expressions } from "./expressions.ts";
import type { Workflow } from "./workflows.ts";

export interface RunParts {
  readonly sql: SqlStore;
  /** The engine whose handler of runs this is: it is made after it. */
  readonly engine: () => {
    readonly jobs: Pick<
      JobEngine["jobs"],
      "addIn" | "admit" | "get" | "children" | "cancel" | "cancelIn" | "retryIn" | "wake"
    >;
    readonly waiting: Pick<JobEngine["waiting"], "resume">;
  };
  readonly capabilities: Pick<Capabilities, "choose" | "host">;
  readonly expressions: Expressions;
  readonly eventLog: Pick<EventLog, "append" | "read" | "newest" | "wake">;
  readonly library: Pick<Library, "importJob" | "exportJob">;
  /** @default the system's */
  readonly clock?: Pick<Clock, "now"> | undefined;
}

export interface WorkflowsParts extends RunParts {
  /** `list`: what a misspelt capability may have meant. @default those that are known */
  readonly capabilities: RunParts["capabilities"] & Partial<Pick<Capabilities, "list">>;
  readonly plugins: Pick<Plugins, "find" | "permissions" | "matchUrl" | "matchFormat">;
  /** The workflows that can be started by name: those of the pipeline files. */
  readonly loadWorkflows: () => Promise<readonly Workflow[]>;
}

/** Who would serve a capability now: a plugin, `host`, or why nobody. */
export function servesBy({ capabilities }: Pick<RunParts, "capabilities">) {
  return (
    capability: string,
    provider: string | undefined,
  ): { readonly plugin: string } | { readonly none: string } =>
    provider === undefined && capabilities.host(capability) !== undefined
      ? { plugin: "host" }
      : capabilities.choose(capability, provider);
}
