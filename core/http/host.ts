/** What the HTTP layer needs of the host: `core/app.ts` provides it, tests may provide parts. */
import type { Auth } from "../auth/auth.ts";
import type { CapabilityRequests } from "../capabilities/requests.ts";
import type { Jobs } from "../jobs/jobs.ts";
import type { JobCare } from "../jobs/job_care.ts";
import type { Library } from "../library/library.ts";
import type { Audit } from "../audit/audit.ts";
import type { Available } from "../plugins/available.ts";
import type { Plugins } from "../plugins/plugins.ts";
import type { Prompts } from "../prompts/prompts.ts";
import type { Provenance } from "../provenance/provenance.ts";
import type { Search } from "../search/search.ts";
import type { EventLog } from "../event_log/event_log.ts";
import type { Schedules } from "../schedules/schedules.ts";
import type { Workflows } from "../workflows/workflows.ts";
import type { Health } from "../../sdk/types.ts";
import type { PoolStats } from "../../sandbox/types.ts";

export interface Host {
  readonly version: string;
  readonly auth: Auth;
  readonly jobs: Jobs;
  readonly library: Library;
  readonly search: Search;
  readonly provenance: Provenance;
  readonly plugins: Plugins;
  /** What jobs wait for. */
  readonly prompts: Pick<Prompts, "list" | "get" | "decide">;
  /** Health of a plugin, checked in a runner now. */
  pluginHealth(id: string): Promise<Health>;
  /** Stores by name and whether they answer. */
  ready(): Promise<Readonly<Record<string, boolean>>>;
  poolStats(): PoolStats;
  /** Plugins that the registry lists. */
  readonly available: Available;
  readonly audit: Pick<Audit, "list" | "verify">;
  /** Absent: there are no routes for it. */
  readonly jobCare?: JobCare | undefined;
  /** Absent: there are no routes for them. */
  readonly capabilities?: CapabilityRequests | undefined;
  readonly workflows: Workflows;
  /** Absent: there are no routes for it. */
  readonly eventLog?: Pick<EventLog, "read" | "newest" | "watch"> | undefined;
  /** Absent: there are no routes for them. */
  readonly schedules?: Schedules | undefined;
}

/** The part of it that the routes use; a `Host` is one. */
export interface HttpHost extends Omit<Host, "jobs" | "plugins"> {
  readonly jobs: Pick<
    Jobs,
    "get" | "list" | "cancel" | "retry" | "watch" | "children" | "finished"
  >;
  readonly plugins: Pick<
    Plugins,
    | "list"
    | "get"
    | "permissions"
    | "versions"
    | "install"
    | "consents"
    | "consent"
    | "decide"
    | "ask"
    | "setEnabled"
    | "rollback"
    | "setConfig"
    | "tighten"
    | "revoke"
    | "uninstall"
  >;
}
